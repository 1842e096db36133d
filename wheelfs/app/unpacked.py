"""Wiring of ``wheelfs add --uv-cache``, ``--venv`` and ``--conda``."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import msgspec

from wheelfs.app.wiring import running_node, store_to_fill

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from wheelfs.config import Settings
    from wheelfs.reports.files import AddedFile
    from wheelfs.reports.progress import Progress
    from wheelfs.service.unpacked.places import Unpacked
    from wheelfs.store.store import Store


class UnpackedPlaces(msgspec.Struct, frozen=True):
    """What to take in; ``uv_cache`` is None for no cache of uv, and empty for the one where uv has it."""

    uv_cache: str | None = None
    environments: tuple[Path, ...] = ()
    conda: tuple[Path, ...] = ()

    @property
    def named(self) -> list[str]:
        """The options that name something."""
        given = {"--uv-cache": self.uv_cache is not None, "--venv": self.environments, "--conda": self.conda}
        return [option for option, is_given in given.items() if is_given]

    @property
    def is_any(self) -> bool:
        return bool(self.named)


def add_unpacked(
    settings: Settings,
    places: UnpackedPlaces,
    *,
    private: bool,
    dry_run: bool,
    report: Callable[[AddedFile], None],
    progress: Progress,
) -> None:
    """Take in what is unpacked; ``report`` is called with each wheel.

    ``private`` makes wheels also of what no index lists and what was not installed from a path.  Raises `InvalidInput` where
    there is nothing of the kind, and `StoreError`.
    """
    import trio

    from wheelfs.service.operations.unpacked.taking import TakingUnpacked
    from wheelfs.telemetry import Counters

    found = _found(places)

    async def take(store: Store) -> None:
        # What is at hand is used whatever the line's speed: that is what was asked for.
        async with running_node(
            msgspec.structs.replace(settings, delta="always"), store, Counters(), bound_s=None, network_slots=0
        ) as node:
            await TakingUnpacked(node, store, private=private, dry_run=dry_run, report=report, progress=progress).run(found)

    with store_to_fill(settings) as store:
        trio.run(take, store)


def _found(places: UnpackedPlaces) -> Sequence[Unpacked]:
    from pathlib import Path

    from wheelfs.config.settings import client_cache
    from wheelfs.service.unpacked.places import in_environment, in_uv_cache

    found: list[Unpacked] = []
    if places.uv_cache is not None:
        found += in_uv_cache(Path(places.uv_cache) if places.uv_cache else client_cache("uv", os.environ))
    for directory in places.environments:
        found += in_environment(directory)
    for directory in places.conda:
        found += in_environment(directory, conda=True)
    return found
