"""Receiving one HTTP response into a partial file."""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, NamedTuple

import trio

from wheelfs.core.http.ranges import Suffix
from wheelfs.errors import OriginDenied, OriginMissing, OriginUnreachable
from wheelfs.model.links import Validators

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from wheelfs.core.http.ranges import ByteRequest
    from wheelfs.errors import OriginError
    from wheelfs.remote.origin import RangeReply
    from wheelfs.service.fetch.partial_file import PartialFile, Stream
    from wheelfs.service.fetch.source import Source


class Patience(NamedTuple):
    """The cancel scope of a request, whose deadline is moved as bytes arrive, by ``stall_s`` each time."""

    scope: trio.CancelScope
    stall_s: float


async def receive(
    partial: PartialFile,
    source: Source,
    stream: Stream,
    wanted: ByteRequest,
    generation: int,
    patience: Patience,
    *,
    answered: Callable[[], bool] = lambda: True,
) -> None:
    """Run one request at one source into ``partial``; raises its error.

    ``answered`` is called when the response begins, and returns whether it is still wanted.
    """
    asked_s = trio.current_time()
    # Where the sha256 is known, that decides in the end: nodes of one CDN may well give different entity tags.
    async with _opened(source, wanted, validator=partial.etag, fresh=partial.ask_past_caches) as reply:
        if not answered():
            return
        answered_s = trio.current_time()
        partial.waited_s = 0.0
        partial.is_from_index = source.share is None
        if not reply.is_whole or stream.at:  # the whole file in place of a part means that ranges are not supported
            partial.origin_has_ranges = not reply.is_whole
        partial.check(generation)
        await partial.adopt(reply.total_bytes, reply.etag)
        partial.check(generation)
        if source.share is None:
            partial.validators = Validators(reply.etag, reply.last_modified)
        stream.at = reply.offset
        if reply.is_whole or isinstance(wanted, Suffix):
            stream.end = reply.total_bytes
        partial.wake()
        await _receive_body(partial, stream, reply, generation, patience, source.host)
        partial.context.hosts.measured(
            source.host,
            latency_s=answered_s - asked_s,
            size_bytes=stream.at - reply.offset,
            duration_s=trio.current_time() - answered_s,
        )
        if reply.is_whole and reply.total_bytes is None:
            await partial.adopt(stream.at, reply.etag)


@asynccontextmanager
async def _opened(source: Source, wanted: ByteRequest, *, validator: str | None, fresh: bool) -> AsyncIterator[RangeReply]:
    """Ask at the file's address, and at further ones of its page's where that is dead; raises the first's error."""
    async with AsyncExitStack() as stack:
        first: OriginError | None = None
        for url in (source.url, *source.alternatives):
            try:
                reply = await stack.enter_async_context(source.origin.open_range(url, wanted, validator=validator, fresh=fresh))
            except (OriginMissing, OriginDenied, OriginUnreachable) as error:
                first = first or error
            else:
                yield reply
                return
        assert first is not None
        raise first


async def _receive_body(
    partial: PartialFile, stream: Stream, reply: RangeReply, generation: int, patience: Patience, host: str
) -> None:
    limits = partial.context.limits
    patience.scope.deadline = trio.current_time() + patience.stall_s
    pending: list[bytes | memoryview] = []
    held = credited = 0
    flushed_s = trio.current_time()
    try:
        async for data in reply.chunks:
            pending.append(data)
            held += len(data)
            credited += len(data) or limits.progress_bytes  # an empty piece is a keep-alive of an origin that verifies
            now_s = trio.current_time()
            is_due = held >= limits.flush_bytes or now_s - flushed_s > limits.flush_after_s
            if is_due or partial.is_awaited(stream.at, stream.at + held):
                arrived, pending, held, flushed_s = pending, [], 0, now_s
                await partial.write(stream, arrived, generation)
                if partial.origin_has_ranges and partial.spans.available_at(stream.at) >= limits.skip_bytes:
                    return
            if partial.is_given_up:
                return
            if credited >= limits.progress_bytes:
                patience.scope.deadline, credited = trio.current_time() + patience.stall_s, 0
                partial.context.hosts.saw_progress(host)
    finally:
        # Bytes that came before a response broke off are as good as any; shielded, since this is also how a mount ends.
        if pending:
            with trio.CancelScope(shield=True):
                await partial.write(stream, pending, generation)
