"""What the service asks of other people's bytes: one small protocol for every kind of source."""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING, Final, Protocol

import msgspec

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from contextlib import AbstractAsyncContextManager

    from wheelfs.core.http.ranges import ByteRequest
    from wheelfs.model.links import ProjectPage, Validators
    from wheelfs.model.names import ProjectName


PAGE_ARRIVES: Final[ContextVar[Callable[[], None]]] = ContextVar("page_arrives", default=lambda: None)
"""What an origin calls whenever more has come of the page that is being asked for: a long one on a slow line is no silence."""


class PageFound(msgspec.Struct, frozen=True):
    """The index has the project.  ``max_age_s``: how long the page is good (None: it does not say)."""

    page: ProjectPage
    validators: Validators
    max_age_s: float | None


class PageUnchanged(msgspec.Struct, frozen=True):
    """The page that the validators belong to still holds."""

    max_age_s: float | None


class PageAbsent(msgspec.Struct, frozen=True):
    """The index *answered* that it has no such project."""


PageOutcome = PageFound | PageUnchanged | PageAbsent


class RangeReply(msgspec.Struct, frozen=True):
    """An answer under way.  ``chunks`` are the bytes from ``offset`` on, in pieces of up to some hundred kilobytes.

    ``total_bytes`` is the size of the whole file, None when the origin does not tell.  ``is_whole``: the answer runs from the
    first byte to the last, whatever was asked for.  ``chunks`` raises the origin's error when the answer breaks off.
    """

    offset: int
    total_bytes: int | None
    is_whole: bool
    etag: str | None
    chunks: AsyncIterator[bytes | memoryview]
    last_modified: str | None = None


class FileHead(msgspec.Struct, frozen=True):
    """What a file is without its bytes; None where the origin does not tell."""

    size_bytes: int | None
    etag: str | None = None
    last_modified: str | None = None


class Origin(Protocol):
    """An index, share or gateway.  All methods raise `wheelfs.errors.OriginError`; the caller bounds their time."""

    @property
    def name(self) -> str: ...

    @property
    def url(self) -> str:
        """The address without credentials."""
        ...

    async def project_page(self, project: ProjectName, *, validators: Validators | None = None) -> PageOutcome: ...

    def open_range(
        self, url: str, wanted: ByteRequest, *, validator: str | None = None, fresh: bool = False
    ) -> AbstractAsyncContextManager[RangeReply]:
        """Ask for bytes of a file.  More or other bytes may come than were wanted, but always the first of them, truly placed.

        Raises `wheelfs.errors.ContentChanged` when the file is no longer the one that ``validator``, an entity tag, came with.
        """
        ...

    async def head(self, url: str) -> FileHead: ...

    async def fetch_metadata(self, url: str) -> bytes:
        """Return a small file as a whole."""
        ...

    async def aclose(self) -> None: ...
