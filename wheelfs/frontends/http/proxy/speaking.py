"""HTTP/1.1 with the run's command, for an ASGI application: the requests of a connection, one after another.

Not by the gateway's server, which has strangers at the other end: it brings HTTP/2, WebSockets and asyncio with it, a fifth of
the time that a run takes to start and a tenth of its memory.
"""

from __future__ import annotations

from contextlib import suppress
from email.utils import formatdate
from typing import TYPE_CHECKING, Any, Final

import anyio
import h11

from wheelfs.frontends.http.limits import HTTP_LIMITS, HttpLimits

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from anyio.abc import ByteStream

    Application = Callable[[dict[str, Any], Any, Any], Awaitable[None]]

READ_BYTES: Final = 64 * 1024
SEND_BYTES: Final = 64 * 1024
"""TLS keeps a buffer for the most that it was given at once, in each of the fifty connections that a client leaves open."""

_GONE: Final = (OSError, anyio.BrokenResourceError, anyio.ClosedResourceError, anyio.EndOfStream)


async def speak(application: Application, stream: ByteStream, scheme: str, limits: HttpLimits = HTTP_LIMITS) -> None:
    """Let ``application`` (ASGI 3) answer the requests on ``stream`` until either side has had enough, and close it."""
    connection = _Connection(stream, limits)
    try:
        while True:
            request = None
            with anyio.move_on_after(limits.headers_s):
                request = await connection.request()
            if request is None:
                return
            await application(_scope_of(request, scheme), connection.receive, connection.send)
            if not connection.begin_next():
                return
    except h11.RemoteProtocolError as error:
        await connection.refuse(error.error_status_hint)
    finally:
        with anyio.CancelScope(shield=True), suppress(*_GONE):
            await anyio.aclose_forcefully(stream)


class _Connection:
    """The server's side of one connection; ``receive`` and ``send`` are those of ASGI."""

    def __init__(self, stream: ByteStream, limits: HttpLimits) -> None:
        self._stream = stream
        self._limits = limits
        self._talk = h11.Connection(h11.SERVER, max_incomplete_event_size=limits.header_bytes)
        self._head = b""
        self._ahead_bytes = 0

    async def request(self) -> h11.Request | None:
        """Return the next request; None when the client sends none any more.  Raises `h11.RemoteProtocolError`."""
        event = await self._event()
        return event if isinstance(event, h11.Request) else None

    def begin_next(self) -> bool:
        """Return whether there may be another request; a body that was not read to its end ends the connection."""
        self._ahead_bytes = 0
        if self._talk.their_state is h11.SEND_BODY:
            self._talk.next_event()
        if self._talk.our_state is not h11.DONE or self._talk.their_state is not h11.DONE:
            return False
        self._talk.start_next_cycle()
        return True

    async def _event(self) -> Any:
        while (event := self._talk.next_event()) is h11.NEED_DATA:
            if self._talk.they_are_waiting_for_100_continue:
                await self._say(h11.InformationalResponse(status_code=100, headers=[]))
            self._talk.receive_data(await self._more())
        return event

    async def _more(self) -> bytes:
        """Return what the client sends; nothing when it is gone."""
        try:
            return await self._stream.receive(READ_BYTES)
        except _GONE:
            return b""

    async def receive(self) -> dict[str, Any]:
        """Return the next piece of a request's body, then wait until the client is gone."""
        if self._talk.their_state is h11.SEND_BODY:
            try:
                event = await self._event()
            except h11.RemoteProtocolError:  # no body of HTTP: as good as gone
                return {"type": "http.disconnect"}
            if isinstance(event, h11.Data):
                return {"type": "http.request", "body": bytes(event.data), "more_body": True}
            if isinstance(event, h11.EndOfMessage):
                return {"type": "http.request", "body": b"", "more_body": False}
            return {"type": "http.disconnect"}
        while data := await self._more():  # the next request already: it is kept until this one is answered
            self._talk.receive_data(data)
            self._ahead_bytes += len(data)
            if self._ahead_bytes > self._limits.header_bytes:
                await anyio.sleep_forever()
        return {"type": "http.disconnect"}

    async def send(self, message: dict[str, Any]) -> None:
        """Send a part of a response; when the client is gone, `receive` says so."""
        if message["type"] == "http.response.start":
            dated = [*message["headers"], (b"date", formatdate(usegmt=True).encode())]
            self._head = self._talk.send(h11.Response(status_code=message["status"], headers=dated)) or b""
            return
        head, self._head = self._head, b""
        body = message.get("body", b"")
        pieces = self._talk.send_with_data_passthrough(h11.Data(data=body)) or [] if body else []
        if not message.get("more_body", False):
            pieces += self._talk.send_with_data_passthrough(h11.EndOfMessage()) or []
        if len(body) <= READ_BYTES:
            pieces = [b"".join([head, *pieces])]
        else:  # without a copy
            pieces.insert(0, head)
        with suppress(*_GONE):
            for piece in pieces:
                for at in range(0, len(piece), SEND_BYTES):
                    await self._stream.send(piece[at : at + SEND_BYTES])

    async def refuse(self, status: int) -> None:
        """Answer what is no request, and tell its sender no more."""
        if self._talk.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            headers = [(b"content-length", b"0"), (b"connection", b"close")]
            await self._say(h11.Response(status_code=status, headers=headers))

    async def _say(self, event: h11.Event) -> None:
        with suppress(*_GONE):
            await self._stream.send(self._talk.send(event) or b"")


def _scope_of(request: h11.Request, scheme: str) -> dict[str, Any]:
    path, _, query = request.target.partition(b"?")
    return {
        "type": "http",
        "http_version": request.http_version.decode("ascii"),
        "method": request.method.decode("ascii"),
        "scheme": scheme,
        "path": path.decode("latin-1"),
        "raw_path": path,
        "query_string": query,
        "headers": list(request.headers),
        "client": None,
    }
