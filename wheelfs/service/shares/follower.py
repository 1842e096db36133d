"""What other nodes' stores have, as shares tell it: listed here within seconds, fetched from there when it is opened."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import trio

from wheelfs.errors import OriginFault, OriginTimeout, OriginUnreachable
from wheelfs.service.tasks import await_future, failure

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from wheelfs.core.projects.index_scopes import ShareScope
    from wheelfs.model.shared import SharedFile
    from wheelfs.remote.share.protocol import Share
    from wheelfs.service.hosts.breaker import Hosts
    from wheelfs.service.shares.limits import ShareLimits
    from wheelfs.store.catalog.shared_names import SharedName
    from wheelfs.store.store import Store

log = logging.getLogger(__name__)


class ShareFollower:
    """The names that shares have reported, and the task that asks them for changes."""

    def __init__(
        self,
        *,
        store: Store,
        shares: Sequence[Share],
        hosts: Hosts,
        timeout_s: float,
        show_all: bool,
        scopes: Mapping[str, ShareScope],
        limits: ShareLimits,
    ) -> None:
        """``timeout_s`` bounds one request; ``show_all`` lists what no share can give now as well.

        ``scopes`` are the names that each share may give.
        """
        self.scopes = scopes
        self._names = store.shared
        self._shares = tuple(shares)
        self._hosts = hosts
        self._timeout_s = timeout_s
        self._show_all = show_all
        self._limits = limits

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to look up; very cheap."""
        return not self._shares or not self._names.count()

    def of(self, project: str) -> list[SharedName]:
        """Return the files of a project that a share can give now, each as often as there are such shares."""
        if self.is_empty:
            return []
        available = self._available()
        return [name for name in self._names.of_project(project) if name.share in available]

    def after(self, key: bytes | None) -> Iterator[SharedFile]:
        """Yield the files after ``key`` that a share can give now, in order of project and filename."""
        available = self._available()
        return (name.file for name in self._names.names(key) if name.share in available)

    def has_read(self, shares: Iterable[str]) -> bool:
        """Return whether one of these shares has ever reported what it has."""
        return any(self._names.cursor(share) is not None for share in shares)

    def projects(self, after: str | None) -> Iterator[str]:
        """Yield the projects after ``after`` that shares have files of, in order."""
        return iter(()) if self.is_empty else self._names.projects(after)

    def _available(self) -> frozenset[str]:
        return frozenset(share.name for share in self._shares if self._show_all or self._hosts.may_ask(share.url))

    async def keep_fresh(self) -> None:
        """Ask all shares for changes, again and again, until cancelled."""
        async with trio.open_nursery() as nursery:
            for share in self._shares:
                nursery.start_soon(self._follow, share)

    async def catch_up(self) -> None:
        """Ask all shares for changes once; one that cannot be asked is logged, and what it had before stays listed."""
        async with trio.open_nursery() as nursery:
            for share in self._shares:
                nursery.start_soon(self._ask, share, "")

    async def _follow(self, share: Share) -> None:
        trouble = ""
        while True:
            trouble = await self._ask(share, trouble)
            await trio.sleep(share.poll_s)

    async def _ask(self, share: Share, trouble: str) -> str:
        """Ask once and return what was wrong, which is logged unless it was wrong before (``trouble``)."""
        try:
            if self._hosts.may_ask(share.url):
                await self._take_changes(share)
                return ""
        except (OriginUnreachable, OriginTimeout):
            pass  # logged by the breaker, once
        except Exception as error:
            # An answer that could not be recorded is asked for again: the cursor is still that of the one before.
            known = str(failure(f"ask {share.name} for changes", error))
            if known != trouble:
                log.warning("%s", known)
            return known
        return trouble

    async def _take_changes(self, share: Share) -> None:
        attempted = f"ask the share {share.name} for changes"
        for _ in range(self._limits.portions):
            cursor = self._names.cursor(share.name)
            with self._hosts.request(attempted, share.url, timeout_s=self._timeout_s, index_url=share.url):
                changes = await share.events(cursor)
            if changes.files and self._names.count() >= self._limits.max_files:
                advice = "the share is broken, or too large for this node; what is known of it stays listed"
                raise OriginFault(attempted, f"it lists more than {self._limits.max_files:,} files", advice)
            if (changes.files or changes.gone or changes.cursor != cursor) and not await await_future(
                self._names.take(share.name, changes, asked=cursor)
            ):
                continue  # another process on this store asks as well, and was faster
            if not changes.more:
                break
        if self._names.is_to_be_swept(share.name):
            place: bytes | None = None
            while (place := await await_future(self._names.sweep(share.name, place))) is not None:
                pass
