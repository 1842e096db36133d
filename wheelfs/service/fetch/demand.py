"""What the ways of fetching a file in parts may use of its download."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from wheelfs.service.fetch.context import FetchContext
    from wheelfs.service.fetch.partial_file import PartialFile
    from wheelfs.service.file_refs import FileRef


class Demand(Protocol):
    """A download, as seen by `byte_ranges`, `from_manifest` and `from_stored_members`."""

    @property
    def ref(self) -> FileRef: ...

    @property
    def context(self) -> FetchContext: ...

    @property
    def partial(self) -> PartialFile: ...

    async def need(self, start: int, end: int) -> None:
        """Bring ``[start, end)`` here; raises `OriginError`."""

    def is_stored(self) -> bool:
        """Return whether all of it is verified and stored, by another process perhaps: then nothing is missing."""

    def allow_side_requests(self) -> None:
        """Let readers make requests of their own from now on, beside the fetch of the whole."""
