"""What the parts of `wheelfs.service.projects` exchange: an index, a file of a project, and an index that cannot be asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from wheelfs.core.hashes import impossible
from wheelfs.core.projects.identity import is_vouched
from wheelfs.model.names import variant_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wheelfs.remote.origin import Origin
    from wheelfs.service.file_refs import FileRef


class Index(msgspec.Struct, frozen=True):
    """One configured index.

    ``ttl_s`` is how long its pages count as fresh, ``projects`` the patterns of the names that are routed to it (empty: all that
    are routed to no other).
    """

    name: str
    url: str
    client: Origin
    ttl_s: float
    projects: tuple[str, ...] = ()


class Entry(msgspec.Struct, frozen=True):
    """A file of a project as a directory may show it; ``sealed_sha256`` is set when it is stored."""

    ref: FileRef
    sealed_sha256: bytes | None
    is_listed: bool = True
    """False for a stored file that its index no longer lists."""
    is_private: bool = False
    """True for a stored file that was added by hand."""
    is_repacked: bool = False
    """True for a stored file that was made of unpacked files."""

    def remarks(self) -> Iterator[str]:
        """Yield what a person who reads the page is to know of the file."""
        link = self.ref.link
        if (variant := variant_of(link.filename)) is not None:
            yield f"variant {variant} (PEP 825, a draft): installers that know no variants pass it over"
        elif self.ref.kind == "variants":
            yield "describes the variant wheels of its version (PEP 825, a draft)"
        if self.is_repacked:
            yield "repacked: made here of unpacked files, and not the file that they came from"
        if not self.is_listed:
            yield "not listed by its index"
        if self.ref.before:
            yield "its index has replaced it: what was stored under this name before is found by its sha256 alone"
        if link.sha256 is None and (reason := impossible(link.other_hashes)) is not None:
            yield f"cannot be opened: {reason}"
        elif not is_vouched(link):
            yield "a hash that its index gives cannot be checked here"


class Away(msgspec.Struct, frozen=True):
    """An index that cannot be asked now: ``since_s`` seconds of the epoch (None: while wheelfs is offline by option)."""

    index: str
    since_s: float | None
    hidden: int
