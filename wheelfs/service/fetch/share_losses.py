"""Files that a share's catalog lists and that the share does not have: deleted by hand, lost with a disk, or only away.

Where a server of a cluster's file system is away, the names on it are missing without an error.  So a name is forgotten only when
it is missing again minutes and then hours later, and is asked for again after that.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

import msgspec
import trio

from wheelfs.model.share_catalog import file_key
from wheelfs.service.tasks import await_future, failure

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wheelfs.model.share_catalog import FileKey
    from wheelfs.remote.share.protocol import Share
    from wheelfs.service.file_refs import FileRef
    from wheelfs.service.hosts.breaker import Hosts
    from wheelfs.store.catalog.shared_names import SharedNames

log = logging.getLogger(__name__)

AGAIN_S: Final = (300.0, 4 * 3_600.0)
"""A name must be missing again after each of these times before it is forgotten: a restart takes minutes, a repair hours."""
LOOK_S: Final = 60.0
FORGOTTEN_S: Final = 3_600.0
"""How often forgotten names are asked for again."""
MAX_SUSPECTED: Final = 10_000
MAX_ASKED: Final = 100
"""Names asked for in one look: each costs two or three requests."""


class Suspicion(msgspec.Struct, frozen=True):
    """A name that was missing ``times`` times; it counts again from ``due_s`` on (trio's clock)."""

    times: int
    due_s: float


def missing_again(before: Suspicion | None, now_s: float, again_s: Sequence[float] = AGAIN_S) -> Suspicion | None:
    """Return what to think of a name that is missing now; None when it is to be forgotten."""
    if before is None:
        return Suspicion(1, now_s + again_s[0])
    if now_s < before.due_s:
        return before
    return Suspicion(before.times + 1, now_s + again_s[before.times]) if before.times < len(again_s) else None


class MissingObjects:
    """Stops listing files that a share has lost, so that they do not fail at every attempt."""

    def __init__(
        self, names: SharedNames, shares: Sequence[Share], hosts: Hosts, nursery: trio.Nursery, *, timeout_s: float
    ) -> None:
        """``timeout_s`` bounds the request that finds out whether a file is lost."""
        self._names = names
        self._shares = {share.name: share for share in shares}
        self._hosts = hosts
        self._nursery = nursery
        self._timeout_s = timeout_s
        self._suspected: dict[tuple[str, FileKey], Suspicion] = {}
        self._next_s = trio.current_time() + FORGOTTEN_S

    def report(self, share: str, ref: FileRef) -> None:
        """Handle a file that a share did not have: if its catalog lists it and the share is there, the name is suspected."""
        if ref.link.sha256 is not None and self._names.has(share, file := (ref.project, ref.filename, ref.link.sha256)):
            self._nursery.start_soon(self._look_for, self._shares[share], file)

    async def keep_asking(self) -> None:
        """Ask again for what was missing, and for what was forgotten, until cancelled."""
        while True:
            await trio.sleep(LOOK_S)
            try:
                await self.look()
            except Exception as error:  # a task that fails here would end the mount
                log.warning("%s", failure("ask again for what shares have lost", error))

    async def look(self) -> None:
        """Ask for what is due."""
        now_s = trio.current_time()
        due = [one for one, suspicion in self._suspected.items() if suspicion.due_s <= now_s]
        for share, file in due[:MAX_ASKED]:
            await self._look_for(self._shares[share], file)
        if now_s >= self._next_s:
            self._next_s = now_s + FORGOTTEN_S
            for known in self._shares.values():
                await self._restore_found(known)

    async def _look_for(self, share: Share, file: FileKey) -> None:
        try:
            await self._forget_if_lost(share, file)
        except Exception as error:  # as in `keep_asking`; the next reader reports the name again
            log.warning("%s", failure(f"note that the share {share.name} has lost {file[1]}", error))

    async def _forget_if_lost(self, share: Share, file: FileKey) -> None:
        is_lost = await self._is_lost(share, file)
        if is_lost is None:
            return
        if not is_lost or not self._names.has(share.name, file):
            self._suspected.pop((share.name, file), None)
            return
        before = self._suspected.pop((share.name, file), None)
        suspicion = missing_again(before, trio.current_time())
        if suspicion is None:
            log.warning(
                "the share %s has lost %s, which its catalog lists: it is not listed from there any more, and asked for again; "
                "a node that has it stored can restore it with: wheelfs push --share %s %s",
                share.name,
                file[1],
                share.url,
                file[1],
            )
            await await_future(self._names.forget(share.name, file))
        elif len(self._suspected) < MAX_SUSPECTED:
            if before is None:
                level = logging.INFO if self._suspected else logging.WARNING
                log.log(
                    level,
                    "the share %s does not have %s now, which its catalog lists: it stays listed, and is asked for again in %.0f "
                    "minutes (is a server of its file system away?)",
                    share.name,
                    file[1],
                    AGAIN_S[0] / 60,
                )
            self._suspected[share.name, file] = suspicion

    async def _restore_found(self, share: Share) -> None:
        for file in self._names.forgotten(share.name, MAX_ASKED):
            if await self._is_lost(share, file_key(file)) is False:
                log.warning("the share %s has %s again: it is listed from there again", share.name, file.filename)
                await await_future(self._names.restore(share.name, file))

    async def _is_lost(self, share: Share, file: FileKey) -> bool | None:
        """Ask; None when the share does not answer."""
        attempted = f"look for {file[1]} in the share {share.name}"
        try:
            with self._hosts.request(attempted, share.url, timeout_s=self._timeout_s, may_lack=True):
                return await share.lacks(file[2])
        except Exception as error:
            log.info("%s", failure(attempted, error))
            return None
