"""How pages are served: statuses, redirects, encodings, validators, headers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.fakes import faults
from tests.fakes.server import Answer
from tests.world.habits import ABSENT, ERROR, GOOD, OLD, Place, habit
from tests.world.shop import a
from tests.world.site import fixed, redirect

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.fakes.server import Request
    from tests.world.shop import Shop

SILENCE = "an answer that is no page says nothing of whether the project is there"


def _good(shop: Shop) -> None:
    shop.html(a(shop.wheel("1.0")), a(shop.wheel()))


def _status_habit(name: str, status: int, reported: str, **outcomes: object) -> None:
    def set_up(shop: Shop) -> None:
        shop.route(shop.page_path(), fixed(status, b"no such page\n"))

    set_up.__name__ = name
    habit(f"the page's status is {status}", reported, **outcomes)(set_up)  # type: ignore[arg-type]


_status_habit("page_404", 404, "every index", pip=ABSENT)
_status_habit("page_410", 410, "Nexus for deleted components", pip=ABSENT, uv=ERROR, also_right=ABSENT, why="gone is an answer")
_status_habit("page_400", 400, "strict gateways", pip=ABSENT, uv=ERROR, instead=ERROR, why=SILENCE)
_status_habit("page_401", 401, "indexes without anonymous readers", pip=ABSENT, instead=ERROR, why=SILENCE, uv=ABSENT)
_status_habit(
    "page_403",
    403,
    "PyTorch's index and buckets without the right to list",
    pip=ABSENT,
    instead=ERROR,
    why=SILENCE,
    quick=True,
    uv=ABSENT,
)
_status_habit("page_405", 405, "hand-made servers", pip=ABSENT, uv=ERROR, instead=ERROR, why=SILENCE)
_status_habit(
    "page_406", 406, "Artifactory with a path too short (astral-sh/uv#14375)", pip=ABSENT, uv=ERROR, instead=ERROR, why=SILENCE
)
_status_habit("page_500", 500, "proxies whose upstream is away", pip=ABSENT, uv=ERROR, instead=ERROR, why=SILENCE)
_status_habit("page_503", 503, "maintenance", pip=ABSENT, uv=ERROR, instead=ERROR, why=SILENCE)
_status_habit("page_204", 204, "empty repositories", pip=ABSENT, uv=ERROR, instead=ERROR, why=SILENCE)


@habit(
    "names it does not have get a single-page application",
    "static sites with a fall-back to index.html",
    pip=ABSENT,
    uv=ABSENT,
    instead=ERROR,
    why=SILENCE,
)
def page_single_page_application(shop: Shop) -> None:
    shop.serve_page(b'<!doctype html><html><head><title>App</title></head><body><div id="root"></div></body></html>')


@habit("names it does not have get a login page", "single sign-on", pip=ABSENT, uv=ABSENT, instead=ERROR, why=SILENCE)
def page_login(shop: Shop) -> None:
    shop.serve_page(b'<html><head><title>Log in</title></head><body><form><input name="user"></form></body></html>')


@habit("the page is reached by a redirect", "Gitea, GitLab: names are normalized by a redirect")
def page_redirect(shop: Shop) -> None:
    _good(shop)
    shop.site.routes["/elsewhere/"] = shop.site.routes[shop.page_path()]
    shop.route(shop.page_path(), redirect("/elsewhere/"))


@habit("relative links are relative to where the redirect led", "CodeArtifact, pypicloud (astral-sh/uv#1388, #1747)", quick=True)
def page_redirect_relative_links(shop: Shop) -> None:
    wheel = shop.wheel(path="/other/place/" + shop.wheel().filename)
    shop.html(a(wheel, href=wheel.filename))
    shop.site.routes["/other/place/"] = shop.site.routes[shop.page_path()]
    shop.route(shop.page_path(), redirect("/other/place/"))


@habit("the page is redirected to another host", "pypiserver's fallback (303)", hosts=2)
def page_redirect_other_host(shop: Shop) -> None:
    wheel = shop.wheel(site=shop.sites[1])
    shop.html(a(wheel), site=shop.sites[1])
    shop.route(shop.page_path(), redirect(shop.sites[1].url + shop.page_path(), 303))


@habit(
    "the page without its last slash redirects to the one with it, and back",
    "misconfigured rewriting",
    uv=ERROR,
    instead=ERROR,
    why=SILENCE,
    pip=ERROR,
)
def page_redirect_circle(shop: Shop) -> None:
    shop.route(shop.page_path(), redirect(shop.page_path().rstrip("/")))
    shop.route(shop.page_path().rstrip("/"), redirect(shop.page_path()))


@habit(
    "pages only without the last slash",
    "static sites",
    pip=ABSENT,
    also_right=(GOOD, ABSENT),
    why="PEP 503 has the slash",
    uv=ABSENT,
)
def page_no_slash(shop: Shop) -> None:
    _good(shop)
    shop.site.routes[shop.page_path().rstrip("/")] = shop.site.routes.pop(shop.page_path())


@habit("an index at the root of its host", "pypicloud, simpleindex", places=(Place(path=""),))
def index_at_root(shop: Shop) -> None:
    _good(shop)


@habit(
    "an index deep below its host",
    "Nexus: /repository/NAME/simple, Artifactory: /artifactory/api/pypi/NAME/simple",
    places=(Place(path="/artifactory/api/pypi/a-b_c.d/simple"),),
)
def index_deep(shop: Shop) -> None:
    wheel = shop.wheel(path="/artifactory/api/pypi/a-b_c.d/packages/packages/ab/cd/" + shop.wheel().filename)
    shop.html(a(wheel, href=f"../../packages/packages/ab/cd/{wheel.filename}"))


@habit("an index below +simple", "devpi: /root/dev/+simple/", places=(Place(path="/root/dev/+simple"),))
def index_plus_simple(shop: Shop) -> None:
    wheel = shop.wheel(path="/root/dev/+f/abc/0123456789abc/" + shop.wheel().filename)
    shop.html(a(wheel, href=f"../../+f/abc/0123456789abc/{wheel.filename}"))


@habit(
    "the path of the index has an escaped character",
    "GitLab: /projects/group%2Fname/packages/pypi/simple",
    places=(Place(path="/projects/group%2Fname/simple"),),
)
def index_escaped_path(shop: Shop) -> None:
    _good(shop)


@habit("no-store on everything", "Artifact Registry (astral-sh/uv#4728)")
def page_no_store(shop: Shop) -> None:
    shop.html(
        a(shop.wheel("1.0")),
        a(shop.wheel(served={"headers": {"Cache-Control": "no-store"}})),
        headers={"Cache-Control": "no-store"},
    )


@habit("Vary: * and an Expires in the past", "Azure Artifacts (astral-sh/uv#10359)")
def page_vary_star(shop: Shop) -> None:
    shop.html(a(shop.wheel()), headers={"Vary": "*", "Expires": "-1", "Pragma": "no-cache"})


@habit("Cache-Control that is nonsense", "typing errors in configurations")
def page_cache_control_nonsense(shop: Shop) -> None:
    shop.html(a(shop.wheel()), headers={"Cache-Control": 'max-age=ten, ,=, private="x'})


@habit("an Age older than max-age", "CDNs that serve stale pages")
def page_age(shop: Shop) -> None:
    shop.html(a(shop.wheel()), headers={"Cache-Control": "max-age=60", "Age": "86400"})


@habit("304 to a question that was not conditional", "broken caches", pip=ABSENT, uv=ERROR, instead=ERROR, why=SILENCE)
def page_304(shop: Shop) -> None:
    shop.route(shop.page_path(), fixed(304))


@habit("the page comes in chunks", "Nexus, every proxy")
def page_chunked(shop: Shop) -> None:
    _good(shop)

    def change(_: Request, answer: Answer) -> Answer:
        answer.chunked = answer.status == 200
        return answer

    shop.wrap_page(change)


@habit("the page ends before its length", "overloaded servers", uv=ERROR, instead=ERROR, why=SILENCE, pip=ERROR)
def page_truncated(shop: Shop) -> None:
    _good(shop)
    shop.site.actions[shop.page_path()] = faults.Truncate(150)


@habit("the page is reset in the middle", "overloaded servers", uv=ERROR, instead=ERROR, why=SILENCE, pip=ERROR)
def page_reset(shop: Shop) -> None:
    _good(shop)
    shop.site.actions[shop.page_path()] = faults.Reset(150)


@habit("the page's first answer in each install is 503", "overloaded servers")
def page_503_once(shop: Shop) -> None:
    _good(shop)
    shop.wrap_page(lambda _, answer: Answer(503, b"later") if shop.is_early("page") else answer)


@habit("the page is refused for a second: 429 with Retry-After: 1", "limits of PyPI's mirrors")
def page_429(shop: Shop) -> None:
    _good(shop)
    shop.wrap_page(lambda _, answer: Answer(429, b"later", {"Retry-After": "1"}) if shop.is_early("page", 0.9) else answer)


@habit("the list of projects is not there, or fails", "mirrors without a root page (devpi/devpi#1041)")
def root_fails(shop: Shop) -> None:
    _good(shop)
    shop.route("/simple/", fixed(500))


@habit("an ETag that never changes, though the page does", "hand-made caching", pip=(OLD, GOOD))
def page_etag_constant(shop: Shop) -> Iterator[None]:
    shop.html(a(shop.wheel("1.0")), etag='"v1"', last_modified=None)
    yield
    new = a(shop.wheel())
    shop.html(a(shop.wheel("1.0")), new, etag=None, last_modified=None)
    yield
