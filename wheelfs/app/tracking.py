"""Wiring of ``wheelfs track``, ``wheelfs untrack`` and ``wheelfs ls --tracked``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wheelfs.app.wiring import is_unborn, limits_of, read_requirements, running_node, store_to_look_at, target_of
from wheelfs.private_files import readers_of

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
    """Track projects; ``report`` is called with each, ``note`` with what had no effect.

    Raises `InvalidInput` for words and files that mean nothing, before anything is tracked, and `StoreError`.
    """
    import trio

    from wheelfs.service.operations.track import joined, untrackable
    from wheelfs.service.operations.track import track as track_projects
    from wheelfs.store.store import Store
    from wheelfs.telemetry import Counters

    wants = _wants(asked, note)
    projects = joined(wants.wanted, every_platform=asked.every_platform, prereleases=asked.prereleases)

    async def take_up(store: Store) -> None:
        async with running_node(settings, store, Counters(), bound_s=None, network_slots=0) as node:
            await track_projects(node, projects, report)

    for requirement in wants.unfetchable:
        report(untrackable(requirement))
    with Store.open(settings.store, readers=readers_of(settings.store_group), limits=limits_of(settings)) as store:
        trio.run(take_up, store)


def untrack(
    settings: Settings, asked: TrackArguments, *, report: Callable[[TrackedProject], None], note: Callable[[str], None]
) -> None:
    """Stop tracking projects, whatever versions are named; ``report`` is called with each.  Raises what `track` does."""
    import trio

    from wheelfs.service.operations.track import untrack as untrack_projects
    from wheelfs.service.operations.track import untrackable
    from wheelfs.store.store import Store
    from wheelfs.telemetry import Counters

    wants = _wants(asked, note)
    projects = list(dict.fromkeys(wanted.project for wanted in wants.wanted))

    async def give_up(store: Store) -> None:
        async with running_node(settings, store, Counters(), bound_s=None, network_slots=0) as node:
            await untrack_projects(node, projects, report)

    for requirement in wants.unfetchable:
        report(untrackable(requirement))
    with Store.open(settings.store, readers=readers_of(settings.store_group), create=False) as store:
        trio.run(give_up, store)


def list_tracked(settings: Settings, *, report: Callable[[TrackedProject], None]) -> None:
    """Call ``report`` with every tracked project, by what is known here."""
    from wheelfs.service.operations.track import listed

    def report_all(node: Running) -> None:
        for project in listed(node):
            report(project)

    _look(settings, report_all)


def list_files(settings: Settings, *, patterns: Sequence[str], report: Callable[[ListedFile], None]) -> None:
    """Call ``report`` with the files of tracked projects, stored or not, or with those that match a pattern."""
    from wheelfs.service.operations.track import files

    def report_all(node: Running) -> None:
        for file in files(node, patterns):
            report(file)

    _look(settings, report_all)


def _look(settings: Settings, report_all: Callable[[Running], None]) -> None:
    import trio

    from wheelfs.telemetry import Counters

    if is_unborn(settings.store):
        return

    async def look(store: Store) -> None:
        async with running_node(settings, store, Counters(), bound_s=None, network_slots=0) as node:
            report_all(node)

    with store_to_look_at(settings) as store:
        trio.run(look, store)


def _wants(asked: TrackArguments, note: Callable[[str], None]) -> Wants:
    from wheelfs.model.wanted import Chosen

    return read_requirements(asked.requirements, asked.files, [], target_of(), chosen=Chosen(), note=note)
