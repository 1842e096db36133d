"""Reading unpacked distributions: regular files only, each within a bound, and what cannot be read is refused by name."""

from __future__ import annotations

import os
import stat
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from wheelfs.core.unpacked.distribution import DESCRIBING, MAX_FILE_BYTES, Distribution, described, editable
from wheelfs.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from wheelfs.service.unpacked.places import Unpacked

PIECE_BYTES: Final = 1 << 20


def read_distribution(unpacked: Unpacked) -> Distribution:
    """Return what an unpacked distribution says of itself; raises `InvalidInput`."""
    if not unpacked.dist_info:
        happened = "it has no .dist-info: it was unpacked in part only, or is no wheel"
        raise InvalidInput(f"take in {unpacked.root}", happened, "uv unpacks it again when it needs it")
    if unpacked.is_editable:
        raise editable(unpacked.attempted)
    directory = unpacked.site / unpacked.dist_info
    files = {name: text for name in DESCRIBING if (text := read_small(unpacked.attempted, directory / name)) is not None}
    return described(unpacked.attempted, unpacked.dist_info, files)


def read_small(attempted: str, path: Path) -> bytes | None:
    """Return the content of a file, None where there is none; raises `InvalidInput` where it cannot be read or is too large."""
    try:
        with opened(attempted, path) as (descriptor, status):
            if status.st_size > MAX_FILE_BYTES:
                raise InvalidInput(attempted, f"its {path.name} has more than {MAX_FILE_BYTES >> 20} MiB")
            return b"".join(pieces(descriptor))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise InvalidInput(attempted, f"{path}: {error.strerror}", "run this as the user who owns it") from None


@contextmanager
def opened(attempted: str, path: Path) -> Iterator[tuple[int, os.stat_result]]:
    """Open a regular file, or what a link leads to (uv makes environments of links into its cache).

    Raises `OSError`, and `InvalidInput` for what is no regular file.
    """
    # A pipe without a writer would block the open without end.
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise InvalidInput(attempted, f"{path} is not a regular file")
        yield descriptor, status
    finally:
        os.close(descriptor)


def pieces(descriptor: int) -> Iterator[bytes]:
    """Yield the content of an open file; raises `OSError`."""
    while piece := os.read(descriptor, PIECE_BYTES):
        yield piece
