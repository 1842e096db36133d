"""What other nodes ask of a gateway, below ``/-/share/v1/``: changes of its files, files by their sha256, and how they are made.

``part/PROJECT/FILENAME/SHA256`` is one of which only ranges are wanted, which a gateway fetches from its index alone.
``news?since=CURSOR`` is MessagePack (`wheelfs.model.shared.FeedPage`); ``file/SHA256`` is a sealed file, with ranges, or one that
is being fetched from its index; ``manifest/SHA256`` says how a sealed one is made (`wheelfs.model.manifest.Manifest`, without
packs).  What is not here is 404: nodes then ask their indexes, or this gateway as one.  To the byte:
docs/design/gateway-protocol.md.
"""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

import msgspec
import trio

from wheelfs.core.http import conditions
from wheelfs.frontends.http.messages import BINARY, IMMUTABLE, NEVER_KEPT, Reply, Request, Text, plain
from wheelfs.model.framing import CHECK_BYTES
from wheelfs.service.vfs.nodes import FileNode

if TYPE_CHECKING:
    from wheelfs.service.shares.feed import ShareFeed

PREFIX: Final = ("-", "share", "v1")
_SHA256: Final = re.compile(r"[0-9a-f]{64}\Z")
UNKNOWN_FILE: Final = plain(HTTPStatus.NOT_FOUND, "this gateway does not have that file")


class WantedPart(msgspec.Struct, frozen=True):
    """Parts of a file are asked for that is not stored."""

    project: str
    filename: str
    sha256: bytes


class SharePages:
    """Answers nodes."""

    def __init__(self, feed: ShareFeed) -> None:
        """Give what ``feed`` has."""
        self._feed = feed

    def check(self) -> None:
        """Raise `StoreError` where the store cannot be read."""
        self._feed.check()

    async def _events(self, request: Request) -> Reply:
        """Return what has changed since the cursor in the query."""
        events = await trio.to_thread.run_sync(self._feed.events, request.query.get("since"))
        return Text(HTTPStatus.OK, "application/msgpack", msgspec.msgpack.encode(events), (("Cache-Control", NEVER_KEPT),))

    async def find(self, request: Request) -> FileNode | WantedPart | Reply | None:
        """Return the file that the path names, what else is to be answered, or None for a path of another kind."""
        if request.names is None or request.names[:3] != PREFIX:
            return None
        match request.names[3:]:
            case ("news",):
                return await self._events(request)
            case ("file", sha256) if _SHA256.match(sha256):
                found = self._feed.file(bytes.fromhex(sha256))
                return UNKNOWN_FILE if found is None else FileNode(*found)
            case ("part", project, filename, sha256) if _SHA256.match(sha256):
                found = self._feed.file(bytes.fromhex(sha256))
                return WantedPart(project, filename, bytes.fromhex(sha256)) if found is None else FileNode(*found)
            case ("manifest", sha256) if _SHA256.match(sha256):
                return await self._manifest(request, bytes.fromhex(sha256))
        return plain(HTTPStatus.NOT_FOUND, "this gateway has no such resource")

    async def _manifest(self, request: Request, sha256: bytes) -> Reply:
        encoded = await trio.to_thread.run_sync(self._feed.manifest, sha256)
        if encoded is None:
            return UNKNOWN_FILE
        # Its own checksum identifies it: another build may cut the same file differently.
        etag = f'"{encoded[-CHECK_BYTES:].hex()}"'
        headers = (("ETag", etag), ("Cache-Control", IMMUTABLE))
        known = conditions.decide(size_bytes=len(encoded), etag=etag, if_none_match=request.headers.get("if-none-match"))
        if isinstance(known, conditions.NotModified):
            return Text(HTTPStatus.NOT_MODIFIED, BINARY, b"", headers)
        return Text(HTTPStatus.OK, BINARY, encoded, headers)
