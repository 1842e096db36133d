"""A simple repository over HTTP(S), and the files that its pages link to."""

from __future__ import annotations

import re
import time
from contextlib import aclosing, asynccontextmanager
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Final, assert_never
from urllib.parse import urlsplit, urlunsplit

import trio

from wheelfs.core.http.coding import HEAD_BYTES, BadCoding, codings_of, is_packed_on_the_way
from wheelfs.core.http.ranges import (
    AskAgain,
    Busy,
    Changed,
    Complete,
    Denied,
    Missing,
    Moved,
    Nonsense,
    NothingThere,
    PartialBody,
    Range,
    Suffix,
    Whole,
    brings_page,
    is_encoded,
    judge,
    judge_status,
    length_of,
    request_headers,
)
from wheelfs.core.simple.api import ACCEPT, parse_page
from wheelfs.errors import ContentChanged, OriginBusy, OriginDenied, OriginFault, OriginMissing, UsageError
from wheelfs.model.links import Validators
from wheelfs.remote.http.client import Client, decoded, drain, pieces_of, read_body
from wheelfs.remote.http.credentials import credentials_for, origin_of
from wheelfs.remote.http.errors import as_origin_errors
from wheelfs.remote.http.tls import DEFAULT_ACCESS
from wheelfs.remote.http.user_netrc import Netrc
from wheelfs.remote.index.range_habits import RangeHabits
from wheelfs.remote.limits import HTTP_LIMITS
from wheelfs.remote.origin import PAGE_ARRIVES, FileHead, PageAbsent, PageFound, PageUnchanged, RangeReply

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Mapping

    import httpx2

    from wheelfs.core.http.ranges import ByteRequest, Common, Outcome
    from wheelfs.errors import OriginError
    from wheelfs.model.links import ProjectPage
    from wheelfs.model.names import ProjectName
    from wheelfs.remote.http.tls import Access
    from wheelfs.remote.limits import HttpLimits
    from wheelfs.remote.origin import PageOutcome

_WAYS: Final = 4
"""Ways to ask for one part: as wanted, by an explicit range, whole, and one to spare."""
_ABSENT_ADVICE: Final = "; if it answers so for every name that it does not have, say absent = [{status}] in its [[index]]"
_MAX_AGE = re.compile(r"(?:^|[,\s])max-age\s*=\s*\"?(\d{1,9})", re.IGNORECASE)
_NEVER_FRESH = re.compile(r"(?:^|[,\s])(?:no-store|no-cache)(?:$|[,\s=])", re.IGNORECASE)


class HttpIndex:
    """An `Origin` over HTTP.  ``PROJECT/`` is appended to ``url``, which has no credentials in it, as has no text from here."""

    def __init__(
        self,
        name: str,
        url: str,
        environ: Mapping[str, str],
        *,
        access: Access = DEFAULT_ACCESS,
        limits: HttpLimits = HTTP_LIMITS,
    ) -> None:
        """Raises `UsageError` when the address is invalid, or the settings of certificates or proxies are impossible."""
        self.name = name
        self._limits = limits
        self._absent = access.absent
        url = url.strip()
        renew_after_s = limits.keyring_renew_s
        netrc = Netrc(environ, renew_after_s=renew_after_s)
        clean, credentials = credentials_for(name, url, environ, netrc, account=access.account, renew_after_s=renew_after_s)
        parts = urlsplit(clean)
        if parts.scheme not in ("http", "https") or not parts.netloc:
            raise UsageError(
                f"use the index {name}", "its URL is not of the form https://HOST/PATH", "it usually ends in /simple"
            )
        self.url = urlunsplit((parts.scheme, parts.netloc, parts.path.rstrip("/"), parts.query, ""))
        self._ranges = RangeHabits()
        self._client = Client(origin_of(self.url), credentials, netrc, environ, access=access, limits=limits)

    def lend(self, url: str, authorization: str) -> bool:
        """Take on what a client of ours sends to ``url``, as far as that is on the index's own host; see `Client.lend`."""
        return origin_of(url) == origin_of(self.url) and self._client.lend(authorization)

    def __repr__(self) -> str:
        return f"HttpIndex({self.name!r}, {self.url!r})"

    async def aclose(self) -> None:
        """Close all connections."""
        await self._client.aclose()

    # --- pages ----------------------------------------------------------------------------------------------------

    async def project_page(self, project: ProjectName, *, validators: Validators | None = None) -> PageOutcome:
        """Ask for a project's page, conditionally when ``validators`` of an earlier answer are given.

        With them a connection that fails, or an answer that breaks off, is not tried again: there is something to show meanwhile.
        Raises `OriginError`; that there is no such project is an answer and no error.
        """
        import httpx2

        attempted = f"look up {project} on {self.name}"
        headers = {"Accept": ACCEPT}
        if validators is not None and validators.etag is not None:
            headers["If-None-Match"] = validators.etag
        if validators is not None and validators.last_modified is not None:
            headers["If-Modified-Since"] = validators.last_modified
        page_url = self._page_url(project)
        is_new = validators is None
        for is_last in (False, True):
            async with self._client.answer(
                "GET", page_url, headers, attempted=attempted, readable=True, reconnects=is_new
            ) as response:
                status = response.status_code
                max_age_s = _max_age_s(response.headers)
                common = judge_status(status, response.headers)
                if isinstance(common, Missing) or status in self._absent:
                    await drain(response)
                    return PageAbsent()
                if common is not None:
                    raise self._refusal(attempted, common, status, advice=_ABSENT_ADVICE)
                if status == 304 and len(headers) > 1:
                    return PageUnchanged(max_age_s)
                if not brings_page(status, response.headers):
                    raise OriginFault(attempted, f"it answered with status {status}")
                try:
                    body = await read_body(response, self._limits.page_bytes, attempted=attempted, arrives=PAGE_ARRIVES.get())
                except (httpx2.ReadError, httpx2.RemoteProtocolError, BadCoding):  # it broke off, as when a server restarts
                    if is_last or not is_new:
                        raise
                    continue
                url = str(response.url)
            page = await self._parsed(body, response.headers.get("content-type"), url, project)
            found = Validators(etag=response.headers.get("etag"), last_modified=response.headers.get("last-modified"))
            return PageFound(page, found, max_age_s)
        raise AssertionError("the last attempt returns or raises")

    async def _parsed(self, body: bytes, content_type: str | None, url: str, project: ProjectName) -> ProjectPage:
        if len(body) <= self._limits.parse_in_thread_bytes:
            return parse_page(body, content_type, url, project)
        # Abandoned when it is not wanted any more: it holds nothing, and a process that is told to end does not wait for it.
        return await trio.to_thread.run_sync(parse_page, body, content_type, url, project, abandon_on_cancel=True)

    async def ahead_s(self, project: ProjectName) -> float | None:
        """Return how far the index's clock is ahead of this machine's, by the Date of its answer about a project.

        None where it gives none.  Raises `OriginError`.
        """
        attempted = f"ask {self.name} for the time"
        async with self._client.answer("HEAD", self._page_url(project), {"Accept": ACCEPT}, attempted=attempted) as response:
            now_s = time.time()
            date = response.headers.get("date")
        try:
            return None if date is None else parsedate_to_datetime(date).timestamp() - now_s
        except ValueError:
            return None

    def _page_url(self, project: ProjectName) -> str:
        parts = urlsplit(self.url)
        return urlunsplit((parts.scheme, parts.netloc, f"{parts.path}/{project}/", parts.query, ""))

    # --- files ----------------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def open_range(
        self, url: str, wanted: ByteRequest, *, validator: str | None = None, fresh: bool = False
    ) -> AsyncIterator[RangeReply]:
        """Ask for bytes of a file, in whatever way the server understands; see `Origin.open_range`."""
        attempted = f"fetch {_filename(url)} from {self.name}"
        host = urlsplit(url).netloc
        asked = self._ranges.way(host, wanted)
        suspect: ByteRequest | None = None
        size_told: int | None = None
        for _ in range(_WAYS):
            if asked is None:
                size_told = (await self.head(url)).size_bytes
                asked = _explicit(wanted, size_told)
            headers = request_headers(asked, validator=validator, fresh=fresh)
            async with self._client.answer("GET", url, headers, attempted=attempted, reconnects=True) as response:
                status = response.status_code
                outcome = judge(asked, validator=validator, status=status, headers=response.headers, size_bytes=size_told)
                if isinstance(outcome, PartialBody | Complete):
                    if suspect is not None:
                        self._ranges.made_no_sense(host, suspect, f"{attempted}: refused in part, and not as a whole")
                    async with (
                        _content(response, outcome, url, otherwise=fresh) as (size_bytes, pieces),
                        aclosing(_chunks(pieces, size_bytes, attempted)) as chunks,
                    ):
                        yield _reply(outcome, size_bytes, response.headers, chunks)
                    return
                await drain(response)
                if isinstance(outcome, AskAgain) and outcome.nonsense is not None:
                    self._ranges.made_no_sense(host, asked, f"{attempted}: {outcome.nonsense}")
                # A server that fails may have been mended meanwhile, and then it knows ranges.
                suspect = asked if isinstance(outcome, AskAgain) and outcome.suspected and status < 500 else None
                asked = self._next_way(attempted, outcome, status)
        raise OriginFault(attempted, "it refuses every way of asking for a part")

    def _next_way(self, attempted: str, outcome: Outcome, status: int) -> ByteRequest | None:
        match outcome:
            case AskAgain(following):
                return following
            case Changed():
                raise ContentChanged(
                    attempted, "the file is no longer the one of which a part was fetched before", "what was fetched is of no use"
                )
            case NothingThere(total_bytes):
                raise ContentChanged(attempted, f"the file has only {total_bytes} bytes there", "what was fetched is of no use")
            case Nonsense(reason):
                raise OriginFault(attempted, reason)
            case Missing() | Denied() | Busy() | Moved():
                raise self._refusal(attempted, outcome, status)
            case PartialBody() | Complete():
                raise AssertionError("these are answers")
            case _:
                assert_never(outcome)

    async def head(self, url: str) -> FileHead:
        """Ask for a file's size and validator without its bytes, or with one of them where HEAD is refused.

        Only the refusal of the latter counts: servers answer HEAD with 400 or 500, and signed addresses, which are good for GET
        alone, with 403.
        """
        attempted = f"look up {_filename(url)} on {self.name}"
        async with self._client.answer("HEAD", url, {"Accept-Encoding": "identity"}, attempted=attempted) as response:
            status, headers = response.status_code, response.headers
            common = judge_status(status, headers)
        if isinstance(common, Busy) and common.retry_after_s is not None:
            raise self._refusal(attempted, common, status)
        if status == 200:
            size = None if is_encoded(headers) else length_of(headers)
            return FileHead(size, headers.get("etag"), headers.get("last-modified"))
        async with self.open_range(url, Range(0, 1)) as reply:
            return FileHead(reply.total_bytes, reply.etag, reply.last_modified)

    async def fetch_metadata(self, url: str) -> bytes:
        """Return a core metadata file (PEP 658), at most `HttpLimits.metadata_bytes` of it."""
        return await self.fetch_small(url, limit_bytes=self._limits.metadata_bytes)

    async def fetch_small(self, url: str, *, limit_bytes: int) -> bytes:
        """Return a file that fits into memory; raises `OriginFault` for a larger one."""
        attempted = f"fetch {_filename(url)} from {self.name}"
        headers = {"Accept-Encoding": "identity"}
        async with self._client.answer("GET", url, headers, attempted=attempted, reconnects=True) as response:
            common = judge_status(response.status_code, response.headers)
            if common is not None:
                raise self._refusal(attempted, common, response.status_code)
            if response.status_code != 200:
                raise OriginFault(attempted, f"it answered with status {response.status_code}")
            return await read_body(response, limit_bytes, attempted=attempted)

    def _refusal(self, attempted: str, outcome: Common, status: int, *, advice: str = "") -> OriginError:
        match outcome:
            case Missing():
                return OriginMissing(attempted, f"there is no such file (status {status})")
            case Denied():
                variable = "WHEELFS_INDEX_" + re.sub(r"[^A-Z0-9]", "_", self.name.upper())
                return OriginDenied(
                    attempted,
                    f"access is refused (status {status})",
                    f"give credentials by {variable}_USERNAME and _PASSWORD, or in ~/.netrc" + advice.format(status=status),
                    status=status,
                )
            case Busy(retry_after_s):
                happened = f"it answered with status {status}"
                if retry_after_s is None:
                    return OriginFault(attempted, happened, "try again")
                when = f"it wants to be asked again in {retry_after_s:.0f} s"
                return OriginBusy(attempted, happened, when, retry_after_s=retry_after_s)
            case Moved():
                return OriginFault(attempted, "it redirects without end")
            case _:
                assert_never(outcome)


def _explicit(wanted: ByteRequest, size_bytes: int | None) -> ByteRequest:
    """Return the range that a suffix means, for servers that know no suffixes."""
    if not isinstance(wanted, Suffix) or not size_bytes:
        return Whole()
    return Range(max(0, size_bytes - wanted.length), size_bytes)


def _reply(
    outcome: PartialBody | Complete, size_bytes: int | None, headers: Mapping[str, str], chunks: AsyncIterator[bytes]
) -> RangeReply:
    etag, last_modified = headers.get("etag"), headers.get("last-modified")
    if isinstance(outcome, PartialBody):
        is_whole = outcome.start == 0 and outcome.end == outcome.total_bytes
        return RangeReply(outcome.start, outcome.total_bytes, is_whole, etag, chunks, last_modified)
    return RangeReply(0, size_bytes, True, etag, chunks, last_modified)


@asynccontextmanager
async def _content(
    response: httpx2.Response, outcome: PartialBody | Complete, url: str, *, otherwise: bool
) -> AsyncIterator[tuple[int | None, AsyncIterator[bytes]]]:
    """Lend how many bytes of the file come (None: not told), and them; ``otherwise`` as for `is_packed_on_the_way`."""
    async with aclosing(pieces_of(response)) as arriving:
        if isinstance(outcome, PartialBody):
            yield outcome.end - outcome.start, arriving
            return
        if not outcome.encoded:
            yield outcome.size_bytes, arriving
            return
        codings = codings_of(response.headers.get("content-encoding"))
        head = b""
        async for piece in arriving:
            head += piece
            if len(head) >= HEAD_BYTES:
                break
        async with aclosing(_with_head(head, arriving)) as sent:
            if is_packed_on_the_way(_filename(url), head, codings, otherwise=otherwise):
                async with aclosing(decoded(sent, codings)) as unpacked:
                    yield None, unpacked
            else:
                yield length_of(response.headers), sent


async def _with_head(head: bytes, rest: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
    if head:
        yield head
    async for piece in rest:
        yield piece


async def _chunks(pieces: AsyncIterator[bytes], left: int | None, attempted: str) -> AsyncGenerator[bytes, None]:
    """Yield exactly the bytes announced, as they arrive and without copying them; raise `OriginFault` when fewer come."""
    with as_origin_errors(attempted):
        async for piece in pieces:
            if left is not None:
                if len(piece) > left:
                    raise OriginFault(attempted, "it sends more than it announced")
                left -= len(piece)
            yield piece
    if left:
        raise OriginFault(attempted, f"truncated: {left} bytes of the answer are missing")


def _max_age_s(headers: Mapping[str, str]) -> float | None:
    """Return how long an answer says it is good; wheelfs keeps it in any case, this only decides when to ask again."""
    told = headers.get("cache-control", "")
    if _NEVER_FRESH.search(told):
        return 0.0
    found = _MAX_AGE.search(told)
    return float(found[1]) if found else None


def _filename(url: str) -> str:
    """Return the part of an address that can be shown: no query, which may hold a signature."""
    return urlsplit(url).path.rpartition("/")[2][:200] or "the index"
