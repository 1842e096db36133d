"""The only place that wires the parts together: what the commands call.

Heavy parts (trio, lmdb, the HTTP client, pyfuse3) are imported inside, so that ``wheelfs --help`` does not pay for them.
"""

from __future__ import annotations

import os
import time
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Final

import wheelfs
from wheelfs.app.indexes import effective_indexes as effective_indexes
from wheelfs.app.wiring import is_unborn, limits_of, running_node, store_to_look_at
from wheelfs.config import redact
from wheelfs.reports.mounts import MountReady

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from wheelfs.config import Settings
    from wheelfs.model.wanted import Wanted
    from wheelfs.reports.fetch import FetchArguments, FetchedFile, FetchSummary
    from wheelfs.reports.files import AddedFile, KeptFile, ListedFile, ShownFile, ShownProject
    from wheelfs.reports.mounts import MountArguments
    from wheelfs.reports.progress import Progress
    from wheelfs.reports.status import Status
    from wheelfs.reports.store import Collection, DamagedFile, ProjectStats, Stats, Verified
    from wheelfs.store.store import Store
    from wheelfs.telemetry import Counters

STATUS_TIMEOUT_S: Final = 2.0
"""How long ``status`` waits for a process that holds its socket but does not answer."""


def run_mount(settings: Settings, mountpoint: Path, options: MountArguments, *, ready: Callable[[MountReady], None]) -> None:
    """Mount and serve until unmounted; ``ready`` is called once the mount has answered.  Raises `WheelfsError`."""
    import trio

    from wheelfs.app.write_through import write_through, written_share
    from wheelfs.frontends.fuse.kernel.control import request_bound_s
    from wheelfs.frontends.fuse.kernel.limits import MAX_NETWORK_WAITS
    from wheelfs.frontends.fuse.mount.session import MountOptions, serve_mount
    from wheelfs.service.process.control_socket import serve_control
    from wheelfs.store.store import Store
    from wheelfs.telemetry import Counters

    async def serve(store: Store) -> None:
        running = running_node(settings, store, Counters(), bound_s=request_bound_s(), network_places=MAX_NETWORK_WAITS)
        async with running as node, trio.open_nursery() as nursery:
            await nursery.start(serve_control, store.run_directory, {"status": node.status.report})
            nursery.start_soon(node.tracking.keep_fresh)
            nursery.start_soon(node.sharing.keep_fresh)
            nursery.start_soon(write_through, settings, store, node)

            def on_ready() -> None:
                node.status.mounted(str(mountpoint.absolute()))
                ready(MountReady(path=str(mountpoint.absolute()), pid=os.getpid(), store=str(settings.store)))

            source = options.source or "wheelfs"
            chosen = MountOptions(source=source, allow_other=settings.allow_other, nonempty=options.nonempty)
            await serve_mount(node.tree, mountpoint, chosen, on_ready=on_ready, shutdown=trio.Event())
            nursery.cancel_scope.cancel()

    written_share(settings)
    with Store.open(settings.store, limits=limits_of(settings)) as store:
        trio.run(serve, store)


def add(settings: Settings, sources: Sequence[str], *, index: str | None, progress: Progress) -> Iterator[AddedFile]:
    """Add files, the wheels of directories, and URLs, and yield what became of each file; raises `StoreError`."""
    from wheelfs.core.projects.index_scopes import Charges
    from wheelfs.remote.index.http import HttpIndex
    from wheelfs.service.operations import add, add_url
    from wheelfs.store.allocator import reuse_memory
    from wheelfs.store.store import Store

    reuse_memory()
    charges = Charges({setting.name: setting.projects for setting, _ in effective_indexes(settings)})
    with Store.open(settings.store, limits=limits_of(settings)) as store:
        for is_url, some in groupby(sources, key=lambda source: source.startswith(("http://", "https://"))):
            if not is_url:
                paths = map(Path, some)
                yield from add.add_paths(store, paths, index=index, charges=charges, progress=progress)
                continue
            for source in some:
                client = HttpIndex("download", source, os.environ, read_timeout_s=settings.open_timeout_s)
                yield add_url.add_url(
                    store,
                    client.url,
                    client,
                    index=index,
                    charges=charges,
                    progress=progress,
                    offline=settings.offline,
                    bound_s=settings.open_timeout_s,
                )


def list_files(settings: Settings, *, patterns: Sequence[str]) -> Iterator[ListedFile]:
    """Yield the stored files, or those that match a pattern; none where there is no store yet."""
    from wheelfs.service.operations import inspect

    if is_unborn(settings.store):
        return
    with store_to_look_at(settings.store) as store:
        yield from inspect.list_files(store, words=patterns)


def show(settings: Settings, name: str) -> ShownProject | ShownFile:
    """Return what is known of a project or file; raises `NotKnown`."""
    import trio

    from wheelfs.service.operations import inspect
    from wheelfs.telemetry import Counters

    if is_unborn(settings.store):
        raise inspect.not_known(name)

    async def look(store: Store) -> ShownProject | ShownFile:
        async with running_node(settings, store, Counters(), bound_s=None, network_places=0) as node:
            return inspect.show(node.projects, node.views, node.downloads, name)

    with store_to_look_at(settings.store) as store:
        return trio.run(look, store)


def remove(settings: Settings, words: Sequence[str], *, dry_run: bool) -> Iterator[KeptFile]:
    """Remove stored files and yield each; raises `NotKnown` before anything is removed."""
    from wheelfs.service.operations import housekeeping
    from wheelfs.store.store import Store

    with Store.open(settings.store, create=False) as store:
        yield from housekeeping.remove(store, words, dry_run=dry_run)


def pin(settings: Settings, words: Sequence[str], *, pinned: bool) -> Iterator[KeptFile]:
    """Pin or unpin stored files and yield each; raises `NotKnown` before anything is changed."""
    from wheelfs.service.operations import housekeeping
    from wheelfs.store.store import Store

    with Store.open(settings.store, create=False) as store:
        yield from housekeeping.pin(store, words, pinned=pinned)


def collect(settings: Settings, *, dry_run: bool) -> Collection:
    """Give back the room of chunks that nothing names; raises `StoreLocked` while another process does."""
    from wheelfs.reports.store import Collection
    from wheelfs.store.gc.collect import collect
    from wheelfs.store.store import Store

    with Store.open(settings.store, create=False) as store:
        done = collect(store, dry_run=dry_run)
        return Collection(
            dry_run=dry_run,
            blocks=done.blocks,
            rewritten_blocks=done.rewritten,
            freed_bytes=done.freed_bytes,
            waiting=done.waiting,
        )


def stats(settings: Settings) -> Stats:
    """Return what the store holds and takes, and what the running mounts have fetched and saved."""
    from wheelfs.service.operations import housekeeping

    counters = status(settings).counters
    with store_to_look_at(settings.store) as store:
        return housekeeping.stats(store, counters)


def stats_by_project(settings: Settings) -> Iterator[ProjectStats]:
    """Yield what each project holds and takes."""
    from wheelfs.service.operations import housekeeping

    with store_to_look_at(settings.store) as store:
        yield from housekeeping.stats_by_project(store)


def verify(settings: Settings, *, quick: bool, repair: bool, patterns: Sequence[str], note: Callable[[str], None]) -> Verified:
    """Audit the store, quarantine what is damaged, and with ``repair`` fetch that again where it came from."""
    import trio

    from wheelfs.reports.store import Verified
    from wheelfs.service.operations import repair as repairing
    from wheelfs.store.store import Store
    from wheelfs.telemetry import Counters

    with Store.open(settings.store, create=False, limits=limits_of(settings)) as store:
        checked, damaged = repairing.audit(store, quick=quick, words=patterns, note=note)

        async def repaired() -> list[DamagedFile]:
            async with running_node(settings, store, Counters(), bound_s=None, network_places=1) as node:
                return [file for one in damaged for file in await repairing.repaired(node.downloads, one)]

        if repair and damaged:
            note("repair")
            files = trio.run(repaired)
        else:
            files = [file for one in damaged for file in repairing.told(one)]
        return Verified(ok=all(file.repaired for file in files), checked_wheels=checked, damaged=tuple(files))


def status(settings: Settings) -> Status:
    """Return the state of all processes on the store, asked through their control sockets; opens no store."""
    import msgspec

    from wheelfs.reports.status import OriginState, Status
    from wheelfs.service.process.control_socket import Answered, ask_all
    from wheelfs.service.process.merged_status import merged

    origins = tuple(OriginState(name=index.name, url=redact(index.url)) for index, _ in effective_indexes(settings))
    idle = Status(version=wheelfs.__version__, store=str(settings.store), origins=origins, offline=settings.offline)
    answers = ask_all(settings.store / "run", {"do": "status"}, timeout_s=STATUS_TIMEOUT_S)
    return merged(
        idle,
        [msgspec.convert(answer.value, Status) for answer in answers if isinstance(answer, Answered)],
        silent=[answer.pid for answer in answers if not isinstance(answer, Answered)],
    )


def fetch(
    settings: Settings,
    asked: FetchArguments,
    *,
    report: Callable[[FetchedFile], None],
    note: Callable[[str], None],
    progress: Progress,
) -> FetchSummary:
    """Bring what is asked for into the store; ``report`` is told of each file and ``note`` of what had no effect.

    Raises `InvalidInput` for words and files that mean nothing and `Unresolvable`, before anything is fetched, and `StoreError`.
    """
    import trio
    from packaging.markers import default_environment
    from packaging.tags import platform_tags, sys_tags

    from wheelfs.core.platforms import targets
    from wheelfs.service.operations.fetch import Prefetch, summed_up, unfetchable
    from wheelfs.service.operations.requirements import read_wants
    from wheelfs.service.operations.resolve import Resolver
    from wheelfs.store.allocator import reuse_memory
    from wheelfs.store.store import Store
    from wheelfs.telemetry import Counters

    reuse_memory()
    began_us, began_s = time.time_ns() // 1_000, time.monotonic()
    environment = {key: str(value) for key, value in default_environment().items()}
    if asked.python is None and not asked.platforms:
        target = targets.this_machine(sys_tags(), environment)
    else:
        machine = list(platform_tags())
        target = targets.named(asked.python, asked.platforms, machine_platforms=machine, environment=environment)
    wants = read_wants(asked.requirements, asked.files, asked.locks, target, prereleases=asked.prereleases)
    for option in wants.ignored:
        note(f"{option} in a requirements file has no effect: files come from the configured indexes")
    files: list[FetchedFile] = []

    def done(file: FetchedFile) -> None:
        files.append(file)
        report(file)

    for one in wants.unfetchable:
        done(unfetchable(one))

    resolver = None
    if asked.with_deps and wants.wanted:
        resolver = Resolver.found(asked, target, os.environ, note=note)

    async def resolved(resolver: Resolver, store: Store, counters: Counters) -> list[Wanted]:
        from wheelfs.frontends.fuse.kernel.control import request_bound_s
        from wheelfs.frontends.fuse.kernel.limits import MAX_NETWORK_WAITS
        from wheelfs.frontends.fuse.mount.private import private_mount

        running = running_node(settings, store, counters, bound_s=request_bound_s(), network_places=MAX_NETWORK_WAITS)
        async with running as node, private_mount(node.tree) as mountpoint:
            return await resolver.resolve(wants, mountpoint, node)

    async def bring(store: Store) -> FetchSummary:
        counters = Counters()
        wanted = wants.wanted if resolver is None else await resolved(resolver, store, counters)
        async with running_node(settings, store, counters, bound_s=None, network_places=0) as node:
            if settings.no_index:  # then the shares alone say which files there are
                await node.sharing.catch_up()
            run = Prefetch(node, target, pin=asked.pin, dry_run=asked.dry_run, began_us=began_us, report=done, progress=progress)
            await run.run([*wanted, *wants.locked])
        fetched_bytes = counters.so_far().fetched_bytes
        return summed_up(files, fetched_bytes=fetched_bytes, duration_s=time.monotonic() - began_s)

    with Store.open(settings.store, limits=limits_of(settings)) as store:
        return trio.run(bring, store)


def add_pip_cache(
    settings: Settings, directory: Path | None, *, private: bool, report: Callable[[AddedFile], None], progress: Progress
) -> int:
    """Add the wheels of pip's cache (None: where pip has it) and return how many other things it held.

    ``report`` is told of each wheel; ``private`` takes those that no index lists as files added by hand.  Raises `InvalidInput`
    where there is no such cache, and `StoreError`.
    """
    import trio

    from wheelfs.service.operations import add_pip_cache
    from wheelfs.store.allocator import reuse_memory
    from wheelfs.store.store import Store
    from wheelfs.telemetry import Counters

    reuse_memory()
    bodies = add_pip_cache.bodies(add_pip_cache.location(os.environ) if directory is None else directory)

    async def take(store: Store) -> int:
        async with running_node(settings, store, Counters(), bound_s=None, network_places=0) as node:
            taking = add_pip_cache.Taking(node, store, private=private, report=report, progress=progress)
            return await taking.run(bodies)

    with Store.open(settings.store, limits=limits_of(settings)) as store:
        return trio.run(take, store)
