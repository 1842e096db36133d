"""The HTTP server around the application: sockets, TLS, bounds on clients, and a clean end."""

from __future__ import annotations

import logging
import socket
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import trio
from anycorn import Config
from anycorn import serve as serve_asgi

from wheelfs.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from pathlib import Path

log = logging.getLogger(__name__)

BACKLOG: Final = 1024
"""A lab's nodes connect all at once; what does not fit here is a second's delay for its client."""

MAX_HEADER_BYTES: Final = 16 * 1024
HEADERS_S: Final = 10.0
"""What a client may take to send a request, and between two: a slow one costs a task and a descriptor no longer."""

STALLED_MS: Final = 60_000
"""How long a client may leave sent bytes unacknowledged or its window shut, before the kernel breaks the connection off."""

END_S: Final = 5.0
"""What requests under way get to finish in."""


@dataclass(frozen=True, slots=True)
class Tls:
    """The files of a certificate chain and its key, in PEM."""

    certificate: Path
    key: Path


def listen(address: str) -> socket.socket:
    """Return a bound socket for ``HOST:PORT`` (an IPv6 host in brackets; port 0: any); raises `UsageError`."""
    attempted = f"listen on {address}"
    host, colon, port = address.rpartition(":")
    if not colon or not port.isascii() or not port.isdigit() or int(port) > 65_535:
        raise UsageError(attempted, "that is no address", "give HOST:PORT, such as 127.0.0.1:8080 or [::]:8080")
    try:
        [(family, kind, protocol, _, where), *_] = socket.getaddrinfo(
            host.removeprefix("[").removesuffix("]") or "127.0.0.1", int(port), type=socket.SOCK_STREAM
        )
        made = socket.socket(family, kind, protocol)
    except OSError as error:
        raise UsageError(attempted, error.strerror or str(error), "is the host's name right?") from None
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # Both are inherited by the connections that are accepted.
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, STALLED_MS)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        made.bind(where)
    except OSError as error:
        made.close()
        raise UsageError(attempted, error.strerror or str(error), "is another program using it?") from None
    return made


def check_tls(tls: Tls) -> None:
    """Raise `UsageError` where the files of ``tls`` are not a certificate and its key."""
    try:
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(tls.certificate, tls.key)
    except (OSError, ssl.SSLError) as error:
        attempted = f"use the certificate {tls.certificate} with the key {tls.key}"
        raise UsageError(attempted, str(error), "both must be PEM files, and belong together") from None


async def serve_http(
    application: Callable[..., Awaitable[None]],
    sockets: Sequence[socket.socket],
    *,
    tls: Tls | None,
    on_ready: Callable[[], None],
    shutdown: trio.Event,
) -> None:
    """Serve on bound ``sockets``, which are taken over, until ``shutdown``; requests under way may finish for `END_S`."""
    config = Config()
    # The server makes its own sockets of these descriptors, and closes them.
    config.bind = [f"fd://{one.detach()}" for one in sockets]
    config.backlog = BACKLOG
    config.h11_max_incomplete_size = MAX_HEADER_BYTES
    config.h2_max_header_list_size = MAX_HEADER_BYTES
    config.keep_alive_timeout = HEADERS_S
    config.ssl_handshake_timeout = HEADERS_S
    config.graceful_timeout = END_S
    config.include_server_header = False
    config.websocket_max_message_size = 0
    config.accesslog = None
    config.errorlog = log
    if tls is not None:
        config.certfile, config.keyfile = str(tls.certificate), str(tls.key)
    async with trio.open_nursery() as nursery:
        serve: Any = serve_asgi

        async def run(task_status: trio.TaskStatus[list[str]] = trio.TASK_STATUS_IGNORED) -> None:
            await serve(application, config, shutdown_trigger=shutdown.wait, task_status=task_status)

        await nursery.start(run)
        on_ready()


def urls_of(sockets: Sequence[socket.socket], *, tls: bool) -> list[str]:
    """Return the addresses that a client may give, for sockets that `listen` has made."""
    urls = []
    for one in sockets:
        host, port = one.getsockname()[:2]
        host = f"[{host}]" if ":" in host else host
        urls.append(f"{'https' if tls else 'http'}://{host}:{port}")
    return urls
