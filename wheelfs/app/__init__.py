"""The only place that wires the parts together: what the commands call.

Heavy parts (trio, lmdb, the HTTP client, pyfuse3) are imported inside, so that ``wheelfs --help`` does not pay for them.
"""

from __future__ import annotations

import gc
import os
import time
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Final

import wheelfs
from wheelfs.app.fetching import check as check
from wheelfs.app.fetching import fetch as fetch
from wheelfs.app.indexes import decided_indexes
from wheelfs.app.indexes import effective_indexes as effective_indexes
from wheelfs.app.indexes import index_notes as index_notes
from wheelfs.app.own_places import OwnPlaces as OwnPlaces
from wheelfs.app.wiring import (
    end_s,
    is_unborn,
    limits_of,
    running_node,
    start_background,
    store_to_fill,
    store_to_look_at,
    take_over,
)
from wheelfs.config import redact
from wheelfs.errors import MountPointError
from wheelfs.private_files import readers_of
from wheelfs.reports.mounts import MountReady

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from wheelfs.config import Settings
    from wheelfs.reports.files import AddedFile, KeptFile, ListedFile, ShownFile, ShownProject
    from wheelfs.reports.mounts import MountArguments
    from wheelfs.reports.progress import Progress
    from wheelfs.reports.status import Status
    from wheelfs.reports.store import Collection, DamagedFile, ProjectStats, Stats, Verified
    from wheelfs.store.store import Store

STATUS_TIMEOUT_S: Final = 2.0
"""How long ``status`` waits for a process that holds its socket but does not answer."""


def run_mount(
    settings: Settings,
    mountpoint: Path,
    options: MountArguments,
    *,
    ready: Callable[[MountReady], None],
    reread: Callable[[], Settings],
    tell: Callable[[str], None],
) -> None:
    """Mount and serve until unmounted; ``ready`` is called once the mount has answered, ``reread`` on SIGHUP.

    ``tell`` is given what `index_notes` returns, before.  Raises `WheelfsError`.
    """
    # Until the mount answers: of what is imported and made for it nothing becomes garbage (`wheelfs.__main__`).
    gc.disable()
    import trio

    from wheelfs.app.reload import Reloader
    from wheelfs.app.write_through import written_share
    from wheelfs.frontends.fuse.kernel.control import request_bound_s
    from wheelfs.frontends.fuse.kernel.limits import FUSE_LIMITS
    from wheelfs.frontends.fuse.mount.session import MountOptions, serve_mount
    from wheelfs.service.hosts.first_contact import ask_indexes
    from wheelfs.service.process.end_bound import EndBound
    from wheelfs.service.process.service_manager import notify
    from wheelfs.store.store import Store
    from wheelfs.telemetry import Counters

    async def serve(store: Store) -> None:
        running = running_node(settings, store, Counters(), bound_s=request_bound_s(), network_slots=FUSE_LIMITS.network_waits)
        async with running as node, trio.open_nursery() as nursery:
            shutdown = trio.Event()
            nursery.start_soon(end.begin_at, shutdown)
            await start_background(nursery, settings, store, node, answers={"look": node.tree.look})
            asking = partial(
                ask_indexes, [index.client for index in node.projects.indexes], node.hosts, timeout_s=settings.lookup_timeout_s
            )
            nursery.start_soon(asking)

            def on_ready() -> None:
                gc.freeze()
                gc.enable()
                node.status.mounted(str(mountpoint.absolute()), options.log)
                notify("READY=1", os.environ)
                ready(MountReady(path=str(mountpoint.absolute()), pid=os.getpid(), store=str(settings.store)))

            source = options.source or "wheelfs"
            chosen = MountOptions(source=source, allow_other=settings.allow_other, nonempty=options.nonempty)
            reloader.give_to(partial(take_over, store, node.hosts))
            await serve_mount(node.tree, mountpoint, chosen, on_ready=on_ready, shutdown=shutdown, reload=reloader.reload)
            nursery.cancel_scope.cancel()

    reloader = Reloader(settings, reread)
    settings = _settled(settings, mountpoint, tell)
    written_share(settings)
    with (
        EndBound(end_s(settings)) as end,
        Store.open(settings.store, readers=readers_of(settings.store_group), limits=limits_of(settings)) as store,
    ):
        trio.run(serve, store)


def _settled(settings: Settings, mountpoint: Path, tell: Callable[[str], None]) -> Settings:
    """Return the settings with the indexes of a mount, and ``tell`` what of installers' configuration is not taken.

    Raises `MountPointError` where it would hide its own store.
    """
    places = OwnPlaces(mountpoint=mountpoint)
    if places.holds(str(settings.store)) is not None:
        happened = f"the store {settings.store} lies there, and would be hidden by the mount"
        raise MountPointError(f"mount on {mountpoint}", happened, "mount elsewhere, or give --store another directory")
    settled, notes = decided_indexes(settings, places)
    for note in notes:
        tell(note)
    return settled


def add(settings: Settings, sources: Sequence[str], *, index: str | None, progress: Progress) -> Iterator[AddedFile]:
    """Add files, the wheels of directories, and URLs, and yield what became of each file; raises `StoreError`."""
    from wheelfs.core.projects.index_scopes import IndexScopes
    from wheelfs.remote.index.http import HttpIndex
    from wheelfs.remote.limits import HttpLimits
    from wheelfs.service.operations.add import add_paths
    from wheelfs.service.operations.add_url import add_url

    scopes = IndexScopes({setting.name: setting.projects for setting, _ in effective_indexes(settings)})
    with store_to_fill(settings) as store:
        for is_url, batch in groupby(sources, key=lambda source: source.startswith(("http://", "https://"))):
            if not is_url:
                yield from add_paths(store, map(Path, batch), index=index, scopes=scopes, progress=progress)
                continue
            for source in batch:
                client = HttpIndex("download", source, os.environ, limits=HttpLimits(read_timeout_s=settings.open_timeout_s))
                yield add_url(
                    store,
                    client.url,
                    client,
                    index=index,
                    scopes=scopes,
                    progress=progress,
                    offline=settings.offline,
                    bound_s=settings.open_timeout_s,
                )


def list_files(settings: Settings, *, patterns: Sequence[str]) -> Iterator[ListedFile]:
    """Yield the stored files, or those that match a pattern; none where there is no store yet."""
    from wheelfs.service.operations import inspect

    if is_unborn(settings.store):
        return
    with store_to_look_at(settings) as store:
        yield from inspect.list_files(store, words=patterns)


def show(settings: Settings, name: str) -> ShownProject | ShownFile:
    """Return what is known of a project or file; raises `NotKnown`."""
    import trio

    from wheelfs.service.operations import inspect
    from wheelfs.telemetry import Counters

    if is_unborn(settings.store):
        raise inspect.not_known(name)

    async def look(store: Store) -> ShownProject | ShownFile:
        async with running_node(settings, store, Counters(), bound_s=None, network_slots=0) as node:
            return inspect.show(node.projects, node.views, node.downloads, name)

    with store_to_look_at(settings) as store:
        return trio.run(look, store)


def remove(settings: Settings, words: Sequence[str], *, dry_run: bool) -> Iterator[KeptFile]:
    """Remove stored files and yield each; raises `NotKnown` before anything is removed."""
    from wheelfs.service.operations import housekeeping
    from wheelfs.store.store import Store

    with Store.open(settings.store, readers=readers_of(settings.store_group), create=False) as store:
        yield from housekeeping.remove(store, words, dry_run=dry_run)


def pin(settings: Settings, words: Sequence[str], *, pinned: bool) -> Iterator[KeptFile]:
    """Pin or unpin stored files and yield each; raises `NotKnown` before anything is changed."""
    from wheelfs.service.operations import housekeeping
    from wheelfs.store.store import Store

    with Store.open(settings.store, readers=readers_of(settings.store_group), create=False) as store:
        yield from housekeeping.pin(store, words, pinned=pinned)


def collect(settings: Settings, *, dry_run: bool, unused_s: float | None = None) -> Collection:
    """Free the space of chunks that nothing names; raises `StoreLocked` while another process does.

    ``unused_s``: remove before what nothing has used for so many seconds.
    """
    from wheelfs.reports.store import Collection
    from wheelfs.store.gc.collect import collect as collect_garbage
    from wheelfs.store.gc.eviction import evict_unused
    from wheelfs.store.store import Store

    with Store.open(settings.store, readers=readers_of(settings.store_group), create=False) as store:
        unused: tuple[str, ...] = ()
        if unused_s is not None:
            unused = tuple(evict_unused(store, int((time.time() - unused_s) * 1e6), dry_run=dry_run))
        done = collect_garbage(store, dry_run=dry_run)
        return Collection(
            dry_run=dry_run,
            blocks=done.blocks,
            rewritten_blocks=done.rewritten,
            freed_bytes=done.freed_bytes,
            waiting=done.waiting,
            unused=unused,
        )


def solidify(settings: Settings, *, unused_s: float, bytes_s: float | None) -> Collection:
    """Keep solid what was not used for ``unused_s`` seconds, to be first read at ``bytes_s`` (None: 50 MB/s).

    Raises `StoreError`, `StoreLocked`.
    """
    from wheelfs.core.solid.choosing import FIRST_READ_BYTES_S
    from wheelfs.reports.store import Collection
    from wheelfs.store.directory import allow_solid
    from wheelfs.store.gc.solidify import solidify as make_solid
    from wheelfs.store.store import Store

    readers = readers_of(settings.store_group)
    allow_solid(settings.store, readers)
    with Store.open(settings.store, readers=readers, create=False) as store:
        done = make_solid(store, unused_s=unused_s, bytes_s=bytes_s or FIRST_READ_BYTES_S)
    return Collection(
        dry_run=False,
        blocks=done.collected.blocks,
        rewritten_blocks=done.collected.rewritten,
        freed_bytes=done.freed_bytes,
        waiting=done.collected.waiting,
        solid_wheels=done.wheels,
        solid_members=done.members,
    )


def stats(settings: Settings) -> Stats:
    """Return what the store holds and takes, and what the running mounts have fetched and saved."""
    from wheelfs.service.operations import housekeeping

    counters = status(settings).counters
    with store_to_look_at(settings) as store:
        return housekeeping.stats(store, counters)


def stats_by_project(settings: Settings) -> Iterator[ProjectStats]:
    """Yield what each project holds and takes."""
    from wheelfs.service.operations import housekeeping

    with store_to_look_at(settings) as store:
        yield from housekeeping.stats_by_project(store)


def verify(
    settings: Settings,
    *,
    quick: bool,
    repair: bool,
    patterns: Sequence[str],
    note: Callable[[str], None],
    progress: Progress,
) -> Verified:
    """Audit the store, quarantine what is damaged, and with ``repair`` fetch that again where it came from."""
    import trio

    from wheelfs.reports.store import Verified
    from wheelfs.service.operations.repair import audit, repaired, reported
    from wheelfs.store.store import Store
    from wheelfs.telemetry import Counters

    with Store.open(settings.store, readers=readers_of(settings.store_group), create=False, limits=limits_of(settings)) as store:
        checked, damaged = audit(store, quick=quick, words=patterns, note=note, progress=progress)

        async def repair_all() -> list[DamagedFile]:
            async with running_node(settings, store, Counters(), bound_s=None, network_slots=1) as node:
                return [file for found in damaged for file in await repaired(node.downloads, found)]

        if repair and damaged:
            note("repair")
            files = trio.run(repair_all)
        else:
            files = [file for found in damaged for file in reported(found)]
        return Verified(ok=all(file.repaired for file in files), checked_wheels=checked, damaged=tuple(files))


def status(settings: Settings) -> Status:
    """Return the state of all processes on the store, asked through their control sockets; opens no store.

    Raises `StoreOnNetwork`: there sockets of other machines would look like those of dead processes.
    """
    import msgspec

    from wheelfs.frontends.fuse.kernel.mountinfo import is_detached
    from wheelfs.reports.status import OriginState, Status
    from wheelfs.service.process.control_client import Answered, Silent, Unasked, ask_all
    from wheelfs.service.process.merged_status import merged
    from wheelfs.store.engine.network_fs import refuse_network

    refuse_network(settings.store)
    origins = tuple(OriginState(name=index.name, url=redact(index.url)) for index, _ in effective_indexes(settings))
    idle = Status(version=wheelfs.__version__, store=str(settings.store), origins=origins, offline=settings.offline)
    answers = ask_all(settings.store / "run", {"do": "status"}, timeout_s=STATUS_TIMEOUT_S)
    return merged(
        idle,
        [msgspec.convert(answer.value, Status) for answer in answers if isinstance(answer, Answered)],
        silent=[answer.pid for answer in answers if isinstance(answer, Silent)],
        unasked=[answer.pid for answer in answers if isinstance(answer, Unasked)],
        is_detached=is_detached,
    )


def add_pip_cache(
    settings: Settings, directory: Path | None, *, private: bool, report: Callable[[AddedFile], None], progress: Progress
) -> int:
    """Add the wheels of pip's cache (None: where pip has it) and return how many other things it held.

    ``report`` is called with each wheel; ``private`` takes those that no index lists as files added by hand.  Raises
    `InvalidInput` where there is no such cache, and `StoreError`.
    """
    import trio

    from wheelfs.config.settings import client_cache
    from wheelfs.service.operations.add_pip_cache import Taking, bodies
    from wheelfs.telemetry import Counters

    cached = bodies(client_cache("pip", os.environ) if directory is None else directory)

    async def take(store: Store) -> int:
        async with running_node(settings, store, Counters(), bound_s=None, network_slots=0) as node:
            return await Taking(node, store, private=private, report=report, progress=progress).run(cached)

    with store_to_fill(settings) as store:
        return trio.run(take, store)
