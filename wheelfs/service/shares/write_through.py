"""``share-write``: what is sealed in the store is pushed to a share by itself, soon, and behind everybody's back.

The store's own journal says what is new, as it does to other nodes; how far it has been pushed is kept in the catalog, and only
moves on when all before it is in the share.  So nothing is lost by a kill: it is found again at the next start.
"""

from __future__ import annotations

import logging
import os
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Final

import trio

from wheelfs.errors import NotKnown, OriginError, OriginTimeout, OriginUnreachable, StoreDamaged
from wheelfs.model.share_catalog import file_key
from wheelfs.remote.share.share import WrittenShare
from wheelfs.reports.shares import ShareWrite
from wheelfs.service.shares.bounded_objects import BoundedObjects
from wheelfs.service.shares.condemned_view import Reliance
from wheelfs.service.shares.feed import Giving
from wheelfs.service.shares.memory import Followed
from wheelfs.service.shares.push import PACK_BYTES, push_names
from wheelfs.service.tasks import await_future, failure
from wheelfs.store.coordination.locks import lock_within

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from wheelfs.model.share_catalog import FileKey
    from wheelfs.model.shared import SharedFile
    from wheelfs.remote.share.objects import Objects
    from wheelfs.reports.shares import PushedFile, ShareWriteState
    from wheelfs.service.hosts.breaker import Hosts
    from wheelfs.store.catalog.records import StoredName
    from wheelfs.store.store import Store

log = logging.getLogger(__name__)

POLL_S: Final = 0.5
"""Between looks at the catalog's last transaction, which cost nothing."""

QUIET_S: Final = 2.0
"""Nothing new for so long: an installation seals its wheels in one go, and they are to share packs."""

LONGEST_S: Final = 30.0
"""After so long what is waiting is pushed, also while more comes, and however small the pack becomes."""

AT_ONCE: Final = 1_000
"""Files that are pushed together; more are looked for when these are there."""

FIRST_PAUSE_S: Final = 2.0
LONGEST_PAUSE_S: Final = 300.0
ELSEWHERE_S: Final = 5.0

FLUSH_S: Final = 10.0
"""When wheelfs ends, what is waiting has so long; the rest is pushed at the next start."""

_OWN_FAULT: Final = frozenset({StoreDamaged.__name__, NotKnown.__name__})
_AWAY: Final = frozenset({OriginUnreachable.__name__, OriginTimeout.__name__})


class WriteThrough:
    """The task that pushes to one share.  One process on a store does it at a time."""

    def __init__(self, *, store: Store, objects: Objects, name: str, hosts: Hosts) -> None:
        """To be made under trio.  ``name`` is what the configuration calls the share."""
        self._store = store
        self._name = name
        self._hosts = hosts
        self._objects = BoundedObjects(objects, hosts)
        self._share = WrittenShare(self._objects)
        self._followed = Followed(store, self._share, name)
        self._reliance = Reliance(self._share)
        self._giving = Giving(store)
        self._identity, _, point = (store.shared.pushed(name) or "").partition(" ")
        self._point: str | None = point or None
        self._kept = self._point
        self._more = True
        self._waiting: dict[FileKey, SharedFile] = {}
        self._seen: int | None = None
        self._state: ShareWriteState = "idle"
        self._pushed_files = self._written_bytes = 0
        self._last_error: str | None = None
        self._holds_up = True
        """Whether what kept the last push from being done is about the share, not about single files."""
        self._ended = trio.Event()

    def state(self) -> ShareWrite:
        """Return how it goes."""
        return ShareWrite(
            name=self._name,
            url=self._objects.url,
            state=self._state,
            waiting_files=len(self._waiting),
            pushed_files=self._pushed_files,
            written_bytes=self._written_bytes,
            last_error=self._last_error,
        )

    async def keep_pushed(self) -> None:
        """Push what is sealed, for ever; cancelled, push what is waiting yet, within `FLUSH_S`."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._bound_the_end)
            try:
                with self._alone() as is_alone:
                    await self._until(is_alone, "elsewhere", ELSEWHERE_S)
                    try:
                        await self._go_on()
                    finally:
                        with trio.CancelScope(shield=True):
                            await self._flush()
            finally:
                self._ended.set()

    async def _bound_the_end(self) -> None:
        try:
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True), trio.move_on_after(FLUSH_S):
                await self._ended.wait()
            self._objects.stop()

    @contextmanager
    def _alone(self) -> Iterator[Callable[[], bool]]:
        """Lend the question whether this process is the one of all on the store that pushes; it is until the block ends."""
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

    async def _go_on(self) -> None:
        pause_s = FIRST_PAUSE_S
        is_first = is_done = True
        while True:
            try:
                if not is_done:
                    await self._pause(pause_s)
                pause_s = FIRST_PAUSE_S if is_done else min(2 * pause_s, LONGEST_PAUSE_S)
                await self._until(partial(self._hosts.may_ask, self._objects.url), "away", POLL_S)
                await self._until_due(at_once=is_first)
                is_first = False
                is_done = await self._push()
            except Exception as error:
                self._holds_up = True
                is_done = self._refused(failure(f"push to the share {self._name}", error))

    async def _pause(self, pause_s: float) -> None:
        """Wait before trying again; where only some files could not be pushed, no longer than until others come."""
        with trio.move_on_after(pause_s):
            while True:
                await trio.sleep(POLL_S)
                if not self._holds_up and await self._has_more():
                    return

    async def _has_more(self) -> bool:
        """Look for what is new, and tell whether more is waiting than before."""
        before, transaction = len(self._waiting), self._store.catalog.last_transaction()
        if transaction != self._seen or self._more:
            await trio.to_thread.run_sync(self._collect)
            self._seen = transaction
        return len(self._waiting) > before

    async def _until_due(self, *, at_once: bool) -> None:
        """Wait until there is something to push, and nothing more that would go well with it."""
        first_s = last_s = trio.current_time()
        while True:
            is_first = not self._waiting
            if await self._has_more():
                last_s = trio.current_time()
                first_s = last_s if is_first else first_s
            now_s = trio.current_time()
            is_full = len(self._waiting) >= AT_ONCE or sum(file.size_bytes for file in self._waiting.values()) >= PACK_BYTES
            if self._waiting and (at_once or is_full or now_s - last_s >= QUIET_S or now_s - first_s >= LONGEST_S):
                return
            at_once = at_once and bool(self._waiting)
            self._state = "waiting" if self._waiting else "idle"
            await trio.sleep(POLL_S)

    def _collect(self) -> None:
        """Learn what has been sealed since last time, in the store's own words."""
        self._more = True
        while self._more and len(self._waiting) < AT_ONCE:
            news = self._giving.news(self._point)
            self._waiting.update((file_key(file), file) for file in news.files if not file.private)
            for key in news.gone:
                self._waiting.pop(key, None)
            self._point, self._more = news.point, news.more

    async def _push(self) -> bool:
        """Push what is waiting, and tell whether all of it is in the share."""
        self._state, self._holds_up = "pushing", True
        try:
            failed = await trio.to_thread.run_sync(self._push_waiting)
        except (OriginUnreachable, OriginTimeout) as error:  # told by the breaker, once
            self._state, self._last_error = "away", str(error)
            return False
        except OriginError as error:
            return self._refused(error)
        if failed is not None:
            self._holds_up = False
            return self._refused(failed.reason or "")
        self._state, self._last_error = "idle", None
        await self._keep()
        return True

    def _refused(self, reason: object) -> bool:
        if str(reason) != self._last_error:
            log.warning("not everything is pushed to the share %s, which is tried again: %s", self._name, reason)
        self._state, self._last_error = "refused", str(reason)
        return False

    async def _keep(self) -> None:
        """Remember that all before this point is in the share."""
        if not self._waiting and self._point != self._kept:
            await await_future(self._store.shared.keep_pushed(self._name, f"{self._identity} {self._point}"))
            self._kept = self._point

    def _push_waiting(self) -> PushedFile | None:
        """Push what is waiting, and return a file that could not be pushed, if there is one; raises `OriginError`."""
        identity = self._share.catalog.prepare()
        if identity != self._identity:
            # Another share than the one that this was pushed to, so it has none of it.
            is_known, self._identity = bool(self._identity), identity
            if is_known:
                self._point, self._kept = None, None
                self._collect()
        self._followed.catch_up()
        names: list[StoredName] = []
        for key, file in list(self._waiting.items()):
            name = None if self._followed.has(file) else self._stored(file)
            if name is None:
                del self._waiting[key]
            else:
                names.append(name)
        failed: PushedFile | None = None
        for one in push_names(self._store, self._share, self._followed, self._reliance, names):
            key = one.project, one.filename, bytes.fromhex(one.sha256)
            if one.result == "pushed":
                self._pushed_files += 1
                self._written_bytes += one.written_bytes
            elif one.error_class in _OWN_FAULT:
                log.warning("not pushed to the share %s: %s", self._name, one.reason)
            else:
                failed = one
                continue
            self._waiting.pop(key, None)
        if failed is not None and failed.error_class in _AWAY:
            raise OriginUnreachable(f"push {failed.filename}", failed.reason or "")
        return failed

    def _stored(self, file: SharedFile) -> StoredName | None:
        """Return a file that was sealed; None where it has gone since."""
        names = self._store.catalog.names_of(file.sha256)
        return next((name for name in names if (name.project, name.filename) == (file.project, file.filename)), None)

    async def _flush(self) -> None:
        """Push what is waiting, unless that has just failed."""
        if self._state in ("away", "refused") or not self._hosts.may_ask(self._objects.url):
            return
        try:
            await trio.to_thread.run_sync(self._collect)
            if self._waiting:
                await self._push()
            else:
                await self._keep()
        except Exception as error:
            self._refused(failure(f"push to the share {self._name}", error))
