"""Wiring of ``wheelfs export``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wheelfs.app.wiring import is_unborn, running_node, store_to_look_at
from wheelfs.errors import DestinationError, NotKnown

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from wheelfs.config import Settings
    from wheelfs.reports.export import Exported, ExportedFile
    from wheelfs.reports.progress import Progress
    from wheelfs.store.store import Store


def export(
    settings: Settings,
    directory: Path,
    *,
    patterns: Sequence[str],
    with_deps: bool,
    report: Callable[[ExportedFile], None],
    progress: Progress,
) -> Exported:
    """Write stored files and static pages to ``directory``; ``report`` is called with each file.

    Uses no network.  Raises `NotKnown` where no stored file is meant, `DestinationError`, and `StoreError`.
    """
    import trio

    from wheelfs.service.operations.export import Export
    from wheelfs.service.operations.export_directory import Destination
    from wheelfs.telemetry import Counters

    if is_unborn(settings.store):
        raise NotKnown(f"export to {directory}", "nothing is stored yet", "wheelfs add and wheelfs fetch bring files in")
    if settings.store.resolve() in (directory.resolve(), *directory.resolve().parents):
        raise DestinationError(f"export to {directory}", "it is in the store's own directory", "name another directory")

    async def write(store: Store) -> Exported:
        with Destination.open(directory) as destination:
            async with running_node(settings, store, Counters(), bound_s=None, network_slots=0) as node:
                return Export(node, store, destination, report, progress, with_deps).run(patterns)

    with store_to_look_at(settings) as store:
        return trio.run(write, store)
