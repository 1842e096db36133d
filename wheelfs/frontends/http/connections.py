"""Accepting connections: as many as there are descriptors for; running out of them never ends the gateway.

The HTTP server's own loop ends at the first error of ``accept``, such as "too many open files": any client can cause that.
"""

from __future__ import annotations

import errno
import logging
import resource
from typing import TYPE_CHECKING, Final

import anyio
import trio
from anyio.abc import SocketStream
from anyio.streams.tls import TLSStream

if TYPE_CHECKING:
    import socket
    import ssl
    from collections.abc import Awaitable, Callable

    from anyio.abc import ByteStream

    from wheelfs.frontends.http.limits import HttpLimits

    Talk = Callable[[ByteStream], Awaitable[None]]

log = logging.getLogger(__name__)

_GONE: Final = frozenset({errno.ECONNABORTED, errno.EPROTO, errno.EINTR, errno.EAGAIN, errno.EPERM})
"""This client went away, or a firewall dropped it (accept(2)); the next one may not."""


def places_for_connections(limits: HttpLimits) -> int:
    """Return how many connections may be open at once, half of the descriptors at most; raises this process's soft limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = limits.descriptors if hard == resource.RLIM_INFINITY else min(limits.descriptors, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return max(1, min(limits.connections, wanted // 2))


async def accept_connections(
    listening: socket.socket,
    talk: Talk,
    connections: trio.Nursery,
    places: trio.Semaphore,
    secure: ssl.SSLContext | None,
    limits: HttpLimits,
) -> None:
    """Let ``talk`` have each client of ``listening``, in ``connections``, until cancelled."""
    listening.setblocking(False)
    while True:
        await trio.lowlevel.wait_readable(listening)
        # Until none is waiting, and not one a turn: under a flood each turn takes as long as all clients that are served in it.
        for _ in range(limits.accepted_at_once):
            if not places.value:
                log.warning("all places for connections are taken: further clients wait")
                await places.acquire()
            else:
                places.acquire_nowait()
            client = await _next(listening, limits)
            if client is None:
                places.release()
                break
            connections.start_soon(_converse, client, talk, places, secure, limits.headers_s)


async def _next(listening: socket.socket, limits: HttpLimits) -> socket.socket | None:
    """Accept a client; None where there is none now."""
    try:
        client, _ = listening.accept()
    except OSError as error:
        if error.errno not in _GONE:
            log.error("cannot accept a connection: %s", error.strerror)
            await trio.sleep(limits.full_pause_s)
        return None
    return client


async def _converse(
    client: socket.socket, talk: Talk, places: trio.Semaphore, secure: ssl.SSLContext | None, hello_s: float
) -> None:
    """Serve one client; nothing that happens with it ends the gateway."""
    try:
        with client:
            stream: ByteStream = await SocketStream.from_socket(client)
            if secure is not None:
                with anyio.fail_after(hello_s):
                    stream = await TLSStream.wrap(stream, server_side=True, ssl_context=secure)
            await talk(stream)
    except (OSError, ValueError, anyio.BrokenResourceError, anyio.EndOfStream, anyio.ClosedResourceError) as error:
        log.debug("a client went away: %s", error)  # ValueError: before it was looked at
    except Exception:
        log.exception("a connection failed: a bug in wheelfs")
    finally:
        places.release()
