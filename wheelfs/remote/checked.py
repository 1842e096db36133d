"""Bytes of a file compared, as they come, with what its manifest says of them: a wrong one is refused before anybody sees it.

A wrapper around whatever sends the file's bytes by range.  What is asked for is widened to whole chunks, and what comes is given
on when its chunk is complete and right.  A chunk that is not is asked for once more, past caches, and then is the origin's fault.
"""

from __future__ import annotations

import logging
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import trio

from wheelfs.core.http_ranges import Range, bounds_of
from wheelfs.errors import ContentChanged, OriginError, OriginFault

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator

    from wheelfs.core.composition import Composition
    from wheelfs.core.http_ranges import Wanted
    from wheelfs.model.links import Validators
    from wheelfs.model.names import ProjectName
    from wheelfs.remote.origin import Head, Origin, PageOutcome, RangeReply

log = logging.getLogger(__name__)

BATCH_BYTES: Final = 512 << 10
"""Compared at once, in a thread: a hop to one costs 0.1 ms, and so many bytes some 0.15 ms.  They come in pieces of as much."""
BATCH_AFTER_S: Final = 0.02
"""What has waited so long is compared although it is less: somebody may be waiting for it."""
LIFE_BYTES: Final = 16 << 10
"""So much that came and cannot be given yet is told of by an empty piece: a chunk may take long on a slow line."""


class _Wrong(Exception):
    """What stands at ``offset`` is not what it should be."""

    def __init__(self, offset: int) -> None:
        super().__init__(offset)
        self.offset = offset


@dataclass(frozen=True, slots=True)
class CheckedOrigin:
    """An `Origin` of one file, whose bytes at ``inner`` are compared with ``composition``."""

    inner: Origin
    composition: Composition

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
        self, url: str, wanted: Wanted, *, validator: str | None = None, fresh: bool = False
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

    async def _persisting(self, url: str, reply: RangeReply, first: int, end: int) -> AsyncGenerator[bytes, None]:
        """Yield what is right of an answer, and from the first wrong chunk on, up to ``end``, of a second one."""
        try:
            async with aclosing(self._right(reply, first)) as pieces:
                async for piece in pieces:
                    yield piece
            return
        except _Wrong as wrong:
            start = wrong.offset
        if start >= end:
            return  # nobody asked for it
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

    async def _right(self, reply: RangeReply, at: int) -> AsyncGenerator[bytes, None]:
        """Yield the answer's bytes from ``at`` on, each when its chunk is complete and right; raise `_Wrong`."""
        skip = at - reply.offset
        held: list[bytes] = []
        held_bytes = unsaid_bytes = 0
        compared_s = trio.current_time()
        broken: OriginError | None = None
        chunks = reply.chunks
        is_last = False
        while not is_last:
            try:
                data = await anext(chunks, None)
            except OriginError as error:  # what came before is as good as any
                data, broken = None, error
            if data is None:
                is_last = True
            else:
                held.append(data[skip:])
                held_bytes += len(held[-1])
                skip -= len(data) - len(held[-1])
                unsaid_bytes += len(data)
            now_s = trio.current_time()
            if held_bytes and (is_last or held_bytes >= BATCH_BYTES or now_s - compared_s > BATCH_AFTER_S):
                right, rest, is_wrong = await trio.to_thread.run_sync(_compared, self.composition, at, held)
                held, held_bytes, compared_s = [rest], len(rest), now_s
                at += len(right)
                if right:
                    unsaid_bytes = 0
                    yield right
                if is_wrong:
                    raise _Wrong(at)
            if unsaid_bytes >= LIFE_BYTES:
                unsaid_bytes = 0
                yield b""
        if broken is not None:
            raise broken

    async def head(self, url: str) -> Head:
        """That of the inner one."""
        return await self.inner.head(url)

    async def project_page(self, project: ProjectName, *, validators: Validators | None = None) -> PageOutcome:
        """That of the inner one."""
        return await self.inner.project_page(project, validators=validators)

    async def fetch_metadata(self, url: str) -> bytes:
        """That of the inner one."""
        return await self.inner.fetch_metadata(url)

    async def aclose(self) -> None:
        """The inner one is closed by whose it is."""


def _compared(composition: Composition, at: int, held: list[bytes]) -> tuple[bytes, bytes, bool]:
    """Return what of the bytes at ``at`` is right, what is not complete yet, and whether that is wrong."""
    data = held[0] if len(held) == 1 else b"".join(held)
    good_bytes, is_wrong = composition.check(at, data)
    return data[:good_bytes], data[good_bytes:], is_wrong
