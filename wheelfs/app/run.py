"""Wiring of ``wheelfs run``: one command whose requests to the configured indexes are answered from the store."""

from __future__ import annotations

import os
import re
import secrets
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from wheelfs.app.indexes import effective_indexes, is_http
from wheelfs.app.wiring import limits_of, running_node
from wheelfs.model.names import DOWNLOAD, ProjectName

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from wheelfs.config import Settings
    from wheelfs.core.proxy.hosts import Endpoint
    from wheelfs.frontends.http.proxy.application import Passing, RunApplication
    from wheelfs.frontends.http.proxy.authority import Authority
    from wheelfs.frontends.http.proxy.bundle import Bundle
    from wheelfs.service.file_refs import FileRef
    from wheelfs.service.projects.index import Index
    from wheelfs.service.running import Running
    from wheelfs.store.store import Store
    from wheelfs.telemetry import Counters

LEARN_S: Final = 5.0
"""For an index of which no page is known to say which hosts its files are on, before the command starts."""

KNOWN_PAGES: Final = 3
"""Pages of an index that are looked at for the hosts of its files: they hardly ever differ in that."""

SAMPLE: Final = ProjectName("pip")
"""A project that any general index has."""

LOCKS: Final = ("uv.lock", "pylock*.toml", "pdm.lock", "poetry.lock", "requirements*.txt")
"""Files of the working directory that name the URLs of files, so their hosts."""

MAX_LOCK_BYTES: Final = 32 << 20
RENEW_S: Final = 1_200.0
"""A third of an authority's lifetime: a command that starts another client meanwhile gives it a bundle that is valid for long."""

_FILE_URL: Final = re.compile(r"https?://[^\s\"'#<>]+?\.(?:whl|tar\.gz|zip)")


def run_command(settings: Settings, command: Sequence[str]) -> int:
    """Run ``command`` and return its exit status (below zero: the number of the signal that ended it).

    Raises OSError when it cannot be started, and `UsageError`, `StoreError`.
    """
    import trio

    from wheelfs.frontends.http.proxy.bundle import private_bundle, users_roots
    from wheelfs.service.process.child import signals_held
    from wheelfs.store.store import Store

    roots = users_roots(os.environ)
    # In this order: threads that are started from here on leave signals alone, and the bundle's remover is forked before any.
    with signals_held(), private_bundle(roots) as bundle, Store.open(settings.store, limits=limits_of(settings)) as store:
        ended = trio.run(_run, settings, store, bundle, command)
    if isinstance(ended, OSError):
        raise ended
    return ended


async def _run(settings: Settings, store: Store, bundle: Bundle, command: Sequence[str]) -> int | OSError:
    """Return the command's exit status, or why it could not be started: nurseries would wrap that."""
    import trio

    from wheelfs.core.proxy.environment import child_environment
    from wheelfs.frontends.http.limits import HTTP_LIMITS
    from wheelfs.frontends.http.proxy.authority import Authority
    from wheelfs.frontends.http.proxy.conversation import Conversation
    from wheelfs.frontends.http.server import Speaker, listen, serve_connections, urls_of
    from wheelfs.remote.index.http import HttpIndex
    from wheelfs.service.process.child import Child
    from wheelfs.telemetry import Counters

    counters = Counters()
    by_url = HttpIndex(DOWNLOAD, "https://download.invalid", os.environ)
    running = running_node(
        settings, store, counters, bound_s=None, network_slots=HTTP_LIMITS.network_waits, downloads_by_url=by_url
    )
    async with running as node, _passing(settings) as passing, trio.open_nursery() as nursery:
        answered = await _answered(settings, node)
        authority = Authority({endpoint.host for endpoint in answered} or {"index.invalid"})
        bundle.write(authority.pem)
        nursery.start_soon(_keep_valid, authority, bundle)
        nursery.start_soon(node.follower.keep_fresh)
        speaker, token, shutdown = Speaker(), secrets.token_urlsafe(24), trio.Event()
        application = _application(node, answered, passing, counters)

        async def serve(stream: object, origin: str) -> None:
            await speaker.speak(application.at(origin), stream)

        talk = Conversation(answered, authority, serve, token, settings.offline, os.environ).talk
        listening = listen("127.0.0.1:0")
        port = urls_of([listening], tls=False)[0].rpartition(":")[2]
        nursery.start_soon(lambda: serve_connections(talk, [listening], speaker, on_ready=lambda: None, shutdown=shutdown))
        proxy_url = f"http://wheelfs:{token}@127.0.0.1:{port}"
        environ = child_environment(os.environ, proxy_url=proxy_url, bundle=str(bundle.path))
        try:
            child = Child(command, environ)
        except OSError as error:
            nursery.cancel_scope.cancel()
            return error
        status = await trio.to_thread.run_sync(child.wait)
        nursery.cancel_scope.cancel()
        return status


def _application(node: Running, answered: set[Endpoint], passing: Passing | None, counters: Counters) -> RunApplication:
    from wheelfs.frontends.http.proxy.application import RunApplication
    from wheelfs.service.projects.by_url import Urls
    from wheelfs.service.vfs.original_pages import OriginalPages

    async def size_of(ref: FileRef) -> int:
        known = node.fetching.facts.size_of(ref)
        if known is not None:
            return known
        with node.downloads.using(ref) as download:
            return await download.learn_size()

    pages = OriginalPages(node.projects, node.views, answered)
    return RunApplication(node.tree, Urls(node.projects, node.store.catalog), pages, size_of, passing, counters)


@asynccontextmanager
async def _passing(settings: Settings) -> AsyncIterator[Passing | None]:
    """Lend the way out for requests that wheelfs has no answer to; None while offline."""
    from wheelfs.remote.http.relay import Relay

    if settings.offline:
        yield None
        return
    relay = Relay(os.environ, read_timeout_s=settings.open_timeout_s)
    try:
        yield relay
    finally:
        await relay.aclose()


async def _keep_valid(authority: Authority, bundle: Bundle) -> None:
    import trio

    while True:
        await trio.sleep(RENEW_S)
        bundle.write(authority.renew())


async def _answered(settings: Settings, node: Running) -> set[Endpoint]:
    """Return the hosts whose requests are answered here: those of indexes and, as far as is known now, of their files."""
    from wheelfs.core.proxy.hosts import endpoints_of

    answered = endpoints_of(setting.url for setting, _ in effective_indexes(settings))
    answered |= endpoints_of(_urls_of_locks(Path.cwd()))
    for index in node.projects.indexes:
        if is_http(index.url):
            answered |= await _file_hosts(node, index)
    return answered


async def _file_hosts(node: Running, index: Index) -> set[Endpoint]:
    """Return the hosts that an index links files to, by what is known of it, else by what it says of one project."""
    import trio

    from wheelfs.core.projects.ownership import Owned
    from wheelfs.core.proxy.hosts import endpoints_of

    found: set[Endpoint] = set()
    looked_at = 0
    for project in node.projects.known_names():
        known = node.projects.known(project, index=index.name)
        if isinstance(known, Owned) and known.listed:
            found |= endpoints_of(link.url for link in known.listed)
            looked_at += 1
            if looked_at == KNOWN_PAGES:
                break
    if not looked_at:
        with trio.move_on_after(LEARN_S):
            asked = await node.projects.find(SAMPLE, index=index.name)
            if isinstance(asked, Owned):
                found |= endpoints_of(link.url for link in asked.listed)
    return found


def _urls_of_locks(directory: Path) -> set[str]:
    """Return the URLs of files that locks of the directory name; what cannot be read as text names none."""
    found: set[str] = set()
    for pattern in LOCKS:
        for path in sorted(directory.glob(pattern)):
            try:
                if path.is_file() and path.stat().st_size <= MAX_LOCK_BYTES:
                    found.update(_FILE_URL.findall(path.read_text(encoding="utf-8")))
            except (OSError, UnicodeDecodeError):
                continue
    return found
