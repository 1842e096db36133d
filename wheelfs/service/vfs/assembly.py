"""Making the tree of the parts that it shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from wheelfs.service.vfs.change_feed import ChangeWatcher
from wheelfs.service.vfs.environments.ahead import ProfilePrefetcher
from wheelfs.service.vfs.environments.members import MemberOpener
from wheelfs.service.vfs.environments.trees import EnvironmentTrees
from wheelfs.service.vfs.flat_files import FlatFiles
from wheelfs.service.vfs.listings import Directories
from wheelfs.service.vfs.names import FileNodes, NameLookup
from wheelfs.service.vfs.opening import FileOpener, NodeOpener
from wheelfs.service.vfs.pages import Pages
from wheelfs.service.vfs.project_lookup import ProjectLookup
from wheelfs.service.vfs.tree import Tree
from wheelfs.service.vfs.xattrs import ExtendedAttributes

if TYPE_CHECKING:
    from wheelfs.service.admission import Admission
    from wheelfs.service.fetch.pool import DownloadPool
    from wheelfs.service.process.status import StatusReport
    from wheelfs.service.process.withheld import Withheld
    from wheelfs.service.projects.metadata import Metadata
    from wheelfs.service.projects.prefetcher import Prefetcher
    from wheelfs.service.projects.projects import Projects
    from wheelfs.service.projects.tracked_files import TrackedFiles
    from wheelfs.service.projects.visible_files import Views
    from wheelfs.service.shares.follower import ShareFollower
    from wheelfs.service.vfs.clients.whole_wheels import WholeWheels
    from wheelfs.service.vfs.environments.wheels import LazyWheels
    from wheelfs.service.vfs.limits import VfsLimits


class TreeParts(msgspec.Struct, frozen=True):
    """What the tree shows, and asks."""

    projects: Projects
    views: Views
    tracked: TrackedFiles
    follower: ShareFollower
    metadata: Metadata
    prefetcher: Prefetcher
    whole_wheels: WholeWheels
    status: StatusReport
    downloads: DownloadPool
    admission: Admission
    withheld: Withheld
    lazy_wheels: LazyWheels


def make_tree(parts: TreeParts, *, strict: bool, limits: VfsLimits) -> Tree:
    """Return the tree over ``parts``; ``strict`` withholds bytes that are not verified yet."""
    projects, views, status, downloads = parts.projects, parts.views, parts.status, parts.downloads
    store = downloads.context.store
    flat = FlatFiles(
        projects=projects,
        tracked=parts.tracked,
        follower=parts.follower,
        catalog=store.catalog,
        views=views,
        hosts=downloads.context.hosts,
        batch=limits.names_batch,
    )
    context = downloads.context
    trees = EnvironmentTrees(store, ProfilePrefetcher(context, parts.lazy_wheels), projects.files.origin_of)
    pages = Pages(projects=projects, views=views, flat=flat, withheld=parts.withheld, context=context, limits=limits)
    owners = ProjectLookup(projects, parts.admission, limits)
    files = FileNodes(parts.metadata, downloads, parts.admission)
    opener = FileOpener(
        projects=projects,
        downloads=downloads,
        admission=parts.admission,
        prefetcher=parts.prefetcher,
        whole_wheels=parts.whole_wheels,
        strict=strict,
        repairs=limits.repairs,
    )
    return Tree(
        names=NameLookup(
            index_names=projects.names,
            owners=owners,
            views=views,
            flat=flat,
            pages=pages,
            files=files,
            status=status,
            limits=limits,
        ),
        directories=Directories(
            projects=projects, views=views, flat=flat, pages=pages, files=files, environments=trees, status=status, limits=limits
        ),
        opener=NodeOpener(
            owners=owners,
            pages=pages,
            metadata=parts.metadata,
            status=status,
            prefetcher=parts.prefetcher,
            files=opener,
            members=MemberOpener(context, opener.open_for_members, parts.lazy_wheels),
        ),
        pages=pages,
        status=status,
        attributes=ExtendedAttributes(projects=projects, downloads=downloads),
        watcher=ChangeWatcher(store, projects.names, poll_s=limits.poll_s),
        context=downloads.context,
    )
