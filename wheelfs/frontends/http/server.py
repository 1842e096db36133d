"""The HTTP server around the application: sockets, TLS, bounds on clients, and a clean end."""

from __future__ import annotations

import errno
import logging
import socket
import ssl
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import trio
from anycorn import Config
from anycorn.app_wrappers import ASGIWrapper
from anycorn.protocol.h11 import H11Protocol
from anycorn.tcp_server import TCPServer
from anycorn.worker_context import WorkerContext

from wheelfs.errors import UsageError
from wheelfs.frontends.http.connections import accept_connections, places_for_connections
from wheelfs.frontends.http.limits import HTTP_LIMITS, HttpLimits

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from pathlib import Path

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Tls:
    """The files of a certificate chain and its key, in PEM."""

    certificate: Path
    key: Path


_LISTEN_ADVICE: Final = {
    errno.EADDRINUSE: "another program is using it: end that, or give another port",
    errno.EADDRNOTAVAIL: "this machine has no such address: give one of its own, or 0.0.0.0 for all",
    errno.EACCES: "ports below 1024 are for root: give another one, such as 8080",
}


def listen(address: str, *, limits: HttpLimits = HTTP_LIMITS) -> socket.socket:
    """Return a bound socket for ``HOST:PORT`` (an IPv6 host in brackets; port 0: any); raises `UsageError`."""
    attempted = f"listen on {address}"
    host, colon, port = address.rpartition(":")
    if not colon or not port.isascii() or not port.isdigit() or int(port) > 65_535:
        raise UsageError(attempted, "that is not an address", "give HOST:PORT, such as 127.0.0.1:8080 or [::]:8080")
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
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, limits.stalled_ms)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        made.bind(where)
    except OSError as error:
        made.close()
        advice = _LISTEN_ADVICE.get(error.errno or 0, "give another address")
        raise UsageError(attempted, error.strerror or str(error), advice) from None
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
    speaker: Speaker,
    on_ready: Callable[[], None],
    shutdown: trio.Event,
) -> None:
    """Serve on bound ``sockets``, which are taken over, until ``shutdown``; requests under way then have ``HttpLimits.end_s``."""
    await serve_connections(partial(speaker.speak, application), sockets, speaker, on_ready=on_ready, shutdown=shutdown)


async def serve_connections(
    talk: Callable[[Any], Awaitable[None]],
    sockets: Sequence[socket.socket],
    speaker: Speaker,
    *,
    on_ready: Callable[[], None],
    shutdown: trio.Event,
) -> None:
    """Let ``talk`` have each connection on bound ``sockets``, which are taken over; see `serve_http`."""
    limits = speaker.limits
    places = trio.Semaphore(places_for_connections(limits))
    async with speaker, trio.open_nursery() as connections:
        with ExitStack() as listening:
            async with trio.open_nursery() as accepting:
                for bound in sockets:
                    listening.enter_context(bound)
                    bound.listen(limits.backlog)
                    accepting.start_soon(accept_connections, bound, talk, connections, places, speaker.secure, limits)
                on_ready()
                await shutdown.wait()
                accepting.cancel_scope.cancel()
        await speaker.end_idle()
        connections.cancel_scope.deadline = trio.current_time() + limits.end_s


class Speaker:
    """Speaks HTTP over connections that are there already; an asynchronous context, in which all its connections lie."""

    def __init__(self, *, tls: Tls | None = None, limits: HttpLimits = HTTP_LIMITS) -> None:
        """``tls`` is what connections are to be wrapped in before (`secure`)."""
        self.limits = limits
        self._tls = tls
        self._config = _config(tls, limits)
        self._context = WorkerContext(None)
        self.secure = self._config.create_ssl_context()

    async def __aenter__(self) -> Speaker:
        await self._config.log.__aenter__()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._config.log.aclose()

    def renew_certificate(self) -> None:
        """Read the certificate and its key again, for the connections that come; raises `UsageError`, and keeps what was."""
        if self._tls is not None and self.secure is not None:
            check_tls(self._tls)
            self.secure.load_cert_chain(self._tls.certificate, self._tls.key)

    async def speak(self, application: Callable[..., Awaitable[None]], stream: Any) -> None:
        """Answer the requests of one connection by ``application``: a socket's or a TLS stream's."""
        await _Connection(ASGIWrapper(application), self._config, self._context, {}, stream).run()

    async def end_idle(self) -> None:
        """End connections on which no request is being answered; others end after the one that is."""
        await self._context.terminated.set()


async def _stay(connection: H11Protocol, event: object) -> None:
    """Let a client that wants HTTP/2 go on in HTTP/1.1.

    A client of HTTP/2 that never opens its window holds its answers without end: the kernel sees nothing wrong, and each
    connection may have so many answers that eleven silent ones took all places.  It was also three times slower than TLS alone.
    """


# For the whole process: the library has no option for it.
H11Protocol._check_protocol = _stay  # type: ignore[method-assign, assignment]


class _Connection(TCPServer):
    """One client; unlike its base, it does not outlive the client's end by the time that a next request is waited for."""

    async def _read_data(self) -> None:
        await super()._read_data()
        await self.idle_task.stop()


def _config(tls: Tls | None, limits: HttpLimits) -> Config:
    config = Config()
    config.h11_max_incomplete_size = limits.header_bytes
    config.keep_alive_timeout = limits.headers_s
    config.include_server_header = False
    config.websocket_max_message_size = 0
    config.accesslog = None
    config.errorlog = log
    config.alpn_protocols = ["http/1.1"]
    if tls is not None:
        config.certfile, config.keyfile = str(tls.certificate), str(tls.key)
    return config


def urls_of(sockets: Sequence[socket.socket], *, tls: bool) -> list[str]:
    """Return the addresses that a client may give, for sockets that `listen` has made."""
    urls = []
    for bound in sockets:
        host, port = bound.getsockname()[:2]
        host = f"[{host}]" if ":" in host else host
        urls.append(f"{'https' if tls else 'http'}://{host}:{port}")
    return urls
