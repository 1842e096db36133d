"""A file of which not everything is here yet: its bytes in the spool, and the streams that bring more.

A *stream* is one HTTP answer.  It writes into the spool and wakes whoever waits; nobody who waits talks to the network himself,
so a caller that goes away takes nothing with it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import trio

from wheelfs.core.spans import Spans
from wheelfs.errors import ContentChanged, OriginFault, OriginTimeout, WheelfsError

if TYPE_CHECKING:
    from wheelfs.core.http_ranges import Wanted
    from wheelfs.service.files import FileRef
    from wheelfs.service.supply import Supply
    from wheelfs.store.spool_file import SpoolFile

FLUSH_BYTES: Final = 256 * 1024
FLUSH_AFTER_S: Final = 0.02
"""Arriving bytes are written to the spool in pieces of this size, or this old: a hop to a thread costs 0.1 ms."""

SYNC_BYTES: Final = 64 * 1024 * 1024
"""How much power loss may cost: a kill costs nothing, since the spool's writes are in the kernel's hands at once."""

PROGRESS_BYTES: Final = 16 * 1024
"""A stream that brings less than this within the bound makes no progress (a slow-loris origin sends one byte at a time)."""

_NOTHING: Final = Spans()


@dataclass(slots=True)
class Stream:
    """One HTTP answer under way; ``at`` is the offset of the next byte that it will bring."""

    at: int = 0
    brought_bytes: int = 0
    error: WheelfsError | None = None
    done: bool = False


@dataclass(slots=True)
class Partial:
    """The bytes of one file that are here so far.  ``size_bytes`` is None until somebody knows it.

    ``ask_past_caches`` is set when what came did not have the promised hash.
    """

    ref: FileRef
    supply: Supply
    size_bytes: int | None = None
    ask_past_caches: bool = False
    _spool: SpoolFile | None = None
    _opening: trio.Lock = field(default_factory=trio.Lock)
    _changed: trio.Event = field(default_factory=trio.Event)
    _unsynced_bytes: int = 0

    @property
    def attempted(self) -> str:
        """What fetching is called in messages."""
        return f"fetch {self.ref.filename} from {self.ref.origin}"

    # --- what is here ---------------------------------------------------------------------------------------------

    @property
    def spans(self) -> Spans:
        """The bytes that are here."""
        return _NOTHING if self._spool is None else self._spool.spans

    @property
    def is_complete(self) -> bool:
        """Whether nothing is missing."""
        return self.size_bytes is not None and self._spool is not None and self.spans.covers(0, self.size_bytes)

    @property
    def spool(self) -> SpoolFile:
        """The open spool file; only for what is complete."""
        assert self._spool is not None
        return self._spool

    async def read(self, start: int, end: int) -> bytes:
        """Return bytes that are here."""
        assert self._spool is not None
        return await trio.to_thread.run_sync(self._spool.read, start, end - start, limiter=self.supply.disk)

    async def open(self) -> None:
        """Open the spool file when the size is known, with what earlier runs have brought."""
        async with self._opening:  # a second opening in between would find the file taken, by us
            if self.size_bytes is None:
                self.size_bytes = self.supply.known_size(self.ref)
            if self.size_bytes is None:
                return
            if self._spool is None:
                self._spool = await trio.to_thread.run_sync(
                    self.supply.spool, self.ref, self.size_bytes, limiter=self.supply.disk
                )
            else:
                self._spool.set_size(self.size_bytes)

    def start_over(self) -> None:
        """Throw away what is here."""
        if self._spool is not None:
            self._spool.delete()
            self._spool = None

    def close(self) -> None:
        """Give up the spool file; what it holds stays for the next time."""
        if self._spool is not None:
            self._spool.close()
            self._spool = None

    # --- waiting --------------------------------------------------------------------------------------------------

    async def next_change(self) -> None:
        """Wait until more bytes are here, or a stream has ended."""
        await self._changed.wait()

    def wake(self) -> None:
        """Let everybody who waits look again."""
        self._changed.set()
        self._changed = trio.Event()

    # --- streams --------------------------------------------------------------------------------------------------

    async def stream(self, stream: Stream, wanted: Wanted) -> None:
        """Run one HTTP request into the spool; how it failed ends up in ``stream.error``, never in the nursery."""
        bound_s = self.supply.progress_bound_s
        try:
            with self.supply.hosts.asking(self.attempted, self.ref.link.url), trio.fail_after(bound_s) as scope:
                await self._receive(stream, wanted, scope, bound_s)
        except trio.TooSlowError:
            stream.error = OriginTimeout(
                self.attempted, f"no progress within {bound_s:.0f} s", "try again; what has come is kept"
            )
        except ContentChanged as error:
            self.start_over()
            stream.error = error
        except WheelfsError as error:
            stream.error = error
        finally:
            stream.done = True
            self.wake()

    async def _receive(self, stream: Stream, wanted: Wanted, scope: trio.CancelScope, bound_s: float) -> None:
        origin = self.supply.origin(self.ref)
        # Where the sha256 is known, that decides in the end: nodes of one CDN may well give different entity tags.
        validator = None if self._spool is None or self.ref.link.sha256 is not None else self._spool.validator
        async with origin.open_range(self.ref.link.url, wanted, validator=validator, fresh=self.ask_past_caches) as reply:
            await self._adopt(reply.total_bytes, reply.etag)
            stream.at = reply.offset
            self.wake()
            pending: list[bytes] = []
            held = credited = 0
            flushed_s = trio.current_time()
            try:
                async for data in reply.chunks:
                    pending.append(data)
                    held += len(data)
                    credited += len(data)
                    now_s = trio.current_time()
                    if held >= FLUSH_BYTES or now_s - flushed_s > FLUSH_AFTER_S:
                        await self._write(stream, pending)
                        pending, held, flushed_s = [], 0, now_s
                    if credited >= PROGRESS_BYTES:
                        scope.deadline, credited = trio.current_time() + bound_s, 0
            finally:
                # Bytes that came before an answer broke off are as good as any; shielded, since this is also how a mount ends.
                with trio.CancelScope(shield=True):
                    await self._write(stream, pending)
            if reply.is_whole and reply.total_bytes is None:
                await self._adopt(stream.at, reply.etag)

    async def _write(self, stream: Stream, pending: list[bytes]) -> None:
        if not pending:
            return
        data = pending[0] if len(pending) == 1 else b"".join(pending)
        if self.size_bytes is not None and stream.at + len(data) > self.size_bytes:
            raise OriginFault(self.attempted, f"it sent more than the {self.size_bytes} bytes that the file has")
        if self._spool is None:
            self._spool = self.supply.spool_without_size(self.ref)
        await trio.to_thread.run_sync(self._spool.write, stream.at, data, limiter=self.supply.disk)
        self.supply.counters.count_fetched(len(data))
        stream.at += len(data)
        stream.brought_bytes += len(data)
        self._unsynced_bytes += len(data)
        if self._unsynced_bytes >= SYNC_BYTES:
            self._unsynced_bytes = 0
            await trio.to_thread.run_sync(self._spool.sync, limiter=self.supply.disk)
        self.wake()

    async def _adopt(self, total_bytes: int | None, etag: str | None) -> None:
        """Take over what an answer says of the file as a whole; a size that contradicts the index's is the origin's fault."""
        if total_bytes is None:
            return
        if self.size_bytes is None:
            self.size_bytes = total_bytes
            self.supply.keep_size(self.ref, total_bytes, etag)
            await self.open()
        elif self.size_bytes != total_bytes:
            raise OriginFault(self.attempted, f"it has {total_bytes} bytes there, but {self.size_bytes} were announced")
