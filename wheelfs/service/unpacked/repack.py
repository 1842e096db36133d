"""Making a wheel of an unpacked distribution whose own wheel is nowhere any more.

It is not the file that the distribution came from, and never passes for it: it has another sha256, and is marked where it is
stored.  It has the members that RECORD vouches for, with RECORD's digests checked while they are read, in a fixed order and with
fixed times, so that the same files always give the same wheel.
"""

from __future__ import annotations

import hashlib
import zipfile
from typing import TYPE_CHECKING, BinaryIO, Final, NamedTuple

from wheelfs.core.environments.installation import SCRIPT_BYTES
from wheelfs.core.unpacked.members import members, with_original_first_line
from wheelfs.core.wheel.record import record_text
from wheelfs.errors import InvalidInput
from wheelfs.service.unpacked.reading import opened, pieces, read_small

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from wheelfs.core.unpacked.distribution import Distribution
    from wheelfs.core.unpacked.members import Placed
    from wheelfs.service.unpacked.places import Unpacked

COMMENT: Final = b"repacked by wheelfs from unpacked files"
"""Of the ZIP, for those who meet the file elsewhere."""
_MADE_AT: Final = (1980, 1, 1, 0, 0, 0)
"""The earliest time that a ZIP can hold."""
_ZIP64_BYTES: Final = 1 << 31


class _Written(NamedTuple):
    name: str
    sha256: bytes
    size: int


def repack(unpacked: Unpacked, distribution: Distribution, destination: BinaryIO) -> None:
    """Write the wheel of ``unpacked``; raises `InvalidInput` where a file is not what RECORD says, or cannot be undone."""
    attempted = unpacked.attempted
    entry_points = read_small(attempted, unpacked.site / unpacked.dist_info / "entry_points.txt") or b""
    wanted = list(members(attempted, distribution, entry_points, unpacked.layout))
    # As builders have it: what describes the wheel comes last, so that its end is enough to know it.
    wanted.sort(key=lambda one: (one.name.startswith(f"{distribution.dist_info}/"), one.name))
    _check(attempted, wanted, distribution)
    with zipfile.ZipFile(destination, "w") as archive:
        archive.comment = COMMENT
        written = [_add(archive, attempted, unpacked.root, one) for one in wanted]
        record = f"{distribution.dist_info}/RECORD"
        _write(archive, _entry(record, is_executable=False), iter([record_text(written, record)]))


def _check(attempted: str, wanted: list[Placed], distribution: Distribution) -> None:
    names = [one.name for one in wanted]
    for needed in ("METADATA", "WHEEL"):
        if f"{distribution.dist_info}/{needed}" not in names:
            raise InvalidInput(attempted, f"its RECORD does not vouch for its {needed}", "install it again")
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise InvalidInput(attempted, f"two of its files were the member {twice[:200]!r}", "install it again")


def _add(archive: zipfile.ZipFile, attempted: str, root: Path, one: Placed) -> _Written:
    path = root / one.path
    try:
        with opened(attempted, path) as (descriptor, status):
            checked = _checked(attempted, one, pieces(descriptor))
            is_executable = one.is_script or "/scripts/" in one.name or bool(status.st_mode & 0o100)
            entry = _entry(one.name, is_executable=is_executable)
            if one.is_script and status.st_size <= SCRIPT_BYTES:
                checked = iter([with_original_first_line(b"".join(checked))])
            return _write(archive, entry, checked, is_large=status.st_size >= _ZIP64_BYTES)
    except FileNotFoundError:
        raise InvalidInput(attempted, f"{one.path} is gone, and its RECORD has it", "install it again") from None
    except OSError as error:
        raise InvalidInput(attempted, f"{path}: {error.strerror}", "run this as the user who owns it") from None


def _checked(attempted: str, one: Placed, content: Iterator[bytes]) -> Iterator[bytes]:
    """Yield ``content``; raises `InvalidInput` at its end where it is not what RECORD says."""
    digest = hashlib.new(one.recorded.algorithm)
    for piece in content:
        digest.update(piece)
        yield piece
    if digest.digest() != one.recorded.digest:
        raise InvalidInput(attempted, f"{one.path} is not what its RECORD says: it was edited", "install it again")


def _entry(name: str, *, is_executable: bool) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, _MADE_AT)
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.create_system = 3  # Unix: else installers see no exec bits
    entry.external_attr = (0o100755 if is_executable else 0o100644) << 16
    return entry


def _write(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, content: Iterator[bytes], *, is_large: bool = False) -> _Written:
    digest, size = hashlib.sha256(), 0
    with archive.open(entry, "w", force_zip64=is_large) as member:
        for piece in content:
            digest.update(piece)
            size += member.write(piece)
    return _Written(entry.filename, digest.digest(), size)
