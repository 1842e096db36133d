"""What shares have under names that this node's indexes know: the index that owns a project decides, not a share.

The whole rule is a table in `test_rule_for_shares`; here is what pages say, and what outlives a change.
"""

from __future__ import annotations

import hashlib
import re
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import trio

from tests.fakes.origins import MemoryOrigin, MemoryShare
from tests.fakes.services import Service, service
from tests.fakes.waiting import until
from tests.fakes.wheels import build_wheel, wheel_filename
from wheelfs.config.indexes import IndexSetting
from wheelfs.core.projects.index_scopes import IndexScopes
from wheelfs.core.projects.ownership import Undecided
from wheelfs.errors import OriginUnreachable
from wheelfs.model.names import ProjectName
from wheelfs.model.shared import SharedFile
from wheelfs.service.operations.add import add_paths
from wheelfs.service.process import withheld as counting
from wheelfs.service.vfs.protocol import Absent
from wheelfs.store.store import Store

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    import pytest

NAME = wheel_filename("demo", "1.0")
WHEEL = build_wheel("demo", "1.0")
OTHER = build_wheel("demo", "1.0", requires_python=">=3.8")


def shared(version: str, index: str, content: bytes, project: str = "demo") -> SharedFile:
    return SharedFile(project, wheel_filename(project, version), index, hashlib.sha256(content).digest(), len(content))


def index(name: str, *contents: bytes) -> MemoryOrigin:
    origin = MemoryOrigin(name=name, url=f"https://{name}.index.example/simple")
    for content in contents:
        origin.add("demo", NAME, content)
    return origin


@asynccontextmanager
async def node(path: Path, indexes: list[MemoryOrigin], *files: SharedFile, **options: object) -> AsyncIterator[Service]:
    """Run a node that knows all that its one share has."""
    share = MemoryShare(files=files)
    async with service(path, indexes, shares=[share], **options) as one, trio.open_nursery() as nursery:  # type: ignore[arg-type]
        nursery.start_soon(one.node.follower.keep_fresh)
        await until(lambda: one.store.shared.cursor(share.name) is not None)
        yield one
        nursery.cancel_scope.cancel()


class Quiet:
    """Progress that is of no interest."""

    is_shown = False

    def overall(self, done_files: int, files: int, saved_bytes: int, total_bytes: int | None = None) -> None: ...

    def begin(self, name: str, total_bytes: int | None) -> None: ...

    def advance(self, name: str, more_bytes: int) -> None: ...

    def end(self, name: str) -> None: ...


async def links(one: Service, path: str) -> list[tuple[str, str]]:
    return re.findall(r'href="([^"#]+)#sha256=([0-9a-f]{64})"', (await one.read(path)).decode())


def hashed(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


async def test_what_the_index_does_not_list_of_a_share_is_not_on_its_page_which_says_how_to_see_it(tmp_path: Path) -> None:
    files = shared("1.0", "main", WHEEL), shared("1.0", "main", OTHER), shared("2.0", "main", OTHER)
    async with node(tmp_path / "s", [index("main", WHEEL)], *files) as one:
        assert await links(one, "simple/demo/index.html") == [(NAME, hashed(WHEEL))]
        page = (await one.read("simple/demo/index.html")).decode()
        assert "hidden here: 2 files that shares have and main does not list" in page
        assert 'projects = ["demo"] in a [[share]] table' in page
        assert await one.read(f"simple/demo/{NAME}") == WHEEL


async def test_what_is_withheld_is_counted_and_said_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counting, "FIRST_S", 0.0)
    files = shared("2.0", "main", OTHER), shared("1.0", "elsewhere", OTHER, "other"), shared("1.0", "local", OTHER, "third")
    async with node(tmp_path / "s", [index("main", WHEEL)], *files) as one, trio.open_nursery() as nursery:
        await one.node.projects.find(ProjectName("demo"))
        nursery.start_soon(one.node.withheld.keep_counted)
        await until(lambda: one.node.status.report().withheld.files == 3)
        told = one.node.status.report().withheld
        assert (told.projects, told.silent, told.owned, told.tied) == (3, 2, 1, 0)
        assert "--no-index" in told.remedy and "[[share]]" in told.remedy
        await one.node.projects.find(ProjectName("third"))
        await until(lambda: one.node.status.report().withheld.silent == 1)
        assert len(await links(one, "simple/third/index.html")) == 1
        nursery.cancel_scope.cancel()
    assert caplog.text.count("not shown, since only shares name them") == 1
    async with node(tmp_path / "s", [], *files) as one:
        assert one.node.withheld.count().files == 0, "there is no index"


async def test_what_was_stored_from_a_share_is_still_only_the_share_s_word(tmp_path: Path) -> None:
    """Reading it through a mount, without an index or when the indexes have answered, makes it private to no store."""
    share = MemoryShare(files=(shared("2.0", "local", OTHER),))
    share.add(OTHER)
    async with service(tmp_path / "s", [], shares=[share]) as one:
        await one.node.follower.catch_up()
        newer = wheel_filename("demo", "2.0")
        assert await one.read(f"simple/demo/{newer}") == OTHER
        assert await one.read(newer) == OTHER
    async with service(tmp_path / "s", [index("main", WHEEL)]) as one:
        assert await links(one, "simple/demo/index.html") == [(NAME, hashed(WHEEL))]
        assert await links(one, "index.html") == []
    async with service(tmp_path / "s", []) as one:
        assert await links(one, "stored/simple/demo/index.html") == [(newer, hashed(OTHER))]


async def test_adding_by_hand_what_came_from_a_share_makes_it_private(tmp_path: Path) -> None:
    content = build_wheel("demo", "2.0")
    share = MemoryShare(files=(shared("2.0", "elsewhere", content),))
    share.add(content)
    newer = wheel_filename("demo", "2.0")
    async with service(tmp_path / "s", [], shares=[share]) as one:
        await one.node.follower.catch_up()
        await one.read(f"simple/demo/{newer}")
    (tmp_path / newer).write_bytes(content)
    with Store.open(tmp_path / "s") as store:
        [added] = add_paths(store, [tmp_path / newer], index=None, scopes=IndexScopes({"main": ()}), progress=Quiet())
        assert added.result == "present"
        [name] = store.catalog.stored_names("demo")
        assert (name.of_share, name.private, name.index) == (False, True, "local")
    async with service(tmp_path / "s", [index("main", WHEEL)]) as one:
        assert await links(one, "simple/demo/index.html") == [(newer, hashed(content))]


async def test_of_two_files_of_one_name_a_page_links_to_the_one_that_opening_it_gives(tmp_path: Path) -> None:
    """Also when the index has another file by now than the one that is stored, and when it is gone."""
    origin = index("main", WHEEL)
    async with service(tmp_path / "s", [origin], ttl_s=0.0) as one:
        assert await one.read(f"simple/demo/{NAME}") == WHEEL
        origin.add("demo", NAME, OTHER)
        assert await links(one, "simple/demo/index.html") == [(NAME, hashed(OTHER))]
        await one.node_at(f"simple/demo/{NAME}")
        origin.page_troubles.extend([OriginUnreachable("ask", "refused")] * 9)
        await one.read("simple/demo/index.html")
        assert not one.node.hosts.may_ask(origin.url)
        assert await links(one, "simple/demo/index.html") == [(NAME, hashed(WHEEL))]
        assert await one.read(f"simple/demo/{NAME}") == WHEEL


async def test_a_lower_index_s_file_of_a_share_is_not_listed_beside_a_project_of_a_higher_one(tmp_path: Path) -> None:
    newer = wheel_filename("demo", "9.0")
    async with node(tmp_path / "s", [index("lab", WHEEL), index("main")], shared("9.0", "main", OTHER)) as one:
        assert isinstance(await one.lookup(newer), Absent), "no index was asked, which is silence"
        assert await links(one, "simple/demo/index.html") == [(NAME, hashed(WHEEL))]
        assert isinstance(await one.lookup(newer), Absent)
        assert isinstance(await one.lookup(f"simple/demo/{newer}"), Absent)
        assert (newer, hashed(OTHER)) not in await links(one, "index.html")


async def test_a_name_that_is_tied_to_an_index_comes_from_no_other_one_s_share(tmp_path: Path) -> None:
    tied = {"lab": ("demo",)}
    async with node(tmp_path / "s", [index("main"), index("lab")], shared("9.0", "main", OTHER), tied=tied) as one:
        assert await links(one, "index.html") == []
        assert isinstance(await one.lookup("simple/demo"), Absent)


async def test_index_name_shows_of_a_share_only_what_that_index_lists(tmp_path: Path) -> None:
    files = shared("1.0", "elsewhere", WHEEL), shared("8.0", "lab", OTHER), shared("9.0", "main", OTHER)
    async with node(tmp_path / "s", [index("lab"), index("main", WHEEL)], *files) as one:
        assert isinstance(await one.lookup("index/lab/simple/demo"), Absent)
        assert await links(one, "index/main/simple/demo/index.html") == [(NAME, hashed(WHEEL))]


async def test_a_name_that_is_tied_to_a_share_is_asked_of_no_index(tmp_path: Path) -> None:
    main, share = index("main", WHEEL), MemoryShare(files=(shared("9.0", "local", OTHER), shared("8.0", "main", OTHER)))
    setting = IndexSetting(share.name, share.url, projects=("de*",))
    async with service(tmp_path / "s", [main], shares=[share], share_settings=[setting]) as one:
        found = await one.node.projects.find(ProjectName("demo"))
        assert isinstance(found, Undecided), "a share that was never read is as silent as an index"
        await one.node.follower.catch_up()
        assert [name for name, _ in await links(one, "simple/demo/index.html")] == [
            wheel_filename("demo", "8.0"),
            wheel_filename("demo", "9.0"),
        ]
    assert main.requests.total() == 0
