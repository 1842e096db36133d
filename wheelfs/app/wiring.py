"""What several commands wire alike: the store as they need it, and the service over it and the configured indexes."""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

import wheelfs
from wheelfs.app.indexes import effective_indexes, opened_index, opened_share

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from wheelfs.config import Settings
    from wheelfs.service.running import Running
    from wheelfs.store.limits import Limits
    from wheelfs.store.store import Store
    from wheelfs.telemetry import Counters


def limits_of(settings: Settings) -> Limits:
    """Return how large the store may become."""
    from wheelfs.store.limits import Limits

    return Limits(settings.quota_bytes, settings.min_free_bytes, settings.low_water)


def is_unborn(path: Path) -> bool:
    """Tell whether there is no store yet, nor anything else: looking makes none, since the path may be mistyped."""
    try:
        return next(path.iterdir(), None) is None
    except FileNotFoundError:
        return True
    except OSError:
        return False  # opening it will say why


def store_to_look_at(path: Path) -> Store:
    """Open a store that is there, also one that may not be written (another user's, a read-only file system)."""
    from wheelfs.errors import StoreReadOnly
    from wheelfs.store.store import Store

    try:
        return Store.open(path, create=False)
    except StoreReadOnly:
        return Store.open(path, readonly=True)


@asynccontextmanager
async def running_node(
    settings: Settings, store: Store, counters: Counters, *, bound_s: float | None, network_places: int
) -> AsyncIterator[Running]:
    """Run the service over the store and the configured indexes."""
    from wheelfs.service.node import running

    async with AsyncExitStack() as closing:
        indexes = []
        for setting, _ in effective_indexes(settings):
            indexes.append(opened_index(setting, settings))
            closing.push_async_callback(indexes[-1].client.aclose)
        shares = []
        for setting in settings.shares:
            shares.append(opened_share(setting, settings))
            closing.push_async_callback(shares[-1].aclose)
        node = await closing.enter_async_context(
            running(
                settings=settings,
                store=store,
                indexes=indexes,
                shares=shares,
                counters=counters,
                version=wheelfs.__version__,
                bound_s=bound_s,
                network_places=network_places,
            )
        )
        yield node
