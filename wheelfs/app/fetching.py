"""Wiring of ``wheelfs fetch`` and ``check``."""

from __future__ import annotations

import os
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from wheelfs.app.indexes import effective_indexes
from wheelfs.app.wiring import (
    is_unborn,
    read_requirements,
    running_node,
    store_to_fill,
    store_to_look_at,
    target_of,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from wheelfs.config import Settings
    from wheelfs.core.platforms.targets import Target
    from wheelfs.core.projects.index_scopes import IndexScopes
    from wheelfs.core.resolve.allowed_files import AllowedFiles
    from wheelfs.core.views.visibility import ViewFilter
    from wheelfs.model.wanted import Wanted
    from wheelfs.reports.check import CheckedFile, CheckSummary
    from wheelfs.reports.fetch import FetchArguments, FetchedFile, FetchSummary
    from wheelfs.reports.progress import Progress
    from wheelfs.service.operations.fetch_local import LocalFiles
    from wheelfs.service.operations.requirements import LocalFile, Wants
    from wheelfs.service.operations.resolve import Resolver
    from wheelfs.service.running import Running
    from wheelfs.store.store import Store
    from wheelfs.telemetry import Counters


SLOTS: Final = 1_000
"""Waits of one command: it bounds itself what it asks for at a time."""
RESOLVING: Final = "uv resolves"
"""What progress calls the time in which nothing is fetched but metadata."""


class Request(msgspec.Struct, frozen=True):
    """What is to be fetched, read from words and files, for which machine; and when that began, on two clocks.

    ``resolver`` finds out what it needs besides, where that is wanted and not known.
    """

    asked: FetchArguments
    target: Target
    wants: Wants
    resolver: Resolver | None
    began_us: int
    began_s: float


def read(asked: FetchArguments, *, note: Callable[[str], None], wanted: Sequence[Wanted] = ()) -> Request:
    """Return what is asked for; ``wanted``: and these files, as from a lock.  ``note`` is called with what has no effect.

    Raises `InvalidInput` for words and files that mean nothing, and `ProgramMissing` where a resolver is needed and lacks.
    """
    from wheelfs.model.wanted import Chosen

    began_us, began_s = time.time_ns() // 1_000, time.monotonic()
    target = target_of(asked.python, asked.platforms)
    wants = read_requirements(
        asked.requirements,
        asked.files,
        asked.locks,
        target,
        constraints=asked.constraints,
        chosen=Chosen(asked.groups, asked.as_synced),
        allowed=_allowed(asked),
        note=note,
    )
    resolver = None
    if asked.with_deps and (wants.wanted or wants.unlocked or wants.trees):
        from wheelfs.service.operations.resolve import Resolver

        resolver = Resolver.found(asked, target, os.environ, note=note)
    wants.locked.extend(wanted)
    return Request(asked, target, wants, resolver, began_us, began_s)


def fetch(
    settings: Settings,
    asked: FetchArguments,
    *,
    report: Callable[[FetchedFile], None],
    note: Callable[[str], None],
    progress: Progress,
    wanted: Sequence[Wanted] = (),
) -> FetchSummary:
    """Bring what is asked for into the store; ``report`` is called with each file.

    For ``note``, ``wanted`` and errors see `read`; raises `Unresolvable`, before anything is fetched, and `StoreError`, too.
    """
    request = read(asked, note=note, wanted=wanted)
    with store_to_fill(settings) as store:
        return bring(settings, store, request, report=report, progress=progress)


def bring(
    settings: Settings,
    store: Store,
    request: Request,
    *,
    report: Callable[[FetchedFile], None],
    progress: Progress,
    then: Callable[[Running], Awaitable[None]] | None = None,
) -> FetchSummary:
    """Bring what was read into the store, as `fetch` does; ``then`` is given the node when all is done."""
    import trio

    from wheelfs.service.operations.requirements import unfetchable

    take_added(settings, store, request.wants, request.target, now_us=request.began_us)
    run = _Run(settings, request, report, progress, then)
    for one in request.wants.unfetchable:
        run.done(unfetchable(one))
    return trio.run(run.bring, store)


def stored_view(settings: Settings, now_us: int) -> tuple[IndexScopes, ViewFilter]:
    """Return what decides which stored files may be taken with no index asked."""
    from wheelfs.core.platforms.machine import Machine
    from wheelfs.core.projects.index_scopes import IndexScopes, share_scopes
    from wheelfs.core.views.policy import policy_of
    from wheelfs.core.views.view import View
    from wheelfs.core.views.visibility import filter_of

    nowhere = Machine(frozenset())  # only flat directories ask for what a machine is
    view_filter = filter_of(View(), policy_of(settings, nowhere), machine=nowhere, now_us=now_us)
    patterns = {index.name: index.projects for index, _ in effective_indexes(settings)}
    return IndexScopes(patterns, share_scopes(settings)), view_filter


def take_added(
    settings: Settings,
    store: Store,
    wants: Wants,
    target: Target,
    *,
    now_us: int,
    instead: Callable[[Wanted, Wanted], None] | None = None,
) -> None:
    """Have what locks want and no index has come from the store, where a user has added it.

    With ``instead``, as for an environment, a wheel of the same version may stand for what would be built: it is called with what
    is wanted and with what is taken.
    """
    from wheelfs.service.environments.locked import added

    named = [(one, one.file) for one in wants.unfetchable if one.file is not None]
    if not named:
        return
    scopes, view_filter = stored_view(settings, now_us)
    for one, file in named:
        builds = instead is not None
        taken = added(store, file, target, scopes=scopes, view_filter=view_filter, builds=builds)
        if taken is not None:
            wants.unfetchable.remove(one)
            wants.locked.append(taken)
            if instead is not None and taken is not file:
                instead(file, taken)


def local_files(settings: Settings, store: Store, request: Request, progress: Progress) -> LocalFiles:
    """Return what adds the files that are asked for by their paths."""
    from wheelfs.core.projects.index_scopes import IndexScopes
    from wheelfs.service.operations.fetch_local import LocalFiles

    scopes = IndexScopes({setting.name: setting.projects for setting, _ in effective_indexes(settings)})
    asked = request.asked
    return LocalFiles(store, request.wants.wanted, request.target, scopes, asked.pin, asked.dry_run, progress)


def check(
    settings: Settings,
    locks: Sequence[str],
    *,
    python: str | None,
    platforms: Sequence[str],
    groups: Sequence[str],
    report: Callable[[CheckedFile], None],
    note: Callable[[str], None],
) -> CheckSummary:
    """Say of each file that lock and requirements files want whether it is stored; asks no index.

    ``report`` is called with each file and ``note`` with what had no effect.  Raises `InvalidInput`, `StoreError`.
    """
    import trio

    from wheelfs.model.wanted import Chosen
    from wheelfs.service.lock_check import Check, summed_up
    from wheelfs.store.store import Store
    from wheelfs.telemetry import Counters

    target = target_of(python, platforms)
    wants = read_requirements((), [Path(lock) for lock in locks], (), target, chosen=Chosen(tuple(groups)), note=note)
    files: list[CheckedFile] = []
    offline = msgspec.structs.replace(settings, offline=True)

    async def look(store: Store) -> None:
        take_added(settings, store, wants, target, now_us=time.time_ns() // 1_000)
        async with running_node(offline, store, Counters(), bound_s=None, network_slots=0, with_shares=False) as node:
            for file in Check(node, target).files(wants):
                files.append(file)
                report(file)

    with ExitStack() as closing:
        if is_unborn(settings.store):  # nothing is there, and looking makes no store
            import tempfile  # which takes longer to import than all else here

            nowhere = closing.enter_context(tempfile.TemporaryDirectory(prefix="wheelfs-check-"))
            store = closing.enter_context(Store.open(Path(nowhere)))
        else:
            store = closing.enter_context(store_to_look_at(settings))
        trio.run(look, store)
    return summed_up(files)


def _allowed(asked: FetchArguments) -> AllowedFiles:
    """Return what the options say, those for all projects first: beside them names are exceptions, in whatever order."""
    from wheelfs.core.resolve.allowed_files import AllowedFiles

    allowed = AllowedFiles()
    said = [("--no-binary", value) for value in asked.no_binary] + [("--only-binary", value) for value in asked.only_binary]
    for option, value in sorted(said, key=lambda one: ":all:" not in one[1]):
        allowed = allowed.after(option, value)
    if asked.prefer_binary:
        allowed = allowed.after("--prefer-binary")
    return allowed.after("--pre") if asked.prereleases else allowed


class _Run(msgspec.Struct):
    settings: Settings
    request: Request
    report: Callable[[FetchedFile], None]
    progress: Progress
    then: Callable[[Running], Awaitable[None]] | None
    files: list[FetchedFile] = msgspec.field(default_factory=list)

    def done(self, file: FetchedFile) -> None:
        self.files.append(file)
        self.report(file)

    async def bring(self, store: Store) -> FetchSummary:
        import trio

        from wheelfs.service.operations.fetch import Prefetch, summed_up
        from wheelfs.service.operations.requirements import unfetchable
        from wheelfs.telemetry import Counters

        counters, asked, wants = Counters(), self.request.asked, self.request.wants
        here_before = await trio.to_thread.run_sync(store.spool.states)
        resolver = self.request.resolver
        wanted, local = wants.as_one(), wants.local
        if resolver is not None:
            found = await self._resolved(resolver, store, counters)
            for one in found.unfetchable:
                self.done(unfetchable(one))
            wanted, local = found.wanted, [*local, *found.local]
        if local:
            await self._take_local(store, local)
        with ExitStack() as at_end:
            async with running_node(self.settings, store, counters, bound_s=None, network_slots=SLOTS) as node:
                if self.settings.no_index:  # then the shares alone say which files there are
                    await node.follower.catch_up()
                options = (self.request.target, asked.pin, asked.dry_run, asked.lazy, self.request.began_us, here_before)
                run = Prefetch(node, *options, self.done, self.progress)
                at_end.callback(run.report_interrupted)
                await run.run([*wanted, *wants.locked])
                if self.then is not None:
                    await self.then(node)
        fetched_bytes = counters.so_far().fetched_bytes
        return summed_up(self.files, fetched_bytes=fetched_bytes, duration_s=time.monotonic() - self.request.began_s)

    async def _take_local(self, store: Store, files: Sequence[LocalFile]) -> None:
        """Add the files that are asked for by their paths."""
        import trio

        adding = local_files(self.settings, store, self.request, self.progress)
        for local in files:
            self.done(await trio.to_thread.run_sync(adding.bring, local))

    async def _resolved(self, resolver: Resolver, store: Store, counters: Counters) -> Wants:
        """Return what the resolver finds to be wanted, through a mount of its own."""
        from wheelfs.frontends.fuse.kernel.control import request_bound_s
        from wheelfs.frontends.fuse.kernel.limits import FUSE_LIMITS
        from wheelfs.frontends.fuse.mount.private import private_mount

        slots = FUSE_LIMITS.network_waits
        async with running_node(self.settings, store, counters, bound_s=request_bound_s(), network_slots=slots) as node:
            if self.settings.no_index:
                await node.follower.catch_up()
            self.progress.begin(RESOLVING, None)
            try:
                async with private_mount(node.tree) as mountpoint:
                    return await resolver.resolve(self.request.wants, mountpoint, node)
            finally:
                self.progress.end(RESOLVING)
