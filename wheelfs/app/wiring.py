"""What several commands wire alike: the store as they need it, and the service over it and the configured indexes."""

from __future__ import annotations

import os
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

from wheelfs.app.indexes import effective_indexes, opened_index, opened_share
from wheelfs.app.write_through import write_through
from wheelfs.private_files import readers_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping, Sequence
    from pathlib import Path

    import trio

    from wheelfs.config import Settings
    from wheelfs.core.platforms.targets import Target
    from wheelfs.core.resolve.allowed_files import AllowedFiles
    from wheelfs.frontends.http.proxy.url_replies import UrlReplies
    from wheelfs.model.wanted import Chosen
    from wheelfs.remote.origin import Origin
    from wheelfs.reports.status import Status
    from wheelfs.service.hosts.breaker import Hosts
    from wheelfs.service.operations.requirements import Wants
    from wheelfs.service.process.control_socket import Answer
    from wheelfs.service.running import Running
    from wheelfs.store.limits import Limits
    from wheelfs.store.store import Store
    from wheelfs.telemetry import Counters


def limits_of(settings: Settings) -> Limits:
    """Return how large the store may become."""
    from wheelfs.store.limits import Limits

    return Limits(settings.quota_bytes, settings.min_free_bytes, settings.low_water, settings.solid_unused_s)


def end_s(settings: Settings) -> float:
    """Return how long a process that is told to end may take: longer where it pushes to a share what waits."""
    from wheelfs.service.process.end_bound import END_S
    from wheelfs.service.shares.limits import SHARE_LIMITS

    return END_S + (SHARE_LIMITS.write_through.flush_s if settings.share_write else 0.0)


def is_unborn(path: Path) -> bool:
    """Return whether there is no store yet, nor anything else: reading creates none, since the path may be mistyped."""
    try:
        return next(path.iterdir(), None) is None
    except FileNotFoundError:
        return True
    except OSError:
        return False  # opening it will say why


def store_to_look_at(settings: Settings) -> Store:
    """Open a store that is there, also one that may not be written (another user's, a read-only file system)."""
    from wheelfs.errors import StoreReadOnly
    from wheelfs.store.store import Store

    try:
        return Store.open(settings.store, create=False, readers=readers_of(settings.store_group))
    except StoreReadOnly:
        return Store.open(settings.store, readonly=True)


def store_to_fill(settings: Settings) -> Store:
    """Open a store for files that come, within its limits; raises what `Store.open` does."""
    from wheelfs.store.allocator import reuse_memory
    from wheelfs.store.store import Store

    reuse_memory()
    return Store.open(settings.store, readers=readers_of(settings.store_group), limits=limits_of(settings))


@asynccontextmanager
async def running_node(
    settings: Settings,
    store: Store,
    counters: Counters,
    *,
    bound_s: float | None,
    network_slots: int,
    downloads_by_url: Origin | None = None,
    with_shares: bool = True,
) -> AsyncIterator[Running]:
    """Run the service over the store, the configured indexes and, unless ``with_shares`` is False, shares.

    For the rest see `wheelfs.service.node.running`.
    """
    from wheelfs.service.node import Waits, running

    async with AsyncExitStack() as closing:
        indexes = []
        for setting, _ in effective_indexes(settings):
            indexes.append(opened_index(setting, settings))
            closing.push_async_callback(indexes[-1].client.aclose)
        shares = []
        for setting in settings.shares if with_shares else ():
            shares.append(opened_share(setting, settings))
            closing.push_async_callback(shares[-1].aclose)
        node = await closing.enter_async_context(
            running(
                settings=settings,
                store=store,
                indexes=indexes,
                shares=shares,
                counters=counters,
                waits=Waits(network_slots) if bound_s is None else Waits(network_slots, bound_s),
                downloads_by_url=downloads_by_url,
            )
        )
        yield node


async def start_background(
    nursery: trio.Nursery,
    settings: Settings,
    store: Store,
    node: Running,
    *,
    status: Callable[[], Status] | None = None,
    answers: Mapping[str, Answer] | None = None,
) -> None:
    """Start what a process that stays does besides answering its clients, on ``nursery``; returns when it can be asked.

    It answers on the store's control socket (``status``: with this in place of the node's own; ``answers``: to more requests),
    keeps tracked projects and the names of shares fresh, counts what is withheld, pushes what is stored, and tells a service
    manager that it lives.
    """
    from wheelfs.service.process.control_socket import serve_control
    from wheelfs.service.process.service_manager import keep_watchdog

    await nursery.start(serve_control, store.run_directory, {"status": status or node.status.report, **(answers or {})})
    nursery.start_soon(node.tracking.keep_fresh)
    nursery.start_soon(node.follower.keep_fresh)
    nursery.start_soon(node.fetching.missing_objects.keep_asking)
    nursery.start_soon(node.withheld.keep_counted)
    nursery.start_soon(write_through, settings, store, node)
    nursery.start_soon(keep_watchdog, os.environ)


def take_over(store: Store, hosts: Hosts, settings: Settings) -> None:
    """Let a running process go by other limits of its store, and use the network or not; for `wheelfs.app.reload`."""
    store.limits = limits_of(settings)
    hosts.offline = settings.offline


def replies_by_url(node: Running) -> UrlReplies:
    """Return what a gateway replies to the URLs of its indexes, with links that stay below its own."""
    from wheelfs.core.proxy.layout import way_from_page
    from wheelfs.frontends.http.proxy.url_replies import UrlReplies
    from wheelfs.service.projects.by_url import Urls
    from wheelfs.service.vfs.original_pages import OriginalPages

    pages = OriginalPages(node.projects, node.views, way=way_from_page)
    return UrlReplies(node.tree, Urls(node.projects, node.store.catalog), pages)


def target_of(python: str | None = None, platforms: Sequence[str] = ()) -> Target:
    """Return the machine that files are chosen for: this one where neither is given.  Raises `InvalidInput`."""
    from packaging.markers import default_environment
    from packaging.tags import platform_tags, sys_tags

    from wheelfs.core.platforms import targets

    environment = {key: str(value) for key, value in default_environment().items()}
    if python is None and not platforms:
        return targets.this_machine(sys_tags(), environment)
    return targets.named(python, platforms, machine_platforms=list(platform_tags()), environment=environment)


def read_requirements(
    words: Sequence[str],
    files: Sequence[Path],
    locks: Sequence[str],
    target: Target,
    *,
    constraints: Sequence[Path] = (),
    chosen: Chosen,
    allowed: AllowedFiles | None = None,
    note: Callable[[str], None],
) -> Wants:
    """Return what words, requirements files and lock files ask for; ``note`` is called with what has no effect.

    Raises `InvalidInput`.
    """
    from wheelfs.service.operations.requirements import read_wants

    wants = read_wants(words, files, locks, target, constraints=constraints, chosen=chosen, allowed=allowed, environ=os.environ)
    for text in wants.notes:
        note(text)
    return wants
