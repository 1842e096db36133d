"""Bytes of a file compared, as they come, with its manifest: a wrong one is refused before any reader gets it.

A wrapper around any origin of the file.  What is asked for is widened to whole chunks, and bytes are passed on when their chunk
is complete and right.  A chunk that is not is asked for once more, past caches, and then is the origin's fault.
"""

from __future__ import annotations

import logging
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import trio
from msgspec.structs import replace

from wheelfs.core.fetch.composition import Comparison
from wheelfs.core.http.ranges import Range, bounds_of
from wheelfs.errors import ContentChanged, OriginFault

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator

    from wheelfs.core.fetch.composition import Composition
    from wheelfs.core.http.ranges import ByteRequest
    from wheelfs.model.links import Validators
    from wheelfs.model.names import ProjectName
    from wheelfs.remote.origin import FileHead, Origin, PageOutcome, RangeReply

log = logging.getLogger(__name__)

LIFE_BYTES: Final = 16 << 10
"""After this many unverified bytes an empty piece is yielded as a keep-alive: a chunk may take long on a slow line."""


class _Wrong(Exception):
    """What stands at ``offset`` is not what it should be."""

    def __init__(self, offset: int) -> None:
        super().__init__(offset)
        self.offset = offset


@dataclass(frozen=True, slots=True)
class VerifiedOrigin:
    """An `Origin` of one file, whose bytes at ``inner`` are compared with ``composition``."""

    inner: Origin
    composition: Composition
    compared_chunks: int = 32
    """Compared without a turn of the loop in between: some 0.1 ms, which others have to wait."""

    @property
    def name(self) -> str:
        """That of the inner one."""
        return self.inner.name

    @property
    def url(self) -> str:
        """That of the inner one."""
        return self.inner.url

    @asynccontextmanager
    async def open_range(
        self, url: str, wanted: ByteRequest, *, validator: str | None = None, fresh: bool = False
    ) -> AsyncIterator[RangeReply]:
        """Give bytes of the file that are right; see `Origin.open_range`.  Raises `OriginFault` where others come twice."""
        size_bytes = self.composition.size_bytes
        start, end = self.composition.widened(*bounds_of(wanted, size_bytes))
        if start >= end:
            raise ContentChanged(f"read a file of {self.name}", f"it has only {size_bytes} bytes", "what was read is of no use")
        async with (
            self._asked(url, Range(start, end), validator, fresh=fresh) as (reply, first),
            aclosing(self._persisting(url, reply, first, end)) as pieces,
        ):
            yield replace(reply, offset=first, chunks=pieces)

    @asynccontextmanager
    async def _asked(
        self, url: str, wanted: Range, validator: str | None, *, fresh: bool
    ) -> AsyncIterator[tuple[RangeReply, int]]:
        """Ask, and yield the answer and where in the file its first byte stands that can be compared."""
        async with self.inner.open_range(url, wanted, validator=validator, fresh=fresh) as reply:
            if reply.total_bytes not in (None, self.composition.size_bytes):
                raise OriginFault(f"read a file of {self.name}", "it is of another size there than its manifest says")
            # More than was asked for may come, from further ahead, where it may begin inside a chunk.
            yield reply, self.composition.widened(0, reply.offset)[1]

    async def _persisting(self, url: str, reply: RangeReply, first: int, end: int) -> AsyncGenerator[bytes | memoryview, None]:
        """Yield what is right of an answer, and from the first wrong chunk on, up to ``end``, of a second one."""
        try:
            async with aclosing(self._right(reply, first)) as pieces:
                async for piece in pieces:
                    yield piece
            return
        except _Wrong as wrong:
            start = wrong.offset
        if start >= end:
            return  # it was not asked for
        log.warning("read a file of %s: what came for byte %d is not what its manifest says; asking again", self.name, start)
        try:
            async with self._asked(url, Range(start, end), None, fresh=True) as (again, first):
                if first != start:
                    raise OriginFault(f"read a file of {self.name}", "it sends another part than was asked for")
                async with aclosing(self._right(again, first)) as pieces:
                    async for piece in pieces:
                        yield piece
        except _Wrong as wrong:
            happened = f"what it sends for byte {wrong.offset} is not what its manifest says, asked twice"
            raise OriginFault(f"read a file of {self.name}", happened, "its store or a cache on the way is damaged") from None

    async def _right(self, reply: RangeReply, at: int) -> AsyncGenerator[bytes | memoryview, None]:
        """Yield the answer's bytes from ``at`` on, each as soon as its chunk is complete, if it is right; raise `_Wrong`."""
        skip = at - reply.offset
        held: list[memoryview] = []
        held_bytes = unsaid_bytes = 0
        async for data in reply.chunks:
            held.append(memoryview(data)[skip:])
            held_bytes += len(held[-1])
            skip -= len(data) - len(held[-1])
            unsaid_bytes += len(data)
            if held_bytes and at + held_bytes >= self._least_end(at):
                joined = held[0] if len(held) == 1 else memoryview(b"".join(held))
                right_bytes, is_wrong = await self._compared(joined, at)
                at += right_bytes
                held, held_bytes = [joined[right_bytes:]], held_bytes - right_bytes
                if right_bytes:
                    unsaid_bytes = 0
                    yield joined[:right_bytes]
                if is_wrong:
                    raise _Wrong(at)
            if unsaid_bytes >= LIFE_BYTES:
                unsaid_bytes = 0
                yield b""

    async def _compared(self, data: memoryview, at: int) -> Comparison:
        """Return how many of the bytes that came for ``at`` are right, and whether those after them are wrong.

        In the loop's own thread: another one would have to get them into its processor's cache first, and wait for the GIL.
        """
        right_bytes = 0
        while right_bytes < len(data) and at + len(data) >= self._least_end(at + right_bytes):
            if right_bytes:
                await trio.lowlevel.checkpoint()
            more_bytes, is_wrong = self.composition.check(at + right_bytes, data[right_bytes:], most_chunks=self.compared_chunks)
            right_bytes += more_bytes
            if is_wrong:
                return Comparison(right_bytes, is_wrong=True)
        return Comparison(right_bytes, is_wrong=False)

    def _least_end(self, at: int) -> int:
        """Return how far the bytes from ``at`` on must reach so that the first of them can be compared."""
        return self.composition.widened(at, at + 1)[1]

    async def head(self, url: str) -> FileHead:
        """That of the inner one."""
        return await self.inner.head(url)

    async def project_page(self, project: ProjectName, *, validators: Validators | None = None) -> PageOutcome:
        """That of the inner one."""
        return await self.inner.project_page(project, validators=validators)

    async def fetch_metadata(self, url: str) -> bytes:
        """That of the inner one."""
        return await self.inner.fetch_metadata(url)

    async def aclose(self) -> None:
        """The inner one is closed by its owner."""
