"""The state of one process, for ``.wheelfs/status.json``, the control socket and ``wheelfs status``."""

from __future__ import annotations

import os
import time
from collections import deque
from typing import TYPE_CHECKING, Final

import msgspec

from wheelfs.core.environments.assembling import state_of
from wheelfs.core.times import rfc3339_seconds
from wheelfs.reports.status import (
    Counters,
    EnvironmentHealth,
    FailedRequest,
    GatewayInfo,
    MountInfo,
    OriginState,
    Status,
    WithheldFiles,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from wheelfs.remote.share.protocol import Share
    from wheelfs.reports.shares import ShareWrite
    from wheelfs.reports.status import OriginKind
    from wheelfs.service.fetch.pool import DownloadPool
    from wheelfs.service.projects.index import Index
    from wheelfs.service.projects.tracking import Tracking


MAX_FAILURES: Final = 5
"""Failed requests that are remembered: what a user has just seen; the log has all of them."""


class StatusReport:
    """Collects the state of this process; takes no lock and waits for nothing, so that it answers while a mount hangs."""

    def __init__(
        self,
        *,
        version: str,
        store: str,
        indexes: Sequence[Index],
        shares: Sequence[Share] = (),
        tracking: Tracking,
        withheld: Callable[[], WithheldFiles] = WithheldFiles,
        downloads: DownloadPool,
    ) -> None:
        """``store`` is the path of the store's directory; ``withheld`` returns what is not shown because only shares name it."""
        self._version = version
        self._store = store
        self._indexes = indexes
        self._shares = shares
        self._downloads = downloads
        self._hosts = downloads.context.hosts
        self._tracking = tracking
        self._withheld = withheld
        self._counters = downloads.context.counters
        self._mounts: list[MountInfo] = []
        self._failures: deque[FailedRequest] = deque(maxlen=MAX_FAILURES)
        self._gateways: list[GatewayInfo] = []
        self._share_writes: list[Callable[[], ShareWrite]] = []

    def mounted(self, path: str, log: str | None) -> None:
        """Note that a mount of this process has answered, which logs to the file ``log`` (None: stderr)."""
        self._mounts.append(MountInfo(path=path, pid=os.getpid(), since=rfc3339_seconds(time.time() * 1e6), log=log))

    def failed(self, operation: str, message: str) -> None:
        """Note a request of a program that failed."""
        at = rfc3339_seconds(time.time() * 1e6)
        self._failures.append(FailedRequest(at=at, operation=operation, message=message))

    def serving(self, url: str) -> None:
        """Note that a gateway of this process accepts connections."""
        self._gateways.append(GatewayInfo(url=url, pid=os.getpid(), since=rfc3339_seconds(time.time() * 1e6)))

    def writing_through(self, state: Callable[[], ShareWrite]) -> None:
        """Note that this process pushes to a share by itself, and how to ask how that goes."""
        self._share_writes.append(state)

    def report(self) -> Status:
        """Return the state as it is now."""
        counters = Counters.of(self._counters.so_far())
        return Status(
            version=self._version,
            store=self._store,
            mounts=tuple(self._mount(mount, counters) for mount in self._mounts),
            gateways=tuple(self._gateways),
            origins=(
                *(self._origin(share, "share") for share in self._shares),
                *(self._origin(index, "index") for index in self._indexes),
            ),
            offline=self._hosts.offline,
            counters=counters,
            tracked=self._tracking.state(),
            withheld=self._withheld(),
            transfers=self._downloads.transfers(),
            share_writes=tuple(state() for state in self._share_writes),
            environments=tuple(
                EnvironmentHealth(name=name, state=state_of(is_complete=is_complete))
                for name, is_complete in self._downloads.context.store.mounted_states().items()
            ),
        )

    def _mount(self, mount: MountInfo, counters: Counters) -> MountInfo:
        return msgspec.structs.replace(
            mount,
            offline=self._hosts.offline,
            indexes=tuple(index.name for index in self._indexes),
            shares=tuple(share.name for share in self._shares),
            counters=counters,
            failures=tuple(self._failures),
        )

    def text(self) -> bytes:
        """Return the report as one JSON object."""
        return msgspec.json.format(msgspec.json.encode(self.report()), indent=2) + b"\n"

    def _origin(self, origin: Index | Share, kind: OriginKind) -> OriginState:
        health, since_s, last_error = self._hosts.state(origin.url)
        return OriginState(
            name=origin.name,
            kind=kind,
            url=origin.url,
            state=health,
            since=None if since_s is None else rfc3339_seconds(since_s * 1e6),
            last_error=last_error,
        )
