"""Wiring of ``wheelfs run``: one command whose requests to the configured indexes are answered from the store."""

from __future__ import annotations

import gc
import logging
import os
import re
import secrets
import socket
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from wheelfs.app.indexes import is_http
from wheelfs.app.wiring import limits_of, running_node
from wheelfs.model.names import DOWNLOAD

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence

    import trio
    from anyio.abc import ByteStream

    from wheelfs.config import Settings
    from wheelfs.core.proxy.hosts import Endpoint
    from wheelfs.frontends.http.proxy.application import Passing, RunApplication
    from wheelfs.frontends.http.proxy.authority import Authority
    from wheelfs.frontends.http.proxy.bundle import Bundle
    from wheelfs.service.file_refs import FileRef
    from wheelfs.service.process.child import Child, NotStarted
    from wheelfs.service.running import Running
    from wheelfs.store.store import Store
    from wheelfs.telemetry import Counters

log = logging.getLogger(__name__)

LEARN_S: Final = 5.0
"""For indexes of which no page is known to say which hosts their files are on; the command runs meanwhile (`Bundle.hold`)."""

LOCKS: Final = ("uv.lock", "pylock*.toml", "pdm.lock", "poetry.lock", "requirements*.txt")
"""Files of the working directory that name the URLs of files, so their hosts."""

MAX_LOCK_BYTES: Final = 32 << 20

RENEW_LOOK_S: Final = 5.0
"""How often it is seen whether the authority is to be renewed: soon after this machine was asleep, or its clock was set."""

_FILE_URL: Final = re.compile(r"https?://[^\s\"'#<>]+?\.(?:whl|tar\.gz|zip)")


def run_command(settings: Settings, command: Sequence[str]) -> int:
    """Run ``command`` and return its exit status (below zero: the number of the signal that ended it).

    Raises `NotStarted`, and before it is started `UsageError` and `StoreError`.
    """
    from wheelfs.core.proxy.environment import child_environment
    from wheelfs.core.proxy.upstream import check_proxies
    from wheelfs.frontends.http.limits import HTTP_LIMITS
    from wheelfs.frontends.http.proxy.bundle import private_bundle, users_roots
    from wheelfs.service.process.child import Child, NotStarted, signals_held
    from wheelfs.store.allocator import bound_memory
    from wheelfs.store.store import Store

    bound_memory()
    check_proxies(os.environ)  # before the command starts: clients look at them only afterwards
    roots = users_roots(os.environ)
    # In this order: threads that are started from here on leave signals alone, and the bundle's remover is forked before any.
    with (
        signals_held(),
        private_bundle(roots) as bundle,
        Store.open(settings.store, limits=limits_of(settings)) as store,
        # It listens from now on: a client that connects before the proxy is ready waits.
        socket.create_server(("127.0.0.1", 0), backlog=HTTP_LIMITS.backlog) as listening,
    ):
        token = secrets.token_urlsafe(24)
        proxy_url = f"http://wheelfs:{token}@127.0.0.1:{listening.getsockname()[1]}"
        start = partial(Child, command, child_environment(os.environ, proxy_url=proxy_url, bundle=str(bundle.path)))
        # Before all that is slow to import: most commands take a while, too, until they look whom to trust.
        child = start() if bundle.hold() else None
        gc.disable()  # until all is imported: of that nothing is garbage, and looking takes a tenth of the time
        try:
            import trio

            from wheelfs.remote.index.default import pip_ca, pip_proxy

            # What pip's files say reaches pip no longer (PIP_CERT and PIP_PROXY go before them): it holds for what goes out here.
            pips_ca = pip_ca(os.environ)
            environ = os.environ if pips_ca is None else {**os.environ, "SSL_CERT_FILE": bundle.trust(pips_ca)}
            parts = _Parts(settings, store, bundle, listening, token, start, environ, pip_proxy(os.environ))
            ended = trio.run(_run, parts, child)
        except BaseException:
            if child is not None:
                child.end()
            raise
    if isinstance(ended, NotStarted):
        raise ended
    return ended


class _Parts(msgspec.Struct, frozen=True):
    """What there is of a run before its loop; ``start`` starts the command, ``token`` is the proxy's password.

    ``environ`` is the caller's, with the authorities that pip's files add; ``pips_proxy`` is the proxy that pip alone has.
    """

    settings: Settings
    store: Store
    bundle: Bundle
    listening: socket.socket
    token: str
    start: Callable[[], Child]
    environ: Mapping[str, str]
    pips_proxy: str | None


async def _run(parts: _Parts, child: Child | None) -> int | NotStarted:
    """Return the command's exit status, or why it could not be started: nurseries would wrap that.

    ``child`` is None where the command has to wait until the bundle is there.
    """
    import trio

    from wheelfs.frontends.http.limits import HTTP_LIMITS
    from wheelfs.remote.http.tls import Access
    from wheelfs.remote.index.http import HttpIndex
    from wheelfs.service.process.child import NotStarted
    from wheelfs.telemetry import Counters

    settings, counters = parts.settings, Counters()
    by_url = HttpIndex(DOWNLOAD, "https://download.invalid", parts.environ, access=Access(proxy=parts.pips_proxy))
    running = running_node(
        settings, parts.store, counters, bound_s=None, network_slots=HTTP_LIMITS.network_waits, downloads_by_url=by_url
    )
    async with running as node, _passing(parts) as passing, trio.open_nursery() as nursery:
        nursery.start_soon(node.follower.keep_fresh)
        if child is None:
            await nursery.start(_serve, parts, node, passing, counters)
            try:
                child = parts.start()
            except NotStarted as error:
                nursery.cancel_scope.cancel()
                return error
        else:
            nursery.start_soon(_serve_or_end, child, parts, node, passing, counters)
        status = await trio.to_thread.run_sync(child.wait)
        nursery.cancel_scope.cancel()
        return status


async def _serve_or_end(child: Child, parts: _Parts, node: Running, passing: Passing | None, counters: Counters) -> None:
    """Serve a command that runs already; if that cannot be, it waits in vain."""
    import trio

    try:
        await _serve(parts, node, passing, counters)
    except Exception:
        await trio.to_thread.run_sync(child.end)
        raise


async def _serve(
    parts: _Parts,
    node: Running,
    passing: Passing | None,
    counters: Counters,
    task_status: trio.TaskStatus[None] | None = None,
) -> None:
    """Be the proxy; started when the bundle is there and connections are accepted."""
    import trio

    from wheelfs.frontends.http.connections import accept_connections, places_for_connections
    from wheelfs.frontends.http.limits import HTTP_LIMITS
    from wheelfs.frontends.http.proxy.authority import Authority
    from wheelfs.frontends.http.proxy.conversation import Conversation
    from wheelfs.frontends.http.proxy.speaking import speak

    answered = await _answered(node)
    authority = Authority({endpoint.host for endpoint in answered} or {"index.invalid"})
    parts.bundle.write(authority.pem)
    application = _application(node, answered, passing, counters)

    async def serve(stream: ByteStream, origin: str) -> None:
        await speak(application.at(origin), stream, origin.partition(":")[0])

    gc.freeze()
    gc.enable()
    environ = parts.environ if parts.pips_proxy is None else {**parts.environ, "ALL_PROXY": parts.pips_proxy}
    talk = Conversation(answered, authority, serve, parts.token, parts.settings.offline, environ).talk
    places = trio.Semaphore(places_for_connections(HTTP_LIMITS))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_keep_valid, authority, parts.bundle)
        if task_status is not None:
            task_status.started()
        await accept_connections(parts.listening, talk, nursery, places, None, HTTP_LIMITS)


def _application(node: Running, answered: set[Endpoint], passing: Passing | None, counters: Counters) -> RunApplication:
    from wheelfs.frontends.http.proxy.application import RunApplication
    from wheelfs.remote.index.http import HttpIndex
    from wheelfs.service.projects.by_url import Urls
    from wheelfs.service.vfs.original_pages import OriginalPages

    async def size_of(ref: FileRef) -> int:
        known = node.fetching.facts.size_of(ref)
        if known is not None:
            return known
        with node.downloads.using(ref) as download:
            return await download.learn_size()

    def lend(url: str, authorization: str) -> None:
        for index in node.projects.indexes:
            if isinstance(index.client, HttpIndex) and index.client.lend(url, authorization):
                node.projects.requests.forget_failures(index.name)

    pages = OriginalPages(node.projects, node.views, answered)
    return RunApplication(node.tree, Urls(node.projects, node.store.catalog), pages, size_of, lend, passing, counters)


@asynccontextmanager
async def _passing(parts: _Parts) -> AsyncIterator[Passing | None]:
    """Lend the way out for requests that wheelfs has no answer to; None while offline."""
    from wheelfs.remote.http.relay import Relay

    if parts.settings.offline:
        yield None
        return
    relay = Relay(parts.environ, read_timeout_s=parts.settings.open_timeout_s, proxy=parts.pips_proxy)
    try:
        yield relay
    finally:
        await relay.aclose()


async def _keep_valid(authority: Authority, bundle: Bundle) -> None:
    """Renew the authority, so that a client that the command starts later is given a bundle that is valid for long."""
    import trio

    written, trouble = authority.pem, ""
    while True:
        await trio.sleep(RENEW_LOOK_S)
        if authority.is_due:
            authority.renew()
        if authority.pem == written:
            continue
        try:
            bundle.write(authority.pem)
        except OSError as error:  # no reason to end the command: what is there is valid for some time yet
            before, trouble = trouble, error.strerror or str(error)
            if trouble != before:
                advice = "it is tried again every few seconds: make room there, or let it be written"
                log.warning("renew the authorities in %s: %s; %s", bundle.path, trouble, advice)
        else:
            written, trouble = authority.pem, ""


async def _answered(node: Running) -> set[Endpoint]:
    """Return the hosts whose requests are answered here: those of indexes and, as far as can be known now, of their files."""
    import trio

    from wheelfs.core.proxy.hosts import endpoints_of
    from wheelfs.service.projects.by_url import known_hosts, learned_hosts

    locks = list(_locks(Path()))
    named = {text: endpoints_of(_FILE_URL.findall(text)) for text in locks}
    answered = endpoints_of(index.url for index in node.projects.indexes).union(*named.values())

    async def learn(index: str) -> None:
        answered.update(await learned_hosts(node.projects, index))

    with trio.move_on_after(LEARN_S):
        async with trio.open_nursery() as nursery:
            for index in filter(lambda index: is_http(index.url), node.projects.indexes):
                known = known_hosts(node.projects, index.name)
                answered.update(known)
                # A lock of this index that names files says where those are.
                if not known and not any(hosts and index.url in text for text, hosts in named.items()):
                    nursery.start_soon(learn, index.name)
    return answered


def _locks(directory: Path) -> Iterator[str]:
    """Yield the locks of the directory; files that are not text are left out."""
    for pattern in LOCKS:
        for path in sorted(directory.glob(pattern)):
            try:
                if path.is_file() and path.stat().st_size <= MAX_LOCK_BYTES:
                    yield path.read_text(encoding="utf-8")
            except (OSError, UnicodeDecodeError):
                continue
