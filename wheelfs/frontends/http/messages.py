"""Requests and replies as values: what the application decides on, and what it decides."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl, quote, unquote_to_bytes

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping
    from http import HTTPStatus

    from wheelfs.remote.http.gateway_head import HeadAnswer
    from wheelfs.service.vfs.protocol import OpenFile

Scope = dict[str, Any]

TEXT: Final = "text/plain; charset=utf-8"
BINARY: Final = "application/octet-stream"
NEVER_KEPT: Final = "no-store"
IMMUTABLE: Final = "max-age=31536000, immutable"
"""For what has the digest of its bytes in its address.  Not ``public``: a cache that many share would give what came for a token
to clients without one (RFC 9111, 3.5)."""
POLICY: Final = (
    "Content-Security-Policy",
    "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
)
"""Foreign text is on these pages, escaped; this is a second line of defence."""
MAX_SEGMENTS: Final = 12
"""The deepest path of the tree (``index/NAME/asof/DATE/here/simple/PROJECT/FILE``) has eight."""
MAX_FIELDS: Final = 8
_ABSOLUTE: Final = re.compile(r"\Ahttps?://[^/]*", re.IGNORECASE)
"""How an address may begin that is asked for as proxies are (RFC 9112, 3.2.2); the host in it does not matter here."""


class Request(msgspec.Struct, frozen=True):
    """A GET or HEAD; ``names`` are the decoded parts of the path, None where no file of ours could have such a name.

    ``raw_query`` is as the client spells it, without a question mark.
    """

    method: str
    path: str
    names: tuple[str, ...] | None
    is_directory: bool
    query: Mapping[str, str]
    headers: Mapping[str, str]
    raw_query: str = ""
    scheme: str = "http"
    extension: Any = None
    """What an application found out of a request before it was answered."""

    @property
    def host(self) -> str:
        """Host and port as the client spells them."""
        return self.headers.get("host", "localhost")

    @property
    def base_url(self) -> str:
        """Where the client sees the root, without a slash at the end; by its own headers, which no other client sees."""
        is_https = self.scheme == "https" or self.headers.get("x-forwarded-proto") == "https"
        return f"{'https' if is_https else 'http'}://{self.host}"

    @property
    def question(self) -> str:
        """The query as an address has it, question mark included; empty where there is none."""
        return f"?{self.raw_query}" if self.raw_query else ""

    @property
    def last(self) -> str:
        """The last part of the path, encoded."""
        return quote(self.names[-1], safe="") if self.names else ""


def request_of(scope: Scope) -> Request:
    """Return the request of an ASGI scope; repeated headers are joined as RFC 9110 (5.3) says."""
    headers: dict[str, str] = {}
    for name, value in scope["headers"]:
        key, text = name.decode("latin-1").lower(), value.decode("latin-1")
        headers[key] = f"{headers[key]}, {text}" if key in headers else text
    raw: bytes = scope.get("raw_path") or quote(scope["path"]).encode()
    path = _ABSOLUTE.sub("", raw.partition(b"?")[0].decode("latin-1"), count=1) or "/"
    # No request of ours has more fields: those after them are not looked at.
    raw_query = scope["query_string"].decode("latin-1")
    query = parse_qsl("&".join(raw_query.split("&")[:MAX_FIELDS]))
    return Request(
        method=scope["method"],
        path=path,
        names=_names(path),
        is_directory=path.endswith("/"),
        query=dict(reversed(query)),
        headers=headers,
        raw_query=raw_query,
        scheme=scope["scheme"],
        extension=scope.get("wheelfs"),
    )


def _names(path: str) -> tuple[str, ...] | None:
    """Return the decoded parts of a path, or None: the tree has no names that are empty, dots, or hold slashes or NULs."""
    parts = path.removeprefix("/").removesuffix("/").split("/") if path.strip("/") else []
    if len(parts) > MAX_SEGMENTS or path.startswith("//") or path.endswith("//"):
        return None
    names = []
    for part in parts:
        try:
            name = unquote_to_bytes(part).decode()
        except UnicodeDecodeError:
            return None
        if name in {"", ".", ".."} or "/" in name or "\0" in name:
            return None
        names.append(name)
    return tuple(names)


class Text(msgspec.Struct, frozen=True):
    """A reply whose whole body is in memory."""

    status: HTTPStatus
    content_type: str
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()

    @property
    def length(self) -> int:
        """The size of the body in bytes."""
        return len(self.body)


class Begun:
    """An open file of which the first piece of an answer is here: an error in reading it still becomes a status."""

    def __init__(self, file: OpenFile, start: int, first: bytes) -> None:
        """``first`` stands at ``start``."""
        self.direct_io = file.direct_io
        self._file = file
        self._start = start
        self._first = first

    @property
    def size(self) -> int | None:
        """The size in bytes; None while it is not known."""
        return self._file.size

    async def read(self, offset: int, size: int) -> bytes | memoryview:
        """Return bytes; the first piece is given away once, so that a slow client does not hold it and the next one."""
        first, self._first = self._first, b""
        if first and offset == self._start and len(first) <= size:
            return first
        return await self._file.read(offset, size)

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class Bytes(msgspec.Struct, frozen=True):
    """The bytes ``[start, end)`` of an open file, which is closed when they were sent; ``file`` is None for HEAD."""

    status: HTTPStatus
    content_type: str
    file: OpenFile | None
    start: int
    end: int
    headers: tuple[tuple[str, str], ...] = ()

    @property
    def length(self) -> int:
        """The size of the body in bytes."""
        return self.end - self.start


class Relayed(msgspec.Struct, frozen=True):
    """Another process's answer, passed on as it comes; to be closed."""

    answer: HeadAnswer

    @property
    def status(self) -> int:
        """The status that it has."""
        return self.answer.status

    @property
    def length(self) -> int:
        """The size of the body in bytes."""
        return self.answer.length


Reply = Text | Bytes | Relayed


def plain(status: HTTPStatus, text: str, *headers: tuple[str, str]) -> Text:
    """Return a reply of one line of plain text.  One that says no is not to be kept: a cache may keep a 404 unless told so."""
    if status >= 400:
        headers = (*headers, ("Cache-Control", NEVER_KEPT))
    return Text(status, TEXT, f"{text}\n".encode(errors="backslashreplace"), headers)
