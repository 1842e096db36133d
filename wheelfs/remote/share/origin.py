"""A share of objects as a mount sees it: changes of its catalog, and bytes of its files by range, put together from packs.

All asking is done in threads that are abandoned when their time is over: a network file system may hang for minutes.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final, TypeVar

import trio

from wheelfs.core.bounded_cache import BoundedCache
from wheelfs.core.http.ranges import bounds_of
from wheelfs.errors import ContentChanged, OriginMissing
from wheelfs.remote.origin import FileHead, PageAbsent, RangeReply

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator

    from wheelfs.core.fetch.composition import Composition, Element
    from wheelfs.core.http.ranges import ByteRequest
    from wheelfs.model.links import Validators
    from wheelfs.model.names import ProjectName
    from wheelfs.model.shared import FeedPage
    from wheelfs.remote.origin import PageOutcome
    from wheelfs.remote.share.share import ObjectShare

T = TypeVar("T")

POLL_S: Final = 10.0
"""A question costs an object store money and a file server work; a hundred nodes ask ten times a second."""

THREADS: Final = 8
"""Also those that hang: then nothing is asked of this share, and nothing else is held up."""

_KEPT_MANIFESTS: Final = 8


class ObjectOrigin:
    """A `wheelfs.remote.share.protocol.Share` and its `wheelfs.remote.origin.Origin` at once."""

    poll_s: float = POLL_S

    def __init__(self, name: str, share: ObjectShare) -> None:
        self.name = name
        self.url = share.url
        self._share = share
        self._limiter = trio.CapacityLimiter(THREADS)
        self._opened: BoundedCache[bytes, Composition] = BoundedCache(_KEPT_MANIFESTS)

    @property
    def origin(self) -> ObjectOrigin:
        """Itself."""
        return self

    def file_url(self, sha256: bytes) -> str:
        """Return an address that `open_range` understands."""
        return f"{self.url}#{sha256.hex()}"

    def part_url(self, sha256: bytes, project: str, filename: str) -> str:
        """Return the file's: a share of objects has all of it or nothing."""
        return self.file_url(sha256)

    async def aclose(self) -> None:
        """Nothing is held open."""

    # --- changes ----------------------------------------------------------------------------------------------------------

    async def events(self, cursor: str | None) -> FeedPage:
        """Return what is new since ``cursor``, in portions."""
        return await self._ask(lambda: self._share.catalog.events(cursor))

    # --- bytes ---------------------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def open_range(
        self, url: str, wanted: ByteRequest, *, validator: str | None = None, fresh: bool = False
    ) -> AsyncIterator[RangeReply]:
        """Give bytes of a file, every chunk compared with its digest; its sha256 says which file, so it never changes."""
        opened = await self.composition(bytes.fromhex(url.rpartition("#")[2]))
        size_bytes = opened.size_bytes
        start, end = bounds_of(wanted, size_bytes)
        if start > end or (start == end and size_bytes):
            raise ContentChanged(f"read a file of {self.name}", f"it has only {size_bytes} bytes", "what was read is of no use")
        pieces = self._pieces(opened, start, end)
        try:
            yield RangeReply(start, size_bytes, (start, end) == (0, size_bytes), None, pieces)
        finally:
            await pieces.aclose()

    async def _pieces(self, opened: Composition, start: int, end: int) -> AsyncGenerator[bytes, None]:
        parts = opened.parts(start, end)
        while content := await self._ask(lambda: self._next(opened, parts, start, end)):
            yield content

    def _next(self, opened: Composition, iterator: Iterator[Element], start: int, end: int) -> bytes:
        """Return the next parts of a file, joined and cut to ``[start, end)``; nothing at the end."""
        parts = _some(opened, iterator, self._share.limits.piece_bytes)
        if not parts:
            return b""
        wanted = [opened.manifest.place(part.chunk, part.offset) for part in parts if not part.skeleton]
        here = {chunk.offset: content for chunk, content in self._share.chunks(wanted)}
        joined = b"".join(part.skeleton or here[part.offset] for part in parts)
        first = parts[0].offset
        return joined[max(0, start - first) : end - first]

    async def composition(self, sha256: bytes) -> Composition:
        """Return how a file is made; raises `OriginError`, `OriginMissing` where the share does not have it."""
        opened = self._opened.get(sha256)
        if opened is None:
            opened = await self._ask(lambda: self._share.composition(self._share.manifest(sha256)))
            self._opened.put(sha256, opened)
        return opened

    async def lacks(self, sha256: bytes) -> bool:
        """Tell whether the share is there, and the file's manifest or a pack of it is not."""
        self._opened.pop(sha256)
        return await self._ask(lambda: self._share.lacks(sha256))

    def checked(self, composition: Composition) -> ObjectOrigin:
        """Itself: every chunk is compared with its digest in any case."""
        return self

    async def head(self, url: str) -> FileHead:
        """Tell whether the share is there, and of a file its size."""
        sha256 = url.rpartition("#")[2] if "#" in url else ""
        if not sha256:
            await self._ask(self._share.catalog.check)
            return FileHead(None)
        return FileHead((await self.composition(bytes.fromhex(sha256))).size_bytes)

    async def project_page(self, project: ProjectName, *, validators: Validators | None = None) -> PageOutcome:
        """A share has no pages."""
        return PageAbsent()

    async def fetch_metadata(self, url: str) -> bytes:
        """A share has no metadata beside its files."""
        raise OriginMissing(f"read {url}", "a share has no such files")

    async def _ask(self, work: Callable[[], T]) -> T:
        return await trio.to_thread.run_sync(work, abandon_on_cancel=True, limiter=self._limiter)


def _some(opened: Composition, parts: Iterator[Element], least_bytes: int) -> list[Element]:
    """Return the next parts, of ``least_bytes`` together; fewer at the end."""
    found: list[Element] = []
    size_bytes = 0
    for part in parts:
        found.append(part)
        size_bytes += len(part.skeleton) or opened.manifest.lengths[part.chunk]
        if size_bytes >= least_bytes:
            break
    return found
