"""What changes between two installs."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tests.fakes.waiting import eventually
from tests.world.habits import ABSENT, ERROR, GOOD, HASH, OLD, habit
from tests.world.outcomes import Installed
from tests.world.shop import a, entry
from tests.world.site import fixed
from wheelfs.service.fetch.limits import FETCH_LIMITS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.world.shop import Shop

FIRST, SECOND = Installed("2.0", "first"), Installed("2.0", "second")
GENTLER = "what is stored is served while its index is away"


def _wait_out_the_quarantine() -> None:
    """Wrong bytes that came twice are asked for again after a while (docs/guide/troubleshooting.md)."""
    ends_s = time.monotonic() + FETCH_LIMITS.quarantine_s
    eventually(lambda: time.monotonic() > ends_s)


@habit("a new version appears", "every index", pip=(OLD, GOOD), quick=True)
def new_version(shop: Shop) -> Iterator[None]:
    shop.html(a(shop.wheel("1.0")))
    yield
    shop.html(a(shop.wheel("1.0")), a(shop.wheel()))
    yield


@habit(
    "the newest version is deleted",
    "every private index",
    pip=(GOOD, OLD),
    also_right=(GOOD, OLD),
    why="what is stored stays, and is marked as no longer listed",
)
def version_deleted(shop: Shop) -> Iterator[None]:
    shop.html(a(shop.wheel("1.0")), a(shop.wheel()))
    yield
    shop.html(a(shop.wheel("1.0")))
    yield


@habit(
    "the newest version is yanked",
    "PEP 592",
    pip=(GOOD, OLD),
    without={"flat": "flat directories have no word for it; [flat] yanked decides"},
)
def version_yanked(shop: Shop) -> Iterator[None]:
    shop.html(a(shop.wheel("1.0")), a(shop.wheel()))
    yield
    shop.html(a(shop.wheel("1.0")), a(shop.wheel(), data_yanked="bad"))
    yield


@habit(
    "a file is replaced under its name, with its new sha256",
    "private indexes that allow it (devpi's volatile)",
    pip=(FIRST, SECOND),
    quick=True,
)
def replaced_new_hash(shop: Shop) -> Iterator[None]:
    shop.html(a(shop.wheel(build="first")))
    yield
    shop.html(a(shop.wheel(build="second")))
    yield


@habit(
    "a file is replaced under its name, no hashes: the ETag tells",
    "nightly builds on S3 and nginx",
    pip=(FIRST, SECOND),
)
def replaced_etag(shop: Shop) -> Iterator[None]:
    shop.html(a(shop.wheel(build="first", served={"last_modified": None}), ""))
    yield
    shop.wheel(build="second", served={"last_modified": None})
    yield


@habit("a file is replaced, no hashes: Last-Modified tells", "nightly builds, etag off", pip=(FIRST, SECOND))
def replaced_last_modified(shop: Shop) -> Iterator[None]:
    shop.html(a(shop.wheel(build="first", served={"etag": None}), ""))
    yield
    shop.wheel(build="second", served={"etag": None, "last_modified": "Wed, 15 Nov 2023 22:13:20 GMT"})
    yield


@habit(
    "a file is replaced, no hashes: only the length tells",
    "hand-made servers",
    pip=(FIRST, Installed("2.0", "the second one, longer")),
)
def replaced_length(shop: Shop) -> Iterator[None]:
    served = {"etag": None, "last_modified": None}
    shop.html(a(shop.wheel(build="first", served=served), ""))
    yield
    shop.wheel(build="the second one, longer", served=served)
    yield


@habit("a file is replaced, no hashes: the page's upload time tells", "PEP 700", pip=(FIRST, SECOND))
def replaced_upload_time(shop: Shop) -> Iterator[None]:
    served = {"etag": None, "last_modified": None}
    shop.json(entry(shop.wheel(build="first", served=served), hashes={}, size=...))
    yield
    shop.json(entry(shop.wheel(build="second", served=served), hashes={}, size=..., upload_time="2025-05-06T07:08:09Z"))
    yield


@habit("a file is replaced, the page's md5 tells", "Nexus before 3.41", pip=(FIRST, SECOND))
def replaced_md5(shop: Shop) -> Iterator[None]:
    first = shop.wheel(build="first")
    shop.html(a(first, "md5=" + first.digest("md5")))
    yield
    second = shop.wheel(build="second")
    shop.html(a(second, "md5=" + second.digest("md5")))
    yield


@habit(
    "a file is replaced, the page's size tells", "PEP 700 without hashes", pip=(FIRST, Installed("2.0", "the second one, longer"))
)
def replaced_size(shop: Shop) -> Iterator[None]:
    shop.json(entry(shop.wheel(build="first", served={"etag": None}), hashes={}, upload_time=...))
    yield
    shop.json(entry(shop.wheel(build="the second one, longer", served={"etag": None}), hashes={}, upload_time=...))
    yield


@habit(
    "a file is replaced, the page still has the old sha256",
    "a cached page",
    pip=(FIRST, HASH),
    instead=(FIRST, FIRST),
    why="what was verified once is stored, and is what the page says",
)
def replaced_old_hash(shop: Shop) -> Iterator[None]:
    shop.html(a(shop.wheel(build="first")))
    yield
    shop.wheel(build="second")
    yield


@habit("the page begins to have hashes", "an index that was upgraded", pip=GOOD)
def hashes_appear(shop: Shop) -> Iterator[None]:
    shop.html(a(shop.wheel(), ""))
    yield
    shop.html(a(shop.wheel()))
    yield


@habit(
    "the page begins to have hashes, of another build than came before",
    "an index that was upgraded and its files replaced",
    pip=(FIRST, SECOND),
)
def hashes_appear_other(shop: Shop) -> Iterator[None]:
    shop.html(a(shop.wheel(build="first"), ""))
    yield
    shop.html(a(shop.wheel(build="second")))
    yield


@habit("the page's hashes go away", "a proxy in between that rewrites pages", pip=GOOD)
def hashes_vanish(shop: Shop) -> Iterator[None]:
    shop.html(a(shop.wheel()))
    yield
    shop.html(a(shop.wheel(), ""))
    yield


@habit("files move to another path", "rebuilt indexes: signed links, new layouts")
def files_move(shop: Shop) -> Iterator[None]:
    wheel = shop.wheel()
    shop.html(a(wheel))
    yield
    del shop.site.routes[wheel.path]
    shop.html(a(shop.wheel(path="/moved/" + wheel.filename)))
    yield


@habit("a file that failed comes right", "a mirror that is mended", pip=(ERROR, GOOD))
def file_mended(shop: Shop) -> Iterator[None]:
    wheel = shop.wheel()
    shop.html(a(shop.wheel("1.0")), a(wheel))
    shop.route(wheel.path, fixed(404))
    yield
    shop.put(wheel.path, wheel.content)
    yield


@habit("a file that came wrong comes right", "a mirror that is mended", pip=(HASH, GOOD))
def file_wrong_then_right(shop: Shop) -> Iterator[None]:
    wheel = shop.wheel()
    shop.html(a(shop.wheel("1.0")), a(wheel))
    shop.put(wheel.path, shop.build(build="bad"))
    yield
    shop.put(wheel.path, wheel.content)
    _wait_out_the_quarantine()
    yield


@habit("a file comes empty at first", "proxpi while it downloads (EpicWink/proxpi#68)", pip=(HASH, GOOD), uv=(ERROR, GOOD))
def file_empty_then_right(shop: Shop) -> Iterator[None]:
    wheel = shop.wheel()
    shop.html(a(shop.wheel("1.0")), a(wheel))
    shop.put(wheel.path, b"", ranges="no")
    yield
    shop.put(wheel.path, wheel.content)
    yield


@habit(
    "a page that failed comes right",
    "an index that restarts",
    pip=(ABSENT, GOOD),
    uv=(ERROR, GOOD),
    instead=(ERROR, GOOD),
    why="silence is not a no",
)
def page_mended(shop: Shop) -> Iterator[None]:
    shop.route(shop.page_path(), fixed(500))
    yield
    shop.html(a(shop.wheel("1.0")), a(shop.wheel()))
    yield


@habit("a project appears", "every private index", pip=(ABSENT, GOOD))
def project_appears(shop: Shop) -> Iterator[None]:
    shop.route(shop.page_path(), fixed(404))
    yield
    shop.html(a(shop.wheel()))
    yield


@habit(
    "a project that was gone comes back",
    "Nexus: 410 for what was deleted",
    pip=(ABSENT, GOOD),
    uv=(ERROR, GOOD),
    instead=(ABSENT, GOOD),
    why="gone is an answer",
)
def project_comes_back(shop: Shop) -> Iterator[None]:
    shop.route(shop.page_path(), fixed(410))
    yield
    shop.html(a(shop.wheel()))
    yield


@habit(
    "the index goes away",
    "machines that leave the network",
    pip=(GOOD, ABSENT),
    uv=(GOOD, ERROR),
    instead=GOOD,
    why=GENTLER,
    quick=True,
)
def index_goes_away(shop: Shop) -> Iterator[None]:
    shop.html(a(shop.wheel("1.0")), a(shop.wheel()))
    yield
    shop.site.stop()
    yield


@habit(
    "the index begins to refuse everything",
    "a token that has expired",
    pip=(GOOD, ABSENT),
    instead=GOOD,
    why=GENTLER,
    uv=(GOOD, ABSENT),
)
def index_begins_to_refuse(shop: Shop) -> Iterator[None]:
    shop.html(a(shop.wheel("1.0")), a(shop.wheel()))
    yield
    shop.site.routes.clear()
    shop.site.fallback = fixed(401)
    yield


@habit(
    "the project is deleted",
    "every private index",
    pip=(GOOD, ABSENT),
    also_right=(GOOD, ABSENT),
    why="a file that is stored stays",
)
def project_deleted(shop: Shop) -> Iterator[None]:
    shop.html(a(shop.wheel()))
    yield
    shop.route(shop.page_path(), fixed(404))
    yield
