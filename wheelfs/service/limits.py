"""The tunable constants of a running service, by room, so that a test can run one with others."""

from __future__ import annotations

from typing import Final

import msgspec

from wheelfs.service.fetch.limits import FETCH_LIMITS, FetchLimits
from wheelfs.service.hosts.limits import HOST_LIMITS, HostLimits
from wheelfs.service.projects.limits import (
    PREFETCH_LIMITS,
    PROJECT_LIMITS,
    TRACKING_LIMITS,
    PrefetchLimits,
    ProjectLimits,
    TrackingLimits,
)
from wheelfs.service.shares.limits import SHARE_LIMITS, ShareLimits
from wheelfs.service.upkeep import UPKEEP_LIMITS, UpkeepLimits
from wheelfs.service.vfs.limits import VFS_LIMITS, VfsLimits


class ServiceLimits(msgspec.Struct, frozen=True):
    """Each field is handed to its room by `wheelfs.service.node`."""

    fetch: FetchLimits = FETCH_LIMITS
    hosts: HostLimits = HOST_LIMITS
    projects: ProjectLimits = PROJECT_LIMITS
    prefetch: PrefetchLimits = PREFETCH_LIMITS
    tracking: TrackingLimits = TRACKING_LIMITS
    shares: ShareLimits = SHARE_LIMITS
    vfs: VfsLimits = VFS_LIMITS
    upkeep: UpkeepLimits = UPKEEP_LIMITS


SERVICE_LIMITS: Final = ServiceLimits()
"""What a running wheelfs uses."""
