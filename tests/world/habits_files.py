"""How files are served: statuses, lengths, and bytes that are wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.fakes import faults
from tests.fakes.server import Answer
from tests.world.habits import ERROR, GOOD, HASH, Place, habit
from tests.world.outcomes import Installed
from tests.world.shop import BIG, a, large_page

if TYPE_CHECKING:
    from tests.fakes.server import Request
    from tests.world.shop import Shop


@habit("an sdist only", "every index", without={"flat": "flat directories have no sdists"})
def sdist_only(shop: Shop) -> None:
    shop.html(a(shop.sdist()))


@habit("an sdist is newer than the newest wheel", "every index", without={"flat": "flat directories have no sdists"})
def sdist_newer(shop: Shop) -> None:
    shop.html(a(shop.wheel("1.0")), a(shop.sdist()))


@habit("the newest file is gone", "mirrors with filters: 404", pip=ERROR, uv=ERROR, quick=True)
def file_404(shop: Shop) -> None:
    shop.route(large_page(shop).path, lambda _: Answer(404, b"no"))


@habit("the newest file is forbidden", "quarantine in Artifactory's Xray and Nexus' firewall", pip=ERROR, uv=ERROR)
def file_403(shop: Shop) -> None:
    shop.route(large_page(shop).path, lambda _: Answer(403, b"blocked"))


@habit("the newest file always fails", "proxies whose upstream is away", pip=ERROR, uv=ERROR)
def file_500(shop: Shop) -> None:
    shop.route(large_page(shop).path, lambda _: Answer(500, b"sorry"))


@habit("a file is refused for a second: 429 with Retry-After: 1", "PyPI's and GitHub's limits", quick=True)
def file_429(shop: Shop) -> None:
    _busy(shop, 429, 1)


@habit("a file is refused for three seconds: 429 with Retry-After: 3", "the same", retries=5)
def file_429_longer(shop: Shop) -> None:
    _busy(shop, 429, 3)


@habit("a file is refused for a second: 503 with Retry-After: 1", "S3's Slow Down")
def file_503(shop: Shop) -> None:
    _busy(shop, 503, 1)


def _busy(shop: Shop, status: int, wait_s: int) -> None:
    """Refuse the first request of every install, and all others until it has waited."""
    wheel = large_page(shop)
    served = shop.site.routes[wheel.path]

    def reply(request: Request) -> Answer:
        early = shop.is_early("file", wait_s - 0.1)  # clocks are not alike to the hundredth
        return Answer(status, b"later", {"Retry-After": str(wait_s)}) if early else served(request)

    shop.route(wheel.path, reply)


@habit("the first answer of each install is 502, the others are right", "load balancers while servers restart")
def file_502_once(shop: Shop) -> None:
    wheel = large_page(shop)
    served = shop.site.routes[wheel.path]
    shop.route(wheel.path, lambda request: Answer(502, b"bad gateway") if shop.is_early("file") else served(request))


@habit("a login page in place of the file, with status 200", "single sign-on in front of files", pip=HASH, uv=ERROR)
def file_login_page(shop: Shop) -> None:
    shop.put(large_page(shop).path, b"<html><form>log in</form></html>", content_type="text/html")


@habit("the file's content type is text/html", "servers without a type for wheels")
def file_type_html(shop: Shop) -> None:
    large_page(shop, served={"content_type": "text/html; charset=utf-8"})


@habit("Content-Disposition names another file", "download servers")
def file_disposition(shop: Shop) -> None:
    large_page(shop, served={"headers": {"Content-Disposition": 'attachment; filename="other-9.9-py3-none-any.whl"'}})


@habit(
    "the file always ends in the middle",
    "broken uploads",
    pip=GOOD,
    uv=ERROR,
    also_right=GOOD,
    why="pip goes on where it was cut, uv does not",
)
def file_truncated(shop: Shop) -> None:
    wheel = large_page(shop)
    shop.site.actions[wheel.path] = faults.Truncate(100_000)


@habit("wrong bytes, right length", "broken disks of a mirror", pip=HASH, quick=True, uv=ERROR)
def file_wrong_bytes(shop: Shop) -> None:
    wheel = large_page(shop)
    shop.put(wheel.path, wheel.content[:-5000] + bytes(4000) + wheel.content[-1000:])


@habit("the end of the newest file is wrong", "broken disks of a mirror", pip=HASH, uv=ERROR)
def file_wrong_tail(shop: Shop) -> None:
    wheel = large_page(shop)
    shop.put(wheel.path, wheel.content[:-200] + bytes(200))


@habit("the newest file is shorter than said", "uploads that were cut", pip=HASH, uv=ERROR)
def file_shorter(shop: Shop) -> None:
    wheel = large_page(shop)
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
