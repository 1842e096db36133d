"""Nodes and a share of objects: a mount lists what is in it, and takes it from there, with no index at all."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest

from tests.fakes.waiting import eventually
from tests.fakes.wheels import build_wheel, incompressible, wheel_filename
from wheelfs.core.http.ranges import From, Range, Suffix, Whole
from wheelfs.errors import ContentChanged, OriginFault, OriginMissing, OriginUnreachable
from wheelfs.remote.limits import SHARE_LIMITS, ShareLimits
from wheelfs.remote.share.objects import open_objects
from wheelfs.remote.share.origin import ObjectOrigin
from wheelfs.remote.share.share import ObjectShare, WrittenShare
from wheelfs.service.shares.push import push
from wheelfs.store.catalog.records import StoredName
from wheelfs.store.store import Store

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import MountWheelfs, RunWheelfs
    from tests.fakes.clients import Clients
    from tests.shares.conftest import Place
    from wheelfs.core.http.ranges import ByteRequest

NAME = wheel_filename("demo", "1.0")
FILES = {f"demo/part{number}.txt": incompressible(3_000, f"{number}") for number in range(40)}
CONTENT = build_wheel("demo", "1.0", files=FILES, big_bytes=900_000)
NO_INDEX = "http://127.0.0.1:1/simple"


def fill(path: Path, **wheels: bytes) -> bytes:
    """Store wheels of those projects, version 1.0; return the sha256 of the last one."""
    sha256 = b""
    with Store.open(path) as store:
        for project, content in wheels.items():
            name = StoredName(
                project=project,
                filename=wheel_filename(project, "1.0"),
                index="main",
                size_bytes=len(content),
                added_at_us=1,
            )
            path.with_name("input").write_bytes(content)
            with path.with_name("input").open("rb") as opened:
                sha256 = store.add_content(opened.fileno(), len(content), expected_sha256=None, names=[name])
    return sha256


def push_all(path: Path, url: str) -> None:
    with Store.open(path) as store:
        assert {file.result for file in push(store, WrittenShare(open_objects(url)), [], private=True)} <= {"pushed", "present"}


def test_a_node_lists_and_installs_what_is_in_the_share_without_any_index(
    tmp_path: Path, mounted: MountWheelfs, run_wheelfs: RunWheelfs, clients: Clients, place: Place
) -> None:
    fill(tmp_path / "a", demo=CONTENT)
    push_all(tmp_path / "a", place.url)
    node = mounted("--no-index", "--share", place.url, env=place.environment)
    eventually(lambda: (node.path / NAME).exists())
    assert (node.path / NAME).read_bytes() == CONTENT
    uv = clients.uv()
    uv.run("pip", "install", "--default-index", (node.path / "simple").as_uri(), "demo").succeeded()
    assert uv.installed() == {"demo": "1.0"}


def origin_of(tmp_path: Path, limits: ShareLimits = SHARE_LIMITS, **wheels: bytes) -> tuple[ObjectOrigin, str]:
    (tmp_path / "share").mkdir()
    sha256 = fill(tmp_path / "a", **wheels)
    push_all(tmp_path / "a", (tmp_path / "share").as_uri())
    origin = ObjectOrigin("lab", ObjectShare(open_objects((tmp_path / "share").as_uri()), limits))
    return origin, origin.file_url(sha256)


@pytest.mark.parametrize("at_once", [1, 10_000, 4 << 20])
async def test_any_range_of_a_file_comes_as_it_is(tmp_path: Path, at_once: int) -> None:
    origin, url = origin_of(tmp_path, ShareLimits(piece_bytes=at_once), demo=CONTENT)
    size = len(CONTENT)
    cases: list[tuple[ByteRequest, bytes]] = [
        (Whole(), CONTENT),
        (Suffix(70), CONTENT[-70:]),
        (Suffix(2 * size), CONTENT),
        (From(size - 5), CONTENT[-5:]),
        (Range(size - 10, size + 90), CONTENT[-10:]),
        *(
            (Range(start, start + length), CONTENT[start : start + length])
            for start in range(0, 9_000, 371)
            for length in (1, 999)
        ),
    ]
    for wanted, expected in cases:
        async with origin.open_range(url, wanted) as reply:
            assert (reply.offset, reply.total_bytes) == (CONTENT.index(expected) if len(expected) > 40 else reply.offset, size)
            assert reply.is_whole == (expected == CONTENT)
            assert b"".join([piece async for piece in reply.chunks]) == expected, wanted
    with pytest.raises(ContentChanged):
        async with origin.open_range(url, From(size + 1)):
            pass


async def test_a_wrong_byte_in_a_pack_is_not_given(tmp_path: Path) -> None:
    origin, url = origin_of(tmp_path, demo=CONTENT)
    [pack] = (path for path in (tmp_path / "share" / "packs").rglob("*") if path.is_file())
    content = bytearray(pack.read_bytes())
    content[500_000] ^= 1
    pack.write_bytes(content)
    with pytest.raises(OriginFault, match="does not have its digest"):
        async with origin.open_range(url, Whole()) as reply:
            async for _ in reply.chunks:
                pass


def test_a_share_that_is_away_is_told_in_the_status_and_the_rest_goes_on(
    tmp_path: Path, mounted: MountWheelfs, run_wheelfs: RunWheelfs
) -> None:
    fill(tmp_path / "store", demo=CONTENT)
    node = mounted("--share", f"lab={(tmp_path / 'not-mounted').as_uri()}", index=NO_INDEX, store=tmp_path / "store")
    assert (node.path / NAME).read_bytes() == CONTENT
    away = f"share   lab  {(tmp_path / 'not-mounted').as_uri()}  down since "
    eventually(lambda: away in run_wheelfs("--store", str(tmp_path / "store"), "status").succeeded().stdout)
    assert "is its file system mounted" in run_wheelfs("--store", str(tmp_path / "store"), "status").succeeded().stdout


def test_a_directory_that_is_no_share_is_told_in_the_status(
    tmp_path: Path, mounted: MountWheelfs, run_wheelfs: RunWheelfs
) -> None:
    (tmp_path / "mount-point").mkdir()  # of a file system that is not mounted, say
    mounted("--share", f"lab={(tmp_path / 'mount-point').as_uri()}", index=NO_INDEX, store=tmp_path / "store")
    trouble = "mount-point  up, but: use the share"
    eventually(lambda: trouble in run_wheelfs("--store", str(tmp_path / "store"), "status").succeeded().stdout)


@pytest.mark.parametrize("below", ["manifests", "packs"])
def test_a_file_that_the_share_does_not_have_is_an_error_and_stays_listed_until_that_is_certain(
    tmp_path: Path, mounted: MountWheelfs, below: str
) -> None:
    share = tmp_path / "share"
    share.mkdir()
    fill(tmp_path / "a", demo=CONTENT, other=build_wheel("other", "1.0"))
    push_all(tmp_path / "a", share.as_uri())
    sha256 = hashlib.sha256(CONTENT).hexdigest()
    lost = [path for path in (share / below).rglob("*") if path.is_file() and (below == "packs" or path.name == sha256)]
    node = mounted("--no-index", "--share", f"lab={share.as_uri()}")
    eventually(lambda: (node.path / NAME).exists())
    for path in lost:
        path.unlink()
    with pytest.raises(OSError, match=NAME):
        (node.path / NAME).read_bytes()
    eventually(lambda: "it stays listed, and is asked for again" in node.log)
    assert NAME in {path.name for path in node.path.iterdir()}
    assert (node.path / wheel_filename("other", "1.0")).exists()


async def test_of_a_share_that_is_away_as_a_whole_nothing_is_taken_for_lost(tmp_path: Path) -> None:
    origin, url = origin_of(tmp_path, demo=CONTENT)
    sha256 = bytes.fromhex(url.rpartition("#")[2])
    assert not await origin.lacks(sha256)
    assert await origin.lacks(b"\1" * 32)
    (tmp_path / "share").rename(tmp_path / "elsewhere")
    for there in (False, True):
        if there:
            (tmp_path / "share").mkdir()  # where it was mounted
        with pytest.raises(OriginMissing if there else OriginUnreachable):
            await origin.lacks(sha256)
