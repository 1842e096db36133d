"""The whole service over a real store and origins in memory."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from wheelfs.config import IndexSetting, Settings
from wheelfs.service.limits import SERVICE_LIMITS
from wheelfs.service.node import Waits, running
from wheelfs.service.projects.index import Index
from wheelfs.service.vfs.protocol import Absent
from wheelfs.store.store import Store
from wheelfs.telemetry import Counters

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence
    from pathlib import Path

    from tests.fakes.origins import MemoryOrigin, MemoryShare
    from wheelfs.config.settings import Delta, OfflineShow
    from wheelfs.service.limits import ServiceLimits
    from wheelfs.service.running import Running
    from wheelfs.service.vfs.protocol import Node, OpenFile

READ_BYTES = 128 * 1024


@dataclass
class Service:
    """Looks names up and reads files as a frontend does."""

    node: Running
    store: Store
    counters: Counters

    async def lookup(self, path: str) -> Node | Absent:
        found: Node | Absent = self.node.tree.root
        for name in path.split("/"):
            assert not isinstance(found, Absent), f"{path}: nothing above {name}"
            found = await self.node.tree.lookup(found, name)
        return found

    async def node_at(self, path: str) -> Node:
        found = await self.lookup(path)
        assert not isinstance(found, Absent), f"{path} is absent"
        return found

    async def open(self, path: str) -> OpenFile:
        return await self.node.tree.open(await self.node_at(path))

    async def read(self, path: str) -> bytes:
        """Return a file's bytes, read from its beginning to its end."""
        file = await self.open(path)
        try:
            return await rest_of(file)
        finally:
            file.close()


async def rest_of(file: OpenFile, offset: int = 0) -> bytes:
    """Return what stands after ``offset``."""
    read = bytearray()
    while data := await file.read(offset + len(read), READ_BYTES):
        read += data
    return bytes(read)


@asynccontextmanager
async def service(
    path: Path,
    origins: Sequence[MemoryOrigin],
    *,
    open_s: float = 30.0,
    lookup_s: float = 15.0,
    ttl_s: float = 600.0,
    strict: bool = False,
    places: int = 100,
    offline: bool = False,
    delta: Delta = "auto",
    look_ahead: bool = True,
    tied: Mapping[str, tuple[str, ...]] = MappingProxyType({}),
    shares: Sequence[MemoryShare] = (),
    share_settings: Sequence[IndexSetting] = (),
    limits: ServiceLimits = SERVICE_LIMITS,
    min_age_s: int = 0,
    show_offline: OfflineShow = "stored",
) -> AsyncIterator[Service]:
    """Run the service on the store in ``path``; ``tied`` are the patterns of names of an index, ``limits`` its constants.

    ``share_settings`` say which names the shares may give; by default any.
    """
    settings = Settings(
        store=path,
        open_timeout_s=open_s,
        lookup_timeout_s=lookup_s,
        verify="strict" if strict else "origin",
        offline=offline,
        delta=delta,
        look_ahead=look_ahead,
        min_age_s=min_age_s,
        offline_show=show_offline,
        shares=tuple(share_settings) or tuple(IndexSetting(share.name, share.url) for share in shares),
    )
    counters = Counters()
    indexes = [Index(origin.name, origin.url, origin, ttl_s, tied.get(origin.name, ())) for origin in origins]
    with Store.open(path) as store:
        async with running(
            settings=settings,
            store=store,
            indexes=indexes,
            shares=shares,
            counters=counters,
            waits=Waits(places),
            limits=limits,
        ) as node:
            yield Service(node, store, counters)
