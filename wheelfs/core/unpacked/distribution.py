"""Which wheel a distribution was that an installer has unpacked: told by its ``.dist-info`` alone.

Sources: "Recording installed projects" (RECORD, INSTALLER, direct_url.json), "Binary distribution format" (WHEEL) and "Recording
the Direct URL Origin of installed distributions".  What an installer writes there is described, not trusted: that a file is what
its wheel had is told by RECORD's digests, and that a wheel is an index's own by its sha256.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from wheelfs.core.wheel.identity import filename_by, is_metadata_of
from wheelfs.core.wheel.record import recorded
from wheelfs.core.wheel.zip_layout import NotAZip
from wheelfs.errors import InvalidInput
from wheelfs.model.names import WheelName

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from wheelfs.core.wheel.record import Recorded

SUFFIX: Final = ".dist-info"
DESCRIBING: Final = ("METADATA", "WHEEL", "RECORD", "INSTALLER", "direct_url.json")
"""The files that `described` is given, as far as they are there."""
MAX_FILE_BYTES: Final = 64 << 20
"""A RECORD of 500,000 files; a larger one is no installer's."""

_HALF: Final = "remove it from where it lies, and install it there again"


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
    for one in recorded(attempted, content, advice=_HALF):
        if found.setdefault(one.path, one) != one:
            raise InvalidInput(attempted, f"its RECORD has {one.path[:200]!r} twice, and not alike", _HALF)
    return tuple(found.values())


def _direct_url(attempted: str, content: bytes) -> _DirectUrl:
    try:
        return msgspec.json.decode(content, type=_DirectUrl)
    except msgspec.DecodeError as error:
        raise InvalidInput(attempted, f"its direct_url.json cannot be read ({error})", _HALF) from None
