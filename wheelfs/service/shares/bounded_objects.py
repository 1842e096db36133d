"""Objects of a share for work in a thread that uses the store as well: asked through the breaker, and given up after a while.

Such a thread must have ended before the store is closed, so it cannot be abandoned like those that only ask a share.  Each
operation here runs in another thread, which can be.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import trio

from wheelfs.errors import OriginUnreachable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from wheelfs.model.share_objects import FoundObject
    from wheelfs.remote.share.objects import Objects
    from wheelfs.service.hosts.breaker import Hosts
    from wheelfs.service.shares.limits import WriteThroughLimits

T = TypeVar("T")


class BoundedObjects:
    """`wheelfs.remote.share.objects.Objects`, to be made under trio and called from other threads."""

    def __init__(self, objects: Objects, hosts: Hosts, limits: WriteThroughLimits) -> None:
        self.url = objects.url
        self._objects = objects
        self._hosts = hosts
        self._timeout_s = limits.operation_s
        self._token = trio.lowlevel.current_trio_token()
        self._limiter = trio.CapacityLimiter(limits.operation_threads)
        self._scopes: set[trio.CancelScope] = set()
        self._stopped = False

    def stop(self) -> None:
        """Let every operation fail at once, those under way too."""
        self._stopped = True
        for scope in self._scopes:
            scope.cancel()

    def read(self, key: str, *, limit_bytes: int) -> bytes | None:
        return self._ask(f"read {key}", lambda: self._objects.read(key, limit_bytes=limit_bytes))

    def read_range(self, key: str, start: int, end: int) -> bytes | None:
        return self._ask(f"read {key}", lambda: self._objects.read_range(key, start, end))

    def create(self, key: str, content: bytes) -> bool:
        return self._ask(f"write {key}", lambda: self._objects.create(key, content))

    def found(self, prefix: str) -> Iterator[FoundObject]:
        return iter(self._ask(f"list {prefix}", lambda: list(self._objects.found(prefix))))

    def delete(self, key: str) -> None:
        self._ask(f"delete {key}", lambda: self._objects.delete(key))

    def _ask(self, attempted: str, work: Callable[[], T]) -> T:
        return trio.from_thread.run(self._asked, f"{attempted} in the share {self.url}", work, trio_token=self._token)

    async def _asked(self, attempted: str, work: Callable[[], T]) -> T:
        with trio.CancelScope() as stopping:
            self._scopes.add(stopping)
            try:
                if self._stopped:
                    stopping.cancel()
                with self._hosts.request(attempted, self.url, timeout_s=self._timeout_s):
                    return await trio.to_thread.run_sync(work, abandon_on_cancel=True, limiter=self._limiter)
            finally:
                self._scopes.discard(stopping)
        raise OriginUnreachable(attempted, "wheelfs is being stopped")
