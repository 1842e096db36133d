"""The tunable constants of a running service, by room, so that a test can run one with others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from wheelfs.service.fetch.limits import FETCH_LIMITS, FetchLimits
from wheelfs.service.hosts.limits import HOST_LIMITS, HostLimits
from wheelfs.service.projects.limits import PROJECT_LIMITS, ProjectLimits


@dataclass(frozen=True, slots=True)
class ServiceLimits:
    """Each field is handed to its room by `wheelfs.service.node`."""

    fetch: FetchLimits = FETCH_LIMITS
    hosts: HostLimits = HOST_LIMITS
    projects: ProjectLimits = PROJECT_LIMITS


SERVICE_LIMITS: Final = ServiceLimits()
"""What a running wheelfs uses."""
