"""Lazy environments on nodes that have a gateway: what any of them opens crosses the uplink once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from tests.fakes.environment_bench import VERSION
from tests.fakes.wheels import incompressible, wheel_filename
from tests.gateway.serving import Serving

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import MountWheelfs, RunWheelfs
    from tests.fakes.index import FakeIndex

LARGE = wheel_filename("large", "1.0")
FILES = {f"large/part{number}.bin": incompressible(400_000, f"part {number}") for number in range(6)}


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
        paths = [(site / name, content) for name, content in FILES.items() for site in sites]
        with ThreadPoolExecutor(len(paths)) as threads:
            assert all(threads.map(lambda one: one[0].read_bytes() == one[1], paths))
        assert fake_index.body_bytes(LARGE) < 1.1 * len(content)
