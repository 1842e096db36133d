"""Replies to URLs of indexes and of their files: pages as the indexes themselves would give them, and files out of the store."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from wheelfs.core.proxy.layout import url_of
from wheelfs.core.simple.negotiation import JSON_TYPE, PLAIN_TYPE, choose_form
from wheelfs.core.views import paths
from wheelfs.frontends.http.files import FileReplies, text, type_of
from wheelfs.frontends.http.limits import HTTP_LIMITS, HttpLimits
from wheelfs.frontends.http.messages import BINARY, plain
from wheelfs.service.projects.by_url import FileAt, ListOfProjects, PageOf, ReleaseOf, StoredAt
from wheelfs.service.vfs.nodes import FileNode
from wheelfs.service.vfs.protocol import Absent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wheelfs.core.views.paths import Form
    from wheelfs.frontends.http.messages import Reply, Request
    from wheelfs.model.names import ProjectName
    from wheelfs.service.file_refs import FileRef
    from wheelfs.service.projects.by_url import Urls
    from wheelfs.service.vfs.original_pages import OriginalPages
    from wheelfs.service.vfs.protocol import Filesystem, Node

_BY_DIGEST: Final = re.compile(r"/(?:[0-9a-f]{2}/[0-9a-f]{2}/[0-9a-f]{60}|[0-9a-f]{64})/[^/]+\Z")
"""Addresses of files on PyPI and on GitLab, which the digest is part of: such indexes say that they never change, too."""

Known = ListOfProjects | PageOf | ReleaseOf | FileAt | StoredAt


class UrlReplies:
    """Replies with what URLs mean that ``urls`` recognises."""

    def __init__(self, filesystem: Filesystem, urls: Urls, pages: OriginalPages, limits: HttpLimits = HTTP_LIMITS) -> None:
        self._filesystem = filesystem
        self._files = FileReplies(filesystem, limits)
        self._urls = urls
        self._pages = pages

    async def at(self, request: Request, prefix: str) -> Reply:
        """Reply to a path below ``prefix``, in the layout of `wheelfs.core.proxy.layout`.

        This is no open proxy: what no configured index has, or had when it was stored, is not there.
        """
        url = url_of(request.path.removeprefix(prefix) + request.question, self._urls.indexes.values())
        meaning = None if url is None else await self._urls.meaning(url)
        match meaning:
            case StoredAt(ref) if ref.origin not in self._urls.indexes:
                pass
            case ListOfProjects() | PageOf() | FileAt() | StoredAt():
                return await self.known(request, meaning)
            case _:
                pass
        return plain(HTTPStatus.NOT_FOUND, "no configured index has this")

    async def known(self, request: Request, meaning: Known) -> Reply:
        """Reply with what is an index's; raises `WheelfsError`."""
        match meaning:
            case PageOf(index, project, is_canonical):
                if not is_canonical:
                    where = f"{'../' if request.is_directory else ''}{project}/{request.question}"
                    return plain(HTTPStatus.MOVED_PERMANENTLY, "projects have one name", ("Location", where))
                return await self._page(request, index, project)
            case ListOfProjects(index):
                chosen = choose_form(request.headers.get("accept"), request.query.get("format"))
                if chosen is None:
                    return _unacceptable()
                form, content_type = chosen
                page = paths.JSON_PAGE if form == "json" else paths.PAGE
                return await self._in_tree(request, ("index", index, "simple", page), content_type, ("Vary", "Accept"))
            case ReleaseOf(index, project, version):
                body = await self._pages.release(index, project, version)
                if body is None:
                    return plain(HTTPStatus.NOT_FOUND, f"{index} has no {project} {version}")
                return text(request, body, "application/json")
            case FileAt(path):
                return await self._in_tree(request, path, type_of(path[-1]))
            case StoredAt(ref):
                assert ref.link.size_bytes is not None, "it is stored"
                return await self.file(request, ref, ref.link.size_bytes)

    async def file(self, request: Request, ref: FileRef, size_bytes: int) -> Reply:
        """Reply with a file that has no place in the tree."""
        is_by_digest = _BY_DIGEST.search(request.path) is not None
        return await self._files.file(request, FileNode(ref, size_bytes), BINARY, is_by_digest=is_by_digest)

    async def _page(self, request: Request, index: str, project: ProjectName) -> Reply:
        chosen: tuple[Form, str] | None = choose_form(request.headers.get("accept"), request.query.get("format"))
        if chosen is None:
            return _unacceptable()
        form, content_type = chosen
        body = await self._pages.project(index, project, form)
        if body is None:
            return plain(HTTPStatus.NOT_FOUND, f"{index} has no project {project}")
        return text(request, body, content_type, ("Vary", "Accept"))

    async def _in_tree(self, request: Request, path: Sequence[str], content_type: str, *headers: tuple[str, str]) -> Reply:
        node: Node = self._filesystem.root
        for name in path:
            found = await self._filesystem.lookup(node, name)
            if isinstance(found, Absent):
                return plain(HTTPStatus.NOT_FOUND, "there is no such file")
            node = found
        is_by_digest = _BY_DIGEST.search(request.path) is not None
        return await self._files.file(request, node, content_type, *headers, is_by_digest=is_by_digest)


def _unacceptable() -> Reply:
    return plain(HTTPStatus.NOT_ACCEPTABLE, f"pages are served as {PLAIN_TYPE} and {JSON_TYPE}")
