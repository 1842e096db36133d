"""Passing a client's request on as it is, to the host that it was meant for: what wheelfs itself has no answer to."""

from __future__ import annotations

import os
from contextlib import asynccontextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Final

import msgspec

from wheelfs.core.proxy.head import HOP_BY_HOP, Header
from wheelfs.core.proxy.upstream import check_proxies
from wheelfs.remote.http.client import pieces_of
from wheelfs.remote.http.errors import as_origin_errors
from wheelfs.remote.http.tls import CA_VARIABLES, trust

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence

    import httpx2

CONNECT_S: Final = 30.0

_ONE_CONNECTION: Final = HOP_BY_HOP | {b"transfer-encoding"}
"""Bodies are framed again on the next connection."""


class RelayedAnswer(msgspec.Struct, frozen=True):
    """Another host's answer; ``pieces`` is its body as it was sent, content codings and all."""

    status: int
    headers: list[Header]
    pieces: AsyncGenerator[bytes, None]


class Relay:
    """Connections to any host, as the caller's environment would have them (proxies, trusted authorities)."""

    def __init__(self, environ: Mapping[str, str], *, read_timeout_s: float, proxy: str | None = None) -> None:
        """``read_timeout_s`` is how long the answer to a GET or HEAD may be silent; ``proxy`` goes before the environment's.

        Raises `UsageError` when the environment names authorities that cannot be read, or a proxy that cannot be used.
        """
        self._bundle = next((environ[name] for name in CA_VARIABLES if environ.get(name)), None)
        if self._bundle is not None:
            trust(self._bundle)
        if proxy is None:
            check_proxies(os.environ)  # which is what the library reads
        self._proxy = proxy
        self._read_timeout_s = read_timeout_s

    @cached_property
    def _http(self) -> httpx2.AsyncClient:
        """The library, imported when something is passed on: most runs have nothing that is."""
        import httpx2

        timeout = httpx2.Timeout(self._read_timeout_s, connect=CONNECT_S)
        return httpx2.AsyncClient(verify=trust(self._bundle), proxy=self._proxy, timeout=timeout)

    async def aclose(self) -> None:
        """Close all connections."""
        if (made := vars(self).get("_http")) is not None:
            await made.aclose()

    @asynccontextmanager
    async def answer(
        self, method: str, url: str, headers: Sequence[Header], body: AsyncIterator[bytes]
    ) -> AsyncIterator[RelayedAnswer]:
        """Send the request and lend the answer; redirects are answers like others.  Raises `OriginError`."""
        import httpx2

        kept = [(name, value) for name, value in headers if name.lower() not in _ONE_CONNECTION]
        has_body = any(name.lower() in {b"content-length", b"transfer-encoding"} for name, _ in headers)
        # An upload may be worked on for long, and has been done when it is answered: how long to wait, its client decides.
        patient = httpx2.Timeout(None, connect=CONNECT_S, pool=self._read_timeout_s).as_dict()
        extensions = {} if method in {"GET", "HEAD"} else {"timeout": patient}
        request = httpx2.Request(method, url, headers=kept, content=body if has_body else None, extensions=extensions)
        with as_origin_errors(f"pass a request on to {request.url.host}"):
            response = await self._http.send(request, stream=True, auth=None, follow_redirects=False)
            try:
                sent = [(name, value) for name, value in response.headers.raw if name.lower() not in _ONE_CONNECTION]
                yield RelayedAnswer(response.status_code, sent, pieces_of(response))
            finally:
                await response.aclose()
