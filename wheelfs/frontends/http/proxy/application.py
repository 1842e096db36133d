"""What a run's command is answered in place of its indexes: pages as they would give them, and files out of the store.

What is no business of wheelfs (a login, an upload, a search) is passed on to the host that it was meant for.
"""

from __future__ import annotations

import logging
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Protocol

from wheelfs.core.simple.negotiation import JSON_TYPE, PLAIN_TYPE, choose_form
from wheelfs.errors import OriginUnreachable, WheelfsError
from wheelfs.frontends.http.answering import Answering
from wheelfs.frontends.http.files import FileReplies, text, type_of
from wheelfs.frontends.http.limits import HTTP_LIMITS
from wheelfs.frontends.http.messages import BINARY, plain
from wheelfs.frontends.http.statuses import status_of
from wheelfs.service.projects.by_url import Elsewhere, FileAt, ListOfProjects, PageOf, StoredAt, Unlisted
from wheelfs.service.vfs.nodes import FileNode
from wheelfs.service.vfs.protocol import Absent

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
    from contextlib import AbstractAsyncContextManager

    from wheelfs.frontends.http.answering import Receive, Send
    from wheelfs.frontends.http.messages import Reply, Request
    from wheelfs.service.file_refs import FileRef
    from wheelfs.service.projects.by_url import Meaning, Urls
    from wheelfs.service.vfs.original_pages import OriginalPages
    from wheelfs.service.vfs.protocol import Filesystem, Node
    from wheelfs.telemetry import Counters

    Header = tuple[bytes, bytes]

log = logging.getLogger(__name__)


class Answer(Protocol):
    """Another host's answer, as it comes."""

    @property
    def status(self) -> int: ...
    @property
    def headers(self) -> list[Header]: ...
    @property
    def pieces(self) -> AsyncIterator[bytes]: ...


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
        passing: Passing | None,
        counters: Counters,
    ) -> None:
        """``size_of`` finds out the size of a file that no page lists; ``passing`` is None when nothing may go out."""
        super().__init__(filesystem, counters)
        self._files = FileReplies(filesystem, HTTP_LIMITS)
        self._urls = urls
        self._pages = pages
        self._size_of = size_of
        self._passing = passing

    def at(self, origin: str) -> Callable[[dict[str, Any], Receive, Send], Awaitable[None]]:
        """Return the ASGI application of a connection that was opened to ``origin`` (``https://HOST``)."""
        return partial(self._request, origin)

    async def _request(self, origin: str, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        url = _url(origin, scope)
        meaning: Meaning | WheelfsError
        try:
            meaning = await self._urls.meaning(url) if scope["method"] in {"GET", "HEAD"} else Elsewhere()
        except WheelfsError as error:
            meaning = error
        if isinstance(meaning, Elsewhere):
            await self._pass_on(url, scope, receive, send)
        else:
            await self({**scope, "wheelfs": (url, meaning)}, receive, send)

    async def reply(self, request: Request) -> Reply:
        """Reply to what has a meaning here; raises `WheelfsError`."""
        url, meaning = request.extension
        if isinstance(meaning, WheelfsError):
            raise meaning.with_traceback(None)
        return await self._meant(request, url, meaning)

    async def _meant(self, request: Request, url: str, meaning: Meaning) -> Reply:
        match meaning:
            case PageOf(index, project, is_canonical):
                if not is_canonical:
                    where = f"{self._urls.base(index)}/{project}/"
                    return plain(HTTPStatus.MOVED_PERMANENTLY, "projects have one name", ("Location", where))
                return await self._page(request, index, project)
            case ListOfProjects(index):
                return await self._tree(request, ("index", index, "simple"), is_directory=True)
            case FileAt(path):
                return await self._tree(request, path, is_directory=False)
            case StoredAt(ref) | Unlisted(ref):
                node = FileNode(ref, await self._size_of(ref))
                return await self._files.file(request, node, BINARY)
            case Elsewhere():
                raise AssertionError("was passed on")

    async def _page(self, request: Request, index: str, project: Any) -> Reply:
        chosen = choose_form(request.headers.get("accept"), request.query.get("format"))
        if chosen is None:
            return plain(HTTPStatus.NOT_ACCEPTABLE, f"pages are served as {PLAIN_TYPE} and {JSON_TYPE}")
        form, content_type = chosen
        body = await self._pages.project(index, project, form)
        if body is None:
            return plain(HTTPStatus.NOT_FOUND, f"{index} has no project {project}")
        return text(request, body, content_type, ("Vary", "Accept"))

    async def _tree(self, request: Request, path: Sequence[str], *, is_directory: bool) -> Reply:
        node: Node = self._filesystem.root
        content_type = type_of(path[-1])
        names = list(path)
        if is_directory:
            chosen = choose_form(request.headers.get("accept"), request.query.get("format"))
            if chosen is None:
                return plain(HTTPStatus.NOT_ACCEPTABLE, f"pages are served as {PLAIN_TYPE} and {JSON_TYPE}")
            form, content_type = chosen
            names.append("index.v1_json" if form == "json" else "index.html")
        for name in names:
            found = await self._filesystem.lookup(node, name)
            if isinstance(found, Absent):
                return plain(HTTPStatus.NOT_FOUND, "there is no such file")
            node = found
        return await self._files.file(request, node, content_type)

    # --- what is not for us -----------------------------------------------------------------------------------------

    async def _pass_on(self, url: str, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        is_begun = False
        try:
            if self._passing is None:
                raise OriginUnreachable(
                    f"pass on a request for {url.partition('?')[0]}", "wheelfs run --offline lets nothing out"
                )
            async with self._passing.answer(scope["method"], url, scope["headers"], _body(receive)) as answer:
                await send({"type": "http.response.start", "status": answer.status, "headers": answer.headers})
                is_begun = True
                async for piece in answer.pieces:
                    await send({"type": "http.response.body", "body": piece, "more_body": True})
        except WheelfsError as error:
            log.info("%s", error)
            if is_begun:
                return  # the connection is broken off: the client must not take a part for the whole
            body = f"wheelfs: {error}\n".encode(errors="backslashreplace")
            headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", str(len(body)).encode())]
            await send({"type": "http.response.start", "status": int(status_of(error)), "headers": headers})
            await send({"type": "http.response.body", "body": body, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _body(receive: Receive) -> AsyncIterator[bytes]:
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return
        if message.get("body"):
            yield message["body"]
        if not message.get("more_body", False):
            return


def _url(origin: str, scope: dict[str, Any]) -> str:
    """Return the whole URL that is asked for; requests to a plain proxy name it themselves (RFC 9112, 3.2.2)."""
    raw: str = (scope.get("raw_path") or scope["path"].encode()).decode("latin-1").partition("?")[0]
    query = scope["query_string"].decode("latin-1")
    url = raw if raw.startswith(("http://", "https://")) else origin + raw
    return f"{url}?{query}" if query else url
