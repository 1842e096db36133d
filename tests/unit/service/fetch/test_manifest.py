"""When a share is asked how a file is made: once, and not where nothing can come of it."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest

from tests.fakes.origins import MemoryOrigin, MemoryShare, Trouble
from tests.fakes.programs import Program
from tests.fakes.services import Service, service
from tests.fakes.waiting import until
from tests.fakes.wheels import build_wheel, incompressible, wheel_filename
from wheelfs.core.fetch.purpose import Purpose
from wheelfs.model.shared import SharedFile
from wheelfs.service.vfs.clients.client import CLIENT

if TYPE_CHECKING:
    from pathlib import Path

SMALL_BYTES, LARGE_BYTES = 300_000, 2_000_000
OLD, NEW = wheel_filename("demo", "1.0"), wheel_filename("demo", "1.1")


def lab(big_bytes: int) -> tuple[MemoryOrigin, MemoryShare]:
    index, share = MemoryOrigin(), MemoryShare(tells_manifests=True)
    for version, name in (("1.0", OLD), ("1.1", NEW)):
        content = build_wheel("demo", version, files={"demo/same.bin": incompressible(big_bytes, "same")})
        index.add("demo", name, content)
        share.add(content)
    return index, share


async def install(one: Service, name: str) -> bytes:
    """Do as an installer: open a file while it resolves, and read it afterwards."""
    CLIENT.set(Program(Purpose.INSTALLING))
    (await one.open(f"simple/demo/{name}")).close()
    content = await one.read(f"simple/demo/{name}")
    await until(lambda: one.node.downloads.is_idle)
    return content


async def test_tail_and_whole_of_a_wheel_ask_once(tmp_path: Path) -> None:
    index, share = lab(LARGE_BYTES)
    async with service(tmp_path / "s", [index], shares=[share]) as one:
        assert await install(one, NEW) == index.files[NEW]
    assert share.origin.requests["manifest"] == 1


async def test_what_comes_in_one_answer_costs_one_request(tmp_path: Path) -> None:
    index, share = lab(SMALL_BYTES)
    async with service(tmp_path / "s", [index], shares=[share]) as one:
        assert await install(one, NEW) == index.files[NEW]
    assert (share.origin.requests["manifest"], share.origin.requests["range"]) == (0, 1)
    assert not index.requests["range"]


async def test_where_another_version_is_stored_its_chunks_do_not_come_again(tmp_path: Path) -> None:
    index, share = lab(SMALL_BYTES)
    async with service(tmp_path / "s", [index], shares=[share]) as one:
        assert await install(one, OLD) == index.files[OLD]
        before = share.origin.sent_bytes.total()
        assert await install(one, NEW) == index.files[NEW]
    assert share.origin.requests["manifest"] == 1
    assert share.origin.sent_bytes.total() - before < SMALL_BYTES / 10


async def test_who_counts_bytes_asks_for_every_file(tmp_path: Path) -> None:
    index, share = lab(SMALL_BYTES)
    async with service(tmp_path / "s", [index], shares=[share], delta="always") as one:
        assert await install(one, NEW) == index.files[NEW]
    assert share.origin.requests["manifest"] == 1


@pytest.mark.parametrize("at", [1_000, SMALL_BYTES // 2])
async def test_a_wrong_answer_is_shown_to_no_reader_and_the_index_is_asked(tmp_path: Path, at: int) -> None:
    index, share = lab(SMALL_BYTES)
    wrong = bytearray(index.files[NEW])
    wrong[at] ^= 1
    share.origin.fate = lambda: Trouble(content=bytes(wrong))
    async with service(tmp_path / "s", [index], shares=[share]) as one:
        assert await install(one, NEW) == index.files[NEW]
    assert index.sent_bytes[NEW] == len(index.files[NEW])


async def test_a_node_without_an_index_asks_so_that_the_share_can_make_good_a_wrong_chunk(tmp_path: Path) -> None:
    index, share = lab(SMALL_BYTES)
    content = index.files[NEW]
    share.files = (SharedFile("demo", NEW, "main", hashlib.sha256(content).digest(), len(content)),)
    share.origin.troubles.append(Trouble(content=content[:150_000] + b"wrong" + content[150_005:]))
    async with service(tmp_path / "s", [], shares=[share]) as one:
        await one.node.follower.catch_up()
        assert await install(one, NEW) == content
    assert share.origin.requests["manifest"] == 1
