"""One connection of the run's command: what it asks of the proxy, and who answers."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

import anyio
import h11
import msgspec
from anyio.streams.buffered import BufferedByteStream
from anyio.streams.tls import TLSStream

from wheelfs.core.http.authorization import carries
from wheelfs.core.proxy.head import Connect, Nonsense, Plain, asked_of, passed_on
from wheelfs.errors import OriginUnreachable, WheelfsError
from wheelfs.frontends.http.proxy.tunnels import MAX_HEAD_BYTES, connect, splice

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Mapping

    from anyio.abc import ByteStream

    from wheelfs.core.proxy.hosts import Endpoint
    from wheelfs.frontends.http.proxy.authority import Authority
    from wheelfs.frontends.http.proxy.tunnels import Hop

log = logging.getLogger(__name__)

HELLO_S: Final = 30.0
"""For the first request on a connection, and for TLS: clients open some ahead of their use."""

_ESTABLISHED: Final = b"HTTP/1.1 200 Connection established\r\n\r\n"


class Conversation(msgspec.Struct, frozen=True):
    """How connections are treated: those to ``answered`` go to ``serve``, others on to where they lead.

    ``serve`` is given the connection and the origin (``https://HOST``) that it was opened to.  ``token`` is the password that the
    command has; ``is_offline`` refuses what leads out; ``environ`` is the caller's, with the proxy that is chained through.
    """

    answered: Collection[Endpoint]
    authority: Authority
    serve: Callable[[ByteStream, str], Awaitable[None]]
    token: str
    is_offline: bool
    environ: Mapping[str, str]

    async def talk(self, stream: ByteStream) -> None:
        """Serve one connection to its end."""
        with anyio.fail_after(HELLO_S):
            request, seen = await _first_request(stream)
        if request is None:
            await _refuse(stream, HTTPStatus.BAD_REQUEST, "this is the proxy of wheelfs run")
            return
        headers = {name.lower(): value for name, value in request.headers}
        if not carries(self.token, headers.get(b"proxy-authorization", b"").decode("latin-1")):
            challenge = b'Proxy-Authenticate: Basic realm="wheelfs run"\r\n'
            await _refuse(stream, HTTPStatus.PROXY_AUTHENTICATION_REQUIRED, "this proxy is for one command", challenge)
            return
        try:
            match asked_of(request.method, request.target):
                case Connect(endpoint) if endpoint in self.answered:
                    await self._answer_secure(stream, endpoint)
                case Connect(endpoint):
                    hop = await self._way_out(endpoint, "https")
                    await stream.send(_ESTABLISHED)
                    await splice(stream, hop.stream)
                case Plain(endpoint) if endpoint in self.answered:
                    again = BufferedByteStream(stream)
                    again.feed_data(seen)
                    await self.serve(again, endpoint.origin("http"))
                case Plain(endpoint, path):
                    hop = await self._way_out(endpoint, "http")
                    target = path if hop.proxy is None else request.target
                    authorization = None if hop.proxy is None else hop.proxy.authorization
                    head = passed_on(request.method, target, request.headers.raw_items(), authorization=authorization)
                    await hop.stream.send(head + seen[_end_of_head(seen) :])
                    await splice(stream, hop.stream)
                case Nonsense():
                    await _refuse(stream, HTTPStatus.BAD_REQUEST, "this is a proxy, and that is no request to one")
        except WheelfsError as error:
            log.info("%s", error)
            await _refuse(stream, HTTPStatus.BAD_GATEWAY, str(error))

    async def _way_out(self, endpoint: Endpoint, scheme: str) -> Hop:
        if self.is_offline:
            raise OriginUnreachable(f"connect to {endpoint.authority}", "wheelfs run --offline lets nothing out")
        return await connect(endpoint, scheme, self.environ)

    async def _answer_secure(self, stream: ByteStream, endpoint: Endpoint) -> None:
        await stream.send(_ESTABLISHED)
        context = self.authority.context_for(endpoint.host)
        with anyio.fail_after(HELLO_S):
            # Not `standard_compatible`: clients hang up without a word, and closing would wait for one.
            secure = await TLSStream.wrap(stream, server_side=True, ssl_context=context, standard_compatible=False)
        await self.serve(secure, endpoint.origin("https"))


async def _first_request(stream: ByteStream) -> tuple[h11.Request | None, bytes]:
    """Return the first request's head (None when it is not one), and all bytes that have come."""
    talk = h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_HEAD_BYTES)
    seen = b""
    try:
        while (event := talk.next_event()) is h11.NEED_DATA:
            data = await stream.receive(MAX_HEAD_BYTES)
            seen += data
            talk.receive_data(data)
    except h11.RemoteProtocolError:
        return None, seen
    return (event, seen) if isinstance(event, h11.Request) else (None, seen)


def _end_of_head(seen: bytes) -> int:
    """Return where the body begins: after the first empty line (RFC 9112, 2.2 lets lines end without a carriage return)."""
    ends = [at + len(mark) for mark in (b"\r\n\r\n", b"\n\n") if (at := seen.find(mark)) >= 0]
    return min(ends, default=len(seen))


async def _refuse(stream: ByteStream, status: HTTPStatus, reason: str, headers: bytes = b"") -> None:
    body = f"wheelfs: {reason}\n".encode(errors="backslashreplace")
    head = f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Type: text/plain; charset=utf-8\r\n"
    head += f"Content-Length: {len(body)}\r\nConnection: close\r\n"
    await stream.send(head.encode() + headers + b"\r\n" + body)
    await stream.aclose()
