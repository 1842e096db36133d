"""One running wheelfs: the store, its indexes and the tree above them, with the tasks that keep them going."""

from __future__ import annotations

import math
from contextlib import ExitStack, asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import trio
from packaging.markers import default_environment
from packaging.tags import platform_tags

import wheelfs
from wheelfs.core.platforms.machine import Machine
from wheelfs.core.projects.index_scopes import share_scopes
from wheelfs.core.views.policy import policy_of
from wheelfs.model.names import DOWNLOAD
from wheelfs.service.admission import Admission
from wheelfs.service.fetch.context import FetchContext
from wheelfs.service.fetch.pool import DownloadPool
from wheelfs.service.fetch.source import Sources
from wheelfs.service.hosts.breaker import Hosts, is_within
from wheelfs.service.hosts.saved_rates import SavedRates
from wheelfs.service.limits import SERVICE_LIMITS
from wheelfs.service.process.status import StatusReport
from wheelfs.service.process.withheld import Withheld
from wheelfs.service.projects.metadata import Metadata
from wheelfs.service.projects.prefetcher import Prefetcher, ResolverMachine
from wheelfs.service.projects.projects import Projects
from wheelfs.service.projects.tracked_files import TrackedFiles
from wheelfs.service.projects.tracking import Tracking
from wheelfs.service.projects.visible_files import Views
from wheelfs.service.running import Running
from wheelfs.service.shares.follower import ShareFollower
from wheelfs.service.unpacked.sources import UnpackedSources
from wheelfs.service.upkeep import keep_in_order
from wheelfs.service.vfs.assembly import TreeParts, make_tree
from wheelfs.service.vfs.clients.whole_wheels import WholeWheels
from wheelfs.service.vfs.environments.wheels import LazyWheels

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from wheelfs.config import Settings
    from wheelfs.remote.origin import Origin
    from wheelfs.remote.share.protocol import Share
    from wheelfs.service.limits import ServiceLimits
    from wheelfs.service.projects.index import Index
    from wheelfs.store.store import Store
    from wheelfs.telemetry import Counters


class Waits(NamedTuple):
    """How long and how many callers may wait.

    ``bound_s`` is the longest that one request may take where the frontend has such a limit (a kernel's time-out), else infinity;
    ``slots`` how many of them may wait for the network at once.
    """

    slots: int
    bound_s: float = math.inf


@asynccontextmanager
async def running(
    *,
    settings: Settings,
    store: Store,
    indexes: Sequence[Index],
    shares: Sequence[Share] = (),
    counters: Counters,
    waits: Waits,
    downloads_by_url: Origin | None = None,
    limits: ServiceLimits = SERVICE_LIMITS,
) -> AsyncIterator[Running]:
    """Run the service for the duration of the block.

    ``waits`` are those of the callers, ``downloads_by_url`` fetches files of the origin `DOWNLOAD`, which no index lists.
    """
    lookup_s, open_s = min(settings.lookup_timeout_s, waits.bound_s), min(settings.open_timeout_s, waits.bound_s)
    origins = {index.name: index.client for index in indexes}
    if downloads_by_url is not None:
        origins[DOWNLOAD] = downloads_by_url
    # The outer block closes spool files only when all tasks that write into them have ended.
    with ExitStack() as closing:
        async with trio.open_nursery() as nursery:
            hosts = Hosts(
                offline=settings.offline,
                probe=partial(_probe, [*(index.client for index in indexes), *(share.origin for share in shares)]),
                probe_timeout_s=lookup_s,
                counters=counters,
                rates=SavedRates(store.catalog, limits=limits.hosts),
                file_urls=[*(share.url for share in shares), *(index.url for index in indexes)],
                limits=limits.hosts,
            )
            fetching = FetchContext(
                store=store,
                sources=Sources(origins=origins, shares=shares, hosts=hosts),
                hosts=hosts,
                nursery=nursery,
                progress_timeout_s=open_s,
                delta=settings.delta,
                unpacked=UnpackedSources(settings.delta_sources),
                limits=limits.fetch,
            )
            downloads = DownloadPool(fetching)
            closing.callback(store.uses.flush)
            closing.callback(store.mounted.profiles.flush)
            closing.callback(downloads.close)
            node = _assemble(settings, indexes, shares, downloads, Admission(waits.slots, waits.bound_s), lookup_s, limits)
            nursery.start_soon(hosts.keep_probing)
            nursery.start_soon(keep_in_order, store, downloads, limits.upkeep)
            try:
                yield node
            finally:
                nursery.cancel_scope.cancel()


async def _probe(origins: Sequence[Origin], url: str) -> None:
    """Ask whether a host answers, as the client of the index or share that the URL belongs to."""
    within = [origin for origin in origins if is_within(url, origin.url)]
    client = max(within, key=lambda origin: len(origin.url), default=origins[0])
    await client.head(url)


def _assemble(
    settings: Settings,
    indexes: Sequence[Index],
    shares: Sequence[Share],
    downloads: DownloadPool,
    admission: Admission,
    lookup_s: float,
    limits: ServiceLimits,
) -> Running:
    """Make the parts that know projects, and the tree above them; starts nothing."""
    fetching = downloads.context
    store, hosts, nursery = fetching.store, fetching.hosts, fetching.nursery
    show_all = settings.offline_show == "all"
    follower = _follower(settings, shares, fetching, lookup_s, limits)
    projects = Projects(
        store=store,
        indexes=indexes,
        hosts=hosts,
        follower=follower,
        nursery=nursery,
        timeout_s=lookup_s,
        show_all=show_all,
        limits=limits.projects,
    )
    platforms = tuple(platform_tags())
    machine = Machine(frozenset(platforms))
    views = Views(projects=projects, machine=machine, policy=policy_of(settings, machine))
    tracked = TrackedFiles(projects=projects, context=fetching, machine=machine)
    tracking = Tracking(files=tracked, projects=projects, context=fetching, limits=limits.tracking)
    withheld = Withheld(projects, store.catalog, hosts)
    status = _status_report(settings, indexes, shares, tracking, withheld, downloads)
    metadata = Metadata(projects=projects, downloads=downloads, admission=admission, timeout_s=lookup_s)
    prefetcher, ahead = _looking_ahead(settings, projects, views, metadata, downloads, platforms, limits)
    strict = settings.verify == "strict"
    lazy = LazyWheels(projects, downloads, admission, strict=strict)
    parts = TreeParts(
        projects, views, tracked, follower, metadata, prefetcher, ahead, status, downloads, admission, withheld, lazy
    )
    return Running(
        tree=make_tree(parts, strict=strict, limits=limits.vfs),
        status=status,
        store=store,
        fetching=fetching,
        downloads=downloads,
        projects=projects,
        views=views,
        tracked=tracked,
        tracking=tracking,
        follower=follower,
        hosts=hosts,
        prefetcher=prefetcher,
        whole_wheels=ahead,
        withheld=withheld,
        lazy_wheels=lazy,
    )


def _looking_ahead(
    settings: Settings,
    projects: Projects,
    views: Views,
    metadata: Metadata,
    downloads: DownloadPool,
    platforms: Sequence[str],
    limits: ServiceLimits,
) -> tuple[Prefetcher, WholeWheels]:
    prefetcher = Prefetcher(
        projects=projects,
        views=views,
        metadata=metadata,
        nursery=downloads.context.nursery,
        machine=ResolverMachine(platforms, {key: str(value) for key, value in default_environment().items()}),
        enabled=settings.look_ahead,
        limits=limits.prefetch,
    )
    return prefetcher, WholeWheels(projects, downloads, enabled=settings.look_ahead, limits=limits.vfs)


def _follower(
    settings: Settings, shares: Sequence[Share], fetching: FetchContext, lookup_s: float, limits: ServiceLimits
) -> ShareFollower:
    return ShareFollower(
        store=fetching.store,
        shares=shares,
        hosts=fetching.hosts,
        timeout_s=lookup_s,
        show_all=settings.offline_show == "all",
        scopes=share_scopes(settings),
        limits=limits.shares,
    )


def _status_report(
    settings: Settings,
    indexes: Sequence[Index],
    shares: Sequence[Share],
    tracking: Tracking,
    withheld: Withheld,
    downloads: DownloadPool,
) -> StatusReport:
    return StatusReport(
        version=wheelfs.__version__,
        store=str(settings.store),
        indexes=indexes,
        shares=shares,
        tracking=tracking,
        withheld=withheld.state,
        downloads=downloads,
    )
