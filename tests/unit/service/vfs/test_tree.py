"""The tree: which calls may wait, what fails where, and attributes that stay the same."""

from __future__ import annotations

import hashlib
import os
import threading
import time
from typing import TYPE_CHECKING, Any, NoReturn

import msgspec
import pytest
import trio
import trio.testing

from tests.fakes.memory import taken_by
from tests.fakes.origins import MemoryOrigin, Trouble
from tests.fakes.programs import Program
from tests.fakes.services import Service, rest_of, service
from tests.fakes.waiting import until
from tests.fakes.wheels import build_sdist, build_wheel, sdist_filename, wheel_filename
from wheelfs.core.fetch import freshness
from wheelfs.core.fetch.purpose import Purpose
from wheelfs.core.simple import html_render
from wheelfs.errors import (
    NotKnown,
    OriginError,
    OriginFault,
    OriginMissing,
    OriginTimeout,
    OriginUnreachable,
    StoreDamaged,
)
from wheelfs.model.links import FileLink, ProjectPage
from wheelfs.service.admission import Admission
from wheelfs.service.vfs.clients.client import CLIENT
from wheelfs.service.vfs.protocol import Absent
from wheelfs.store.catalog.records import PageRecord

if TYPE_CHECKING:
    from pathlib import Path

    from wheelfs.service.vfs.protocol import Node

NAMES = [wheel_filename("demo", f"{n}.0") for n in range(1, 4)]
WHEELS = {name: build_wheel("demo", f"{n}.0", big_bytes=400_000 * n) for n, name in enumerate(NAMES, 1)}


@pytest.fixture
def origin() -> MemoryOrigin:
    made = MemoryOrigin()
    for name, content in WHEELS.items():
        made.add("demo", name, content)
    made.add("demo", sdist_filename("demo", "1.0"), build_sdist("demo", "1.0"))
    return made


async def listed(one: Service, path: str) -> dict[str, Node]:
    node = one.node.tree.root if not path else await one.node_at(path)
    return {name: entry for _, name, entry in one.node.tree.listing(node).entries(0)}


async def test_attributes_and_listings_ask_nobody(tmp_path: Path, origin: MemoryOrigin) -> None:
    async with service(tmp_path / "s", [origin], ttl_s=0.0) as one:
        await one.read("simple/demo/index.html")
        page = await one.node_at("simple/demo/index.html")
        file = await one.node_at(f"simple/demo/{NAMES[0]}")
        before = origin.requests.total()
        for path in ("", "simple", "index", "stored", "here"):
            await listed(one, path)
        for _ in range(20):
            one.node.tree.refreshed(page)
            one.node.tree.refreshed(file)
            one.node.tree.xattrs(file)
            one.node.tree.space()
            list(one.node.tree.listing(one.node.tree.root).entries(0))
        assert origin.requests.total() == before


async def test_inodes_and_sizes_are_the_same_in_every_view_and_after_a_restart(tmp_path: Path, origin: MemoryOrigin) -> None:
    seen = set()
    for _ in range(2):
        async with service(tmp_path / "s", [origin]) as one:
            for directory in ("simple/demo", "index/corp/simple/demo"):
                await one.read(f"{directory}/{NAMES[0]}")
                seen.add((await one.node_at(f"{directory}/{NAMES[0]}")).attributes)
    assert len(seen) == 1
    assert seen.pop().size_bytes == len(WHEELS[NAMES[0]])


async def test_a_file_without_a_hash_may_change_and_is_not_said_to_be_immutable_before_it_is_stored(tmp_path: Path) -> None:
    origin = MemoryOrigin()
    origin.add("demo", NAMES[0], WHEELS[NAMES[0]], hashed=False)
    async with service(tmp_path / "s", [origin]) as one:
        path = f"simple/demo/{NAMES[0]}"
        assert not (await one.node_at(path)).attributes.immutable
        await one.read(path)
        await until(lambda: bool(one.store.catalog.stored_names("demo")))
        assert (await one.node_at(path)).attributes.immutable


@pytest.mark.parametrize("call", ["lookup", "open"])
async def test_others_are_answered_while_a_large_page_is_rendered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    origin = MemoryOrigin()
    links = tuple(FileLink(f"demo-1.{number}.tar.gz", "https://files.example/x", size_bytes=1) for number in range(600))
    origin.pages["demo"] = ProjectPage("demo", links)
    answered = threading.Event()
    render = html_render.render_project_page

    def slow(*given: Any, **more: Any) -> bytes:
        assert answered.wait(10), "no caller was answered meanwhile"
        return render(*given, **more)

    async with service(tmp_path / "s", [origin]) as one:
        page = await one.node_at("simple/demo/index.html")
        newer = PageRecord(index_url=origin.url, fetched_at_us=time.time_ns() // 1_000, page=ProjectPage("demo", links[1:]))
        one.store.catalog.put_page("corp", "demo", newer).result()
        monkeypatch.setattr(html_render, "render_project_page", slow)
        async with trio.open_nursery() as nursery:
            if call == "lookup":
                nursery.start_soon(one.node_at, "simple/demo/index.html")
            else:
                nursery.start_soon(one.node.tree.open, page)
            await trio.testing.wait_all_tasks_blocked(0.05)
            answered.set()
        monkeypatch.undo()
        assert (await one.read("simple/demo/index.html")).count(b"<a ") == 599


async def test_a_page_looked_at_again_is_not_made_again(
    tmp_path: Path, origin: MemoryOrigin, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with service(tmp_path / "s", [origin]) as one:
        page = await one.node_at("simple/demo/index.html")
        with monkeypatch.context() as patch:
            patch.setattr(one.node.projects, "entries", lambda *_, **__: pytest.fail("the page was made again"))
            assert one.node.tree.refreshed(page).attributes == page.attributes
        await one.read(f"simple/demo/{NAMES[1]}")
        assert (
            len(await one.read("simple/demo/index.html")) == (await one.node_at("simple/demo/index.html")).attributes.size_bytes
        )


async def test_pages_of_many_instants_hold_little_more_than_their_text(
    tmp_path: Path, origin: MemoryOrigin, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with service(tmp_path / "s", [origin]) as one:
        await one.read("simple/demo/index.html")
        monkeypatch.setattr(one.node.projects, "stamp", lambda *_, **__: os.urandom(1_000_000))  # some thousand stored files
        before_bytes = taken_by(os.getpid()).anonymous
        for second in range(60):
            assert await one.read(f"asof/2020-01-01T00:00:{second:02}Z/simple/demo/index.html")
        assert taken_by(os.getpid()).anonymous - before_bytes < 30_000_000


async def test_an_index_that_is_silent_fails_at_the_open_of_the_page_and_not_at_its_look_up(
    tmp_path: Path, origin: MemoryOrigin
) -> None:
    origin.page_troubles.append(OriginFault("look up", "500"))
    async with service(tmp_path / "s", [origin]) as one:
        page = await one.lookup("simple/demo/index.html")
        assert not isinstance(page, Absent)
        with pytest.raises(OriginFault):
            await one.node.tree.open(page)


async def test_a_file_that_is_known_waits_for_no_page_where_an_installer_asks(
    tmp_path: Path, origin: MemoryOrigin, monkeypatch: pytest.MonkeyPatch, autojump_clock: trio.testing.MockClock
) -> None:
    monkeypatch.setattr(freshness, "REVALIDATE_WITHIN_S", 1_000.0)
    async with service(tmp_path / "s", [origin], ttl_s=0.0) as one:
        await one.read("simple/demo/index.html")
        given_up: list[bool] = []

        async def silent(*_: object, **__: object) -> NoReturn:
            try:
                await trio.sleep_forever()
            finally:
                given_up.append(True)

        monkeypatch.setattr(MemoryOrigin, "project_page", silent)
        CLIENT.set(Program(Purpose.INSTALLING))
        for name in (NAMES[0], f"{NAMES[0]}.metadata"):
            assert not isinstance(await one.lookup(f"simple/demo/{name}"), Absent)
        assert not given_up
        assert isinstance(await one.lookup(f"simple/demo/{wheel_filename('demo', '9.0')}"), Absent)
        assert given_up


async def test_damage_of_a_stored_page_fails_at_open_too(
    tmp_path: Path, origin: MemoryOrigin, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with service(tmp_path / "s", [origin]) as one:
        await one.read("simple/demo/index.html")
    async with service(tmp_path / "s", [origin], ttl_s=0.0) as one:

        def damaged(*_: object) -> None:
            raise StoreDamaged("read the catalog", "a page cannot be read")

        monkeypatch.setattr(one.store.catalog, "page", damaged)
        page = await one.lookup("simple/demo/index.html")
        assert not isinstance(page, Absent)
        with pytest.raises(StoreDamaged):
            await one.node.tree.open(page)


async def test_absent_names_are_absent(tmp_path: Path, origin: MemoryOrigin) -> None:
    async with service(tmp_path / "s", [origin]) as one:
        for path in (
            "nothing",
            "simple/none",
            "simple/Demo",
            "simple/demo/none-1.0.whl",
            "index/none",
            "none-1.0-py3-none-any.whl",
        ):
            assert isinstance(await one.lookup(path), Absent), path
        with pytest.raises(NotKnown):
            one.node.tree.refreshed(object())  # type: ignore[arg-type]


async def test_metadata_comes_from_the_index_or_out_of_the_wheel_and_once(tmp_path: Path, origin: MemoryOrigin) -> None:
    async with service(tmp_path / "s", [origin]) as one:
        async with trio.open_nursery() as nursery:
            for _ in range(20):
                nursery.start_soon(one.read, f"simple/demo/{NAMES[2]}.metadata")
        assert b"Name: demo" in await one.read(f"simple/demo/{NAMES[2]}.metadata")
        assert isinstance(await one.lookup(f"simple/demo/{sdist_filename('demo', '1.0')}.metadata"), Absent)
    assert origin.requests["range"] <= 2


def offer_metadata(origin: MemoryOrigin, text: bytes | None, promised: bytes | None) -> None:
    page = origin.pages["demo"]
    digest = None if promised is None else hashlib.sha256(promised).digest()
    files = tuple(msgspec.structs.replace(link, has_metadata=True, metadata_sha256=digest) for link in page.files)
    origin.pages["demo"] = msgspec.structs.replace(page, files=files)
    if text is not None:
        origin.metadata[f"{NAMES[0]}.metadata"] = text


async def test_metadata_that_the_index_offers_and_does_not_have_is_read_out_of_the_wheel(
    tmp_path: Path, origin: MemoryOrigin
) -> None:
    offer_metadata(origin, None, None)
    async with service(tmp_path / "s", [origin]) as one:
        assert b"Name: demo" in await one.read(f"simple/demo/{NAMES[0]}.metadata")
    assert origin.requests["metadata"] == 1


async def test_metadata_of_an_sdist_is_passed_on_where_the_index_offers_it_and_can_be_asked(
    tmp_path: Path, origin: MemoryOrigin
) -> None:
    sdist, text = sdist_filename("demo", "1.0"), b"Metadata-Version: 2.2\nName: demo\nVersion: 1.0\n"
    offer_metadata(origin, None, text)
    origin.metadata[f"{sdist}.metadata"] = text
    told = f'{sdist}#sha256={origin.pages["demo"].files[-1].sha256.hex()}" data-core-metadata="sha256='.encode()  # type: ignore[union-attr]
    async with service(tmp_path / "s", [origin]) as one:
        for _ in range(2):
            assert told in await one.read("simple/demo/index.html")
            assert await one.read(f"simple/demo/{sdist}.metadata") == text
            await one.read(f"simple/demo/{sdist}")
            await until(lambda: one.store.holds(hashlib.sha256(origin.files[sdist]).digest()))
        assert told not in await one.read("stored/simple/demo/index.html")
        assert isinstance(await one.lookup(f"stored/simple/demo/{sdist}.metadata"), Absent)
        with pytest.raises(OriginError), one.node.hosts.request("ask", origin.url, timeout_s=1.0):
            raise OriginTimeout("ask", "silence")
        assert told not in await one.read("simple/demo/index.html")
        assert isinstance(await one.lookup(f"simple/demo/{sdist}.metadata"), Absent)
    assert (origin.requests["metadata"], origin.sent_bytes[sdist]) == (1, len(origin.files[sdist]))


async def test_metadata_of_an_sdist_that_its_index_offers_and_does_not_have_is_missing(
    tmp_path: Path, origin: MemoryOrigin
) -> None:
    offer_metadata(origin, None, None)
    async with service(tmp_path / "s", [origin]) as one:
        with pytest.raises(OriginMissing):
            await one.read(f"simple/demo/{sdist_filename('demo', '1.0')}.metadata")
    assert origin.requests["range"] == 0


async def test_metadata_that_never_comes_is_a_time_out_when_it_is_opened(tmp_path: Path, origin: MemoryOrigin) -> None:
    origin.fate = lambda: Trouble(after_bytes=0)
    async with service(tmp_path / "s", [origin], open_s=0.2) as one:
        node = await one.node_at(f"simple/demo/{NAMES[2]}.metadata")
        assert not node.attributes.immutable
        with pytest.raises(OriginTimeout):
            await one.node.tree.open(node)


async def test_an_absent_sdist_fails_when_it_is_opened(tmp_path: Path, origin: MemoryOrigin) -> None:
    origin.files.clear()
    async with service(tmp_path / "s", [origin]) as one:
        with pytest.raises(OriginMissing):
            await one.open(f"simple/demo/{sdist_filename('demo', '1.0')}")


async def test_what_is_here_needs_no_place_among_those_who_wait(tmp_path: Path, origin: MemoryOrigin) -> None:
    async with service(tmp_path / "s", [origin], places=1) as one:
        path = f"simple/demo/{NAMES[2]}"
        held = await one.open(path)
        origin.gate = trio.Event()
        other = await one.node_at(f"simple/demo/{NAMES[1]}")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(one.node.tree.open, other)  # takes the only place
            await trio.testing.wait_all_tasks_blocked()
            with pytest.raises(OriginTimeout):
                await one.open(f"simple/demo/{NAMES[0]}")
            (await one.open(path)).close()
            assert await held.read(len(WHEELS[NAMES[2]]) - 22, 22)
            origin.gate.set()
        held.close()


async def test_a_wait_with_a_bound_ends_even_while_bytes_trickle(autojump_clock: trio.testing.MockClock) -> None:
    gate = Admission(1, bound_s=5.0)
    with pytest.raises(OriginTimeout), gate.waiting("read"):
        await trio.sleep(100)
    with gate.waiting("read"):
        await trio.sleep(1)


async def test_offline_reads_what_is_stored_and_fails_at_once_otherwise(tmp_path: Path, origin: MemoryOrigin) -> None:
    async with service(tmp_path / "s", [origin]) as one:
        assert await one.read(f"simple/demo/{NAMES[0]}") == WHEELS[NAMES[0]]
    async with service(tmp_path / "s", [origin], offline=True) as one:
        page = await one.read("simple/demo/index.html")
        assert NAMES[0].encode() in page
        assert NAMES[1].encode() not in page
        assert set(await listed(one, "simple/demo")) == {"index.html", NAMES[0]}
        with pytest.raises(OriginUnreachable):
            await one.open(f"simple/demo/{NAMES[1]}")
        assert await rest_of(await one.open(NAMES[0])) == WHEELS[NAMES[0]]
