"""The head of a gateway with several workers, asked by one of them over a socket of the file system."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING, Final

import httpx2
import trio

from wheelfs.core.http.ranges import length_of
from wheelfs.remote.http.client import pieces_of
from wheelfs.remote.http.errors import as_origin_errors

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping

ATTEMPTED: Final = "ask the gateway's own process for indexes"
SILENT_S: Final = 900.0
"""More than the head lets any index be silent (the configuration's bound is 600 s): it tells us what went wrong itself."""
CONNECT_S: Final = 5.0
MAX_CONNECTIONS: Final = 1024
"""A worker has no more requests under way."""
MAX_IDLE: Final = 32
# RFC 9110, 7.6.1: what is about the connection itself; the server writes its own date.
_OWN: Final = frozenset({b"connection", b"keep-alive", b"transfer-encoding", b"date", b"server"})


class HeadAnswer:
    """The head's answer, its body unread; to be closed."""

    def __init__(self, response: httpx2.Response) -> None:
        self._response = response
        self.status: int = response.status_code
        self.headers = [(name.lower(), value) for name, value in response.headers.raw if name.lower() not in _OWN]
        self.length = length_of(response.headers) or 0

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        """Yield the body as it comes; raises `OriginError`.  To be closed (``aclosing``)."""
        with as_origin_errors(ATTEMPTED):
            async with aclosing(pieces_of(self._response)) as arriving:
                async for piece in arriving:
                    yield piece

    async def aclose(self) -> None:
        """End it, read or not."""
        with trio.move_on_after(1.0, shield=True):
            await self._response.aclose()


class GatewayHead:
    """Connections to the head."""

    def __init__(self, path: str) -> None:
        """``path`` of its socket has no more than 107 bytes."""
        limits = httpx2.Limits(max_connections=MAX_CONNECTIONS, max_keepalive_connections=MAX_IDLE, keepalive_expiry=5.0)
        self._http = httpx2.AsyncClient(
            transport=httpx2.AsyncHTTPTransport(uds=path, limits=limits),
            timeout=httpx2.Timeout(connect=CONNECT_S, read=SILENT_S, write=10.0, pool=None),
            trust_env=False,
        )

    async def ask(self, method: str, target: str, headers: Mapping[str, str]) -> HeadAnswer:
        """Ask for ``target`` (path and query, encoded); raises `OriginError`."""
        with as_origin_errors(ATTEMPTED):
            request = self._http.build_request(method, f"http://head{target}", headers=dict(headers))
            return HeadAnswer(await self._http.send(request, stream=True, follow_redirects=False))

    async def aclose(self) -> None:
        """Close all connections."""
        await self._http.aclose()
