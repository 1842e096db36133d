"""Addresses of files: redirects, queries and signatures."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from tests.fakes.server import Answer
from tests.world.habits import ERROR, GOOD, habit
from tests.world.shop import BIG, a
from tests.world.site import redirect

if TYPE_CHECKING:
    from tests.fakes.server import Request
    from tests.world.shop import Shop


@habit("files are reached by a redirect", "GitLab, Gitea, Cloudsmith")
def file_redirect(shop: Shop) -> None:
    wheel = shop.wheel(big_bytes=BIG)
    shop.route("/download/" + wheel.filename, redirect(wheel.path))
    shop.html(a(shop.wheel("1.0")), a(wheel, href="/download/" + wheel.filename))


@habit(
    "files are reached by a redirect to another host with a signature",
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
    habit(f"files are reached by a {status}", "RFC 9110, 15.4")(set_up)


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


@habit("a signature in the links of the page", "S3 indexes with signed links")
def file_signed_links(shop: Shop) -> None:
    wheel = shop.wheel()
    served = shop.site.routes[wheel.path]
    shop.route(wheel.path, lambda request: served(request) if "Signature=a%2Bb%3D" in request.path else Answer(403, b"no"))
    shop.html(a(shop.wheel("1.0")), a(wheel, href=f"{wheel.path}?X-Amz-Signature=a%2Bb%3D"))
