"""The rule for shares as a table: what is shown of a file, by what its index does, what its name is tied to, and who names it.

`may_be_shown` is written from the rule's words in docs/design/decisions/0043-shares-own-no-names.md, and not from the code.
"""

from __future__ import annotations

import hashlib
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import product
from typing import TYPE_CHECKING, Literal, get_args

import msgspec
import pytest
import trio

from tests.fakes.origins import MemoryOrigin, MemoryShare
from tests.fakes.services import Service, service
from tests.fakes.waiting import until
from tests.fakes.wheels import build_wheel, wheel_filename
from wheelfs.config.indexes import IndexSetting
from wheelfs.errors import OriginUnreachable, WheelfsError
from wheelfs.model.names import ProjectName
from wheelfs.model.shared import SharedFile
from wheelfs.service.vfs.nodes import DirectoryNode, FileNode
from wheelfs.store.catalog.records import StoredName
from wheelfs.store.store import Store

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

Habit = Literal["lists", "has other", "had listed", "absent", "absent, then down", "silent", "never asked", "lower lists", "none"]
Tie = Literal["untied", "to the index", "to the share", "share takes no names", "share takes this name"]
Kind = Literal["share's, of the index", "share's, private", "share's, of another index", "pulled", "own former", "own private"]
View = Literal[
    "", "stored", "asof/2030-01-01", "simple", "here/simple", "index/main/simple", "asof/2030-01-01/simple", "stored/simple"
]
Surface = Literal["page", "name", "directory"]

DEMO = ProjectName("demo")
NAME, CONTENT = wheel_filename("demo", "99.0"), build_wheel("demo", "99.0")
OTHER, OTHER_CONTENT = wheel_filename("demo", "1.0"), build_wheel("demo", "1.0")
SHA256 = hashlib.sha256(CONTENT).digest()
UPLOADED_US = 1_700_000_000_000_000
CELLS = [(habit, tie, kind) for habit in get_args(Habit) for tie in get_args(Tie) for kind in get_args(Kind)]


def may_be_shown(habit: Habit, tie: Tie, kind: Kind, view: View) -> bool:
    """Return what the rule says.  The index called ``main`` is the one whose habit this is."""
    has_main = habit != "none"
    in_charge = has_main and tie != "to the share"
    is_share = kind.startswith("share") or kind == "pulled"
    is_flat = not view.endswith("simple")
    # Bytes that are here are a matter of the store; what is only on the share is not in stored/.
    if view.startswith("stored") and kind.startswith("share"):
        return False
    if view == "index/main/simple":
        if not has_main or not in_charge:
            return False
        # What this index lists, or has listed here while it was known as a share's.
        return habit in ("lists", "lower lists") or (habit == "had listed" and is_share)
    if kind == "own private":
        return True  # it owns its name before any index
    if habit == "lists" and in_charge:
        return True
    if habit == "had listed" and in_charge and is_share:
        return True
    if kind == "own former":
        is_tied = (has_main and tie == "to the index") or tie == "to the share"
        if in_charge and habit in ("has other", "had listed", "lower lists"):
            # Not beside the owner's files; a flat directory lists what is stored, except under a name that is tied.
            return is_flat and not is_tied
        if in_charge and habit in ("silent", "never asked"):
            return not is_tied
        return True
    # A share's file that no index in charge of its name vouches for.
    if tie == "to the share":
        return True
    if tie == "share takes no names":
        return False
    if not has_main:
        return True
    return tie != "to the index" and habit in ("absent", "absent, then down")


def index_called(name: str) -> MemoryOrigin:
    return MemoryOrigin(name=name, url=f"https://{name}.index.example/simple")


def lists(origin: MemoryOrigin, filename: str, content: bytes) -> None:
    origin.add("demo", filename, content)
    page = origin.pages["demo"]
    files = tuple(msgspec.structs.replace(link, upload_time_us=UPLOADED_US) for link in page.files)
    origin.pages["demo"] = msgspec.structs.replace(page, files=files)


def indexes_of(habit: Habit) -> list[MemoryOrigin]:
    """Return the indexes as they are when the node is looked at."""
    main = index_called("main")
    if habit in ("lists", "lower lists"):
        lists(main, NAME, CONTENT)
    if habit in ("has other", "had listed"):
        lists(main, OTHER, OTHER_CONTENT)
    if habit == "lower lists":
        first = index_called("first")
        lists(first, OTHER, OTHER_CONTENT)
        return [first, main]
    if habit in ("silent", "absent, then down"):
        main.page_troubles.extend([OriginUnreachable("ask", "refused")] * 99)
    return [] if habit == "none" else [main]


def share_of(kind: Kind) -> MemoryShare:
    index = {"share's, of the index": "main", "share's, private": "local", "share's, of another index": "elsewhere"}.get(kind)
    file = SharedFile("demo", NAME, index or "", SHA256, len(CONTENT), private=index == "local", upload_time_us=UPLOADED_US)
    share = MemoryShare(name="team", files=(file,) if index else ())
    share.url = "file:///srv/team"  # --offline, which keeps indexes from being asked, does not forbid a directory
    share.add(CONTENT)
    return share


def fill(path: Path, kind: Kind) -> None:
    if kind not in ("pulled", "own former", "own private"):
        return
    name = StoredName(
        project="demo",
        filename=NAME,
        index="local" if kind == "own private" else "elsewhere",
        size_bytes=len(CONTENT),
        added_at_us=1,
        private=kind == "own private",
        of_share=kind == "pulled",
        upload_time_us=UPLOADED_US,
    )
    path.parent.mkdir(exist_ok=True)
    path.with_name("wheel").write_bytes(CONTENT)
    with Store.open(path) as store, path.with_name("wheel").open("rb") as opened:
        store.add_content(opened.fileno(), len(CONTENT), expected_sha256=None, names=[name])


@asynccontextmanager
async def node(
    path: Path, origins: list[MemoryOrigin], tie: Tie, share: MemoryShare, **options: object
) -> AsyncIterator[Service]:
    tied = {origin.name: ("demo",) for origin in origins} if tie == "to the index" else {}
    setting = IndexSetting(
        "team",
        "file:///srv/team",
        projects=("demo",) if tie == "to the share" else (),
        names={"share takes no names": (), "share takes this name": ("de*",)}.get(tie),
    )
    async with AsyncExitStack() as stack:
        one = await stack.enter_async_context(
            service(path, origins, shares=[share], share_settings=[setting], tied=tied, **options)  # type: ignore[arg-type]
        )
        nursery = await stack.enter_async_context(trio.open_nursery())
        nursery.start_soon(one.node.follower.keep_fresh)
        await until(lambda: one.store.shared.cursor("team") is not None)
        yield one
        nursery.cancel_scope.cancel()


async def earlier(path: Path, habit: Habit, tie: Tie, share: MemoryShare) -> None:
    """Have the index answer as it did before."""
    main = index_called("main")
    async with node(path, [main], tie, share, ttl_s=0.0) as one:
        if habit == "had listed":
            lists(main, NAME, CONTENT)
            await one.node.projects.find(DEMO)
            lists(main, OTHER, OTHER_CONTENT)
            main.pages["demo"] = msgspec.structs.replace(main.pages["demo"], files=main.pages["demo"].files[1:])
        await one.node.projects.find(DEMO)


async def is_shown(one: Service, view: View, surface: Surface) -> bool:
    directory = f"{view}/demo" if view.endswith("simple") else view
    try:
        match surface:
            case "page":
                return f"#sha256={SHA256.hex()}".encode() in await one.read(f"{directory}/index.html".lstrip("/"))
            case "name":
                found = await one.lookup(f"{directory}/{NAME}".lstrip("/"))
                return isinstance(found, FileNode) and found.ref.link.sha256 == SHA256
            case "directory":
                place = await one.node_at(directory) if directory else one.node.tree.root
                assert isinstance(place, DirectoryNode)
                return any(name == NAME for _, name, _ in one.node.tree.listing(place).entries(0))
    except (WheelfsError, AssertionError):  # the project's page says why it cannot be made; or there is no such project
        return False


def test_the_table_has_enough_cells() -> None:
    assert len(CELLS) * len(get_args(View)) * len(get_args(Surface)) > 5_000


@pytest.mark.parametrize("kind", get_args(Kind))
@pytest.mark.parametrize("habit", get_args(Habit))
async def test_what_is_shown_is_what_the_rule_says(tmp_path: Path, habit: Habit, kind: Kind) -> None:
    wrong = []
    for number, tie in enumerate(get_args(Tie)):
        path, share = tmp_path / str(number) / "s", share_of(kind)
        fill(path, kind)
        if habit in ("had listed", "absent, then down"):
            await earlier(path, habit, tie, share)
        async with node(path, indexes_of(habit), tie, share, offline=habit == "never asked") as one:
            if habit != "never asked":
                for index in (None, *one.node.projects.names):
                    await one.node.projects.find(DEMO, index=index)
            for view, surface in product(get_args(View), get_args(Surface)):
                shown, expected = await is_shown(one, view, surface), may_be_shown(habit, tie, kind, view)
                if shown != expected:
                    wrong.append(f"{tie}, {view or 'flat'}, {surface}: is {'shown' if shown else 'hidden'}")
    assert not wrong, "\n".join(wrong)
