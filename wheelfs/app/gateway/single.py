"""Wiring of a gateway that is one process."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from wheelfs.app.gateway.credentials import take_over_serving
from wheelfs.app.wiring import replies_by_url, running_node, start_background, take_over

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from wheelfs.app.reload import Reloader
    from wheelfs.config import Settings
    from wheelfs.frontends.http.server import Speaker
    from wheelfs.service.process.end_bound import EndBound
    from wheelfs.store.store import Store


def run_single(
    settings: Settings,
    store: Store,
    listening: socket.socket,
    *,
    speaker: Speaker,
    token: str | None,
    reloader: Reloader,
    end: EndBound,
    on_ready: Callable[[], None],
) -> None:
    """Answer clients until a signal; ``on_ready`` is called once connections are accepted."""
    import trio

    from wheelfs.frontends.http import server
    from wheelfs.frontends.http.application import Application
    from wheelfs.frontends.http.limits import HTTP_LIMITS
    from wheelfs.service.overview import Overview
    from wheelfs.service.process.signals import obey_signals
    from wheelfs.service.shares.feed import ShareFeed
    from wheelfs.telemetry import Counters

    urls = server.urls_of([listening], tls=speaker.secure is not None)

    async def serve() -> None:
        running = running_node(settings, store, Counters(), bound_s=None, network_slots=HTTP_LIMITS.network_waits)
        async with running as node, trio.open_nursery() as nursery:
            shutdown = trio.Event()
            nursery.start_soon(end.begin_at, shutdown)
            await nursery.start(obey_signals, shutdown, reloader.reload)
            await start_background(nursery, settings, store, node)

            def answers() -> None:
                for url in urls:
                    node.status.serving(url)
                on_ready()

            application = Application(
                node.tree,
                Overview(node, store, has_token=token is not None),
                ShareFeed(store, node.downloads.in_progress),
                by_url=replies_by_url(node),
                token=token,
                access_log=settings.serve_access_log,
            )
            reloader.give_to(partial(take_over, store, node.hosts))
            reloader.give_to(partial(take_over_serving, application, speaker))
            await server.serve_http(application, [listening], speaker=speaker, on_ready=answers, shutdown=shutdown)
            nursery.cancel_scope.cancel()

    trio.run(serve)
