"""HTTP as wheelfs does it: bounded, redirects and credentials by our own rules, every failure reported as an `OriginError`.

Redirects are followed here and not by the client library because each hop decides again whether credentials may go along, and
because the address of the last hop is where a page's relative links start.
"""

from __future__ import annotations

import os
import random
from contextlib import aclosing, asynccontextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Final

import trio

from wheelfs.core.http.coding import Decoder, can_decode, codings_of
from wheelfs.core.http.ranges import Busy, Moved, judge_status, length_of
from wheelfs.core.proxy.upstream import check_proxies
from wheelfs.core.simple.links import absolute
from wheelfs.errors import OriginFault
from wheelfs.remote.http.addresses import AddressGuard
from wheelfs.remote.http.credentials import Lent, origin_of
from wheelfs.remote.http.errors import as_origin_errors, may_pass
from wheelfs.remote.http.tls import CA_VARIABLES, DEFAULT_ACCESS, trust
from wheelfs.remote.limits import HTTP_LIMITS

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence

    import httpx2

    from wheelfs.remote.http.credentials import Credentials, OwnOrigin
    from wheelfs.remote.http.tls import Access
    from wheelfs.remote.http.user_netrc import Netrc
    from wheelfs.remote.limits import HttpLimits

SMALL_PIECE_BYTES: Final = 128 * 1024
GATHER_S: Final = 0.005
"""After a piece that is smaller than this, the next one is waited for this long, so that more of it is there: what a piece costs
on its way through the library hardly depends on its size, and a line of 200 Mbit/s brings 32 KiB at a time otherwise."""
DRAIN_BYTES: Final = 64 * 1024
"""The body of an answer that is of no use is read up to here, which costs less than a new connection."""


class Client:
    """Connections to one index and to the hosts of its files."""

    def __init__(
        self,
        origin: OwnOrigin,
        credentials: Credentials | None,
        netrc: Netrc,
        environ: Mapping[str, str],
        *,
        access: Access = DEFAULT_ACCESS,
        limits: HttpLimits = HTTP_LIMITS,
    ) -> None:
        """``origin`` is the index's own, and ``netrc`` what is known of other hosts.

        Raises `UsageError` when certificates that the environment or ``access`` name cannot be read, or a proxy cannot be used.
        """
        self._origin = origin
        self._guard = None if access.private_addresses else AddressGuard(origin[1], self._is_proxied)
        self._credentials: Credentials | Lent | None = credentials
        self._netrc = netrc
        self._limits = limits
        self._access = access
        self._ca = access.ca or next((environ[name] for name in CA_VARIABLES if environ.get(name)), None)
        if self._ca is not None or access.client_cert is not None:  # else there is nothing that could be wrong
            trust(self._ca, access.client_cert, access.client_key)
        if access.proxy is None:
            check_proxies(os.environ)  # which is what the library reads

    @cached_property
    def _http(self) -> httpx2.AsyncClient:
        from wheelfs.remote.http.connections import connections

        return connections(trust(self._ca), self._access.proxy, self._limits)

    @cached_property
    def _own(self) -> httpx2.AsyncClient:
        """Apart: what proves who we are to the index is shown to no other host."""
        from wheelfs.remote.http.connections import connections

        access = self._access
        if access.client_cert is None:
            return self._http
        return connections(trust(self._ca, access.client_cert, access.client_key), access.proxy, self._limits)

    def lend(self, authorization: str) -> bool:
        """Send this Authorization header to the index's own origin from now on, unless there are credentials of our own.

        It is kept in memory alone.  Returns whether it is another one than before.
        """
        lent = Lent(self._origin, authorization)
        if lent == self._credentials or not isinstance(self._credentials, Lent | None):
            return False
        self._credentials = lent
        return True

    async def aclose(self) -> None:
        """Close all connections."""
        for name in ("_http", "_own"):
            if (made := vars(self).get(name)) is not None:
                await made.aclose()

    @asynccontextmanager
    async def answer(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        *,
        attempted: str,
        readable: bool = False,
        reconnects: bool = False,
    ) -> AsyncIterator[httpx2.Response]:
        """Ask, and lend the answer with its body unread: of any status but a redirect's; its ``url`` is where it was found.

        ``readable``: where it comes in a coding that cannot be undone, it is asked for once more without any.  Asked again a few
        times when the origin is busy or the connection breaks before the answer, and with ``reconnects`` when there is none: a
        server restarts in a second.  What goes wrong inside the block with reading the body is an `OriginError` too.
        """
        with as_origin_errors(attempted, is_proxied=lambda: self._is_proxied(url)):
            reconnects = reconnects and self._limits.reconnects
            response = await self._persist(method, url, headers, attempted, reconnects=reconnects)
            if readable and not can_decode(codings_of(response.headers.get("content-encoding"))):
                await drain(response)
                headers = {**headers, "Accept-Encoding": "identity"}
                response = await self._persist(method, url, headers, attempted, reconnects=reconnects)
            try:
                yield response
            finally:
                # Also when cancelled: the connection has to be closed, not leaked; it takes no round trip.
                with trio.move_on_after(1.0, shield=True):
                    await response.aclose()

    async def _persist(
        self, method: str, url: str, headers: Mapping[str, str], attempted: str, *, reconnects: bool
    ) -> httpx2.Response:
        import httpx2

        pause_s = self._limits.first_pause_s
        headers = dict(headers)
        for attempts_left in reversed(range(self._limits.attempts)):
            try:
                response = await self._follow(method, url, headers, attempted)
            except (httpx2.ReadError, httpx2.WriteError, httpx2.RemoteProtocolError):
                # Mostly a kept connection that the server had just closed.
                if not attempts_left:
                    raise
            except httpx2.ConnectError as error:
                if not (attempts_left and reconnects and may_pass(error)):
                    raise
            else:
                is_elsewhere = str(response.url) != url and headers.get("Cache-Control") != "no-cache"
                if response.status_code in (403, 410) and is_elsewhere and attempts_left:
                    # Sent on to a signed address that has expired: some cache on the way has kept the redirect too long.
                    await drain(response)
                    headers["Cache-Control"] = "no-cache"
                    continue
                busy = judge_status(response.status_code, response.headers)
                if not isinstance(busy, Busy) or not attempts_left or (busy.retry_after_s or 0) > self._patience_s():
                    return response
                await drain(response)
                if busy.retry_after_s:
                    await trio.sleep(busy.retry_after_s + random.uniform(0, 0.2))
                    continue
            await trio.sleep(pause_s * random.uniform(0.8, 1.2))
            pause_s *= 3
        raise AssertionError("the last attempt returns or raises")

    def _patience_s(self) -> float:
        """Return how long an origin may ask us to wait: what leaves the caller, who has a bound, time for the answer."""
        left_s = trio.current_effective_deadline() - trio.current_time()
        return min(self._limits.longest_retry_after_s, left_s - self._limits.answer_s)

    async def _follow(self, method: str, url: str, headers: Mapping[str, str], attempted: str) -> httpx2.Response:
        import httpx2

        # Of this question alone, as far as it is sent on: firewalls that look for browsers redirect in a circle until the cookie
        # that comes with the redirect is shown.
        cookies = httpx2.Cookies()
        for _ in range(self._limits.max_redirects + 1):
            if self._guard is not None:
                await self._guard.check(url, attempted)
            response = await self._send(method, url, headers, cookies)
            await self._check_peer(url, response, attempted)
            moved = judge_status(response.status_code, response.headers)
            if not isinstance(moved, Moved):
                return response
            cookies.extract_cookies(response)
            await drain(response)
            target = absolute(url, moved.location)
            if target is None:
                raise OriginFault(attempted, "it redirects to an address that cannot be used")
            if url.startswith("https:") and not target.startswith("https:"):
                raise OriginFault(attempted, "it redirects from HTTPS to an address without encryption, which is refused")
            url = target
        raise OriginFault(attempted, f"it redirects more than {self._limits.max_redirects} times")

    def _is_proxied(self, url: str) -> bool:
        from wheelfs.remote.http.connections import is_proxied

        return is_proxied(self._http, url)

    async def _check_peer(self, url: str, response: httpx2.Response, attempted: str) -> None:
        stream = response.extensions.get("network_stream")
        if self._guard is None or stream is None:
            return
        import httpx2

        try:
            peer = stream.get_extra_info("server_addr")
            if peer is not None:
                await self._guard.check_peer(url, str(peer[0]), attempted)
        except OSError as error:
            # Reset since the headers came: the system no longer knows who it was (ENOTCONN).
            await response.aclose()
            raise httpx2.ReadError(str(error), request=response.request) from None
        except BaseException:
            await response.aclose()
            raise

    async def _send(self, method: str, url: str, headers: Mapping[str, str], cookies: httpx2.Cookies) -> httpx2.Response:
        """Ask once, with our credentials there; again where the password is refused and there is another one by now."""
        http = self._own if origin_of(url) == self._origin else self._http
        known = self._known_of(url)
        login = await known.header_for(url) if known is not None else {}
        while True:
            request = http.build_request(method, url, headers={**headers, **login}, cookies=cookies)
            response = await http.send(request, stream=True, auth=None, follow_redirects=False)
            if response.status_code != 401 or known is None:
                return response
            try:
                refused, login = login, await known.renewed(url)
            except BaseException:  # a keyring may ask a person, and be cancelled
                await response.aclose()
                raise
            if login == refused:  # at the second turn at the latest: nothing is asked again so soon
                return response
            await drain(response)

    def _known_of(self, url: str) -> Credentials | Lent | Netrc | None:
        """Return what knows the password there; None on the index's host with another scheme or port, which is another's."""
        origin = origin_of(url)
        if origin == self._origin:
            return self._credentials or self._netrc
        return self._netrc if origin[1] != self._origin[1] else None


async def drain(response: httpx2.Response) -> None:
    """Finish with an answer that is of no use, so that its connection can be used again when its body is small."""
    try:
        length = length_of(response.headers)
        if length is not None and length <= DRAIN_BYTES:
            async with aclosing(pieces_of(response)) as arriving:
                async for _ in arriving:
                    pass
    finally:
        await response.aclose()


async def pieces_of(response: httpx2.Response) -> AsyncGenerator[bytes, None]:
    """Yield the body as it arrives, uncopied and as it was sent.  To be closed (``aclosing``)."""
    source = response.aiter_raw()
    left = length_of(response.headers)
    try:
        async for piece in source:
            yield piece
            if left is not None:  # else it comes in chunks, of which many are here already
                left -= len(piece)
                if left > 0 and len(piece) < SMALL_PIECE_BYTES:
                    await trio.sleep(GATHER_S)
    finally:
        # When the reader stops early, the library leaves the generators inside its own suspended, to be found by the garbage
        # collector.  A cancellation that starts where the socket is read unwinds them all; what is buffered passes by first.
        with trio.CancelScope(shield=True) as scope:
            scope.cancel()
            async for _ in source:
                pass


async def decoded(pieces: AsyncIterator[bytes], codings: Sequence[str]) -> AsyncGenerator[bytes, None]:
    """Yield what pieces of a body are without their codings; raises `BadCoding`, also when the body ends before they do."""
    decoder = Decoder(codings)
    async for piece in pieces:
        for unpacked in decoder.feed(piece):
            yield unpacked
    decoder.finish()


async def read_body(
    response: httpx2.Response, limit_bytes: int, *, attempted: str, arrives: Callable[[], None] = lambda: None
) -> bytes:
    """Return the decoded body; raise `OriginFault` when it is longer than the limit, however little of it was announced.

    ``arrives`` is called for each piece.
    """
    pieces: list[bytes] = []
    held = 0
    codings = codings_of(response.headers.get("content-encoding"))
    async with aclosing(pieces_of(response)) as arriving, aclosing(decoded(arriving, codings)) as unpacked:
        async for piece in unpacked:
            held += len(piece)
            if held > limit_bytes:
                raise OriginFault(attempted, f"the answer has more than {limit_bytes >> 20} MiB")
            pieces.append(piece)
            arrives()
    return b"".join(pieces)
