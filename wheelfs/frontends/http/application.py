"""The tree over HTTP: an ASGI application that looks paths up, and decides nothing else.

``GET /simple/PROJECT/`` is the tree's ``simple/PROJECT/index.html`` (or its JSON form, by what the client accepts), and every
file is where the mount has it, so relative addresses in pages hold here as there.  Between two awaits a request is alone.
"""

from __future__ import annotations

import hashlib
import logging
import mimetypes
from contextlib import aclosing
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

import trio

from wheelfs.core.http import conditions
from wheelfs.core.http.authorization import carries
from wheelfs.core.simple.negotiation import HTML_TYPE, JSON_TYPE, PLAIN_TYPE, choose_form
from wheelfs.core.views import paths
from wheelfs.errors import ContentChanged, InternalError, InvalidInput, WheelfsError
from wheelfs.frontends.http import metrics
from wheelfs.frontends.http.access_log import log_access
from wheelfs.frontends.http.html_ui import POLICY, HtmlPages
from wheelfs.frontends.http.limits import HTTP_LIMITS, HttpLimits
from wheelfs.frontends.http.messages import (
    BINARY,
    IMMUTABLE,
    TEXT,
    Begun,
    Bytes,
    Relayed,
    Reply,
    Request,
    Text,
    plain,
    request_of,
)
from wheelfs.frontends.http.metrics import Metrics
from wheelfs.frontends.http.share import SharePages
from wheelfs.frontends.http.statuses import RETRY_AFTER_S, status_of
from wheelfs.model.names import parse_project_name
from wheelfs.service.tasks import failure
from wheelfs.service.vfs.nodes import DirectoryNode, FileNode
from wheelfs.service.vfs.protocol import Absent

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from wheelfs.config.settings import AccessLog
    from wheelfs.remote.http.gateway_head import HeadAnswer
    from wheelfs.service.overview import Overview
    from wheelfs.service.shares.feed import ShareFeed
    from wheelfs.service.vfs.protocol import Filesystem, Node, OpenFile
    from wheelfs.telemetry import Counters

    Receive = Callable[[], Awaitable[dict[str, Any]]]
    Send = Callable[[dict[str, Any]], Awaitable[None]]

log = logging.getLogger(__name__)

REVALIDATED: Final = "no-cache"
"""Pages may be kept but are asked for again: the answer is 304 at the cost of one round trip in the lab's own network."""

_WHOLE_BYTES: Final = 1 << 30
"""More than any page has."""

_END: Final = {"type": "http.response.body", "body": b"", "more_body": False}
_GENERATED: Final = {paths.PAGE: PLAIN_TYPE, paths.STATUS: "application/json"}


class Application:
    """ASGI 3; `wheelfs.frontends.http.server` runs it."""

    def __init__(
        self,
        filesystem: Filesystem,
        overview: Overview,
        feed: ShareFeed,
        *,
        token: str | None = None,
        workers: Sequence[Counters] = (),
        access_log: AccessLog = "off",
        limits: HttpLimits = HTTP_LIMITS,
    ) -> None:
        """Show ``filesystem`` to programs, ``overview`` to users and ``feed`` to nodes; with ``token``, only to holders of it.

        ``access_log`` says whether and how each answer is logged.

        Where ``workers`` stand between this application and its clients, they count what clients are answered.
        """
        self._limits = limits
        self._access_log = access_log
        self._filesystem = filesystem
        self._share = SharePages(feed)
        self._html = HtmlPages(overview, self._ask_indexes)
        self._metrics = Metrics(overview, workers)
        self._counters = None if workers else overview.counters
        self._token = token
        self._places = limits.requests

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return  # the server refuses what is not answered: there are no web sockets here
        if not self._places:
            busy = plain(HTTPStatus.SERVICE_UNAVAILABLE, "too many requests at once; try again", ("Retry-After", "1"))
            self._count(busy, scope["method"])
            await _send(busy, scope["method"], send, self._limits.piece_bytes)
            await send(_END)
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

    async def _answer(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """Answer while the client is connected: what it no longer waits for is not fetched for it."""
        is_sent = False
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_until_gone, receive, nursery.cancel_scope)
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
                if self._access_log != "off":
                    log_access(scope, reply, began_s, is_whole=is_sent, as_json=self._access_log == "json")
                if isinstance(reply, Bytes) and reply.file is not None:
                    reply.file.close()
                elif isinstance(reply, Relayed):
                    await reply.answer.aclose()
            nursery.cancel_scope.cancel()
        if is_sent:
            # Not in there: to end an answer looks to `_until_gone` like a client that hangs up, and a server that is cancelled
            # while it makes the connection ready for the next request forgets to limit how long that may take.
            await send(_END)

    async def _reply(self, scope: dict[str, Any]) -> Reply:
        try:
            request = request_of(scope)
            if request.headers.keys() >= {"content-length", "transfer-encoding"}:
                # A proxy may have used the other one, and taken the rest for a request: smuggling (RFC 9112, 6.1).
                return plain(HTTPStatus.BAD_REQUEST, "a body has one length", ("Connection", "close"))
            if request.method not in {"GET", "HEAD"} and not (request.method == "POST" and self._html.takes_post(request)):
                return plain(HTTPStatus.METHOD_NOT_ALLOWED, "this repository is read-only", ("Allow", "GET, HEAD"))
            if request.names == ("healthz",):
                return plain(HTTPStatus.OK, "ok", ("Cache-Control", "no-store"))
            if request.names == ("readyz",):
                return await self._readiness()
            if self._token is not None and not carries(self._token, request.headers.get("authorization")):
                challenge = ("WWW-Authenticate", 'Basic realm="wheelfs", charset="UTF-8"')
                return plain(HTTPStatus.UNAUTHORIZED, "this gateway wants its token, as the password of any user", challenge)
            return await self._authorized(request)
        except Exception as error:
            known = failure(f"answer {scope['path']!r}", error)
            self._filesystem.count_error("request", known)
            status = status_of(known)
            retry = (("Retry-After", str(RETRY_AFTER_S)),) if status == HTTPStatus.SERVICE_UNAVAILABLE else ()
            return plain(status, str(known), *retry)

    async def _readiness(self) -> Reply:
        """Reply whether clients can be served: that the process lives is told by ``/healthz``.  Raises `WheelfsError`."""
        await trio.to_thread.run_sync(self._share.check)
        return plain(HTTPStatus.OK, "ready", ("Cache-Control", "no-store"))

    async def _authorized(self, request: Request) -> Reply:
        """Reply to an authorized client; raises `WheelfsError`."""
        if request.names == ("metrics",):
            return Text(HTTPStatus.OK, metrics.CONTENT_TYPE, self._metrics.text(), (("Cache-Control", "no-store"),))
        shared = await self._of_share(request)
        if shared is not None:
            return shared
        if self._html.covers(request):
            return await self._html.reply(request)
        return await self._found(request)

    async def _of_share(self, request: Request) -> Reply | None:
        """Reply to a request of another node; None when it is not one."""
        shared = await self._share.find(request)
        return await self._file(request, shared, BINARY) if isinstance(shared, FileNode) else shared

    # --- from paths to nodes --------------------------------------------------------------------------------------

    async def _ask_indexes(self, project: str) -> None:
        """Have the indexes asked for a project, as an installer would; raises `WheelfsError`."""
        node = self._filesystem.root
        for name in ("simple", project, paths.PAGE):
            found = await self._filesystem.lookup(node, name)
            if isinstance(found, Absent):
                return
            node = found
        (await self._filesystem.open(node)).close()

    async def _found(self, request: Request) -> Reply:
        if request.names is None:
            return plain(HTTPStatus.NOT_FOUND, "no such path")
        node = self._filesystem.root
        for number, name in enumerate(request.names, 1):
            parent, found = node, await self._filesystem.lookup(node, name)
            if isinstance(found, Absent):
                return _elsewhere(request, parent, name, is_last=number == len(request.names))
            node = found
        if not node.attributes.is_dir:
            if request.is_directory:
                return plain(HTTPStatus.NOT_FOUND, "no such directory")
            return await self._file(request, node, _type_of(request.names[-1]))
        if not request.is_directory:
            return plain(HTTPStatus.MOVED_PERMANENTLY, "this is a directory", ("Location", f"{request.last}/{request.question}"))
        return await self._page(request, node)

    async def _page(self, request: Request, directory: Node) -> Reply:
        chosen = choose_form(request.headers.get("accept"), request.query.get("format"))
        if chosen is None:
            return plain(HTTPStatus.NOT_ACCEPTABLE, f"pages are served as {PLAIN_TYPE} and {JSON_TYPE}")
        form, content_type = chosen
        page = await self._filesystem.lookup(directory, paths.JSON_PAGE if form == "json" else paths.PAGE)
        if isinstance(page, Absent):
            return plain(HTTPStatus.NOT_FOUND, "there is no page here")
        return await self._file(request, page, content_type, ("Vary", "Accept"))

    # --- from nodes to replies ------------------------------------------------------------------------------------

    async def _file(self, request: Request, node: Node, content_type: str, *headers: tuple[str, str]) -> Reply:
        """Reply with a file; what is generated is read whole, since its tag is made of its text."""
        if not (node.attributes.immutable or isinstance(node, FileNode)):
            file = await self._filesystem.open(node)
            try:
                return _text(request, await _rest(file), content_type, *headers)
            finally:
                file.close()
        size, etag = node.attributes.size_bytes, None
        if node.attributes.immutable:
            etag = f'"{node.attributes.inode:016x}-{size:x}"'
            headers = (("ETag", etag), ("Cache-Control", IMMUTABLE), ("Accept-Ranges", "bytes"), *headers)
        else:  # its index gives no hash: until it is stored, it cannot be told from another file of its name
            headers = (("Cache-Control", REVALIDATED), ("Accept-Ranges", "bytes"), *headers)
        get = request.headers.get
        # HEAD is not about ranges (RFC 9110, 14.2).
        wanted = get("range") if request.method == "GET" else None
        answer = conditions.decide(
            size_bytes=size,
            etag=etag,
            if_match=get("if-match"),
            if_none_match=get("if-none-match"),
            range_=wanted,
            if_range=get("if-range"),
        )
        match answer:
            case conditions.NotModified():
                return Text(HTTPStatus.NOT_MODIFIED, content_type, b"", headers)
            case conditions.Failed():
                return plain(HTTPStatus.PRECONDITION_FAILED, "the file is another one now")
            case conditions.Unsatisfiable():
                status = HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE
                return plain(status, f"the file has {size} bytes", ("Content-Range", f"bytes */{size}"))
            case conditions.Full():
                opened = await self._begun(node, 0, size) if request.method == "GET" else None
                return Bytes(HTTPStatus.OK, content_type, opened, 0, size, headers)
            case conditions.PartialContent(start, end):
                headers = (*headers, ("Content-Range", f"bytes {start}-{end - 1}/{size}"))
                opened = await self._begun(node, start, end)
                return Bytes(HTTPStatus.PARTIAL_CONTENT, content_type, opened, start, end, headers)

    async def _begun(self, node: Node, start: int, end: int) -> Begun:
        """Open a file and read the first piece of ``[start, end)``, so that one that cannot be had has a status and a reason."""
        opened = await self._filesystem.open(node)
        try:
            # A view of the store is valid until the next checkpoint only.
            first = bytes(await opened.read(start, min(self._limits.piece_bytes, end - start)))
            if opened.size not in (None, node.attributes.size_bytes):
                raise _changed()
        except BaseException:
            opened.close()
            raise
        return Begun(opened, start, first)


def _changed() -> ContentChanged:
    return ContentChanged("send a file", "its index has another one now than when it was looked up", "ask again")


def _elsewhere(request: Request, parent: Node, name: str, *, is_last: bool) -> Reply:
    """Reply that there is nothing of this name, or send a client that spells a project its own way to the one place (PEP 503)."""
    if is_last and isinstance(parent, DirectoryNode) and parent.place.kind == "simple":
        try:
            project = parse_project_name(name)
        except InvalidInput:
            project = None
        if project is not None and project != name:
            where = f"{'../' if request.is_directory else ''}{project}/{request.question}"
            return plain(HTTPStatus.MOVED_PERMANENTLY, "projects have one name", ("Location", where))
    return plain(HTTPStatus.NOT_FOUND, "no such file or project")


def _text(request: Request, body: bytes, content_type: str, *headers: tuple[str, str]) -> Text:
    etag = f'"{hashlib.blake2b(body, digest_size=16).hexdigest()}"'
    headers = (("ETag", etag), ("Cache-Control", REVALIDATED), *headers)
    if content_type in {PLAIN_TYPE, HTML_TYPE}:  # users look at these in browsers, too
        headers = (POLICY, *headers)
    known = conditions.decide(size_bytes=len(body), etag=etag, if_none_match=request.headers.get("if-none-match"))
    if isinstance(known, conditions.NotModified):
        return Text(HTTPStatus.NOT_MODIFIED, content_type, b"", headers)
    return Text(HTTPStatus.OK, content_type, body, headers)


def _type_of(name: str) -> str:
    if name in _GENERATED:
        return _GENERATED[name]
    if name.endswith((paths.METADATA_SUFFIX, ".whl")):
        return TEXT if name.endswith(paths.METADATA_SUFFIX) else BINARY
    return mimetypes.guess_type(name)[0] or BINARY


async def _rest(file: OpenFile) -> bytes:
    # A page comes as it is kept, not as a copy: many clients may be slow to read it.
    pieces = []
    at = 0
    while piece := await file.read(at, _WHOLE_BYTES):
        pieces.append(piece)
        at += len(piece)
    return pieces[0] if len(pieces) == 1 and isinstance(pieces[0], bytes) else b"".join(pieces)


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
            raise _changed()
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


async def _until_gone(receive: Receive, scope: trio.CancelScope) -> None:
    """Cancel ``scope`` when the client hangs up; request bodies are read and thrown away."""
    while (await receive())["type"] != "http.disconnect":
        pass
    scope.cancel()
