"""Wiring of a gateway with several workers: the head, which talks to the indexes, and the processes that answer clients."""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from wheelfs.app.gateway.credentials import take_over_serving
from wheelfs.app.indexes import with_indexes
from wheelfs.app.own_places import at_socket
from wheelfs.app.wiring import limits_of, replies_by_url, running_node, start_background, take_over
from wheelfs.private_files import readers_of

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Sequence

    import trio

    from wheelfs.app.reload import Reloader
    from wheelfs.config import Settings
    from wheelfs.frontends.http.application import Application
    from wheelfs.frontends.http.server import Tls
    from wheelfs.frontends.http.workers import Place, Workers
    from wheelfs.reports.status import Status
    from wheelfs.service.process.end_bound import EndBound
    from wheelfs.store.store import Store


def run_head(
    settings: Settings,
    store: Store,
    listening: socket.socket,
    arguments: Sequence[str],
    *,
    tls: Tls | None,
    reloader: Reloader,
    end: EndBound,
    on_ready: Callable[[], None],
) -> None:
    """Run the workers, and answer them, until a signal; ``on_ready`` is called once all of them answer."""
    import signal

    import trio

    from wheelfs.frontends.http.application import Application
    from wheelfs.frontends.http.limits import HTTP_LIMITS
    from wheelfs.frontends.http.scoreboard import Scoreboard, made_board
    from wheelfs.frontends.http.workers import Workers, head_socket
    from wheelfs.service.overview import Overview
    from wheelfs.service.process.signals import obey_signals
    from wheelfs.service.shares.feed import ShareFeed
    from wheelfs.telemetry import Counters

    async def serve() -> None:
        running = running_node(settings, store, Counters(), bound_s=None, network_slots=HTTP_LIMITS.network_waits)
        with head_socket(store.run_directory) as (asked, name), ExitStack() as closing:
            async with running as node, trio.open_nursery() as nursery:
                shutdown = trio.Event()
                nursery.start_soon(end.begin_at, shutdown)
                await nursery.start(obey_signals, shutdown, reloader.reload)
                await start_background(nursery, settings, store, node)
                boards = [closing.enter_context(made_board()) for _ in range(settings.serve_workers)]
                counts = [Counters(Scoreboard(board)) for board in boards]
                # No token: only this user reaches this socket, and workers let no client pass without one.
                feed = ShareFeed(store, node.downloads.in_progress)
                overview = Overview(node, store, has_token=settings.serve_token_file is not None)
                application = Application(node.tree, overview, feed, by_url=replies_by_url(node), workers=counts)
                await nursery.start(_answer_workers, application, asked, "http" if tls is None else "https")
                workers = Workers(arguments, listening, store.run_directory, name)
                reloader.give_to(partial(take_over, store, node.hosts))
                # They read it again themselves.
                reloader.give_to(lambda _: workers.send(signal.SIGHUP))
                await _keep_until(shutdown, workers, boards, on_ready)
                nursery.cancel_scope.cancel()

    trio.run(serve)


async def _answer_workers(
    application: Application, asked: socket.socket, scheme: str, *, task_status: trio.TaskStatus[None]
) -> None:
    """Answer what workers pass on, until cancelled; ``scheme`` is what they speak: installers' lines on pages begin with it."""
    import trio

    from wheelfs.frontends.http import server

    async def as_clients_see_it(scope: dict[str, Any], receive: Any, send: Any) -> None:
        await application({**scope, "scheme": scheme} if scope["type"] == "http" else scope, receive, send)

    await server.serve_http(
        as_clients_see_it, [asked], speaker=server.Speaker(), on_ready=task_status.started, shutdown=trio.Event()
    )


async def _keep_until(shutdown: trio.Event, workers: Workers, boards: Sequence[int], on_ready: Callable[[], None]) -> None:
    """Keep the workers alive until ``shutdown``, also while they start; what they ask while they end is still answered."""
    import trio

    async with trio.open_nursery() as working:

        async def end() -> None:
            await shutdown.wait()
            working.cancel_scope.cancel()

        working.start_soon(end)
        await working.start(workers.keep, boards)
        on_ready()


def run_worker(
    settings: Settings, place: Place, *, tls: Tls | None, token: str | None, reloader: Reloader, end: EndBound
) -> None:
    """Answer clients until a signal, or until the head is gone."""
    import socket

    import trio

    from wheelfs.frontends.http import server
    from wheelfs.frontends.http.scoreboard import Scoreboard
    from wheelfs.frontends.http.worker import WorkerApplication
    from wheelfs.frontends.http.workers import end_with_head
    from wheelfs.remote.http.gateway_head import GatewayHead
    from wheelfs.service.overview import Overview
    from wheelfs.service.process.control_socket import serve_control
    from wheelfs.service.process.signals import obey_signals
    from wheelfs.service.process.spawn import report
    from wheelfs.service.shares.feed import ShareFeed
    from wheelfs.service.vfs.stored_lookup import StoredLookup
    from wheelfs.store.store import Store
    from wheelfs.telemetry import Counters

    listening = socket.socket(fileno=place.listening)
    urls = server.urls_of([listening], tls=tls is not None)
    # Offline, so that it never asks an index or a share, whatever happens: only the head does.
    own = msgspec.structs.replace(with_indexes(settings, at_socket(listening)), offline=True)

    async def serve(store: Store) -> None:
        counters = Counters(Scoreboard(place.counts))
        running = running_node(own, store, counters, bound_s=None, network_slots=0, with_shares=False)
        async with running as node, trio.open_nursery() as nursery:
            shutdown = trio.Event()

            def status() -> Status:
                return msgspec.structs.replace(node.status.report(), origins=(), offline=settings.offline)

            def answers() -> None:
                for url in urls:
                    node.status.serving(url)
                counters.note_answering(True, 0)
                report(place.ready, {"ready": True})

            nursery.start_soon(end.begin_at, shutdown)
            await nursery.start(obey_signals, shutdown, reloader.reload)
            await nursery.start(serve_control, store.run_directory, {"status": status})
            nursery.start_soon(end_with_head, place, shutdown)
            head = GatewayHead(place.head)
            try:
                parts = (Overview(node, store), ShareFeed(store), StoredLookup(node.projects, node.views, node.fetching))
                application = WorkerApplication(node.tree, *parts, head, token=token, access_log=settings.serve_access_log)
                speaker = server.Speaker(tls=tls)
                reloader.give_to(partial(take_over_serving, application, speaker))
                await server.serve_http(application, [listening], speaker=speaker, on_ready=answers, shutdown=shutdown)
            finally:
                with trio.CancelScope(shield=True):
                    await head.aclose()
            nursery.cancel_scope.cancel()

    with Store.open(settings.store, readers=readers_of(settings.store_group), limits=limits_of(settings)) as store:
        trio.run(serve, store)
