"""What a running service gives to frontends, operations and the control socket; `wheelfs.service.node` makes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from wheelfs.service.fetch.context import FetchContext
    from wheelfs.service.fetch.pool import DownloadPool
    from wheelfs.service.hosts.breaker import Hosts
    from wheelfs.service.process.status import StatusReport
    from wheelfs.service.process.withheld import Withheld
    from wheelfs.service.projects.prefetcher import Prefetcher
    from wheelfs.service.projects.projects import Projects
    from wheelfs.service.projects.tracked_files import TrackedFiles
    from wheelfs.service.projects.tracking import Tracking
    from wheelfs.service.projects.visible_files import Views
    from wheelfs.service.shares.follower import ShareFollower
    from wheelfs.service.vfs.clients.whole_wheels import WholeWheels
    from wheelfs.service.vfs.environments.wheels import LazyWheels
    from wheelfs.service.vfs.tree import Tree
    from wheelfs.store.store import Store


class Running(msgspec.Struct, frozen=True):
    """The parts of one running wheelfs."""

    tree: Tree
    status: StatusReport
    store: Store
    fetching: FetchContext
    downloads: DownloadPool
    projects: Projects
    views: Views
    tracked: TrackedFiles
    tracking: Tracking
    follower: ShareFollower
    hosts: Hosts
    prefetcher: Prefetcher
    whole_wheels: WholeWheels
    withheld: Withheld
    lazy_wheels: LazyWheels
