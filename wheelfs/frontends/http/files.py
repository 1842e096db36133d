"""Replies that carry files and pages of the tree: conditions, ranges, tags, and a first piece before the status is sent."""

from __future__ import annotations

import hashlib
import mimetypes
from dataclasses import replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from wheelfs.core.http import conditions
from wheelfs.core.simple.negotiation import HTML_TYPE, PLAIN_TYPE
from wheelfs.core.views import paths
from wheelfs.errors import ContentChanged
from wheelfs.frontends.http.messages import BINARY, IMMUTABLE, POLICY, TEXT, Begun, Bytes, Reply, Request, Text, plain
from wheelfs.service.vfs.nodes import FileNode, PartNode

if TYPE_CHECKING:
    from wheelfs.frontends.http.limits import HttpLimits
    from wheelfs.service.vfs.protocol import Filesystem, Node, OpenFile

REVALIDATED: Final = "no-cache"
"""Pages, and files by their name, may be kept but are asked for again: the answer is 304 at the cost of one round trip in the
lab's own network.  A page that lists another file under the name, and a kept one, are a hash that does not match."""

_WHOLE_BYTES: Final = 1 << 30
"""More than any page has."""

_GENERATED: Final = {paths.PAGE: PLAIN_TYPE, paths.STATUS: "application/json"}


class _OtherSize(Exception):
    """A file that was verified has another size than its page says."""

    def __init__(self, size_bytes: int) -> None:
        super().__init__(size_bytes)
        self.size_bytes = size_bytes


class FileReplies:
    """Replies with nodes of ``filesystem``."""

    def __init__(self, filesystem: Filesystem, limits: HttpLimits) -> None:
        self._filesystem = filesystem
        self._limits = limits

    async def file(
        self, request: Request, node: Node, content_type: str, *headers: tuple[str, str], is_by_digest: bool = False
    ) -> Reply:
        """Reply with a file; one whose page was wrong about its size is known with the right one once it is open.

        ``is_by_digest``: the address can never be that of other bytes.
        """
        if not (node.attributes.immutable or isinstance(node, FileNode)):
            return await self._generated(request, node, content_type, *headers)
        kept = ("Cache-Control", IMMUTABLE if is_by_digest and node.attributes.immutable else REVALIDATED)
        try:
            return await self._sized(request, node, content_type, kept, *headers)
        except _OtherSize as other:
            assert isinstance(node, FileNode)
            return await self._sized(request, replace(node, size_bytes=other.size_bytes), content_type, kept, *headers)

    async def _generated(self, request: Request, node: Node, content_type: str, *headers: tuple[str, str]) -> Reply:
        """Reply with what is read whole, since its tag is made of its text."""
        file = await self._filesystem.open(node)
        try:
            return text(request, await _rest(file), content_type, *headers)
        finally:
            file.close()

    async def _sized(self, request: Request, node: Node, content_type: str, *headers: tuple[str, str]) -> Reply:
        """Reply with a file of a known size."""
        size, etag = node.attributes.size_bytes, None
        if node.attributes.immutable:
            etag = f'"{node.attributes.inode:016x}-{size:x}"'
            headers = (("ETag", etag), *headers)
        # Else its index gives no hash: until it is stored, it cannot be told from another file of its name.
        headers = (("Accept-Ranges", "bytes"), *headers)
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
        opened = await self._filesystem.open(replace(node, start=start, end=end) if isinstance(node, PartNode) else node)
        try:
            # A view of the store is valid until the next checkpoint only.
            first = bytes(await opened.read(start, min(self._limits.piece_bytes, end - start)))
            if opened.size not in (None, node.attributes.size_bytes):
                raise _OtherSize(opened.size) if node.attributes.immutable else changed()
        except BaseException:
            opened.close()
            raise
        return Begun(opened, start, first)


def changed() -> ContentChanged:
    """Return the error of a file that became another one while it was being sent."""
    return ContentChanged("send a file", "its index has another one now than when it was looked up", "ask again")


def text(request: Request, body: bytes, content_type: str, *headers: tuple[str, str]) -> Text:
    """Reply with a generated text; its tag is made of it."""
    etag = f'"{hashlib.blake2b(body, digest_size=16).hexdigest()}"'
    headers = (("ETag", etag), ("Cache-Control", REVALIDATED), *headers)
    if content_type in {PLAIN_TYPE, HTML_TYPE}:  # users look at these in browsers, too
        headers = (POLICY, *headers)
    known = conditions.decide(size_bytes=len(body), etag=etag, if_none_match=request.headers.get("if-none-match"))
    if isinstance(known, conditions.NotModified):
        return Text(HTTPStatus.NOT_MODIFIED, content_type, b"", headers)
    return Text(HTTPStatus.OK, content_type, body, headers)


def type_of(name: str) -> str:
    """Return the media type of a file by its name."""
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
