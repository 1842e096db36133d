"""Joining the states of all processes on a store into one that is true of all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from wheelfs.reports.status import Counters, Status

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from wheelfs.reports.status import OriginHealth

_URGENCY: Final[dict[OriginHealth, int]] = {"unknown": 0, "up": 1, "down": 2}


def merged(
    idle: Status,
    answers: Iterable[Status],
    *,
    silent: Iterable[int] = (),
    unasked: Iterable[int] = (),
    is_detached: Callable[[str, int], bool] = lambda _path, _pid: False,
) -> Status:
    """Join the answers of all processes on a store; ``idle`` is what there is to say with none running.

    With some running, their origins are shown and not those that this command is configured with, which may not be in use.
    Of an origin that several processes know, the report of one that has contacted it counts more than that of one that has
    not, and a failure counts more than success.  ``is_detached`` says of a mount, by path and process, whether it was unmounted
    lazily.
    """
    statuses = list(answers)
    # A gateway may be index and share, under one name.
    origins = {} if statuses else {(origin.kind, origin.name): origin for origin in idle.origins}
    for status in statuses:
        for origin in status.origins:
            before = origins.get((origin.kind, origin.name))
            if before is None or _URGENCY[origin.state] > _URGENCY[before.state]:
                origins[origin.kind, origin.name] = origin
    mounts = [replace(mount, detached=is_detached(mount.path, mount.pid)) for status in statuses for mount in status.mounts]
    errors_by: dict[str, int] = {}
    for status in statuses:
        for name, count in status.counters.errors_by.items():
            errors_by[name] = errors_by.get(name, 0) + count
    return Status(
        version=idle.version,
        store=idle.store,
        mounts=tuple(sorted(mounts, key=lambda mount: mount.path)),
        gateways=tuple(sorted((one for status in statuses for one in status.gateways), key=lambda one: one.url)),
        origins=tuple(origins.values()),
        offline=idle.offline or any(status.offline for status in statuses),
        counters=Counters(
            requests=sum(status.counters.requests for status in statuses),
            fetched_bytes=sum(status.counters.fetched_bytes for status in statuses),
            saved_bytes=sum(status.counters.saved_bytes for status in statuses),
            needed_bytes=sum(status.counters.needed_bytes for status in statuses),
            delta_saved_bytes=sum(status.counters.delta_saved_bytes for status in statuses),
            errors=sum(status.counters.errors for status in statuses),
            errors_by=errors_by,
        ),
        silent=tuple(silent),
        unasked=tuple(unasked),
        transfers=tuple(one for status in statuses for one in status.transfers),
        share_writes=tuple(one for status in statuses for one in status.share_writes if one.state != "elsewhere"),
        # They look after the same projects.
        tracked=max((status.tracked for status in statuses), key=lambda state: state.projects, default=idle.tracked),
        environments=max((status.environments for status in statuses), key=len, default=()),
        withheld=max((status.withheld for status in statuses), key=lambda state: state.files, default=idle.withheld),
    )
