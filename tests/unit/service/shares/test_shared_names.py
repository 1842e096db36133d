"""One filename on two indexes: with the same bytes it belongs to both, with other bytes each keeps its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from tests.fakes.origins import MemoryOrigin
from tests.fakes.services import Service, service
from tests.fakes.waiting import until
from tests.fakes.wheels import build_wheel, wheel_filename
from wheelfs.core.projects.ownership import LOCAL
from wheelfs.reports.files import ShownFile
from wheelfs.service.operations import inspect
from wheelfs.service.operations.repair import repaired
from wheelfs.store.verify import Checked

if TYPE_CHECKING:
    from pathlib import Path

    from wheelfs.store.catalog.records import StoredName

NAME = wheel_filename("demo", "1.0")
WHEEL = build_wheel("demo", "1.0")


def index(name: str, content: bytes | None = WHEEL) -> MemoryOrigin:
    origin = MemoryOrigin(name=name, url=f"https://{name}.index.example/simple")
    if content is not None:
        origin.add("demo", NAME, content)
    return origin


def xattr(one: Service, node: object, name: str) -> str:
    return one.node.tree.xattrs(node)[f"user.wheelfs.{name}"].decode()  # type: ignore[arg-type]


def stored(one: Service) -> list[StoredName]:
    return one.store.catalog.stored_names("demo")


async def test_the_same_bytes_are_fetched_once_and_then_are_both_indexs_with_no_page_of_either(tmp_path: Path) -> None:
    first, second = index("first"), index("second")
    async with service(tmp_path / "s", [first, second]) as one:
        assert await one.read(f"simple/demo/{NAME}") == WHEEL
        assert await one.read(f"index/second/simple/demo/{NAME}") == WHEEL
        assert second.requests["range"] == 0
        await until(lambda: stored(one)[0].origins == ("first", "second"))
        for view in ("first", "second"):
            assert b">demo<" in await one.read(f"index/{view}/stored/simple/index.html")
            assert await one.read(f"index/{view}/stored/simple/demo/{NAME}") == WHEEL
            assert xattr(one, await one.node_at(f"index/{view}/simple/demo/{NAME}"), "origin") == view
        assert xattr(one, await one.node_at(NAME), "origin") == "first"
    # The first index is configured no longer, and the second has lost the project: its own stored file stays its own.
    second = index("second", None)
    async with service(tmp_path / "s", [second], ttl_s=0.0) as one:
        assert await one.read(f"index/second/simple/demo/{NAME}") == WHEEL
        assert xattr(one, await one.node_at(NAME), "origin") == "second"


async def test_while_one_index_is_asked_for_a_file_the_other_one_gets_it_too(tmp_path: Path) -> None:
    async with service(tmp_path / "s", [index("first"), index("second")]) as one:
        await one.node_at(f"simple/demo/{NAME}")
        other = await one.open(f"index/second/simple/demo/{NAME}")
        assert await one.read(f"simple/demo/{NAME}") == WHEEL
        other.close()
        await until(lambda: [set(name.origins) for name in stored(one)] == [{"first", "second"}])


async def test_other_bytes_under_the_same_name_stay_apart(tmp_path: Path) -> None:
    another = build_wheel("demo", "1.0", requires_python=">=3.8")
    async with service(tmp_path / "s", [index("first"), index("second", another)]) as one:
        assert await one.read(f"index/second/simple/demo/{NAME}") == another
        assert await one.read(f"index/first/simple/demo/{NAME}") == WHEEL
        assert await one.read(f"simple/demo/{NAME}") == WHEEL, "the owner's"
        assert await one.read(NAME) == WHEEL
        assert {name.origins for name in stored(one)} == {("first",), ("second",)}


async def test_what_was_added_by_hand_stays_so_when_an_index_lists_it_too_until_it_is_filed_elsewhere_by_hand(
    tmp_path: Path,
) -> None:
    async with service(tmp_path / "s", [index("first")]) as one:
        await one.read(f"simple/demo/{NAME}")
        (fetched,) = stored(one)
        catalog = one.store.catalog

        def added(origin: str, *, private: bool = False) -> StoredName:
            catalog.add_name(msgspec.structs.replace(fetched, index=origin, private=private)).result()
            (name,) = stored(one)
            return name

        assert (added(LOCAL, private=True).origins, stored(one)[0].private) == ((LOCAL, "first"), True)
        assert (added("second").origins, stored(one)[0].private) == ((LOCAL, "first", "second"), True)
        assert (added("lab", private=True).origins, stored(one)[0].private) == (("lab", "first", "second"), True)
        assert added("second").origins == ("lab", "first", "second"), "nothing is added twice"


async def test_lists_name_every_index_that_has_the_file(tmp_path: Path) -> None:
    async with service(tmp_path / "s", [index("first"), index("second")]) as one:
        for view in ("first", "second"):
            await one.read(f"index/{view}/simple/demo/{NAME}")
        await until(lambda: stored(one)[0].origins == ("first", "second"))
        (listed,) = inspect.list_files(one.store, words=[])
        shown = inspect.show(one.node.projects, one.node.views, one.node.downloads, NAME)
        assert isinstance(shown, ShownFile)
        assert (listed.origin, listed.also) == (shown.origin, shown.also) == ("first", ("second",))


async def test_what_rotted_is_repaired_from_the_second_index_when_the_first_has_lost_it(tmp_path: Path) -> None:
    first, second = index("first"), index("second")
    async with service(tmp_path / "s", [first, second]) as one:
        for origin in (first, second):
            await one.read(f"index/{origin.name}/simple/demo/{NAME}")
        await until(lambda: stored(one)[0].origins == ("first", "second"))
        digest = stored(one)[0].sha256
        del first.files[NAME]
        one.store.quarantine(digest, "a block has rotted")
        (file,) = await repaired(one.node.downloads, Checked(digest, (NAME,), "a block has rotted"))
        assert (file.repaired, file.obstacle) == (True, None)
        assert await one.read(f"simple/demo/{NAME}") == WHEEL
