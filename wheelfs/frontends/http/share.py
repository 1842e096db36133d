"""What other nodes ask of a gateway, below ``/-/share/v1/``: news of its files, and files by their sha256.

``news?since=POINT`` is MessagePack (`wheelfs.model.shared.News`); ``file/SHA256`` is a sealed file, with ranges.  A file that is
not sealed here is 404: nodes then ask their own indexes, or this gateway as one.
"""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

import msgspec
import trio

from wheelfs.frontends.http.messages import Reply, Request, Text, plain

if TYPE_CHECKING:
    from wheelfs.service.giving import Giving
    from wheelfs.service.nodes import FileNode

PREFIX: Final = ("-", "share", "v1")
_SHA256: Final = re.compile(r"[0-9a-f]{64}\Z")


class SharePages:
    """Answers nodes."""

    def __init__(self, giving: Giving) -> None:
        """Give what ``giving`` has."""
        self._giving = giving

    async def news(self, request: Request) -> Reply:
        """Return what is new since the point in the query."""
        told = await trio.to_thread.run_sync(self._giving.news, request.query.get("since"))
        return Text(HTTPStatus.OK, "application/msgpack", msgspec.msgpack.encode(told), (("Cache-Control", "no-store"),))

    def find(self, request: Request) -> FileNode | Reply | None:
        """Return the stored file that the path names, what else is to be answered, or None for a path of another kind."""
        if request.names is None or request.names[:3] != PREFIX:
            return None
        match request.names[3:]:
            case ("file", sha256) if _SHA256.match(sha256):
                node = self._giving.node(bytes.fromhex(sha256))
                return plain(HTTPStatus.NOT_FOUND, "this gateway does not have that file") if node is None else node
        return plain(HTTPStatus.NOT_FOUND, "this gateway has no such question")
