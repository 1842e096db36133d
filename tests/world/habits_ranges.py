"""How files are served: HEAD, ranges and validators."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from tests.fakes.server import Answer
from tests.world.habits import habit
from tests.world.shop import BIG, a, large_page

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.fakes.server import Request
    from tests.world.shop import Shop


def _head(status: int, headers: dict[str, str] | None = None) -> Callable[[Request, Answer], Answer]:
    return lambda request, answer: Answer(status, b"", headers or {}) if request.method == "HEAD" else answer


def _head_habit(name: str, status: int, reported: str) -> None:
    def set_up(shop: Shop) -> None:
        shop.wrap(large_page(shop).path, _head(status))

    set_up.__name__ = name
    habit(f"HEAD is answered {status}, GET is right", reported)(set_up)


for _status, _reported in (
    (400, "strict gateways"),
    (403, "signed addresses are signed for one method (astral-sh/uv#2025, #3255)"),
    (404, "object stores behind a proxy"),
    (405, "Azure Artifacts (astral-sh/uv#1713)"),
    (500, "artifact-keeper#1282, Artifactory (astral-sh/uv#6610)"),
    (501, "hand-made servers"),
):
    _head_habit(f"head_{_status}", _status, _reported)


@habit("HEAD says length 0, GET is right", "servers that make files on demand")
def head_length_0(shop: Shop) -> None:
    shop.wrap(
        large_page(shop).path,
        lambda request, answer: Answer(200, b"", {"Accept-Ranges": "bytes"}) if request.method == "HEAD" else answer,
    )


@habit("HEAD has other headers than GET", "Google Artifact Registry (astral-sh/uv#18998)")
def head_other_headers(shop: Shop) -> None:
    def change(request: Request, answer: Answer) -> Answer:
        if request.method == "HEAD":
            answer.headers = {"Content-Type": "text/html"}
        return answer

    shop.wrap(large_page(shop).path, change)


def _on_suffix(reply: Callable[[Answer, bytes], Answer]) -> Callable[[Shop], None]:
    """Return a habit's body: suffix ranges are answered by ``reply``, everything else is right."""

    def set_up(shop: Shop) -> None:
        wheel = large_page(shop)

        def change(request: Request, answer: Answer) -> Answer:
            return reply(answer, wheel.content) if (request.range or "").startswith("bytes=-") else answer

        shop.wrap(wheel.path, change)

    return set_up


def _suffix_habit(
    name: str, because: str, reported: str, reply: Callable[[Answer, bytes], Answer], *, quick: bool = False
) -> None:
    set_up = _on_suffix(reply)
    set_up.__name__ = name
    habit(because, reported, quick=quick)(set_up)


_suffix_habit("suffix_400", "suffix ranges are a bad request", "strict proxies", lambda _, __: Answer(400, b"bad range"))


_suffix_habit("suffix_416", "suffix ranges are not satisfiable", "Azure's blob storage", lambda _, __: Answer(416, b""))


_suffix_habit(
    "suffix_501",
    "suffix ranges are not implemented",
    "CDNs (pypa/pip#12184)",
    lambda _, __: Answer(501, b"unsupported client range"),
)


_suffix_habit(
    "suffix_whole", "suffix ranges get the whole file", "Artifactory (astral-sh/uv#1574)", lambda _, body: Answer(200, body)
)


_suffix_habit(
    "suffix_beginning",
    "suffix ranges get 206 and the file's beginning",
    "servers that parse -N as 0-N",
    lambda _, body: Answer(206, body[:1000], {"Content-Range": f"bytes 0-999/{len(body)}"}),
    quick=True,
)


_suffix_habit(
    "suffix_unknown_total",
    "suffix ranges get 206 with a total of *",
    "RFC 9110, 14.4",
    lambda answer, _: Answer(206, answer.body, {"Content-Range": answer.headers["Content-Range"].partition("/")[0] + "/*"}),
)


_suffix_habit(
    "suffix_no_content_range", "206 without Content-Range", "hand-made servers", lambda answer, _: Answer(206, answer.body)
)


@habit("no ranges at all, whatever the headers say", "Artifactory (astral-sh/uv#1574, pypa/pip#8723)")
def ranges_ignored(shop: Shop) -> None:
    wheel = large_page(shop)
    shop.wrap(wheel.path, lambda _, answer: Answer(200, wheel.content, {"Accept-Ranges": "bytes"}))


@habit("206 to a request without a range", "caches that keep parts")
def ranges_unasked(shop: Shop) -> None:
    wheel = large_page(shop)
    total = len(wheel.content)

    def change(request: Request, answer: Answer) -> Answer:
        whole = Answer(206, wheel.content, {"Content-Range": f"bytes 0-{total - 1}/{total}"})
        return answer if request.range else whole

    shop.wrap(wheel.path, change)


@habit("ranges are off by one at their end", "servers that think ends are exclusive")
def ranges_short(shop: Shop) -> None:
    wheel = large_page(shop)

    def change(request: Request, answer: Answer) -> Answer:
        if answer.status != 206:
            return answer
        first = int(answer.headers["Content-Range"].split()[1].partition("-")[0])
        body = answer.body[:-1]
        return Answer(206, body, {"Content-Range": f"bytes {first}-{first + len(body) - 1}/{len(wheel.content)}"})

    shop.wrap(wheel.path, change)


@habit(
    "another ETag in every answer, the bytes are the same",
    "nginx in front of two copies (mtime and size make its ETag)",
)
def etag_changes(shop: Shop) -> None:
    wheel, turn = large_page(shop), itertools.count()

    def change(_: Request, answer: Answer) -> Answer:
        answer.headers["ETag"] = f'"{next(turn)}"'
        return answer

    shop.wrap(wheel.path, change)


def _two_backends(shop: Shop, fragment: str | None) -> None:
    wheel = shop.wheel(big_bytes=BIG)
    shop.html(a(shop.wheel("1.0"), fragment), a(wheel, fragment))
    turn, honest = itertools.count(), shop.site.routes[wheel.path]

    def reply(request: Request) -> Answer:
        tag = f'"backend-{next(turn) % 2}"'
        condition = request.headers.pop("if-range", None)
        if condition not in (None, tag):
            request.range = None
        answer = honest(request)
        answer.headers["ETag"] = tag
        return answer

    shop.route(wheel.path, reply)


@habit("no hashes, and two backends with ETags of their own", "nginx upstreams of two copies", quick=True)
def etag_two_backends_no_hash(shop: Shop) -> None:
    _two_backends(shop, "")


@habit("two backends with ETags of their own", "nginx upstreams of two copies")
def etag_two_backends(shop: Shop) -> None:
    _two_backends(shop, None)


@habit("weak ETags", "nginx with gzip on, Apache")
def etag_weak(shop: Shop) -> None:
    large_page(shop, served={"etag": 'W/"abc"'})


@habit("weak ETags and no hashes", "the same")
def etag_weak_no_hash(shop: Shop) -> None:
    large_page(shop, "", served={"etag": 'W/"abc"'})


@habit("an ETag without quotes", "Artifactory (its sha1)")
def etag_unquoted(shop: Shop) -> None:
    large_page(shop, "", served={"etag": "60b928b15e05d04a33b880a0232e44258c777740"})


@habit("no ETag and no Last-Modified", "servers that make files on demand")
def no_validators(shop: Shop) -> None:
    large_page(shop, "", served={"etag": None, "last_modified": None})


@habit("Last-Modified is the time of the answer", "servers that make files on demand")
def last_modified_now(shop: Shop) -> None:
    wheel = large_page(shop, "", served={"etag": None})
    turn = itertools.count()

    def change(_: Request, answer: Answer) -> Answer:
        answer.headers["Last-Modified"] = f"Tue, 14 Nov 2023 22:13:{next(turn) % 60:02} GMT"
        return answer

    shop.wrap(wheel.path, change)


@habit("the length is not said (chunked)", "Nexus, GitLab's proxy")
def file_chunked(shop: Shop) -> None:
    def change(_: Request, answer: Answer) -> Answer:
        answer.chunked = answer.status == 200
        return answer

    shop.wrap(large_page(shop).path, change)


@habit("the length is not said, ranges are not known, no hashes", "hand-made proxies")
def file_chunked_only(shop: Shop) -> None:
    wheel = large_page(shop, "")

    def change(_: Request, __: Answer) -> Answer:
        return Answer(200, wheel.content, {}, chunked=True)

    shop.wrap(wheel.path, change)
