"""Passing connections on, untouched, to where they were meant to go: straight, or through the proxy that the caller uses."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Final

import anyio
import h11
from anyio.streams.tls import TLSStream

from wheelfs.core.proxy.upstream import Unusable, Upstream, upstream_of
from wheelfs.errors import OriginFault, OriginUnreachable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from anyio.abc import ByteStream

    from wheelfs.core.proxy.hosts import Endpoint

CONNECT_S: Final = 30.0
"""For a connection and, where there is one, the caller's proxy to answer: clients wait for 15 to 60 s."""

PIECE_BYTES: Final = 64 * 1024
MAX_HEAD_BYTES: Final = 16 * 1024

_GONE = (OSError, anyio.BrokenResourceError, anyio.ClosedResourceError, anyio.EndOfStream)


class Hop:
    """A connection to the next hop; ``proxy`` is set where that is a proxy, which wants whole addresses in plain requests."""

    def __init__(self, stream: ByteStream, proxy: Upstream | None) -> None:
        self.stream = stream
        self.proxy = proxy


async def connect(endpoint: Endpoint, scheme: str, environ: Mapping[str, str]) -> Hop:
    """Connect to ``endpoint``, for TLS (``https``) or a plain request (``http``); raises `OriginUnreachable`, `OriginFault`."""
    attempted = f"connect to {endpoint.authority}"
    proxy = upstream_of(environ, scheme, endpoint)
    if isinstance(proxy, Unusable):
        raise OriginUnreachable(
            attempted,
            f"the environment names a proxy of a kind that cannot be used here ({proxy.scheme}://)"
            if proxy.scheme
            else "the address of the proxy that the environment names is invalid",
            "an http:// or https:// proxy can; or name the host in NO_PROXY",
        )
    target = endpoint if proxy is None else proxy.endpoint
    try:
        with anyio.fail_after(CONNECT_S):
            stream: ByteStream = await anyio.connect_tcp(target.host, target.port)
            if proxy is not None and proxy.is_tls:
                context = ssl.create_default_context()
                stream = await TLSStream.wrap(stream, hostname=target.host, ssl_context=context, standard_compatible=False)
            if proxy is not None and scheme == "https":
                await _tunnel(stream, endpoint, proxy, attempted)
    except TimeoutError:
        raise OriginUnreachable(attempted, f"no answer within {CONNECT_S:.0f} s") from None
    except _GONE as error:
        through = "" if proxy is None else f" through the proxy {target.authority}"
        reason = (isinstance(error, OSError) and error.strerror) or str(error) or "the connection broke"
        raise OriginUnreachable(attempted, f"{reason}{through}") from None
    return Hop(stream, proxy)


async def _tunnel(stream: ByteStream, endpoint: Endpoint, proxy: Upstream, attempted: str) -> None:
    """Have the caller's proxy connect to ``endpoint``."""
    headers = [("Host", endpoint.authority)]
    talk = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEAD_BYTES)
    if proxy.authorization is not None:
        headers.append(("Proxy-Authorization", proxy.authorization.decode()))
    sent = talk.send(h11.Request(method="CONNECT", target=endpoint.authority, headers=headers))
    await stream.send(sent or b"")
    try:
        while (event := talk.next_event()) is h11.NEED_DATA:
            talk.receive_data(await stream.receive(1))  # no byte more: what comes next is the tunnel's
    except h11.RemoteProtocolError:
        raise OriginFault(attempted, f"the proxy {proxy.endpoint.authority} answers nonsense") from None
    if not isinstance(event, h11.Response) or not 200 <= event.status_code < 300:
        status = getattr(event, "status_code", "none")
        raise OriginFault(attempted, f"the proxy {proxy.endpoint.authority} refuses (status {status})")


async def splice(one: ByteStream, other: ByteStream) -> None:
    """Pass bytes both ways until both ends have finished, or one is gone."""
    try:
        async with anyio.create_task_group() as both:
            both.start_soon(_pump, one, other, both.cancel_scope)
            both.start_soon(_pump, other, one, both.cancel_scope)
    finally:
        with anyio.CancelScope(shield=True):
            for stream in (one, other):
                await anyio.aclose_forcefully(stream)


async def _pump(source: ByteStream, sink: ByteStream, both: anyio.CancelScope) -> None:
    try:
        while True:
            await sink.send(await source.receive(PIECE_BYTES))
    except anyio.EndOfStream:
        try:
            await sink.send_eof()
        except (*_GONE, NotImplementedError):  # TLS has no half of an end
            both.cancel()
    except _GONE:
        both.cancel()
