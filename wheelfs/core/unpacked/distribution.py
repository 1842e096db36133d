"""Which wheel a distribution was that an installer has unpacked: told by its ``.dist-info`` alone.

Sources: "Recording installed projects" (RECORD, INSTALLER, direct_url.json), "Binary distribution format" (WHEEL) and "Recording
the Direct URL Origin of installed distributions".  What an installer writes there is described, not trusted: that a file is what
its wheel had is told by RECORD's digests, and that a wheel is an index's own by its sha256.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import re
from typing import TYPE_CHECKING, Final

import msgspec

from wheelfs.core.wheel.identity import filename_by, is_metadata_of
from wheelfs.core.wheel.zip_layout import NotAZip
from wheelfs.errors import InvalidInput
from wheelfs.model.names import WheelName

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SUFFIX: Final = ".dist-info"
DESCRIBING: Final = ("METADATA", "WHEEL", "RECORD", "INSTALLER", "direct_url.json")
"""The files that `described` is given, as far as they are there."""
MAX_FILE_BYTES: Final = 64 << 20
"""A RECORD of 500,000 files; a larger one is no installer's."""

_ALGORITHMS: Final = ("sha256", "sha384", "sha512")
"""What RECORD may vouch with: "sha256 or better"; of those that hashlib has these are in use."""
_DIGITS: Final = re.compile(r"[0-9]{1,18}", re.ASCII)
_HALF: Final = "remove it from where it lies, and install it there again"


class Recorded(msgspec.Struct, frozen=True):
    """A row of RECORD: a path relative to the directory that holds the ``.dist-info``, and what vouches for the file.

    ``algorithm`` is empty where RECORD gives no hash that is believed.
    """

    path: str
    algorithm: str = ""
    digest: bytes = b""
    size: int | None = None


class Distribution(msgspec.Struct, frozen=True):
    """An unpacked distribution: ``dist_info`` is its directory's name, ``wheel`` the name that its own files stand for.

    ``is_direct``: it was installed from a path or an URL, not from an index.
    """

    dist_info: str
    wheel: WheelName
    recorded: tuple[Recorded, ...]
    installer: str = ""
    is_direct: bool = False

    @property
    def data(self) -> str:
        """The name of the directory that holds what does not lie beside the ``.dist-info`` (``NAME-VERSION.data``)."""
        return self.dist_info.removesuffix(SUFFIX) + ".data"


class _DirectoryInfo(msgspec.Struct):
    editable: bool = False


class _DirectUrl(msgspec.Struct):
    url: str = ""
    dir_info: _DirectoryInfo | None = None


def described(attempted: str, dist_info: str, files: Mapping[str, bytes]) -> Distribution:
    """Return what the directory ``dist_info`` says of itself; raises `InvalidInput` for what is no whole distribution.

    ``files`` are those of `DESCRIBING` that are there.
    """
    for needed in ("METADATA", "WHEEL", "RECORD"):
        if needed not in files:
            raise InvalidInput(
                attempted, f"it has no {needed}: it was unpacked in part only, or by no installer of wheels", _HALF
            )
    direct = _direct_url(attempted, files["direct_url.json"]) if "direct_url.json" in files else None
    if direct is not None and direct.dir_info is not None and direct.dir_info.editable:
        raise editable(attempted)
    try:
        wheel = WheelName(filename_by(dist_info.removesuffix(SUFFIX), files["WHEEL"]))
    except NotAZip as error:
        raise InvalidInput(attempted, f"its WHEEL makes no sense: {error}", _HALF) from None
    if not is_metadata_of(files["METADATA"], wheel.filename):
        raise InvalidInput(attempted, f"its METADATA is not that of {wheel.project} {wheel.version}", _HALF)
    installer = files.get("INSTALLER", b"").decode("utf-8", "replace").strip()
    return Distribution(dist_info, wheel, tuple(record(attempted, files["RECORD"])), installer[:100], direct is not None)


def editable(attempted: str) -> InvalidInput:
    """Return what is wrong with an editable install."""
    return InvalidInput(attempted, "it is installed as editable: its files are where they are edited", "build a wheel of it")


def record(attempted: str, content: bytes) -> Sequence[Recorded]:
    """Return the rows of RECORD; raises `InvalidInput` for one that cannot be read or names a path twice."""
    found: dict[str, Recorded] = {}
    try:
        for row in csv.reader(io.StringIO(content.decode("utf-8-sig"), newline="")):
            if not row:
                continue
            one = _row(row)
            if one.path in found and found[one.path] != one:
                raise InvalidInput(attempted, f"its RECORD has {one.path[:200]!r} twice, and not alike", _HALF)
            found[one.path] = one
    except (csv.Error, UnicodeDecodeError, ValueError) as error:
        raise InvalidInput(attempted, f"its RECORD cannot be read ({error})".replace("\n", " "), _HALF) from None
    return tuple(found.values())


def _row(row: Sequence[str]) -> Recorded:
    path, hashed, size = [*row, "", ""][:3]
    algorithm, _, encoded = hashed.partition("=")
    if algorithm not in _ALGORITHMS:
        return Recorded(path, size=_size(size))
    digest = base64.urlsafe_b64decode(encoded.rstrip("=") + "=" * (-len(encoded.rstrip("=")) % 4))
    if len(digest) != hashlib.new(algorithm).digest_size:
        return Recorded(path, size=_size(size))
    return Recorded(path, algorithm, digest, _size(size))


def _size(text: str) -> int | None:
    return int(text) if _DIGITS.fullmatch(text) else None


def _direct_url(attempted: str, content: bytes) -> _DirectUrl:
    try:
        return msgspec.json.decode(content, type=_DirectUrl)
    except msgspec.DecodeError as error:
        raise InvalidInput(attempted, f"its direct_url.json cannot be read ({error})", _HALF) from None
