"""User names and passwords: in the index's address, wanted by servers in their ways, and in links."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from tests.fakes.server import Answer
from tests.world.habits import ABSENT, ERROR, GOOD, Place, habit
from tests.world.shop import BIG, a, large_page
from tests.world.site import redirect

if TYPE_CHECKING:
    from tests.fakes.server import Request
    from tests.world.shop import Shop
    from tests.world.site import Site

BOB = (Place(userinfo="bob:s3cret"),)
LINKS = (
    "credentials come from the configuration; those in links and redirects are dropped, since pages and the catalog carry none"
)


def _guard(site: Site, path: str, user: str = "bob", password: str = "s3cret", *, status: int = 401) -> None:
    served, wanted = site.routes[path], "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
    challenge = {"WWW-Authenticate": 'Basic realm="x"'} if status == 401 else {}

    def reply(request: Request) -> Answer:
        return served(request) if request.headers.get("authorization") == wanted else Answer(status, b"who?", dict(challenge))

    site.routes[path] = reply


def _guarded(shop: Shop, user: str = "bob", password: str = "s3cret", *, status: int = 401) -> None:
    for path in (large_page(shop).path, shop.page_path()):
        _guard(shop.site, path, user, password, status=status)


@habit(
    "user name and password with escapes",
    "addresses of mail as user names, generated passwords",
    places=(Place(userinfo="bob%40corp.example:s3%2Fc%3Ar%25et+=&$"),),
)
def login_escaped(shop: Shop) -> None:
    _guarded(shop, "bob@corp.example", "s3/c:r%et+=&$")


@habit(
    "a password with letters that are no ASCII",
    "people",
    pip=ABSENT,
    uv=GOOD,
    also_right=GOOD,
    why="pip sends Latin-1, most servers take UTF-8 (RFC 7617)",
    places=(Place(userinfo="bob:gr%C3%BC%C3%9Fe"),),
)
def login_non_ascii(shop: Shop) -> None:
    _guarded(shop, "bob", "grüße")


@habit("a token as the user name, no password", "Gemfury, Cloudsmith", places=(Place(userinfo="t0ken"),))
def login_token(shop: Shop) -> None:
    _guarded(shop, "t0ken", "")


@habit("a token as the password, no user name", "Azure Artifacts", places=(Place(userinfo=":t0ken"),))
def login_password_alone(shop: Shop) -> None:
    _guarded(shop, "", "t0ken")


@habit("404 in place of 401", "GitHub, GitLab: what is private does not exist", places=BOB)
def login_404(shop: Shop) -> None:
    _guarded(shop, status=404)


@habit(
    "files redirect to a storage that refuses requests with a password",
    "S3: only one mechanism of authentication is allowed",
    hosts=2,
    places=BOB,
    quick=True,
)
def login_signed_storage(shop: Shop) -> None:
    wheel = shop.wheel(big_bytes=BIG, site=shop.sites[1])
    served, way = shop.sites[1].routes[wheel.path], f"/get/{wheel.filename}"
    shop.route(way, redirect(f"{shop.sites[1].url}{wheel.path}?X-Amz-Signature=0123"))
    shop.route(
        wheel.path,
        lambda request: Answer(400, b"one mechanism only") if "authorization" in request.headers else served(request),
        site=shop.sites[1],
    )
    shop.html(a(shop.wheel("1.0")), a(wheel, href=way))
    for path in (way, shop.page_path()):
        _guard(shop.site, path)


@habit("files redirect on the same host, which wants the password each time", "Nexus, Artifactory", places=BOB)
def login_redirect(shop: Shop) -> None:
    wheel = shop.wheel(big_bytes=BIG)
    way = f"/get/{wheel.filename}"
    shop.route(way, redirect(wheel.path))
    shop.html(a(shop.wheel("1.0")), a(wheel, href=way))
    for path in (wheel.path, way, shop.page_path()):
        _guard(shop.site, path)


@habit("the password is wanted for files only", "public pages of licensed files", places=BOB)
def login_files_only(shop: Shop) -> None:
    _guard(shop.site, large_page(shop).path)


@habit("links have user name and password of another host", "flat pages that people write", hosts=2, instead=ERROR, why=LINKS)
def login_in_links(shop: Shop) -> None:
    host = shop.sites[1]
    wheel = shop.wheel(big_bytes=BIG, site=host)
    _guard(host, wheel.path)
    shop.html(a(shop.wheel("1.0")), a(wheel, href=f"http://bob:s3cret@{host.address}:{host.port}{wheel.path}"))
