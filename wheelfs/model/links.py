"""What an index says of a project and its files (the simple repository API: PEP 503, 592, 658/714, 691, 700, 708, 740, 792)."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol, TypedDict

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_SIZE_BYTES: Final = 1 << 40
"""A size above 1 TiB is taken as "not told": no wheel is that large, and sparse files of such sizes are."""
MAX_TIME_US: Final = 253_402_300_799_000_000
"""The last second of the year 9999: a later time cannot be written on a page."""


class Description(TypedDict):
    """What an index says of a file beside its address, name, digest and size: the same in links, stored names and shared files.

    Each of these has a format of its own, with its fields in the order in which they were invented, so they are flat, and made
    from one another by `description_of`.  A new field is added here and to each format that is to carry it; where one is made for
    each of a million names, its fields are spelled out instead (a test compares them all).
    """

    upload_time_us: int | None
    requires_python: str | None
    yanked: str | None
    metadata_sha256: bytes | None


class HasDescription(Protocol):
    """A record with the fields of `Description`."""

    @property
    def upload_time_us(self) -> int | None: ...
    @property
    def requires_python(self) -> str | None: ...
    @property
    def yanked(self) -> str | None: ...
    @property
    def metadata_sha256(self) -> bytes | None: ...


def description_of(file: HasDescription) -> Description:
    """Return what an index says of a file, to make another record of it: ``FileLink(..., **description_of(file))``."""
    return {
        "upload_time_us": file.upload_time_us,
        "requires_python": file.requires_python,
        "yanked": file.yanked,
        "metadata_sha256": file.metadata_sha256,
    }


class PassedOn(NamedTuple):
    """An optional text or address of a file that is passed on as its index has it.

    ``field`` is its name in `FileLink` and for users; ``attribute`` that of an anchor (PEP 503), ``key`` that of JSON (PEP 691).
    ``is_address``: it may be relative to the page.
    """

    field: str
    attribute: str
    key: str
    is_address: bool = False


PASSED_ON: Final[tuple[PassedOn, ...]] = (PassedOn("provenance", "data-provenance", "provenance", is_address=True),)
"""The parsers, the renderers and ``wheelfs show`` go by these; each is an attribute of `FileLink`: a text, or None."""


class LeftOut(StrEnum):
    """Why a link of a page is not among its files."""

    ADDRESS = "without an address that can be used"
    NAME = "that are no distribution files"
    PROJECT = "of other projects"
    TWICE = "whose name another link of the page has"


class FileLink(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One file on a project page.

    ``url`` is absolute and carries neither credentials nor fragment.  ``yanked`` is None when the file is not yanked, else the
    reason, which may be empty.  ``has_metadata`` says that the index serves ``url + ".metadata"``; ``metadata_sha256`` is
    that file's digest when the index gives it.  ``upload_time_us`` is in microseconds since the epoch, UTC.  ``size_bytes`` is
    None when the index does not say.  ``alternatives`` are the addresses of further links of the same name and content, in
    the page's order: for when the first is dead.  ``first_seen_us`` is when this store first saw the file on its page, in
    microseconds since the epoch, where the index gives no upload times (`wheelfs.core.projects.first_seen`).

    New fields go to the end: stored pages of older builds must still read.
    """

    filename: str
    url: str
    sha256: bytes | None = None
    size_bytes: int | None = None
    requires_python: str | None = None
    yanked: str | None = None
    has_metadata: bool = False
    metadata_sha256: bytes | None = None
    upload_time_us: int | None = None
    other_hashes: dict[str, str] | None = None
    provenance: str | None = None
    alternatives: tuple[str, ...] = ()
    first_seen_us: int | None = None

    def passed_on(self) -> Iterator[tuple[PassedOn, str]]:
        """Yield the fields of `PASSED_ON` that its index gives, with their values."""
        return ((one, value) for one in PASSED_ON if (value := getattr(self, one.field)) is not None)


class ProjectPage(msgspec.Struct, frozen=True, array_like=True):
    """A project page: the files in the index's own order, and what is said of the project as a whole.

    ``refused`` counts the links that are not among the files, and ``left_out`` says how many for which `LeftOut` reason (empty
    on pages that older builds stored).  ``fileless_versions`` are those that the index names (PEP 700) without having a file
    of them.  ``api_version`` is part of the format, written and not read.  New fields go to the end, as in `FileLink`.
    """

    project: str
    files: tuple[FileLink, ...]
    api_version: str = "1.0"
    status: str | None = None
    status_reason: str | None = None
    tracks: tuple[str, ...] = ()
    alternate_locations: tuple[str, ...] = ()
    refused: int = 0
    fileless_versions: tuple[str, ...] = ()
    left_out: dict[str, int] = {}

    def explain_left_out(self) -> str | None:
        """Return one phrase about the links that were left out, with reasons; None when there are none."""
        if not self.refused:
            return None
        reasons = ", ".join(f"{count} {reason}" for reason, count in self.left_out.items())
        return f"{self.refused} {'link' if self.refused == 1 else 'links'} left out" + (f": {reasons}" if reasons else "")


class Validators(msgspec.Struct, frozen=True, array_like=True):
    """HTTP validators of a stored answer (RFC 9110, 8.8): what ``If-None-Match`` and ``If-Modified-Since`` send back."""

    etag: str | None = None
    last_modified: str | None = None
