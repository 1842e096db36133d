"""Wiring of the gateway: the tree of `wheelfs.app.run_mount`, over HTTP, in one process or several."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING

import msgspec

from wheelfs.app.indexes import decided_indexes
from wheelfs.app.own_places import at_socket
from wheelfs.app.wiring import end_s, limits_of
from wheelfs.errors import UsageError
from wheelfs.private_files import readers_of
from wheelfs.reports.mounts import GatewayReady

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from wheelfs.config import Settings
    from wheelfs.frontends.http import server

log = logging.getLogger(__name__)


def run_gateway(settings: Settings, *, arguments: Sequence[str], ready: Callable[[GatewayReady], None]) -> None:
    """Serve until a signal; ``ready`` is called once connections are accepted.  Raises `UsageError`, `StoreError`.

    ``arguments`` are those of the command, with which workers are spawned.
    """
    from wheelfs.app.gateway_single import run_single
    from wheelfs.app.workers import run_head, run_worker
    from wheelfs.app.write_through import written_share
    from wheelfs.frontends.http import server
    from wheelfs.frontends.http.workers import take_place
    from wheelfs.service.process.end_bound import EndBound
    from wheelfs.service.process.service_manager import notify
    from wheelfs.store.store import Store

    if settings.private_addresses is None:
        settings = msgspec.structs.replace(settings, private_addresses=False)
    tls = _tls(settings)
    token = _token(settings)
    place = take_place()
    if place is not None:
        with EndBound() as end:
            run_worker(settings, place, tls=tls, token=token, end=end)
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
                run_head(settings, store, listening, arguments, tls=tls, end=end, on_ready=on_ready)
            else:
                run_single(settings, store, listening, tls=tls, token=token, end=end, on_ready=on_ready)
    finally:
        listening.close()


def _tls(settings: Settings) -> server.Tls | None:
    from wheelfs.frontends.http.server import Tls, check_tls

    certificate, key = settings.serve_tls_certificate, settings.serve_tls_key
    if certificate is None and key is None:
        return None
    if certificate is None or key is None:
        raise UsageError("serve with TLS", "the certificate or its key is not given", "give --tls-certificate and --tls-key")
    tls = Tls(certificate, key)
    check_tls(tls)
    return tls


def _token(settings: Settings) -> str | None:
    """Return the token out of its file: in an argument or a variable other users could read it."""
    if settings.serve_token_file is None:
        return None
    attempted = f"read the token in {settings.serve_token_file}"
    try:
        token = settings.serve_token_file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(attempted, getattr(error, "strerror", None) or "it is not text") from None
    if not token or any(character.isspace() for character in token):
        raise UsageError(attempted, "it is not one word", "write the token, and nothing else, into it")
    return token
