"""How answers are framed, connections ended, cookies wanted, and parts given, to the byte."""

from __future__ import annotations

import itertools
import threading
from functools import partial
from typing import TYPE_CHECKING

from tests.fakes import faults
from tests.fakes.server import Answer
from tests.fakes.wheels import wheel_filename
from tests.world.habits import ABSENT, ERROR, GOOD, habit
from tests.world.shop import BIG, FILES, entry, large_page

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.fakes.server import Request
    from tests.world.shop import Shop

LENIENT = "the client stumbles over the framing, wheelfs does not"


def _head(answer: Answer, *more: str, version: str = "1.1", length: bool = True) -> bytes:
    lines = [f"HTTP/{version} {answer.status} OK", *(f"{key}: {value}" for key, value in answer.headers.items())]
    lines += [f"Content-Length: {len(answer.body)}"] if length else []
    return "\r\n".join([*lines, *more, "", ""]).encode("latin-1")


def _both(shop: Shop, script: Callable[[Answer], list[bytes]]) -> None:
    """Have page and file sent as ``script`` says, each on a connection that ends with it."""
    for path in (large_page(shop).path, shop.page_path()):
        shop.site.actions[path] = faults.Wire(lambda answer: iter(script(answer)))


@habit("HTTP/1.0, and no length: the end of the connection is the end", "CGI, old servers")
def wire_http10(shop: Shop) -> None:
    _both(shop, lambda answer: [_head(answer, version="1.0", length=False), answer.body])


@habit("connections end after each answer, though nothing said so", "load balancers")
def wire_closes_silently(shop: Shop) -> None:
    _both(shop, lambda answer: [_head(answer), answer.body])


@habit("a header of 20 KB", "Content-Security-Policy of portals")
def wire_long_header(shop: Shop) -> None:
    _both(shop, lambda answer: [_head(answer, "Content-Security-Policy: " + "x" * 20_000), answer.body])


@habit("headers are folded over two lines", "old proxies (RFC 9112, 5.2)", uv=ERROR, also_right=GOOD, why=LENIENT)
def wire_folded_header(shop: Shop) -> None:
    _both(shop, lambda answer: [_head(answer, "X-Long: one\r\n two"), answer.body])


@habit("a header in Latin-1", "Content-Disposition of hand-made servers")
def wire_latin1_header(shop: Shop) -> None:
    _both(shop, lambda answer: [_head(answer, 'Content-Disposition: attachment; filename="Gr\xfc\xdfe.whl"'), answer.body])


@habit("lines end with a line feed only, no reason after the status", "scripts as servers")
def wire_line_feeds(shop: Shop) -> None:
    _both(shop, lambda answer: [_head(answer).replace(b"\r\n", b"\n").replace(b" OK\n", b"\n", 1), answer.body])


@habit("the length is given twice, alike", "proxies that add their own")
def wire_length_twice(shop: Shop) -> None:
    _both(shop, lambda answer: [_head(answer, f"Content-Length: {len(answer.body)}"), answer.body])


@habit("chunks with extensions, and fields after the last one", "RFC 9112, 7.1")
def wire_chunk_extensions(shop: Shop) -> None:
    def script(answer: Answer) -> list[bytes]:
        head = _head(answer, "Transfer-Encoding: Chunked", "Trailer: X-Sum", length=False)
        return [head, b"%X;sum=1\r\n" % len(answer.body), answer.body, b"\r\n0\r\nX-Sum: 1\r\n\r\n"]

    _both(shop, script)


@habit("103 Early Hints before the answer", "web servers with preloading", pip=ABSENT, uv=GOOD, also_right=GOOD, why=LENIENT)
def wire_early_hints(shop: Shop) -> None:
    hints = b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n"
    _both(shop, lambda answer: [hints, _head(answer), answer.body])


@habit("HEAD is answered with a body", "hand-made servers")
def wire_head_body(shop: Shop) -> None:
    large_page(shop)
    wire = faults.Wire(lambda answer: iter([_head(answer), answer.body[:500]]))
    shop.site.next_fault = lambda method, _: wire if method == "HEAD" else None  # type: ignore[method-assign, assignment]


@habit("one request at a time, others are answered 503", "nginx's limit_conn")
def wire_one_at_a_time(shop: Shop) -> None:
    path, busy = large_page(shop).path, threading.Lock()
    served = shop.site.routes[path]

    def reply(request: Request) -> Answer:
        if not busy.acquire(blocking=False):
            return Answer(503, b"one at a time")
        try:
            return served(request)
        finally:
            busy.release()

    shop.route(path, reply)


# --- cookies ---------------------------------------------------------------------------------------------------------------


@habit(
    "a cookie must come back before anything is given, else the redirect leads in a circle",
    "firewalls that look for browsers",
    uv=ERROR,
    also_right=GOOD,
    why="uv keeps no cookies, pip does",
    quick=True,
)
def cookie_wanted(shop: Shop) -> None:
    def change(request: Request, answer: Answer) -> Answer:
        if "seen=1" in request.headers.get("cookie", ""):
            return answer
        return Answer(302, b"", {"Location": request.path, "Set-Cookie": "seen=1; Path=/"})

    for path in (large_page(shop).path, shop.page_path()):
        shop.wrap(path, change)


@habit("cookies are set, another one by each answer, and not wanted", "load balancers")
def cookie_set(shop: Shop) -> None:
    turn = itertools.count()

    def change(_: Request, answer: Answer) -> Answer:
        answer.headers["Set-Cookie"] = f"BALANCER={next(turn)}; Expires=Tue, 01 Dec 2026 08:00:00 GMT; Path=/"
        return answer

    for path in (large_page(shop).path, shop.page_path()):
        shop.wrap(path, change)


# --- parts -----------------------------------------------------------------------------------------------------------------


def _parts(shop: Shop, change: Callable[[Answer, bytes, int, int], Answer]) -> None:
    """Have ``change(answer, whole, first, last)`` make what comes for a range of the large wheel."""
    wheel = large_page(shop)

    def other(_: Request, answer: Answer) -> Answer:
        if answer.status != 206:
            return answer
        first, last = map(int, answer.headers["Content-Range"].removeprefix("bytes ").partition("/")[0].split("-"))
        return change(answer, wheel.content, first, last)

    shop.wrap(wheel.path, other)


def _part(answer: Answer, whole: bytes, first: int, last: int) -> Answer:
    return Answer(206, whole[first : last + 1], {**answer.headers, "Content-Range": f"bytes {first}-{last}/{len(whole)}"})


@habit("a part comes as multipart/byteranges", "RFC 9110, 14.6: allowed for several, done for one")
def part_multipart(shop: Shop) -> None:
    def change(answer: Answer, _whole: bytes, _first: int, _last: int) -> Answer:
        part = f"\r\n--SEP\r\nContent-Range: {answer.headers.pop('Content-Range')}\r\n\r\n".encode() + answer.body
        return Answer(206, part + b"\r\n--SEP--\r\n", {**answer.headers, "Content-Type": "multipart/byteranges; boundary=SEP"})

    _parts(shop, change)


@habit("parts begin earlier than asked", "caches that keep blocks")
def part_aligned(shop: Shop) -> None:
    _parts(shop, lambda answer, whole, first, last: _part(answer, whole, first - first % 4096, last))


@habit("parts have 64 KiB at most", "servers with small buffers (RFC 9110, 15.3.7)")
def part_short(shop: Shop) -> None:
    _parts(shop, lambda answer, whole, first, last: _part(answer, whole, first, min(last, first + 65_535)))


@habit("a suffix has 1,000 bytes at most", "the same")
def part_suffix_short(shop: Shop) -> None:
    def change(answer: Answer, whole: bytes, first: int, last: int) -> Answer:
        return _part(answer, whole, max(first, last - 999) if last == len(whole) - 1 else first, last)

    _parts(shop, change)


@habit("the whole body below the Content-Range that was asked for", "imitations of S3")
def part_is_whole(shop: Shop) -> None:
    _parts(shop, lambda answer, whole, _first, _last: Answer(206, whole, answer.headers))


@habit("the total of a Content-Range is too large", "servers that count otherwise", quick=True)
def part_total_large(shop: Shop) -> None:
    _total(shop, 100)


@habit("the total of a Content-Range is too small", "the same")
def part_total_small(shop: Shop) -> None:
    _total(shop, -100)


@habit("the same, and pages tell the size", "the same")
def part_total_large_json(shop: Shop) -> None:
    served = shop.site.routes
    _total(shop, 100)
    parts = served[FILES + wheel_filename(shop.project, "2.0")]
    shop.json(entry(shop.wheel("1.0")), entry(shop.wheel(big_bytes=BIG)))
    served[FILES + wheel_filename(shop.project, "2.0")] = parts


def _total(shop: Shop, more: int) -> None:
    def change(answer: Answer, whole: bytes, first: int, last: int) -> Answer:
        said = f"bytes {first}-{last}/{len(whole) + more}"
        return Answer(206, whole[first : last + 1], {**answer.headers, "Content-Range": said})

    _parts(shop, change)


@habit("pages come with status 206, whole", "caches")
def page_206(shop: Shop) -> None:
    _page_status(206, shop)


@habit("pages come with status 206 and the range that is the whole", "caches")
def page_206_range(shop: Shop) -> None:
    large_page(shop)

    def change(_: Request, answer: Answer) -> Answer:
        said = {"Content-Range": f"bytes 0-{len(answer.body) - 1}/{len(answer.body)}"}
        return Answer(206, answer.body, {**answer.headers, **said})

    shop.wrap_page(change)


@habit("pages come with status 300", "mod_negotiation")
def page_300(shop: Shop) -> None:
    _page_status(300, shop)


def _page_status(status: int, shop: Shop) -> None:
    large_page(shop)
    shop.wrap_page(lambda _, answer: Answer(status, answer.body, answer.headers))


def _refused(status: int, shop: Shop) -> None:
    shop.wrap(large_page(shop).path, lambda request, answer: Answer(status, b"no") if request.range else answer)


for _status, _reported in (
    (403, "firewalls that filter the header"),
    (404, "routers that match headers"),
    (412, "gateways to object stores"),
    (500, "frameworks' range code"),
    (502, "proxies of functions"),
):
    _set_up = partial(_refused, _status)
    _set_up.__name__ = f"part_{_status}"  # type: ignore[attr-defined]
    habit(f"a request for a part is answered {_status}", _reported, quick=_status == 403)(_set_up)


@habit("If-Range is a bad request", "hand-made servers")
def part_if_range_400(shop: Shop) -> None:
    shop.wrap(large_page(shop).path, lambda request, answer: Answer(400, b"what?") if "if-range" in request.headers else answer)


def _conditional(status: int, shop: Shop) -> None:
    large_page(shop)
    shop.wrap_page(lambda request, answer: Answer(status, b"no") if "if-none-match" in request.headers else answer)


@habit("a conditional question for a page is answered 412", "object stores that think of writing")
def page_conditional_412(shop: Shop) -> None:
    _conditional(412, shop)
