"""``share-write``: what is sealed in the store is pushed to a share in the background, shortly after it is sealed."""

from __future__ import annotations

import logging
import os
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

import trio

from wheelfs.errors import NotKnown, OriginError, OriginTimeout, OriginUnreachable, StoreDamaged
from wheelfs.model.share_catalog import file_key
from wheelfs.remote.share.share import WrittenShare
from wheelfs.reports.shares import ShareWrite
from wheelfs.service.shares.backlog import Backlog
from wheelfs.service.shares.bounded_objects import BoundedObjects
from wheelfs.service.shares.catalog_cache import RemoteCatalogCache
from wheelfs.service.shares.condemned_view import CondemnedView
from wheelfs.service.shares.feed import shared_file
from wheelfs.service.shares.limits import SHARE_LIMITS
from wheelfs.service.shares.outcomes import Failed, Pushed
from wheelfs.service.shares.push_batch import OwnPacks, PushTarget, push_names
from wheelfs.service.tasks import failure
from wheelfs.store.coordination.locks import lock_within

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from wheelfs.model.shared import SharedFile
    from wheelfs.remote.share.objects import Objects
    from wheelfs.reports.shares import ShareWriteState
    from wheelfs.service.hosts.breaker import Hosts
    from wheelfs.service.shares.limits import ShareLimits
    from wheelfs.store.catalog.records import StoredName
    from wheelfs.store.store import Store

log = logging.getLogger(__name__)


class WriteThrough:
    """The task that pushes to one share.  One process on a store does it at a time."""

    def __init__(self, *, store: Store, objects: Objects, name: str, hosts: Hosts, limits: ShareLimits = SHARE_LIMITS) -> None:
        """To be made under trio.  ``name`` is what the configuration calls the share."""
        self._store = store
        self._name = name
        self._hosts = hosts
        self._limits = limits.write_through
        self._push_limits = limits.push
        self._objects = BoundedObjects(objects, hosts, limits.write_through)
        self._share = WrittenShare(self._objects)
        self._cache = RemoteCatalogCache(store, self._share, name)
        self._condemned = CondemnedView(self._share)
        self._own = OwnPacks()
        self._backlog = Backlog(store, name, limits.write_through)
        self._state: ShareWriteState = "idle"
        self._pushed_files = self._written_bytes = 0
        self._last_error: str | None = None
        self._is_blocked = True
        """Whether the last push failed because of the share as a whole, not because of single files."""
        self._ended = trio.Event()

    def state(self) -> ShareWrite:
        """Return how it goes."""
        return ShareWrite(
            name=self._name,
            url=self._objects.url,
            state=self._state,
            waiting_files=len(self._backlog),
            pushed_files=self._pushed_files,
            written_bytes=self._written_bytes,
            last_error=self._last_error,
        )

    async def keep_pushed(self) -> None:
        """Push what is sealed; when cancelled, push what is still waiting, within ``flush_s``."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._bound_the_end)
            try:
                with self._only_pusher() as try_to_become:
                    await self._until(try_to_become, "elsewhere", self._limits.elsewhere_s)
                    try:
                        await self._keep_pushing()
                    finally:
                        with trio.CancelScope(shield=True):
                            await self._flush()
            finally:
                self._ended.set()

    async def _bound_the_end(self) -> None:
        try:
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True), trio.move_on_after(self._limits.flush_s):
                await self._ended.wait()
            self._objects.stop()

    @contextmanager
    def _only_pusher(self) -> Iterator[Callable[[], bool]]:
        """Yield a callable that tries to become the store's only pusher; the lock is held until the block ends."""
        descriptor = os.open(self._store.run_directory / "write-through.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            yield partial(lock_within, descriptor, 0.0)
        finally:
            os.close(descriptor)

    async def _until(self, is_so: Callable[[], bool], state: ShareWriteState, pause_s: float) -> None:
        while not is_so():
            self._state = state
            await trio.sleep(pause_s)
        self._state = "idle"

    async def _keep_pushing(self) -> None:
        pause_s = self._limits.first_pause_s
        is_first = is_done = True
        while True:
            try:
                if not is_done:
                    await self._pause(pause_s)
                pause_s = self._limits.first_pause_s if is_done else min(2 * pause_s, self._limits.longest_pause_s)
                await self._until(partial(self._hosts.may_ask, self._objects.url), "away", self._limits.poll_s)
                await self._until_due(at_once=is_first)
                is_first = False
                is_done = await self._push()
            except Exception as error:
                self._is_blocked = True
                is_done = self._refused(failure(f"push to the share {self._name}", error))

    async def _pause(self, pause_s: float) -> None:
        """Wait before trying again; if only some files could not be pushed, no longer than until others come."""
        with trio.move_on_after(pause_s):
            while True:
                await trio.sleep(self._limits.poll_s)
                if not self._is_blocked and await self._backlog.has_grown():
                    return

    async def _until_due(self, *, at_once: bool) -> None:
        """Wait until there is something to push, and nothing more is coming that could share its packs."""
        limits = self._limits
        first_s = last_s = trio.current_time()
        while True:
            is_first = not self._backlog
            if await self._backlog.has_grown():
                last_s = trio.current_time()
                first_s = last_s if is_first else first_s
            now_s = trio.current_time()
            is_full = len(self._backlog) >= limits.files_at_once or self._backlog.size_bytes >= self._push_limits.pack_bytes
            has_waited = now_s - last_s >= limits.quiet_s or now_s - first_s >= limits.longest_wait_s
            if self._backlog and (at_once or is_full or has_waited):
                return
            at_once = at_once and bool(self._backlog)
            self._state = "waiting" if self._backlog else "idle"
            await trio.sleep(limits.poll_s)

    async def _push(self) -> bool:
        """Push what is waiting, and tell whether all of it is in the share."""
        self._state, self._is_blocked = "pushing", True
        try:
            failed = await trio.to_thread.run_sync(self._push_waiting)
        except (OriginUnreachable, OriginTimeout) as error:  # logged by the breaker, once
            self._state, self._last_error = "away", str(error)
            return False
        except OriginError as error:
            return self._refused(error)
        if failed is not None:
            self._is_blocked = False
            return self._refused(failed.error)
        self._state, self._last_error = "idle", None
        await self._backlog.save()
        return True

    def _refused(self, reason: object) -> bool:
        if str(reason) != self._last_error:
            log.warning("not everything is pushed to the share %s, which is tried again: %s", self._name, reason)
        self._state, self._last_error = "refused", str(reason)
        return False

    def _push_waiting(self) -> Failed | None:
        """Push what is waiting, and return a file that could not be pushed, if there is one; raises `OriginError`."""
        self._backlog.begin(self._share.catalog.prepare())
        self._cache.catch_up()
        names: list[StoredName] = []
        for file in self._backlog.files:
            name = None if self._cache.has(file) else self._stored(file)
            if name is None:
                self._backlog.drop(file_key(file))
            else:
                names.append(name)
        failed: Failed | None = None
        target = PushTarget(self._share, self._cache, self._condemned, self._own)
        for outcome in push_names(self._store, target, names, limits=self._push_limits):
            match outcome:
                case Pushed(written_bytes=written_bytes):
                    self._pushed_files += 1
                    self._written_bytes += written_bytes
                case Failed(error=StoreDamaged() | NotKnown() as error):  # this machine's own: no attempt will succeed
                    log.warning("not pushed to the share %s: %s", self._name, error)
                case Failed():
                    failed = outcome
                    continue
            self._backlog.drop(file_key(shared_file(outcome.name)))
        if failed is not None and isinstance(failed.error, OriginUnreachable | OriginTimeout):
            raise failed.error
        if failed is None:
            self._own.clear()
        return failed

    def _stored(self, file: SharedFile) -> StoredName | None:
        """Return a file that was sealed; None where it has gone since."""
        names = self._store.catalog.names_of(file.sha256)
        same = (name for name in names if (name.project, name.filename) == (file.project, file.filename))
        return next((name for name in same if name.replaced is None), None)

    async def _flush(self) -> None:
        """Push what is waiting, unless that has just failed."""
        if self._state in ("away", "refused") or not self._hosts.may_ask(self._objects.url):
            return
        try:
            await trio.to_thread.run_sync(self._backlog.collect)
            if self._backlog:
                await self._push()
            else:
                await self._backlog.save()
        except Exception as error:
            self._refused(failure(f"push to the share {self._name}", error))
