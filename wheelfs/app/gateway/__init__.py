"""Wiring of the gateway: the tree of `wheelfs.app.run_mount`, over HTTP, in one process or several."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING

import msgspec

from wheelfs.app.gateway.credentials import tls_of, token_of
from wheelfs.app.indexes import decided_indexes
from wheelfs.app.own_places import at_socket
from wheelfs.app.reload import Reloader
from wheelfs.app.wiring import end_s, limits_of
from wheelfs.private_files import readers_of
from wheelfs.reports.mounts import GatewayReady

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from wheelfs.config import Settings

log = logging.getLogger(__name__)


def run_gateway(
    settings: Settings, *, arguments: Sequence[str], ready: Callable[[GatewayReady], None], reread: Callable[[], Settings]
) -> None:
    """Serve until a signal; ``ready`` is called once connections are accepted.  Raises `UsageError`, `StoreError`.

    ``arguments`` are those of the command, with which workers are spawned; ``reread`` reads the configuration again.
    """
    from wheelfs.app.gateway.single import run_single
    from wheelfs.app.gateway.workers import run_head, run_worker
    from wheelfs.app.write_through import written_share
    from wheelfs.frontends.http import server
    from wheelfs.frontends.http.workers import take_place
    from wheelfs.service.process.end_bound import EndBound
    from wheelfs.service.process.service_manager import notify
    from wheelfs.store.store import Store

    reloader = Reloader(settings, reread)
    if settings.private_addresses is None:
        settings = msgspec.structs.replace(settings, private_addresses=False)
    tls = tls_of(settings)
    token = token_of(settings)
    place = take_place()
    if place is not None:
        with EndBound() as end:
            run_worker(settings, place, tls=tls, token=token, reloader=reloader, end=end)
        return
    written_share(settings)
    listening = server.listen(settings.serve_listen)
    urls = tuple(server.urls_of([listening], tls=tls is not None))

    def on_ready() -> None:
        notify("READY=1", os.environ)
        ready(GatewayReady(urls=urls, pid=os.getpid(), store=str(settings.store), open=token is None))

    try:
        places = at_socket(listening)
        settings, notes = decided_indexes(settings, places)
        for note in notes:
            log.warning("%s", note)
        with (
            EndBound(end_s(settings)) as end,
            Store.open(settings.store, readers=readers_of(settings.store_group), limits=limits_of(settings)) as store,
        ):
            if settings.serve_workers > 1:
                run_head(settings, store, listening, arguments, tls=tls, reloader=reloader, end=end, on_ready=on_ready)
            else:
                speaker = server.Speaker(tls=tls)
                run_single(
                    settings, store, listening, speaker=speaker, token=token, reloader=reloader, end=end, on_ready=on_ready
                )
    finally:
        listening.close()
