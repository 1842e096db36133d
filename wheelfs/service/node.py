"""One running wheelfs: the store, its indexes and the tree above them, with the tasks that keep them going."""

from __future__ import annotations

import logging
import math
from contextlib import ExitStack, asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Final

import trio
from packaging.markers import default_environment
from packaging.tags import platform_tags

from wheelfs.core.platforms.machine import Machine
from wheelfs.core.views.policy import policy_of
from wheelfs.service.admission import Gate
from wheelfs.service.fetch.context import FetchContext
from wheelfs.service.fetch.pool import DownloadPool
from wheelfs.service.hosts.breaker import Hosts, is_within
from wheelfs.service.hosts.saved_rates import SavedRates
from wheelfs.service.limits import SERVICE_LIMITS
from wheelfs.service.process.status import StatusReport
from wheelfs.service.projects.metadata import Metadata
from wheelfs.service.projects.prefetcher import Prefetcher, ResolverMachine
from wheelfs.service.projects.projects import Projects
from wheelfs.service.projects.tracking import Tracking
from wheelfs.service.projects.visible_files import Views
from wheelfs.service.running import Running
from wheelfs.service.shares.follower import Sharing
from wheelfs.service.tasks import failure
from wheelfs.service.vfs.change_feed import Watch
from wheelfs.service.vfs.flat_files import FlatFiles
from wheelfs.service.vfs.pages import Pages
from wheelfs.service.vfs.tree import Tree
from wheelfs.service.vfs.xattrs import ExtendedAttributes
from wheelfs.store.engine.page_release import mapped_bytes

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from wheelfs.config import Settings
    from wheelfs.remote.share.protocol import Share
    from wheelfs.service.limits import ServiceLimits
    from wheelfs.service.projects.index import Index
    from wheelfs.store.store import Store
    from wheelfs.telemetry import Counters

log = logging.getLogger(__name__)

MAPPED_BYTES: Final = 32 * 1024 * 1024
"""Mapped pages of the store count as this process's memory once touched; above this they go back to the page cache."""

HOUSEKEEPING_S: Final = 2.0
READERS_S: Final = 60.0
"""How often slots of readers that died are freed (py-lmdb asks for about a minute), and the spool and the quota are looked at."""

SPOOL_BYTES: Final = 4 * 1024 * 1024 * 1024
"""Room for files of which only a part was ever wanted; the longest untouched ones go first."""
ABANDONED_S: Final = 30 * 86_400.0
"""After so long nobody comes back for the rest of a file."""


@asynccontextmanager
async def running(
    *,
    settings: Settings,
    store: Store,
    indexes: Sequence[Index],
    shares: Sequence[Share] = (),
    counters: Counters,
    version: str,
    bound_s: float | None,
    network_places: int,
    limits: ServiceLimits = SERVICE_LIMITS,
) -> AsyncIterator[Running]:
    """Run the service for the duration of the block.

    ``bound_s`` is the longest that one request may take where the frontend has such a limit (a kernel's time-out), else None;
    ``network_places`` how many of its callers may wait for the network at once.
    """
    lookup_s, open_s = settings.lookup_timeout_s, settings.open_timeout_s
    if bound_s is not None:
        lookup_s, open_s = min(lookup_s, bound_s), min(open_s, bound_s)
    clients = {index.name: index.client for index in indexes}
    origins = [*clients.values(), *(share.origin for share in shares)]

    async def probe(url: str) -> None:
        within = [one for one in origins if is_within(url, one.url)]
        client = max(within, key=lambda one: len(one.url), default=origins[0])
        await client.head(url)

    # The outer block closes spool files only when all tasks that write into them have ended.
    with ExitStack() as closing:
        async with trio.open_nursery() as nursery:
            hosts = Hosts(
                offline=settings.offline,
                probe=probe,
                probe_timeout_s=lookup_s,
                counters=counters,
                rates=SavedRates(store.catalog, limits=limits.hosts),
                file_urls=[*(share.url for share in shares), *(index.url for index in indexes)],
                limits=limits.hosts,
            )
            fetching = FetchContext(
                store=store,
                origins=clients,
                hosts=hosts,
                counters=counters,
                nursery=nursery,
                progress_timeout_s=open_s,
                delta=settings.delta,
                shares=shares,
                limits=limits.fetch,
            )
            downloads = DownloadPool(fetching)
            closing.callback(store.uses.flush)
            closing.callback(downloads.close)
            show_all = settings.offline_show == "all"
            sharing = Sharing(store=store, shares=shares, hosts=hosts, bound_s=lookup_s, show_all=show_all)
            projects = Projects(
                store=store,
                indexes=indexes,
                hosts=hosts,
                sharing=sharing,
                nursery=nursery,
                timeout_s=lookup_s,
                show_all=show_all,
                limits=limits.projects,
            )
            gate = Gate(network_places, math.inf if bound_s is None else bound_s)
            platforms = tuple(platform_tags())
            machine = Machine(frozenset(platforms))
            resolvers = ResolverMachine(platforms, {key: str(value) for key, value in default_environment().items()})
            views = Views(projects=projects, machine=machine, policy=policy_of(settings, machine))
            tracking = Tracking(projects=projects, context=fetching, machine=machine)
            flat = FlatFiles(projects=projects, tracking=tracking, sharing=sharing, catalog=store.catalog, views=views)
            status = StatusReport(
                shares=shares,
                version=version,
                store=str(settings.store),
                indexes=indexes,
                hosts=hosts,
                tracking=tracking,
                counters=counters,
            )
            metadata = Metadata(projects=projects, downloads=downloads, gate=gate, timeout_s=lookup_s)
            prefetcher = Prefetcher(
                projects=projects,
                views=views,
                metadata=metadata,
                nursery=nursery,
                machine=resolvers,
                enabled=settings.look_ahead,
            )
            tree = Tree(
                projects=projects,
                views=views,
                flat=flat,
                pages=Pages(projects=projects, views=views, flat=flat, context=fetching),
                metadata=metadata,
                prefetcher=prefetcher,
                downloads=downloads,
                gate=gate,
                watch=Watch(store, projects.names),
                status=status,
                attributes=ExtendedAttributes(projects=projects, downloads=downloads),
                strict=settings.verify == "strict",
            )
            nursery.start_soon(hosts.keep_probing)
            nursery.start_soon(_keep_house, store, downloads)
            try:
                yield Running(tree, status, store, fetching, downloads, projects, views, tracking, sharing, hosts, prefetcher)
            finally:
                nursery.cancel_scope.cancel()


async def _keep_house(store: Store, downloads: DownloadPool) -> None:
    checked_s = -READERS_S
    was_idle = False
    while True:
        try:
            if trio.current_time() - checked_s >= READERS_S:
                checked_s = trio.current_time()
                await trio.to_thread.run_sync(store.check_readers)
                await trio.to_thread.run_sync(partial(store.spool.trim, SPOOL_BYTES, idle_s=ABANDONED_S))
                await trio.to_thread.run_sync(store.keep_limits)
                if was_idle and downloads.is_idle:
                    await trio.to_thread.run_sync(store.collect_if_due)
                was_idle = downloads.is_idle
            if mapped_bytes() > MAPPED_BYTES:
                await trio.to_thread.run_sync(store.release_mapping)
        except Exception as error:
            log.warning("%s", failure("keep the store in order", error))
        await trio.sleep(HOUSEKEEPING_S)
