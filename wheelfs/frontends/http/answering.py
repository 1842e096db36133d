"""Answering requests over HTTP, whatever the answers are: bounded, for as long as the client is there, errors as statuses."""

from __future__ import annotations

import math
from contextlib import aclosing
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

import trio

from wheelfs.errors import InternalError, OriginBusy, WheelfsError
from wheelfs.frontends.http.access_log import log_access
from wheelfs.frontends.http.files import changed
from wheelfs.frontends.http.limits import HTTP_LIMITS, HttpLimits
from wheelfs.frontends.http.messages import Bytes, Relayed, Reply, Request, plain, request_of
from wheelfs.frontends.http.statuses import RETRY_AFTER_S, status_of
from wheelfs.service.tasks import failure

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from wheelfs.config.settings import AccessLog
    from wheelfs.remote.http.gateway_head import HeadAnswer
    from wheelfs.service.vfs.protocol import Filesystem, OpenFile
    from wheelfs.telemetry import Counters

    Receive = Callable[[], Awaitable[dict[str, Any]]]
    Send = Callable[[dict[str, Any]], Awaitable[None]]

_END: Final = {"type": "http.response.body", "body": b"", "more_body": False}


class Answering:
    """ASGI 3; what is replied to a GET or HEAD is for `reply` to say."""

    def __init__(
        self,
        filesystem: Filesystem,
        counters: Counters | None,
        limits: HttpLimits = HTTP_LIMITS,
        access_log: AccessLog = "off",
    ) -> None:
        """``counters`` is None where another process counts what clients are answered."""
        self._limits = limits
        self._filesystem = filesystem
        self._counters = counters
        self._access_log = access_log
        self._places = limits.requests

    async def reply(self, request: Request) -> Reply:
        """Return the reply to a request; what this raises becomes a status."""
        raise NotImplementedError

    def takes_post(self, request: Request) -> bool:
        """Return whether `reply` is for a POST, too."""
        return False

    def status_of(self, error: WheelfsError) -> HTTPStatus:
        """Return the status for what `reply` raises."""
        return status_of(error)

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "websocket":  # there are none here: closing one that was not accepted is 403 to the client
            await send({"type": "websocket.close"})
        if scope["type"] != "http":
            return
        if not self._places:
            busy = plain(HTTPStatus.SERVICE_UNAVAILABLE, "too many requests at once; try again", ("Retry-After", "1"))
            self._count(busy, scope["method"])
            await _send(busy, scope["method"], send, self._limits.piece_bytes)
            await send(_END)
            self._log(scope, busy, trio.current_time(), is_whole=True)
            return
        self._take(1)
        try:
            await self._answer(scope, receive, send)
        finally:
            self._take(-1)

    def _take(self, places: int) -> None:
        self._places -= places
        if self._counters is not None:
            self._counters.note_answering(True, self._limits.requests - self._places)

    def _piece_bytes(self) -> int:
        few = self._limits.requests - self._places <= self._limits.large_pieces
        return self._limits.large_piece_bytes if few else self._limits.piece_bytes

    def _count(self, reply: Reply, method: str) -> None:
        if self._counters is not None:
            self._counters.count_reply(reply.status, 0 if method == "HEAD" else reply.length)

    def _log(self, scope: dict[str, Any], reply: Reply, began_s: float, *, is_whole: bool) -> None:
        if self._access_log != "off":
            log_access(scope, reply, began_s, is_whole=is_whole, as_json=self._access_log == "json")

    async def _answer(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """Answer while the client is connected: what it no longer waits for is not fetched for it."""
        is_sent = False
        async with trio.open_nursery() as nursery:
            nursery.start_soon(until_gone, receive, nursery.cancel_scope)
            began_s = trio.current_time()
            reply = await self._reply(scope)
            self._count(reply, scope["method"])
            try:
                await _send(reply, scope["method"], send, self._piece_bytes())
                is_sent = True
            except WheelfsError as error:
                # The status is sent: all that is left is to close the connection, which the server does when we return.
                self._filesystem.count_error("send", error)
            finally:
                self._log(scope, reply, began_s, is_whole=is_sent)
                if isinstance(reply, Bytes) and reply.file is not None:
                    reply.file.close()
                elif isinstance(reply, Relayed):
                    await reply.answer.aclose()
            nursery.cancel_scope.cancel()
        if is_sent:
            # Not in there: to end an answer looks to `until_gone` like a client that hangs up, and a server that is cancelled
            # while it makes the connection ready for the next request forgets to limit how long that may take.
            await send(_END)

    async def _reply(self, scope: dict[str, Any]) -> Reply:
        try:
            request = request_of(scope)
            if request.headers.keys() >= {"content-length", "transfer-encoding"}:
                # A proxy may have used the other one, and taken the rest for a request: smuggling (RFC 9112, 6.1).
                return plain(HTTPStatus.BAD_REQUEST, "a body has one length", ("Connection", "close"))
            if request.method not in {"GET", "HEAD"} and not (request.method == "POST" and self.takes_post(request)):
                return plain(HTTPStatus.METHOD_NOT_ALLOWED, "this repository is read-only", ("Allow", "GET, HEAD"))
            return await self.reply(request)
        except Exception as error:
            known = failure(f"answer {scope['path']!r}", error)
            self._filesystem.count_error("request", known)
            status = self.status_of(known)
            wait_s = (isinstance(known, OriginBusy) and known.retry_after_s) or RETRY_AFTER_S
            retry = (("Retry-After", str(math.ceil(wait_s))),) if status == HTTPStatus.SERVICE_UNAVAILABLE else ()
            return plain(status, str(known), *retry)


async def _send(reply: Reply, method: str, send: Send, most_bytes: int) -> None:
    """Send all of a reply but its end, of a stored file ``most_bytes`` at a time; raises what ended a file's bytes early."""
    if isinstance(reply, Relayed):
        await _pass_on(reply.answer, send)
        return
    headers = [("Content-Type", reply.content_type), ("X-Content-Type-Options", "nosniff"), *reply.headers]
    if reply.status != HTTPStatus.NOT_MODIFIED:
        headers.append(("Content-Length", str(reply.length)))
    encoded = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]
    await send({"type": "http.response.start", "status": int(reply.status), "headers": encoded})
    if isinstance(reply, Bytes):
        if reply.file is not None:
            await _send_file(reply, reply.file, send, most_bytes)
    elif method != "HEAD":
        # In pieces: a client that does not read holds one of them, not a copy of a large page.
        piece_bytes = HTTP_LIMITS.piece_bytes
        for at in range(0, len(reply.body), piece_bytes):
            await send({"type": "http.response.body", "body": reply.body[at : at + piece_bytes], "more_body": True})


async def _send_file(reply: Bytes, file: OpenFile, send: Send, most_bytes: int) -> None:
    at, size = reply.start, file.size
    piece_bytes = HTTP_LIMITS.piece_bytes if file.direct_io else most_bytes
    while at < reply.end:
        piece = await file.read(at, min(piece_bytes, reply.end - at))
        if size is not None and file.size != size:  # what the client has been sent, its length above all, is of another file
            raise changed()
        if not piece:
            raise InternalError("send a file", f"it ended at byte {at} of {reply.end}", "please report it, with the log")
        at += len(piece)
        # A view of the store is valid until the next checkpoint only.
        await send({"type": "http.response.body", "body": bytes(piece), "more_body": True})


async def _pass_on(answer: HeadAnswer, send: Send) -> None:
    await send({"type": "http.response.start", "status": answer.status, "headers": answer.headers})
    async with aclosing(answer.pieces()) as arriving:
        async for piece in arriving:
            await send({"type": "http.response.body", "body": piece, "more_body": True})


async def until_gone(receive: Receive, scope: trio.CancelScope) -> None:
    """Cancel ``scope`` when the client hangs up; request bodies are read and thrown away."""
    while (await receive())["type"] != "http.disconnect":
        pass
    scope.cancel()
