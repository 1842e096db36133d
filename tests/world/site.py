"""A host on loopback whose answers are scripted, path by path: what an index or its file server does, to the byte."""

from __future__ import annotations

import hashlib
import re
import threading
from typing import TYPE_CHECKING, Literal, Self
from urllib.parse import unquote

from tests.fakes.server import Answer, Request, Server

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    from tests.fakes import faults

LAST_MODIFIED = "Tue, 14 Nov 2023 22:13:20 GMT"


class Site:
    """Answers ``routes`` by path, without query; else by ``fallback``.  Stopped, it refuses connections on its port."""

    tls_context: ssl.SSLContext | None = None

    def __init__(self, address: str, port: int) -> None:
        self.address = address
        self.port = port
        self.url = f"http://{address}:{port}"
        self.routes: dict[str, Callable[[Request], Answer]] = {}
        self.fallback: Callable[[Request], Answer] = lambda _: Answer(404, b"no such thing\n", {"Content-Type": "text/plain"})
        self.actions: dict[str, faults.Action] = {}
        self.requests: list[Request] = []
        self.answering = threading.Event()
        self.answering.set()
        self._server: Server | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Listen, if it does not yet."""
        if self._server is None:
            self._server = Server(self, self.address, self.port)
            self._server.begin()

    def stop(self) -> None:
        """Refuse connections; what is open is cut."""
        server, self._server = self._server, None
        if server is not None:
            server.end()

    def next_fault(self, method: str, path: str) -> faults.Action | None:
        """What happens on the wire to answers for this path, every time."""
        return self.actions.get(path.partition("?")[0])

    def answer(self, request: Request, action: faults.Action | None) -> Answer:
        """Answer by path, written as it is or in another way; called by connection threads."""
        path = request.path.partition("?")[0]
        reply = self.routes.get(path)
        if reply is None:
            reply = next((found for other, found in list(self.routes.items()) if unquote(other) == unquote(path)), self.fallback)
        return reply(request)


def content(
    body: bytes,
    *,
    headers: dict[str, str] | None = None,
    etag: str | None = "",
    last_modified: str | None = LAST_MODIFIED,
    content_type: str = "application/octet-stream",
    ranges: Literal["yes", "no"] = "yes",
    status: int = 200,
) -> Callable[[Request], Answer]:
    """Return a reply with ``body`` that does all of RFC 9110 that a good file server does, validators and ranges.

    ``etag``: made from the body unless given; None: none.
    """
    tag = f'"{hashlib.sha256(body).hexdigest()[:16]}"' if etag == "" else etag

    def reply(request: Request) -> Answer:
        said = {"Content-Type": content_type, **({"ETag": tag} if tag else {})}
        said |= {"Last-Modified": last_modified} if last_modified else {}
        said |= headers or {}
        if tag is not None and request.headers.get("if-none-match") == tag:
            return Answer(304, b"", said)
        asked = re.fullmatch(r"bytes=(\d*)-(\d*)", request.range or "")
        valid = request.headers.get("if-range") in (None, tag, last_modified)
        if ranges == "no" or asked is None or not valid or status != 200:
            return Answer(status, body, said)
        said["Accept-Ranges"] = "bytes"
        first, last = _bounds(asked[1], asked[2], len(body))
        if first > last:
            return Answer(416, b"", {"Content-Range": f"bytes */{len(body)}"})
        said["Content-Range"] = f"bytes {first}-{last}/{len(body)}"
        return Answer(206, body[first : last + 1], said)

    return reply


def _bounds(first: str, last: str, size: int) -> tuple[int, int]:
    if first:
        return int(first), min(int(last or size), size - 1)
    return max(0, size - int(last or 0)), size - 1


def redirect(location: str, status: int = 302) -> Callable[[Request], Answer]:
    """Return a reply that leads elsewhere."""
    return lambda _: Answer(status, b"", {"Location": location})


def fixed(status: int, body: bytes = b"", headers: dict[str, str] | None = None) -> Callable[[Request], Answer]:
    """Return a reply that is the same whatever was asked."""
    return lambda _: Answer(status, body, dict(headers or {"Content-Type": "text/plain"}))
