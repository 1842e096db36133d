"""Wiring of ``wheelfs fetch``."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from wheelfs.app.wiring import limits_of, read_requirements, running_node, target_of
from wheelfs.private_files import readers_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from wheelfs.config import Settings
    from wheelfs.model.wanted import Wanted
    from wheelfs.reports.fetch import FetchArguments, FetchedFile, FetchSummary
    from wheelfs.reports.progress import Progress
    from wheelfs.service.operations.requirements import Wants
    from wheelfs.service.operations.resolve import Resolver
    from wheelfs.store.store import Store
    from wheelfs.telemetry import Counters


def fetch(
    settings: Settings,
    asked: FetchArguments,
    *,
    report: Callable[[FetchedFile], None],
    note: Callable[[str], None],
    progress: Progress,
) -> FetchSummary:
    """Bring what is asked for into the store; ``report`` is called with each file and ``note`` with what had no effect.

    Raises `InvalidInput` for words and files that mean nothing and `Unresolvable`, before anything is fetched, and `StoreError`.
    """
    import trio

    from wheelfs.service.operations.fetch import Prefetch, summed_up, unfetchable
    from wheelfs.service.operations.resolve import Resolver
    from wheelfs.store.allocator import reuse_memory
    from wheelfs.store.store import Store
    from wheelfs.telemetry import Counters

    reuse_memory()
    began_us, began_s = time.time_ns() // 1_000, time.monotonic()
    target = target_of(asked.python, asked.platforms)
    wants = read_requirements(asked.requirements, asked.files, asked.locks, target, prereleases=asked.prereleases, note=note)
    files: list[FetchedFile] = []

    def done(file: FetchedFile) -> None:
        files.append(file)
        report(file)

    for requirement in wants.unfetchable:
        done(unfetchable(requirement))
    resolver = None
    if asked.with_deps and wants.wanted:
        resolver = Resolver.found(asked, target, os.environ, note=note)

    async def bring(store: Store) -> FetchSummary:
        counters = Counters()
        wanted = wants.wanted if resolver is None else await _resolved(resolver, wants, settings, store, counters)
        async with running_node(settings, store, counters, bound_s=None, network_slots=0) as node:
            if settings.no_index:  # then the shares alone say which files there are
                await node.follower.catch_up()
            run = Prefetch(node, target, pin=asked.pin, dry_run=asked.dry_run, began_us=began_us, report=done, progress=progress)
            await run.run([*wanted, *wants.locked])
        fetched_bytes = counters.so_far().fetched_bytes
        return summed_up(files, fetched_bytes=fetched_bytes, duration_s=time.monotonic() - began_s)

    with Store.open(settings.store, readers=readers_of(settings.store_group), limits=limits_of(settings)) as store:
        return trio.run(bring, store)


async def _resolved(resolver: Resolver, wants: Wants, settings: Settings, store: Store, counters: Counters) -> list[Wanted]:
    """Return what the resolver finds to be wanted, through a mount of its own."""
    from wheelfs.frontends.fuse.kernel.control import request_bound_s
    from wheelfs.frontends.fuse.kernel.limits import FUSE_LIMITS
    from wheelfs.frontends.fuse.mount.private import private_mount

    running = running_node(settings, store, counters, bound_s=request_bound_s(), network_slots=FUSE_LIMITS.network_waits)
    async with running as node:
        if settings.no_index:
            await node.follower.catch_up()
        async with private_mount(node.tree) as mountpoint:
            return await resolver.resolve(wants, mountpoint, node)
