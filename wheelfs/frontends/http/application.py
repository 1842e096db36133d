"""The tree over HTTP: an ASGI application that looks paths up, and decides nothing else.

``GET /simple/PROJECT/`` is the tree's ``simple/PROJECT/index.html`` (or its JSON form, by what the client accepts), and every
file is where the mount has it, so relative addresses in pages hold here as there.  Between two awaits a request is alone.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Final

import trio

from wheelfs.core.http.authorization import carries
from wheelfs.core.simple.negotiation import JSON_TYPE, PLAIN_TYPE, choose_form
from wheelfs.core.views import paths
from wheelfs.errors import InvalidInput
from wheelfs.frontends.http import metrics
from wheelfs.frontends.http.answering import Answering
from wheelfs.frontends.http.files import FileReplies, type_of
from wheelfs.frontends.http.html_ui import HtmlPages, lost_page
from wheelfs.frontends.http.limits import HTTP_LIMITS, HttpLimits
from wheelfs.frontends.http.messages import (
    BINARY,
    NEVER_KEPT,
    Reply,
    Request,
    Text,
    plain,
)
from wheelfs.frontends.http.metrics import Metrics
from wheelfs.frontends.http.share import UNKNOWN_FILE, SharePages, WantedPart
from wheelfs.model.names import parse_project_name
from wheelfs.service.vfs.nodes import DirectoryNode, FileNode, PartNode
from wheelfs.service.vfs.protocol import Absent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wheelfs.config.settings import AccessLog
    from wheelfs.frontends.http.proxy.url_replies import UrlReplies
    from wheelfs.service.overview import Overview
    from wheelfs.service.shares.feed import ShareFeed
    from wheelfs.service.vfs.protocol import Filesystem, Node
    from wheelfs.telemetry import Counters

PROXY: Final = "/proxy/"
"""URLs of the indexes and of their files stand below it."""


class Application(Answering):
    """ASGI 3; `wheelfs.frontends.http.server` runs it."""

    def __init__(
        self,
        filesystem: Filesystem,
        overview: Overview,
        feed: ShareFeed,
        *,
        by_url: UrlReplies | None = None,
        token: str | None = None,
        workers: Sequence[Counters] = (),
        access_log: AccessLog = "off",
        limits: HttpLimits = HTTP_LIMITS,
    ) -> None:
        """Show ``filesystem`` to programs, ``overview`` to users and ``feed`` to nodes; with ``token``, only to holders of it.

        ``by_url`` answers for URLs of the indexes below `PROXY`; None where another process does.

        ``access_log`` says whether and how each answer is logged.

        Where ``workers`` stand between this application and its clients, they count what clients are answered.
        """
        super().__init__(filesystem, None if workers else overview.counters, limits, access_log)
        self._files = FileReplies(filesystem, limits)
        self._share = SharePages(feed)
        self._html = HtmlPages(overview, self._ask_indexes)
        self._metrics = Metrics(overview, workers)
        self._by_url = by_url
        self._token = token

    def reconfigure(self, *, token: str | None, access_log: AccessLog) -> None:
        """Go by another token, and log answers otherwise, from the next request on."""
        self._token = token
        self._access_log = access_log

    async def reply(self, request: Request) -> Reply:
        """Reply to a client; raises `WheelfsError`."""
        if request.names == ("healthz",):
            return plain(HTTPStatus.OK, "ok", ("Cache-Control", NEVER_KEPT))
        if request.names == ("readyz",):
            return await self._readiness()
        if self._token is not None and not carries(self._token, request.headers.get("authorization")):
            challenge = ("WWW-Authenticate", 'Basic realm="wheelfs", charset="UTF-8"')
            return plain(HTTPStatus.UNAUTHORIZED, "this gateway wants its token, as the password of any user", challenge)
        return await self._authorized(request)

    def takes_post(self, request: Request) -> bool:
        return self._html.takes_post(request)

    async def _readiness(self) -> Reply:
        """Reply whether clients can be served: that the process lives is told by ``/healthz``.  Raises `WheelfsError`."""
        await trio.to_thread.run_sync(self._share.check)
        return plain(HTTPStatus.OK, "ready", ("Cache-Control", NEVER_KEPT))

    async def _authorized(self, request: Request) -> Reply:
        """Reply to an authorized client; raises `WheelfsError`."""
        if request.names == ("metrics",):
            return Text(HTTPStatus.OK, metrics.CONTENT_TYPE, self._metrics.text(), (("Cache-Control", NEVER_KEPT),))
        if self._by_url is not None and request.path.startswith(PROXY):
            return await self._by_url.at(request, PROXY)
        shared = await self._of_share(request)
        if shared is not None:
            return shared
        if self._html.covers(request):
            return await self._html.reply(request)
        return await self._found(request)

    async def _of_share(self, request: Request) -> Reply | None:
        """Reply to a request of another node; None when it is not one."""
        shared = await self._share.find(request)
        if isinstance(shared, WantedPart):
            shared = await self._part(shared)
        if isinstance(shared, FileNode):
            return await self._files.file(request, shared, BINARY, is_by_digest=True)
        return shared

    async def _part(self, wanted: WantedPart) -> FileNode | Reply:
        """Return a file as the tree has it, to be fetched by its ranges; raises `OriginError`."""
        node = self._filesystem.root
        for name in ("simple", wanted.project, wanted.filename):
            found = await self._filesystem.lookup(node, name)
            if isinstance(found, Absent):
                return UNKNOWN_FILE
            node = found
        if not isinstance(node, FileNode) or node.ref.link.sha256 != wanted.sha256:
            return UNKNOWN_FILE
        return PartNode(node.ref, node.size_bytes)

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
            if isinstance(found, DirectoryNode) and found.place.kind == "environments":
                return plain(HTTPStatus.NOT_FOUND, "environments are shown by mounts alone")
            node = found
        if not node.attributes.is_dir:
            if request.is_directory:
                return plain(HTTPStatus.NOT_FOUND, "no such directory")
            return await self._files.file(request, node, type_of(request.names[-1]))
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
        return await self._files.file(request, page, content_type, ("Vary", "Accept"))


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
    if is_last and len(request.names or ()) == 1:
        # A browser's address without /project, or an index URL without /simple.
        if request.headers.get("accept", "").startswith("text/html"):
            return lost_page(request)
        return plain(HTTPStatus.NOT_FOUND, f"no such file; the index for installers is {request.base_url}/simple/")
    return plain(HTTPStatus.NOT_FOUND, "no such file or project")
