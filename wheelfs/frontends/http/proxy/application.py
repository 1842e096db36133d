"""What a run's command is answered in place of its indexes: pages as they would give them, and files out of the store.

What is no business of wheelfs (a login, an upload, a search) is passed on to the host that it was meant for.
"""

from __future__ import annotations

import logging
from contextlib import aclosing
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, Protocol

import trio

from wheelfs.errors import OriginDenied, OriginTimeout, OriginUnreachable, WheelfsError
from wheelfs.frontends.http.answering import Answering, until_gone
from wheelfs.frontends.http.limits import HttpLimits
from wheelfs.frontends.http.messages import plain
from wheelfs.frontends.http.proxy.url_replies import UrlReplies
from wheelfs.frontends.http.statuses import status_of
from wheelfs.service.projects.by_url import Elsewhere, ReleaseOf, Unlisted

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
    from contextlib import AbstractAsyncContextManager

    from wheelfs.frontends.http.answering import Receive, Send
    from wheelfs.frontends.http.messages import Reply, Request
    from wheelfs.service.file_refs import FileRef
    from wheelfs.service.projects.by_url import Meaning, Urls
    from wheelfs.service.vfs.original_pages import OriginalPages
    from wheelfs.service.vfs.protocol import Filesystem
    from wheelfs.telemetry import Counters

    Header = tuple[bytes, bytes]

log = logging.getLogger(__name__)

RUN_LIMITS: Final = HttpLimits(large_pieces=0)
"""In pieces of the smaller size: TLS holds each twice over, for every file that a command fetches at once."""


class Answer(Protocol):
    """Another host's answer, as it comes."""

    @property
    def status(self) -> int: ...
    @property
    def headers(self) -> list[Header]: ...
    @property
    def pieces(self) -> AsyncGenerator[bytes, None]: ...


class Passing(Protocol):
    """Passes a request on to the host of its URL; raises `wheelfs.errors.OriginError`."""

    def answer(
        self, method: str, url: str, headers: Sequence[Header], body: AsyncIterator[bytes]
    ) -> AbstractAsyncContextManager[Answer]: ...


class RunApplication(Answering):
    """ASGI 3, for one origin at a time (`at`)."""

    def __init__(
        self,
        filesystem: Filesystem,
        urls: Urls,
        pages: OriginalPages,
        size_of: Callable[[FileRef], Awaitable[int]],
        lend: Callable[[str, str], None],
        passing: Passing | None,
        counters: Counters,
    ) -> None:
        """``size_of`` finds out the size of a file that no page lists; ``passing`` is None when nothing may go out.

        ``lend`` is called with a URL and the Authorization header that the command sends to it.
        """
        super().__init__(filesystem, counters, RUN_LIMITS)
        self._replies = UrlReplies(filesystem, urls, pages)
        self._urls = urls
        self._size_of = size_of
        self._lend = lend
        self._passing = passing

    def status_of(self, error: WheelfsError) -> HTTPStatus:
        """Return the status; while offline that of a cache which may not ask (RFC 9111, 5.2.1.7).

        pip does not ask again for it, as it does for a 503, five times for each project that is not here.
        """
        is_forbidden = self._passing is None and isinstance(error, OriginUnreachable)
        return HTTPStatus.GATEWAY_TIMEOUT if is_forbidden else status_of(error)

    def at(self, origin: str) -> Callable[[dict[str, Any], Receive, Send], Awaitable[None]]:
        """Return the ASGI application of a connection that was opened to ``origin`` (``https://HOST``)."""
        return partial(self._request, origin)

    async def _request(self, origin: str, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        url = _url(origin, scope)
        if url is None:
            await _refuse(send, scope["method"], HTTPStatus.BAD_REQUEST, "that is no address")
            return
        authorization = next((value for name, value in scope["headers"] if name.lower() == b"authorization"), None)
        if authorization is not None:
            self._lend(url, authorization.decode("latin-1"))
        meaning: Meaning | WheelfsError
        try:
            meaning = await self._urls.meaning(url) if scope["method"] in {"GET", "HEAD"} else Elsewhere()
        except WheelfsError as error:
            meaning = error
        # Who may have a file that no index lists, its own host alone can say.
        if isinstance(meaning, Elsewhere | ReleaseOf) or (isinstance(meaning, Unlisted) and authorization is not None):
            await self._pass_on(url, {**scope, "wheelfs": meaning}, receive, send)
        else:
            await self({**scope, "wheelfs": meaning}, receive, send)

    async def reply(self, request: Request) -> Reply:
        """Reply to what has a meaning here; raises `WheelfsError`."""
        try:
            return await self._known(request, request.extension)
        except OriginDenied as error:
            if error.status not in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
                raise
            # As the index said it: then clients look for credentials.
            challenge = (("WWW-Authenticate", 'Basic realm="index"'),) if error.status == HTTPStatus.UNAUTHORIZED else ()
            return plain(HTTPStatus(error.status), str(error), *challenge)

    async def _known(self, request: Request, meaning: Meaning | WheelfsError) -> Reply:
        match meaning:
            case WheelfsError():
                raise meaning.with_traceback(None)
            case Unlisted(ref):
                return await self._replies.file(request, ref, await self._size_of(ref))
            case Elsewhere():
                raise AssertionError("was passed on")
            case _:
                return await self._replies.known(request, meaning)

    # --- what is not for us -----------------------------------------------------------------------------------------

    async def _pass_on(self, url: str, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """Pass a request on while the client is connected: how long an answer may take, it decides."""
        is_begun = is_over = False
        failed: WheelfsError | None = None
        async with trio.open_nursery() as nursery:
            filling, body = trio.open_memory_channel[bytes](0)
            nursery.start_soon(_hear, receive, filling, nursery.cancel_scope)
            try:
                if self._passing is None:
                    raise OriginUnreachable(
                        f"pass on a request for {url.partition('?')[0]}", "wheelfs run --offline lets nothing out"
                    )
                async with (
                    self._passing.answer(scope["method"], url, scope["headers"], body) as answer,
                    aclosing(answer.pieces) as arriving,
                ):
                    await send({"type": "http.response.start", "status": answer.status, "headers": answer.headers})
                    is_begun = True
                    async for piece in arriving:
                        await send({"type": "http.response.body", "body": piece, "more_body": True})
            except WheelfsError as error:
                log.info("%s", error)
                failed = error
            is_over = True
            nursery.cancel_scope.cancel()
        if not is_over or (failed is not None and is_begun):
            return  # the client is gone; or the connection is broken off: it must not take a part for the whole
        if failed is None:
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        elif isinstance(scope["wheelfs"], ReleaseOf) and isinstance(failed, OriginUnreachable | OriginTimeout):
            await self(scope, receive, send)
        else:
            await _refuse(send, scope["method"], self.status_of(failed), str(failed))


async def _refuse(send: Send, method: str, status: HTTPStatus, reason: str) -> None:
    body = f"wheelfs: {reason}\n".encode(errors="backslashreplace")
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": int(status), "headers": headers})
    await send({"type": "http.response.body", "body": b"" if method == "HEAD" else body, "more_body": False})


async def _hear(receive: Receive, body: trio.MemorySendChannel[bytes], scope: trio.CancelScope) -> None:
    """Hand on a request's body as it is asked for, and cancel ``scope`` when the client hangs up."""
    async with body:
        is_whole = False
        while not is_whole:
            message = await receive()
            if message["type"] == "http.disconnect":
                scope.cancel()
                return
            if message.get("body"):
                await body.send(message["body"])
            is_whole = not message.get("more_body", False)
    await until_gone(receive, scope)


def _url(origin: str, scope: dict[str, Any]) -> str | None:
    """Return the whole URL that is asked for, None for a target that is no URL (``OPTIONS *``, or the preface of HTTP/2).

    Requests to a plain proxy name it themselves (RFC 9112, 3.2.2).
    """
    raw: str = (scope.get("raw_path") or scope["path"].encode()).decode("latin-1").partition("?")[0]
    query = scope["query_string"].decode("latin-1")
    if not raw.startswith(("/", "http://", "https://")):
        return None
    url = origin + raw if raw.startswith("/") else raw
    return f"{url}?{query}" if query else url
