"""HTTP as wheelfs does it: bounded, redirects and credentials by our own rules, every failure told as an `OriginError`.

Redirects are followed here and not by the client library because each hop decides anew whether credentials may go along, and
because the address of the last hop is where a page's relative links start.
"""

from __future__ import annotations

import functools
import random
import ssl
from contextlib import aclosing, asynccontextmanager, contextmanager
from http.cookiejar import CookieJar, DefaultCookiePolicy
from pathlib import Path
from typing import TYPE_CHECKING, Final

import httpx2
import trio

from wheelfs import __version__
from wheelfs.core.http_ranges import Busy, Moved, judge_status, length_of
from wheelfs.core.simple_links import absolute
from wheelfs.errors import OriginFault, UsageError
from wheelfs.remote.errors import told_as_origin_errors

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping

    from wheelfs.remote.credentials import Credentials

MAX_CONNECTIONS: Final = 16
"""Per index: what browsers and installers grant one site, times two; more gains nothing and annoys its owners."""
CONNECT_TIMEOUT_S: Final = 5.0
READ_TIMEOUT_S: Final = 30.0
"""Between two arrivals; whoever asks has a tighter bound of his own around the whole."""
MAX_REDIRECTS: Final = 8
ATTEMPTS: Final = 3
FIRST_PAUSE_S: Final = 0.2
LONGEST_RETRY_AFTER_S: Final = 3.0
"""A caller inside ``open`` waits for this; an origin that wants more patience is told of as it is."""
DRAIN_BYTES: Final = 64 * 1024
"""The body of an answer that is of no use is read up to here, which costs less than a new connection."""

_CA_VARIABLES: Final = ("SSL_CERT_FILE", "PIP_CERT", "REQUESTS_CA_BUNDLE")
_LOOPBACK: Final = ("all://localhost", "all://127.0.0.1", "all://[::1]")


class Client:
    """Connections to one index and to the hosts of its files."""

    def __init__(
        self, credentials: Credentials | None, environ: Mapping[str, str], *, read_timeout_s: float = READ_TIMEOUT_S
    ) -> None:
        """Raises `UsageError` when a bundle of authorities that the environment names cannot be read."""
        self._credentials = credentials
        with _usable_proxies():
            self._http = httpx2.AsyncClient(
                verify=_trust(next((environ[name] for name in _CA_VARIABLES if environ.get(name)), None)),
                headers={"User-Agent": f"wheelfs/{__version__}"},
                timeout=httpx2.Timeout(connect=CONNECT_TIMEOUT_S, read=read_timeout_s, write=10.0, pool=None),
                limits=httpx2.Limits(
                    max_connections=MAX_CONNECTIONS, max_keepalive_connections=MAX_CONNECTIONS, keepalive_expiry=30.0
                ),
                # A proxy can do nothing for loopback: its localhost is another one.
                mounts=dict.fromkeys(_LOOPBACK),
                # No cookies: an index has no business with a memory of its readers.
                cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
            )

    async def aclose(self) -> None:
        """Close all connections."""
        await self._http.aclose()

    @asynccontextmanager
    async def answer(
        self, method: str, url: str, headers: Mapping[str, str], *, attempted: str
    ) -> AsyncIterator[httpx2.Response]:
        """Ask, and lend the answer with its body unread: of any status but a redirect's; its ``url`` is where it was found.

        Asked again a few times when the origin is busy or the connection breaks before the answer.  What goes wrong inside the
        block with reading the body is an `OriginError` too.
        """
        with told_as_origin_errors(attempted):
            response = await self._persist(method, url, headers, attempted)
            try:
                yield response
            finally:
                # Also when cancelled: the connection has to be closed, not leaked; it takes no round trip.
                with trio.move_on_after(1.0, shield=True):
                    await response.aclose()

    async def _persist(self, method: str, url: str, headers: Mapping[str, str], attempted: str) -> httpx2.Response:
        pause_s = FIRST_PAUSE_S
        for attempts_left in reversed(range(ATTEMPTS)):
            try:
                response = await self._follow(method, url, headers, attempted)
            except (httpx2.ReadError, httpx2.WriteError, httpx2.RemoteProtocolError):
                # Mostly a kept connection that the server had just closed.
                if not attempts_left:
                    raise
            else:
                busy = judge_status(response.status_code, response.headers)
                if not isinstance(busy, Busy) or not attempts_left or (busy.retry_after_s or 0) > LONGEST_RETRY_AFTER_S:
                    return response
                await drain(response)
                pause_s = max(pause_s, busy.retry_after_s or 0)
            await trio.sleep(pause_s * random.uniform(0.8, 1.2))
            pause_s *= 3
        raise AssertionError("the last attempt returns or raises")

    async def _follow(self, method: str, url: str, headers: Mapping[str, str], attempted: str) -> httpx2.Response:
        for _ in range(MAX_REDIRECTS + 1):
            sent = {**headers, **(self._credentials.header_for(url) if self._credentials is not None else {})}
            request = self._http.build_request(method, url, headers=sent)
            response = await self._http.send(request, stream=True, auth=None, follow_redirects=False)
            moved = judge_status(response.status_code, response.headers)
            if not isinstance(moved, Moved):
                return response
            await drain(response)
            target = absolute(url, moved.location)
            if target is None:
                raise OriginFault(attempted, "it redirects to an address that cannot be used")
            if url.startswith("https:") and not target.startswith("https:"):
                raise OriginFault(attempted, "it redirects from HTTPS to an address without encryption, which is refused")
            url = target
        raise OriginFault(attempted, f"it redirects more than {MAX_REDIRECTS} times")


async def drain(response: httpx2.Response) -> None:
    """Finish with an answer that is of no use, so that its connection can be used again when its body is small."""
    try:
        length = length_of(response.headers)
        if length is not None and length <= DRAIN_BYTES:
            async with aclosing(pieces_of(response, decoded=False)) as arriving:
                async for _ in arriving:
                    pass
    finally:
        await response.aclose()


async def pieces_of(response: httpx2.Response, *, decoded: bool) -> AsyncGenerator[bytes, None]:
    """Yield the body as it arrives, uncopied; ``decoded`` undoes a content coding.  To be closed (``aclosing``)."""
    source = response.aiter_bytes() if decoded else response.aiter_raw()
    try:
        async for piece in source:
            yield piece
    finally:
        # When the reader stops early, the library leaves the generators inside its own suspended, to be found by the garbage
        # collector.  A cancellation that starts where the socket is read unwinds them all; what is buffered passes by first.
        with trio.CancelScope(shield=True) as scope:
            scope.cancel()
            async for _ in source:
                pass


async def read_body(response: httpx2.Response, limit_bytes: int, *, attempted: str) -> bytes:
    """Return the decoded body; raise `OriginFault` when it is longer than the limit, however little of it was announced."""
    pieces: list[bytes] = []
    held = 0
    async with aclosing(pieces_of(response, decoded=True)) as arriving:
        async for piece in arriving:
            held += len(piece)
            if held > limit_bytes:
                raise OriginFault(attempted, f"the answer has more than {limit_bytes >> 20} MiB")
            pieces.append(piece)
    return b"".join(pieces)


@functools.cache
def _trust(bundle: str | None) -> ssl.SSLContext:
    """Return whom to trust: the system's authorities, or those in ``bundle``; made once, since reading them takes a while."""
    if bundle is None:
        return httpx2.create_ssl_context()
    try:
        # requests takes a directory here as well.
        return ssl.create_default_context(capath=bundle) if Path(bundle).is_dir() else ssl.create_default_context(cafile=bundle)
    except OSError:  # ssl.SSLError is one
        pass
    raise UsageError(
        f"read the trusted authorities in {bundle}",
        "it cannot be read as a bundle of PEM certificates",
        f"check {', '.join(_CA_VARIABLES)} in the environment",
    )


@contextmanager
def _usable_proxies() -> Iterator[None]:
    """Tell of an impossible proxy address as a `UsageError`, without the address: it may hold a password."""
    try:
        yield
    except (ValueError, httpx2.InvalidURL):
        raise UsageError("use the proxy", "its address is invalid", "check HTTP_PROXY, HTTPS_PROXY and ALL_PROXY") from None
