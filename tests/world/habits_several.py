"""Several indexes in order of priority, on hosts of their own and on one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.fakes.server import Answer
from tests.world.habits import ABSENT, ERROR, GOOD, Place, habit
from tests.world.outcomes import Installed
from tests.world.shop import a
from tests.world.site import fixed

if TYPE_CHECKING:
    from tests.world.shop import Shop

TWO = (Place(host=0), Place(host=1))
ONE_HOST = (Place(path="/one/simple"), Place(path="/two/simple"))
FIRST_INDEX = "the first index that has a project owns it; pip mixes them"


def _second(shop: Shop, version: str = "3.0") -> None:
    place = shop.sites[-1]
    wheel = shop.wheel(version, "second", site=place, path=f"/second/{shop.package}-{version}-py3-none-any.whl")
    shop.html(a(wheel), index=1)


def _several(name: str, because: str, reported: str, status: int, **outcomes: object) -> None:
    def set_up(shop: Shop) -> None:
        shop.route(shop.page_path(), lambda _: Answer(status, b"no"))
        _second(shop)

    set_up.__name__ = name
    habit(because, reported, **{"places": TWO, "hosts": 2, **outcomes})(set_up)  # type: ignore[arg-type]


THIRD = Installed("3.0", "second")
BY_ITSELF = {"index": "the first index by itself does not have it", "gateway index": "the same"}
_several(
    "two_first_404",
    "the first of two indexes does not have it",
    "every private index before PyPI",
    404,
    pip=THIRD,
    without=BY_ITSELF,
    quick=True,
)
_several(
    "two_first_410",
    "the first of two indexes says it is gone",
    "Nexus",
    410,
    pip=THIRD,
    uv=ERROR,
    also_right=THIRD,
    why="gone is an answer",
    without=BY_ITSELF,
)
_several(
    "two_first_403",
    "the first of two indexes says 403 for names it does not have",
    "PyTorch's index, buckets without the right to list",
    403,
    pip=THIRD,
    instead=ERROR,
    why="silence is not a no",
    uv=ABSENT,
)
_several(
    "two_first_403_means_no",
    "the first of two indexes says 403 for names it does not have, and its table that this means no",
    "PyTorch's index, buckets without the right to list, with absent = [403]",
    403,
    places=(Place(options={"absent": [403]}), Place(host=1)),
    pip=THIRD,
    uv=ABSENT,
    instead=THIRD,
    why="the user has said what straight cannot be told",
    without=BY_ITSELF,
)
_several(
    "two_first_500",
    "the first of two indexes fails",
    "an outage",
    500,
    pip=THIRD,
    uv=ERROR,
    instead=ERROR,
    why="silence is not a no",
)


@habit(
    "both of two indexes have it",
    "a private fork of a public package",
    places=TWO,
    hosts=2,
    pip=THIRD,
    uv=GOOD,
    instead_pip=GOOD,
    why=FIRST_INDEX,
    quick=True,
)
def two_have_it(shop: Shop) -> None:
    shop.html(a(shop.wheel("1.0")), a(shop.wheel()))
    _second(shop)


@habit(
    "the first of two indexes on one host refuses",
    "devpi, Nexus, Artifactory: rights by index",
    places=ONE_HOST,
    pip=THIRD,
    instead=ERROR,
    why="silence is not a no",
    uv=ABSENT,
)
def two_on_one_host_first_refuses(shop: Shop) -> None:
    shop.route(shop.page_path(), fixed(403))
    _second(shop)


@habit("the second of two indexes on one host refuses", "devpi, Nexus, Artifactory: rights by index", places=ONE_HOST)
def two_on_one_host_second_refuses(shop: Shop) -> None:
    shop.html(a(shop.wheel("1.0")), a(shop.wheel()))
    shop.route(shop.page_path(index=1), fixed(403))


@habit(
    "the first of two indexes is down",
    "an outage",
    places=TWO,
    hosts=2,
    pip=THIRD,
    uv=ERROR,
    instead=ERROR,
    why="silence is not a no",
)
def two_first_down(shop: Shop) -> None:
    shop.site.stop()
    _second(shop)


@habit("the same file on both of two indexes", "a mirror before its origin", places=TWO, hosts=2)
def two_same_file(shop: Shop) -> None:
    shop.html(a(shop.wheel("1.0")), a(shop.wheel()))
    wheel = shop.wheel(site=shop.sites[1])
    shop.html(a(wheel), index=1)
