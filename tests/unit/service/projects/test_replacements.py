"""Files that an index replaces under their names, without a hash that would tell."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import msgspec
import pytest

from tests.fakes.origins import MemoryOrigin
from tests.fakes.services import Service, rest_of, service
from tests.fakes.waiting import until
from tests.fakes.wheels import build_wheel, wheel_filename
from wheelfs.errors import WheelfsError
from wheelfs.remote.origin import FileHead

if TYPE_CHECKING:
    from pathlib import Path

NAME = wheel_filename("demo", "1.0")
PATH = f"simple/demo/{NAME}"
PAGE = "simple/demo/index.html"
FIRST = build_wheel("demo", "1.0", big_bytes=500_000)
SECOND = build_wheel("demo", "1.0", big_bytes=500_000, big_seed="second")
LARGER = build_wheel("demo", "1.0", big_bytes=600_000)
FIRST_SHA256 = hashlib.sha256(FIRST).digest()


def nightly(**options: object) -> MemoryOrigin:
    origin = MemoryOrigin(**options)  # type: ignore[arg-type]
    origin.add("demo", NAME, FIRST, hashed=False, sized=False)
    return origin


def say(origin: MemoryOrigin, **fields: object) -> None:
    page = origin.pages["demo"]
    origin.pages["demo"] = msgspec.structs.replace(
        page, files=tuple(msgspec.structs.replace(link, **fields) for link in page.files)
    )


async def until_stored(one: Service, content: bytes) -> None:
    sha256 = hashlib.sha256(content).digest()
    await until(lambda: any(name.sha256 == sha256 for name in one.store.catalog.stored_names("demo")))


async def stored(one: Service, content: bytes = FIRST) -> None:
    assert await one.read(PATH) == content
    await until_stored(one, content)


async def inode(one: Service) -> int:
    return (await one.node_at(PATH)).attributes.inode


@pytest.mark.parametrize("content", [SECOND, LARGER])
async def test_a_page_that_says_nothing_has_its_files_asked_about(tmp_path: Path, content: bytes) -> None:
    origin = nightly()
    async with service(tmp_path / "s", [origin], ttl_s=0.0) as one:
        await stored(one)
        before = await inode(one)
        origin.files[NAME] = content
        page = (await one.read(PAGE)).decode()
        assert "replaced" in page
        assert f"#sha256={FIRST_SHA256.hex()}" not in page
        assert await inode(one) != before
        assert await one.read(PATH) == content
        await until_stored(one, content)
        assert await one.read(f"stored/{PATH}") == content
        assert FIRST_SHA256.hex() not in (await one.read("index.html")).decode()
        assert one.store.holds(FIRST_SHA256), "it is still found by its sha256"


async def test_a_reader_that_remembers_the_old_file_is_told_that_its_name_means_another(tmp_path: Path) -> None:
    origin = nightly()
    async with service(tmp_path / "s", [origin], ttl_s=0.0) as one:
        await stored(one)
        old, tree = await one.node_at(PATH), one.node.tree
        assert not tree.is_superseded(old, failed=True)
        origin.files[NAME] = SECOND
        await one.read(PAGE)
        new = await one.node_at(PATH)
        assert [tree.is_superseded(node, failed=failed) for node in (old, new) for failed in (False, True)] == [
            True,
            True,
            False,
            False,
        ]


async def test_a_hash_that_the_page_has_changed_supersedes_where_the_old_file_cannot_be_had(tmp_path: Path) -> None:
    origin = MemoryOrigin()
    origin.add("demo", NAME, FIRST)
    async with service(tmp_path / "s", [origin], ttl_s=0.0) as one:
        old, tree = await one.node_at(PATH), one.node.tree
        origin.pages.clear()
        origin.add("demo", NAME, SECOND)
        await one.read(PAGE)
        new = await one.node_at(PATH)
        assert (tree.is_superseded(old, failed=True), tree.is_superseded(new, failed=True)) == (True, False)
        with pytest.raises(WheelfsError):
            await tree.open(old)


async def test_also_a_size_alone_tells(tmp_path: Path) -> None:
    origin = nightly(etags=False)
    async with service(tmp_path / "s", [origin], ttl_s=0.0) as one:
        await stored(one)
        origin.files[NAME] = LARGER
        await one.read(PAGE)
        assert await one.read(PATH) == LARGER


async def test_what_has_not_changed_stays_and_is_asked_about_once_a_page(tmp_path: Path) -> None:
    origin = nightly()
    async with service(tmp_path / "s", [origin]) as one:
        await stored(one)
        before = origin.requests.total()
        for _ in range(3):
            assert FIRST_SHA256.hex() in (await one.read(PAGE)).decode()
        assert origin.requests.total() == before, "the page is fresh"


async def test_a_server_that_answers_head_with_a_lie_is_believed_only_about_bytes(tmp_path: Path) -> None:
    class Lying(MemoryOrigin):
        async def head(self, url: str) -> FileHead:
            await super().head(url)
            return FileHead(0, '"head"')

    origin = Lying()
    origin.add("demo", NAME, FIRST, hashed=False, sized=False)
    async with service(tmp_path / "s", [origin], ttl_s=0.0) as one:
        await stored(one)
        assert FIRST_SHA256.hex() in (await one.read(PAGE)).decode()


async def test_a_server_that_fails_says_nothing(tmp_path: Path) -> None:
    origin = nightly()
    async with service(tmp_path / "s", [origin], ttl_s=0.0) as one:
        await stored(one)
        del origin.files[NAME]
        assert FIRST_SHA256.hex() in (await one.read(PAGE)).decode()
        assert await one.read(PATH) == FIRST


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"size_bytes": len(FIRST)}, {"size_bytes": len(LARGER)}),
        ({"upload_time_us": 1_000_000}, {"upload_time_us": 2_000_000}),
    ],
)
async def test_a_page_that_says_so_is_a_new_content_at_once(
    tmp_path: Path, before: dict[str, object], after: dict[str, object]
) -> None:
    origin = nightly(etags=False)
    say(origin, **before)
    async with service(tmp_path / "s", [origin], ttl_s=0.0) as one:
        await stored(one)
        origin.files[NAME] = LARGER
        say(origin, **after)
        page = (await one.read(PAGE)).decode()
        assert FIRST_SHA256.hex() not in page
        assert await one.read(PATH) == LARGER
        await until_stored(one, LARGER)
        (name,) = one.store.catalog.stored_names("demo")
        assert name.upload_time_us == after.get("upload_time_us")


async def test_the_same_bytes_with_another_tag_come_back_and_the_tag_is_known_then(tmp_path: Path) -> None:
    origin = Backends()
    origin.add("demo", NAME, FIRST, hashed=False, sized=False)
    async with service(tmp_path / "s", [origin], ttl_s=0.0) as one:
        await stored(one)
        for tag in ("b", "a", "b", "a"):
            origin.tags = [tag]
            await one.read(PAGE)
            assert await one.read(PATH) == FIRST
            await until_stored(one, FIRST)
        asked = origin.sent_bytes[NAME]
        for tag in ("b", "a"):
            origin.tags = [tag]
            assert FIRST_SHA256.hex() in (await one.read(PAGE)).decode()
        assert origin.sent_bytes[NAME] - asked < 10_000, "both are known"


class Backends(MemoryOrigin):
    """Several servers at one address, with entity tags of their own for the same bytes; asked in turn."""

    tags = ["a"]  # noqa: RUF012  (each test sets its own)
    turn = 0

    def tag_of(self, content: bytes) -> str:
        self.turn += 1
        return f'"{self.tags[self.turn % len(self.tags)]}-{hashlib.sha256(content).hexdigest()[:8]}"'


async def test_parts_of_two_servers_are_not_mixed_and_do_not_fail(tmp_path: Path) -> None:
    origin = Backends()
    origin.tags = ["a", "b"]
    origin.add("demo", NAME, FIRST, hashed=False, sized=False)
    async with service(tmp_path / "s", [origin]) as one:
        file = await one.open(PATH)
        try:  # as uv does: the directory first, then the members
            assert await file.read(len(FIRST) - 1000, 1000) == FIRST[-1000:]
            assert await rest_of(file) == FIRST
        finally:
            file.close()
        assert await one.read(PATH) == FIRST


async def test_another_file_in_the_middle_is_told_to_who_has_read_a_part(tmp_path: Path) -> None:
    from wheelfs.errors import ContentChanged

    origin = nightly()
    async with service(tmp_path / "s", [origin]) as one:
        file = await one.open(PATH)
        try:
            assert await file.read(len(FIRST) - 1000, 1000) == FIRST[-1000:]
            origin.files[NAME] = LARGER
            with pytest.raises(ContentChanged):
                await rest_of(file)
        finally:
            file.close()
        assert await one.read(PATH) == LARGER


async def test_times_of_files_without_an_upload_time_are_those_at_which_they_came(tmp_path: Path) -> None:
    origin = nightly()
    async with service(tmp_path / "s", [origin], ttl_s=0.0) as one:
        await stored(one)
        first_ns = (await one.node_at(PATH)).attributes.mtime_ns
        (name,) = one.store.catalog.stored_names("demo")
        assert first_ns == name.added_at_us * 1000
        assert (await one.node_at(NAME)).attributes.mtime_ns == first_ns
    async with service(tmp_path / "s", [origin], ttl_s=0.0) as one:
        assert (await one.node_at(PATH)).attributes.mtime_ns == first_ns
        origin.files[NAME] = SECOND
        await one.read(PAGE)
        await stored(one, SECOND)
        assert (await one.node_at(PATH)).attributes.mtime_ns > first_ns
