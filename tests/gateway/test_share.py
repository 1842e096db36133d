"""Nodes and a gateway: what one has, all list and take from it, and none of them needs it."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import httpx2

from tests.fakes.index import FakeIndex
from tests.fakes.waiting import eventually
from tests.fakes.wheels import build_wheel, incompressible, wheel_filename
from tests.gateway.serving import Serving

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import MountWheelfs, RunWheelfs
    from tests.fakes.clients import Clients
    from tests.fakes.mounts import Mounted

NAME = wheel_filename("demo", "1.0")


def wheels_at(mount: Mounted) -> set[str]:
    return {path.name for path in mount.path.glob("*.whl")}


def test_a_node_lists_and_installs_what_the_gateway_has_without_any_index(
    tmp_path: Path, mounted: MountWheelfs, clients: Clients
) -> None:
    with FakeIndex() as index, Serving(tmp_path / "gateway", "--index", f"main={index.url}") as gateway:
        index.add_wheel("demo", "1.0", big_bytes=900_000)
        node = mounted("--no-index", "--share", gateway.url)
        assert wheels_at(node) == set()
        content = httpx2.get(f"{gateway.url}/simple/demo/{NAME}", trust_env=False).content
        index.close()
        eventually(lambda: wheels_at(node) == {NAME})
        assert (node.path / NAME).read_bytes() == content
        uv = clients.uv()
        uv.run("pip", "install", "--default-index", (node.path / "simple").as_uri(), "demo").succeeded()
        assert uv.installed() == {"demo": "1.0"}


def test_a_private_wheel_of_the_gateway_goes_before_an_index_on_nodes_that_tie_its_name_to_the_gateway(
    tmp_path: Path, mounted: MountWheelfs, run_wheelfs: RunWheelfs, clients: Clients
) -> None:
    path = tmp_path / wheel_filename("lab-tools", "1.0")
    path.write_bytes(build_wheel("lab-tools", "1.0"))
    with FakeIndex() as index, Serving(tmp_path / "gateway", "--offline") as gateway:
        index.add_wheel("lab-tools", "9.0")
        config = tmp_path / "config.toml"
        config.write_text(f'[[share]]\nname = "head"\nurl = "{gateway.url}"\nprojects = ["lab-*"]\n')
        node = mounted("-o", f"config={config}", index=index.url)
        run_wheelfs("--store", str(gateway.store), "add", str(path)).succeeded()
        eventually(lambda: wheels_at(node) == {path.name})
        for _ in range(2):  # from there, and from the node's own store
            uv = clients.uv()
            uv.run("pip", "install", "--default-index", (node.path / "simple").as_uri(), "lab-tools").succeeded()
            assert uv.installed() == {"lab-tools": "1.0"}


def test_bytes_come_from_the_gateway_and_only_those_that_are_new(tmp_path: Path, mounted: MountWheelfs) -> None:
    with FakeIndex() as index, Serving(tmp_path / "gateway", "--index", f"main={index.url}") as gateway:
        for version in ("1.0", "1.1"):
            index.add_wheel("demo", version, big_bytes=900_000, big_seed="the same in both")
        for version in ("1.0", "1.1"):
            httpx2.get(f"{gateway.url}/simple/demo/{wheel_filename('demo', version)}", trust_env=False)
        node = mounted("--share", gateway.url, "--delta", "always", index=index.url)
        before = len(index.requests_for(".whl"))
        for version in ("1.0", "1.1"):
            name = wheel_filename("demo", version)
            expected = httpx2.get(f"{gateway.url}/simple/demo/{name}", trust_env=False).content
            assert (node.path / "simple/demo" / name).read_bytes() == expected
            eventually(lambda path=node.path / "simple/demo" / name: os.getxattr(path, "user.wheelfs.state") == b"stored")  # type: ignore[misc]
        assert len(index.requests_for(".whl")) == before
        counters = node.status()["counters"]
        assert counters["delta_saved_bytes"] > 800_000
        assert counters["fetched_bytes"] < 1_050_000


def test_versions_that_are_fetched_together_take_from_each_other(tmp_path: Path, run_wheelfs: RunWheelfs) -> None:
    paths = [tmp_path / wheel_filename("demo", f"1.{number}") for number in range(5)]
    big = incompressible(900_000, "the same in all")
    for path, version in zip(paths, ("1.0", "1.1", "1.2", "1.3", "1.4"), strict=True):
        path.write_bytes(build_wheel("demo", version, files={"demo/big.bin": big}))
    with Serving(tmp_path / "gateway", "--offline") as gateway:
        run_wheelfs("--store", str(gateway.store), "add", *map(str, paths)).succeeded()
        wanted = [f"demo==1.{number}" for number in range(5)]
        sources = ("--share", gateway.url, "--index", f"main={gateway.url}/simple")
        done = run_wheelfs("--store", str(tmp_path / "store"), "--json", "fetch", *wanted, *sources).succeeded()
    summary = json.loads(done.stdout.splitlines()[-1])["summary"]
    assert summary["fetched"] == 5
    assert summary["fetched_bytes"] < 1_000_000


def test_without_the_gateway_a_node_goes_on_with_its_own_index_and_comes_back(tmp_path: Path, mounted: MountWheelfs) -> None:
    with FakeIndex() as index:
        _, content = index.add_wheel("demo", "1.0", big_bytes=900_000)
        with Serving(tmp_path / "gateway", "--index", f"main={index.url}") as gateway:
            node = mounted("--share", f"head={gateway.url}", index=index.url)
        assert (node.path / "simple/demo" / NAME).read_bytes() == content
        origins = node.status()["origins"]
        assert {(one["kind"], one["name"]): one["state"] for one in origins} == {
            ("share", "head"): "down",
            ("index", "main"): "up",
        }


def test_what_the_gateway_removes_vanishes_from_nodes_that_did_not_take_it(
    tmp_path: Path, mounted: MountWheelfs, run_wheelfs: RunWheelfs
) -> None:
    paths = {}
    for version in ("1.0", "2.0"):
        paths[version] = tmp_path / wheel_filename("demo", version)
        paths[version].write_bytes(build_wheel("demo", version))
    with Serving(tmp_path / "gateway", "--offline") as gateway:
        run_wheelfs("--store", str(gateway.store), "add", *map(str, paths.values())).succeeded()
        node = mounted("--no-index", "--share", gateway.url)
        eventually(lambda: len(wheels_at(node)) == 2)
        (node.path / paths["1.0"].name).read_bytes()
        run_wheelfs("--store", str(gateway.store), "rm", "demo").succeeded()
        eventually(lambda: wheels_at(node) == {paths["1.0"].name})
