"""Lazy environments on nodes that have a gateway: what any of them opens crosses the uplink once."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import httpx2

from tests.fakes.environment_bench import VERSION
from tests.fakes.faults import Fault, WrongBytes
from tests.fakes.wheels import incompressible, wheel_filename
from tests.gateway.serving import Serving

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import MountWheelfs, RunWheelfs
    from tests.fakes.index import FakeIndex

LARGE = wheel_filename("large", "1.0")
PART_BYTES = 400_000
FILES = {f"large/part{number}.bin": incompressible(PART_BYTES, f"part {number}") for number in range(6)}


def get(url: str) -> bytes:
    return httpx2.get(url, trust_env=False, timeout=60).content


def test_nodes_that_open_the_same_members_at_once_fetch_them_once(
    run_wheelfs: RunWheelfs, mounted: MountWheelfs, fake_index: FakeIndex, tmp_path: Path
) -> None:
    _, content = fake_index.add_wheel("large", "1.0", files=FILES)
    with Serving(tmp_path / "gateway", "--index", f"main={fake_index.url}") as gateway:
        options = ("--share", gateway.url, "--index", f"main={gateway.url}/simple")
        sites = []
        for number in range(3):
            store = tmp_path / f"node{number}"
            run_wheelfs("--store", str(store), "env", "create", "it", "large", *options).succeeded()
            mount = mounted(*options, store=store, path=tmp_path / f"mount{number}")
            sites.append(mount.path / "env" / "it" / "lib" / f"python{VERSION}" / "site-packages")
        assert fake_index.body_bytes(LARGE) < PART_BYTES, "their ends alone"
        opened = [site / "large" / f"part{number}.bin" for number in (1, 4) for site in sites]
        with ThreadPoolExecutor(len(opened)) as threads:
            assert all(threads.map(lambda path: path.read_bytes() == FILES[f"large/{path.name}"], opened))
        assert fake_index.body_bytes(LARGE) < 3 * PART_BYTES, "what none of them opened stays where it is"
        paths = [(site / name, content) for name, content in FILES.items() for site in sites]
        with ThreadPoolExecutor(len(paths)) as threads:
            assert all(threads.map(lambda one: one[0].read_bytes() == one[1], paths))
        assert fake_index.body_bytes(LARGE) <= len(content)


def test_what_was_fetched_in_parts_is_stored_when_it_is_whole(
    run_wheelfs: RunWheelfs, mounted: MountWheelfs, fake_index: FakeIndex, tmp_path: Path
) -> None:
    name, content = fake_index.add_wheel("large", "1.0", files=FILES)
    with Serving(tmp_path / "gateway", "--index", f"main={fake_index.url}", "--workers", "2") as gateway:
        options = ("--share", gateway.url, "--index", f"main={gateway.url}/simple")
        run_wheelfs("--store", str(tmp_path / "node"), "env", "create", "it", "large", *options).succeeded()
        mount = mounted(*options, store=tmp_path / "node")
        site = mount.path / "env" / "it" / "lib" / f"python{VERSION}" / "site-packages"
        assert [(site / path).read_bytes() for path in FILES] == list(FILES.values())
        assert get(f"{gateway.url}/simple/large/{name}") == content
        assert fake_index.body_bytes(LARGE) <= len(content)


def part_url(gateway: Serving, sha256: str, *, project: str = "large") -> str:
    return f"{gateway.url}/-/share/v1/part/{project}/{LARGE}/{sha256}"


def test_parts_are_given_by_name_and_digest_alone_and_are_not_to_be_kept(fake_index: FakeIndex, tmp_path: Path) -> None:
    _, content = fake_index.add_wheel("large", "1.0", files=FILES)
    sha256 = hashlib.sha256(content).hexdigest()
    ranged = {"Range": "bytes=500000-899999"}
    with Serving(tmp_path / "gateway", "--index", f"main={fake_index.url}") as gateway:
        for url in (part_url(gateway, "0" * 64), part_url(gateway, sha256, project="none"), part_url(gateway, "x")):
            assert httpx2.get(url, headers=ranged, trust_env=False).status_code == 404
        given = httpx2.get(part_url(gateway, sha256), headers=ranged, trust_env=False)
        assert (given.status_code, given.content) == (206, content[500_000:900_000])
        assert (given.headers["cache-control"], "etag" in given.headers) == ("no-cache", False)
        assert fake_index.body_bytes(LARGE) == 400_000
        whole = httpx2.get(part_url(gateway, sha256), trust_env=False)
        assert whole.content == content
        assert fake_index.body_bytes(LARGE) == len(content)
        stored = httpx2.get(part_url(gateway, sha256), headers=ranged, trust_env=False)
        assert (stored.content, "immutable" in stored.headers["cache-control"]) == (content[500_000:900_000], True)


def test_where_a_gateway_withholds_what_is_not_verified_parts_come_of_the_whole(fake_index: FakeIndex, tmp_path: Path) -> None:
    _, content = fake_index.add_wheel("large", "1.0", files=FILES)
    fake_index.faults.append(Fault(LARGE, WrongBytes(at=550_000), times=None))
    with Serving(tmp_path / "gateway", "--index", f"main={fake_index.url}", environment={"WHEELFS_VERIFY": "strict"}) as gateway:
        url = part_url(gateway, hashlib.sha256(content).hexdigest())
        assert httpx2.get(url, headers={"Range": "bytes=500000-599999"}, trust_env=False).status_code >= 500
