"""Wiring of ``wheelfs track``, ``wheelfs untrack`` and ``wheelfs ls --tracked``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wheelfs.app.wiring import is_unborn, limits_of, running_node, store_to_look_at

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from wheelfs.config import Settings
    from wheelfs.reports.files import ListedFile
    from wheelfs.reports.track import TrackArguments, TrackedProject
    from wheelfs.service.operations.requirements import Wants
    from wheelfs.service.running import Running
    from wheelfs.store.store import Store


def track(
    settings: Settings, asked: TrackArguments, *, report: Callable[[TrackedProject], None], note: Callable[[str], None]
) -> None:
    """Track projects; ``report`` is told of each, ``note`` of what had no effect.

    Raises `InvalidInput` for words and files that mean nothing, before anything is tracked, and `StoreError`.
    """
    import trio

    from wheelfs.service.operations import track
    from wheelfs.store.store import Store
    from wheelfs.telemetry import Counters

    wants = _wants(asked, note)
    projects = track.joined(wants.wanted, every_platform=asked.every_platform, prereleases=asked.prereleases)

    async def take_up(store: Store) -> None:
        async with running_node(settings, store, Counters(), bound_s=None, network_places=0) as node:
            await track.track(node, projects, report)

    for one in wants.unfetchable:
        report(track.untrackable(one))
    with Store.open(settings.store, limits=limits_of(settings)) as store:
        trio.run(take_up, store)


def untrack(
    settings: Settings, asked: TrackArguments, *, report: Callable[[TrackedProject], None], note: Callable[[str], None]
) -> None:
    """Track projects no more, whatever versions are named; ``report`` is told of each.  Raises what `track` does."""
    import trio

    from wheelfs.service.operations import track
    from wheelfs.store.store import Store
    from wheelfs.telemetry import Counters

    wants = _wants(asked, note)
    projects = list(dict.fromkeys(one.project for one in wants.wanted))

    async def give_up(store: Store) -> None:
        async with running_node(settings, store, Counters(), bound_s=None, network_places=0) as node:
            await track.untrack(node, projects, report)

    for one in wants.unfetchable:
        report(track.untrackable(one))
    with Store.open(settings.store, create=False) as store:
        trio.run(give_up, store)


def list_tracked(settings: Settings, *, report: Callable[[TrackedProject], None]) -> None:
    """Tell ``report`` of every tracked project, by what is known here."""
    from wheelfs.service.operations import track

    def tell(node: Running) -> None:
        for project in track.listed(node):
            report(project)

    _look(settings, tell)


def list_files(settings: Settings, *, patterns: Sequence[str], report: Callable[[ListedFile], None]) -> None:
    """Tell ``report`` of the files of tracked projects, stored or not, or of those that match a pattern."""
    from wheelfs.service.operations import track

    def tell(node: Running) -> None:
        for file in track.files(node, patterns):
            report(file)

    _look(settings, tell)


def _look(settings: Settings, tell: Callable[..., None]) -> None:
    import trio

    from wheelfs.telemetry import Counters

    if is_unborn(settings.store):
        return

    async def look(store: Store) -> None:
        async with running_node(settings, store, Counters(), bound_s=None, network_places=0) as node:
            tell(node)

    with store_to_look_at(settings.store) as store:
        trio.run(look, store)


def _wants(asked: TrackArguments, note: Callable[[str], None]) -> Wants:
    from packaging.markers import default_environment
    from packaging.tags import sys_tags

    from wheelfs.core.platforms import targets
    from wheelfs.service.operations.requirements import read_wants

    environment = {key: str(value) for key, value in default_environment().items()}
    wants = read_wants(asked.requirements, asked.files, [], targets.this_machine(sys_tags(), environment))
    for option in wants.ignored:
        note(f"{option} in a requirements file has no effect: files come from the configured indexes")
    return wants
