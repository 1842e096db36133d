"""How files are served: ranges, HEAD, validators, redirects, encodings, statuses."""

from __future__ import annotations

import gzip
import itertools
import time
import zlib
from typing import TYPE_CHECKING

from tests.fakes import faults
from tests.fakes.server import Answer
from tests.world.habits import ERROR, GOOD, HASH, Installed, Place, habit
from tests.world.shop import a
from tests.world.site import redirect

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.fakes.server import Request
    from tests.world.shop import Item, Shop

BIG = 400_000
DECODED = "the bytes that the hash says, or else those that are a file of its kind"


def _page(shop: Shop, fragment: str | None = None, **how: object) -> Item:
    """Serve two versions, the newer one large enough to be read in parts; return it."""
    wheel = shop.wheel(big_bytes=BIG, **how)  # type: ignore[arg-type]
    shop.html(a(shop.wheel("1.0"), fragment), a(wheel, fragment))
    return wheel


def _head(status: int, headers: dict[str, str] | None = None) -> Callable[[Request, Answer], Answer]:
    return lambda request, answer: Answer(status, b"", headers or {}) if request.method == "HEAD" else answer


def _head_habit(name: str, status: int, reported: str, *, quick: bool = False) -> None:
    def set_up(shop: Shop) -> None:
        shop.wrap(_page(shop).path, _head(status))

    set_up.__name__ = name
    habit(f"HEAD is answered {status}, GET is right", reported, quick=quick)(set_up)


for _status, _reported in (
    (400, "strict gateways"),
    (403, "signed addresses are signed for one method (astral-sh/uv#2025, #3255)"),
    (404, "object stores behind a proxy"),
    (405, "Azure Artifacts (astral-sh/uv#1713)"),
    (500, "artifact-keeper#1282, Artifactory (astral-sh/uv#6610)"),
    (501, "hand-made servers"),
):
    _head_habit(f"head_{_status}", _status, _reported, quick=_status == 403)


@habit("HEAD says length 0, GET is right", "servers that make files on demand", quick=True)
def head_length_0(shop: Shop) -> None:
    shop.wrap(
        _page(shop).path,
        lambda request, answer: Answer(200, b"", {"Accept-Ranges": "bytes"}) if request.method == "HEAD" else answer,
    )


@habit("HEAD has other headers than GET", "Google Artifact Registry (astral-sh/uv#18998)")
def head_other_headers(shop: Shop) -> None:
    def change(request: Request, answer: Answer) -> Answer:
        if request.method == "HEAD":
            answer.headers = {"Content-Type": "text/html"}
        return answer

    shop.wrap(_page(shop).path, change)


def _on_suffix(reply: Callable[[Answer, bytes], Answer]) -> Callable[[Shop], None]:
    """Return a habit's body: suffix ranges are answered by ``reply``, everything else is right."""

    def set_up(shop: Shop) -> None:
        wheel = _page(shop)

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
    quick=True,
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


@habit("no ranges at all, whatever the headers say", "Artifactory (astral-sh/uv#1574, pypa/pip#8723)", quick=True)
def ranges_ignored(shop: Shop) -> None:
    wheel = _page(shop)
    shop.wrap(wheel.path, lambda _, answer: Answer(200, wheel.content, {"Accept-Ranges": "bytes"}))


@habit("206 to a request without a range", "caches that keep parts")
def ranges_unasked(shop: Shop) -> None:
    wheel = _page(shop)
    total = len(wheel.content)

    def change(request: Request, answer: Answer) -> Answer:
        whole = Answer(206, wheel.content, {"Content-Range": f"bytes 0-{total - 1}/{total}"})
        return answer if request.range else whole

    shop.wrap(wheel.path, change)


@habit("ranges are off by one at their end", "servers that think ends are exclusive")
def ranges_short(shop: Shop) -> None:
    wheel = _page(shop)

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
    quick=True,
)
def etag_changes(shop: Shop) -> None:
    wheel, turn = _page(shop), itertools.count()

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


@habit("weak ETags", "nginx with gzip on, Apache", quick=True)
def etag_weak(shop: Shop) -> None:
    _page(shop, served={"etag": 'W/"abc"'})


@habit("weak ETags and no hashes", "the same")
def etag_weak_no_hash(shop: Shop) -> None:
    _page(shop, "", served={"etag": 'W/"abc"'})


@habit("an ETag without quotes", "Artifactory (its sha1)")
def etag_unquoted(shop: Shop) -> None:
    _page(shop, "", served={"etag": "60b928b15e05d04a33b880a0232e44258c777740"})


@habit("no ETag and no Last-Modified", "servers that make files on demand", quick=True)
def no_validators(shop: Shop) -> None:
    _page(shop, "", served={"etag": None, "last_modified": None})


@habit("Last-Modified is the time of the answer", "servers that make files on demand")
def last_modified_now(shop: Shop) -> None:
    wheel = _page(shop, "", served={"etag": None})
    turn = itertools.count()

    def change(_: Request, answer: Answer) -> Answer:
        answer.headers["Last-Modified"] = f"Tue, 14 Nov 2023 22:13:{next(turn) % 60:02} GMT"
        return answer

    shop.wrap(wheel.path, change)


@habit("the length is not said (chunked)", "Nexus, GitLab's proxy", quick=True)
def file_chunked(shop: Shop) -> None:
    def change(_: Request, answer: Answer) -> Answer:
        answer.chunked = answer.status == 200
        return answer

    shop.wrap(_page(shop).path, change)


@habit("the length is not said, ranges are not known, no hashes", "hand-made proxies")
def file_chunked_only(shop: Shop) -> None:
    wheel = _page(shop, "")

    def change(_: Request, __: Answer) -> Answer:
        return Answer(200, wheel.content, {}, chunked=True)

    shop.wrap(wheel.path, change)


def _encoded(shop: Shop, encode: Callable[[bytes], bytes], coding: str, fragment: str | None = None, *, always: bool) -> None:
    wheel = _page(shop, fragment)

    def change(request: Request, answer: Answer) -> Answer:
        accepted = coding in request.headers.get("accept-encoding", "")
        if answer.status != 200 or not (always or accepted):
            return answer
        return Answer(200, encode(answer.body), {**answer.headers, "Content-Encoding": coding})

    shop.wrap(wheel.path, change)


@habit("wheels are gzip-encoded where that is accepted", "nginx with gzip_types *", quick=True)
def file_gzip_accepted(shop: Shop) -> None:
    _encoded(shop, gzip.compress, "gzip", always=False)


@habit(
    "wheels are gzip-encoded, asked or not",
    "Google's storage with stored encodings",
    pip=HASH,
    uv=GOOD,
    also_right=GOOD,
    why=DECODED,
)
def file_gzip_always(shop: Shop) -> None:
    _encoded(shop, gzip.compress, "gzip", always=True)


@habit("wheels are gzip-encoded, asked or not, without hashes", "the same", pip=ERROR, uv=GOOD, also_right=GOOD, why=DECODED)
def file_gzip_always_no_hash(shop: Shop) -> None:
    _encoded(shop, gzip.compress, "gzip", "", always=True)


@habit("wheels are deflate-encoded, asked or not", "old IIS", pip=HASH, uv=GOOD, also_right=GOOD, why=DECODED)
def file_deflate_always(shop: Shop) -> None:
    _encoded(shop, zlib.compress, "deflate", always=True)


@habit(
    "a wheel says gzip and is none",
    "Apache's AddEncoding by mistake",
    also_right=GOOD,
    why="the bytes are those that the hash says",
    pip=GOOD,
    uv=ERROR,
)
def file_gzip_lie(shop: Shop) -> None:
    _encoded(shop, bytes, "gzip", always=True)


@habit(
    "an sdist is sent with Content-Encoding: gzip, since it ends in .gz",
    "Apache's mod_mime; pypiserver behind it",
    pip=GOOD,
    without={"flat": "flat directories have no sdists"},
    requirement="sdist-as-gzip",
    quick=True,
    uv=ERROR,
    also_right=GOOD,
    why=DECODED,
)
def sdist_as_gzip(shop: Shop) -> None:
    item = shop.sdist(served={"headers": {"Content-Encoding": "gzip"}})
    shop.html(a(item))


@habit(
    "the same, without a hash",
    "the same",
    uv=ERROR,
    also_right=GOOD,
    why="pip's reading of it",
    without={"flat": "flat directories have no sdists"},
)
def sdist_as_gzip_no_hash(shop: Shop) -> None:
    item = shop.sdist(served={"headers": {"Content-Encoding": "gzip"}})
    shop.html(a(item, ""))


@habit("an sdist only", "every index", without={"flat": "flat directories have no sdists"})
def sdist_only(shop: Shop) -> None:
    shop.html(a(shop.sdist()))


@habit("an sdist is newer than the newest wheel", "every index", without={"flat": "flat directories have no sdists"})
def sdist_newer(shop: Shop) -> None:
    shop.html(a(shop.wheel("1.0")), a(shop.sdist()))


@habit("files are behind a redirect", "GitLab, Gitea, Cloudsmith", quick=True)
def file_redirect(shop: Shop) -> None:
    wheel = shop.wheel(big_bytes=BIG)
    shop.route("/download/" + wheel.filename, redirect(wheel.path))
    shop.html(a(shop.wheel("1.0")), a(wheel, href="/download/" + wheel.filename))


@habit(
    "files are behind a redirect to another host with a signature",
    "CodeArtifact, Azure, GitLab with object storage",
    hosts=2,
    quick=True,
)
def file_redirect_signed(shop: Shop) -> None:
    wheel = shop.wheel(big_bytes=BIG, site=shop.sites[1])
    shop.route("/download/" + wheel.filename, redirect(f"{shop.sites[1].url}{wheel.path}?X-Amz-Expires=60&X-Amz-Signature=0123"))
    shop.html(a(shop.wheel("1.0")), a(wheel, href="/download/" + wheel.filename))


@habit("signatures are good for one method only", "signed addresses of S3 (astral-sh/uv#2025, #21347)", hosts=2)
def file_redirect_signed_by_method(shop: Shop) -> None:
    wheel = shop.wheel(big_bytes=BIG, site=shop.sites[1])
    served = shop.sites[1].routes[wheel.path]
    shop.route(
        "/download/" + wheel.filename,
        lambda request: Answer(302, b"", {"Location": f"{shop.sites[1].url}{wheel.path}?for={request.method}"}),
    )
    shop.route(
        wheel.path,
        lambda request: served(request) if request.path.endswith(f"={request.method}") else Answer(403, b"SignatureDoesNotMatch"),
        site=shop.sites[1],
    )
    shop.html(a(shop.wheel("1.0")), a(wheel, href="/download/" + wheel.filename))


@habit("a signature is good once", "one-time links of download servers", hosts=2)
def file_redirect_once(shop: Shop) -> None:
    wheel = shop.wheel(big_bytes=BIG, site=shop.sites[1])
    served, turn = shop.sites[1].routes[wheel.path], itertools.count()
    used: set[str] = set()
    shop.route(
        "/download/" + wheel.filename,
        lambda _: Answer(302, b"", {"Location": f"{shop.sites[1].url}{wheel.path}?once={next(turn)}"}),
    )

    def reply(request: Request) -> Answer:
        if request.path in used:
            return Answer(403, b"used")
        used.add(request.path)
        return served(request)

    shop.route(wheel.path, reply, site=shop.sites[1])
    shop.html(a(shop.wheel("1.0")), a(wheel, href="/download/" + wheel.filename))


def _redirect_habit(status: int) -> None:
    def set_up(shop: Shop) -> None:
        wheel = shop.wheel()
        shop.route("/download/" + wheel.filename, redirect(wheel.path, status))
        shop.html(a(shop.wheel("1.0")), a(wheel, href="/download/" + wheel.filename))

    set_up.__name__ = f"file_redirect_{status}"
    habit(f"files are behind a {status}", "RFC 9110, 15.4")(set_up)


for _status in (301, 303, 307, 308):
    _redirect_habit(_status)


@habit("a redirect whose Location is relative to the directory", "Apache's RewriteRule")
def file_redirect_relative(shop: Shop) -> None:
    wheel = shop.wheel()
    shop.route("/download/" + wheel.filename, redirect(f"../files/{wheel.filename}"))
    shop.html(a(shop.wheel("1.0")), a(wheel, href="/download/" + wheel.filename))


@habit("eight redirects in a row", "chains of proxies")
def file_redirect_chain(shop: Shop) -> None:
    wheel = shop.wheel()
    for number in range(8):
        shop.route(f"/hop/{number}", redirect(f"/hop/{number + 1}"))
    shop.route("/hop/8", redirect(wheel.path))
    shop.html(a(shop.wheel("1.0")), a(wheel, href="/hop/0/" + wheel.filename))
    shop.route(f"/hop/0/{wheel.filename}", redirect("/hop/1"))


@habit("redirects in a circle", "misconfigured proxies", pip=ERROR, uv=ERROR)
def file_redirect_circle(shop: Shop) -> None:
    wheel = shop.wheel()
    shop.route(wheel.path, redirect(wheel.path))
    shop.html(a(shop.wheel("1.0")), a(wheel))


@habit("the query names the file", "Gitea's and SourceForge's download.php", pip=GOOD, uv=GOOD)
def file_query(shop: Shop) -> None:
    wheel = shop.wheel()
    shop.html(a(shop.wheel("1.0")), a(wheel, href=f"{wheel.path}?token=a%2Fb+c&x=1"))


@habit("a signature in the links of the page", "S3 indexes with signed links", quick=True)
def file_signed_links(shop: Shop) -> None:
    wheel = shop.wheel()
    served = shop.site.routes[wheel.path]
    shop.route(wheel.path, lambda request: served(request) if "Signature=a%2Bb%3D" in request.path else Answer(403, b"no"))
    shop.html(a(shop.wheel("1.0")), a(wheel, href=f"{wheel.path}?X-Amz-Signature=a%2Bb%3D"))


@habit("the newest file is gone", "mirrors with filters: 404", pip=ERROR, uv=ERROR, quick=True)
def file_404(shop: Shop) -> None:
    shop.route(_page(shop).path, lambda _: Answer(404, b"no"))


@habit("the newest file is forbidden", "quarantine in Artifactory's Xray and Nexus' firewall", pip=ERROR, uv=ERROR, quick=True)
def file_403(shop: Shop) -> None:
    shop.route(_page(shop).path, lambda _: Answer(403, b"blocked"))


@habit("the newest file always fails", "proxies whose upstream is away", pip=ERROR, uv=ERROR)
def file_500(shop: Shop) -> None:
    shop.route(_page(shop).path, lambda _: Answer(500, b"sorry"))


@habit("a file is refused for a second: 429 with Retry-After: 1", "PyPI's and GitHub's limits", quick=True)
def file_429(shop: Shop) -> None:
    _busy(shop, 429, 1)


@habit("a file is refused for five seconds: 429 with Retry-After: 5", "the same", pip_options=("--retries", "3"))
def file_429_longer(shop: Shop) -> None:
    _busy(shop, 429, 5)


@habit("a file is refused for a second: 503 with Retry-After: 1", "S3's Slow Down")
def file_503(shop: Shop) -> None:
    _busy(shop, 503, 1)


def _busy(shop: Shop, status: int, wait_s: int) -> None:
    """Refuse from the first request of each client on, until it has waited."""
    wheel = _page(shop)
    served = shop.site.routes[wheel.path]
    free_at_s = [0.0]

    def reply(request: Request) -> Answer:
        now_s = time.monotonic()
        if now_s > free_at_s[0] + 20:  # another try
            free_at_s[0] = now_s + wait_s
        return served(request) if now_s >= free_at_s[0] else Answer(status, b"later", {"Retry-After": str(wait_s)})

    shop.route(wheel.path, reply)


@habit("the first answer is 502, the next are right", "load balancers while servers restart")
def file_502_once(shop: Shop) -> None:
    wheel = _page(shop)
    served, seen = shop.site.routes[wheel.path], itertools.count()
    shop.route(wheel.path, lambda request: Answer(502, b"bad gateway") if next(seen) % 7 == 0 else served(request))


@habit("a login page in place of the file, with status 200", "single sign-on in front of files", pip=HASH, uv=ERROR)
def file_login_page(shop: Shop) -> None:
    shop.put(_page(shop).path, b"<html><form>log in</form></html>", content_type="text/html")


@habit("the file's content type is text/html", "servers without a type for wheels")
def file_type_html(shop: Shop) -> None:
    _page(shop, served={"content_type": "text/html; charset=utf-8"})


@habit("Content-Disposition names another file", "download servers")
def file_disposition(shop: Shop) -> None:
    _page(shop, served={"headers": {"Content-Disposition": 'attachment; filename="other-9.9-py3-none-any.whl"'}})


@habit("the connection is cut in the middle, once in three", "overloaded servers", pip=GOOD, uv=GOOD)
def file_cut_sometimes(shop: Shop) -> None:
    wheel = _page(shop)
    served, seen = shop.site.routes[wheel.path], itertools.count()

    def reply(request: Request) -> Answer:
        answer = served(request)
        return Answer(503, b"later") if next(seen) % 5 == 2 else answer

    shop.route(wheel.path, reply)


@habit(
    "the file always ends in the middle",
    "broken uploads",
    pip=GOOD,
    uv=ERROR,
    also_right=GOOD,
    why="pip goes on where it was cut, uv does not",
)
def file_truncated(shop: Shop) -> None:
    wheel = _page(shop)
    shop.site.actions[wheel.path] = faults.Truncate(100_000)


@habit("wrong bytes, right length", "broken disks of a mirror", pip=HASH, quick=True, uv=ERROR)
def file_wrong_bytes(shop: Shop) -> None:
    wheel = _page(shop)
    shop.put(wheel.path, wheel.content[:-5000] + bytes(4000) + wheel.content[-1000:])


@habit("the end of the newest file is wrong", "broken disks of a mirror", pip=HASH, uv=ERROR)
def file_wrong_tail(shop: Shop) -> None:
    wheel = _page(shop)
    shop.put(wheel.path, wheel.content[:-200] + bytes(200))


@habit("the newest file is shorter than said", "uploads that were cut", pip=HASH, uv=ERROR)
def file_shorter(shop: Shop) -> None:
    wheel = _page(shop)
    shop.put(wheel.path, wheel.content[:-300])


@habit("files are on a second host", "PyPI itself", hosts=2, quick=True)
def file_other_host(shop: Shop) -> None:
    wheel = shop.wheel(big_bytes=BIG, site=shop.sites[1])
    shop.html(a(shop.wheel("1.0")), a(wheel, href=shop.sites[1].url + wheel.path))


@habit(
    "two links of one name, the first address is dead",
    "groups of Nexus and Artifactory with a removed member",
    hosts=1,
    pip=GOOD,
    uv=ERROR,
    also_right=GOOD,
    why="pip takes the last of them, uv the first; wheelfs may try both",
)
def file_two_links_first_dead(shop: Shop) -> None:
    wheel = shop.wheel()
    shop.html(a(shop.wheel("1.0")), a(wheel, href="/gone/" + wheel.filename), a(wheel))


@habit(
    "two links of one name, the second address is dead",
    "the same",
    pip=ERROR,
    uv=GOOD,
    also_right=GOOD,
    why="pip takes the last of them, uv the first; wheelfs may try both",
)
def file_two_links_second_dead(shop: Shop) -> None:
    wheel = shop.wheel()
    shop.html(a(shop.wheel("1.0")), a(wheel), a(wheel, href="/gone/" + wheel.filename))


@habit(
    "two links of one name with different hashes",
    "groups that mix members (sonatype/nexus-public#376)",
    why="either is one of the two builds, and never mixed",
    pip=Installed("2.0", "other"),
    uv=GOOD,
    also_right=(GOOD, Installed("2.0", "other"), HASH),
)
def file_two_links_two_builds(shop: Shop) -> None:
    other = shop.wheel(build="other", path="/other/" + shop.wheel().filename)
    shop.html(a(shop.wheel()), a(other))


@habit(
    "the same host serves another index that fails",
    "devpi, Nexus, Artifactory: many indexes, one host",
    places=(Place(path="/one/simple"), Place(path="/two/simple")),
    pip=GOOD,
    uv=GOOD,
)
def one_host_two_indexes(shop: Shop) -> None:
    shop.html(a(shop.wheel("1.0")), a(shop.wheel()))
    shop.route(shop.page_path(index=1), lambda _: Answer(404, b"no"))
