"""uv issue 4728 to the letter: the private wheel is long gone, and only what uv has unpacked of it is left."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from tests.fakes.commands import objects
from tests.fakes.index import FakeIndex
from tests.fakes.many_kinds import NAME, many_kinds
from tests.fakes.wheels import build_wheel, wheel_filename

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import MountWheelfs, RunWheelfs
    from tests.fakes.clients import Clients


@pytest.mark.usefixtures("no_route")
def test_a_private_wheel_that_uv_has_unpacked_is_installed_by_its_name_with_everything_off(
    mounted: MountWheelfs, run_wheelfs: RunWheelfs, store_dir: Path, clients: Clients, tmp_path: Path
) -> None:
    wheel = tmp_path / wheel_filename("private-package", "0.1")
    wheel.write_bytes(build_wheel("private-package", "0.1"))
    uv = clients.uv()
    uv.run("pip", "install", "--offline", str(wheel)).succeeded()
    wheel.unlink()
    uv.without_venv()
    with FakeIndex() as index:
        cache = uv.run("cache", "dir").succeeded().stdout.strip()
        url = index.url
        run_wheelfs("--store", str(store_dir), "add", "--uv-cache", cache, env={"WHEELFS_INDEX": f"main={url}"}).succeeded()
    shutil.rmtree(cache)
    mount = mounted(index=url)
    fresh = clients.uv()
    through = {"UV_DEFAULT_INDEX": f"file://{mount.path}/simple"}
    fresh.run("pip", "install", "private_package==0.1", environment=through).succeeded()
    assert fresh.installed() == {"private-package": "0.1"}


@pytest.mark.parametrize("link_mode", ["hardlink", "symlink", "copy"])
def test_what_is_repacked_installs_as_the_wheel_did(
    mounted: MountWheelfs, run_wheelfs: RunWheelfs, store_dir: Path, clients: Clients, tmp_path: Path, link_mode: str
) -> None:
    wheel = tmp_path / NAME
    wheel.write_bytes(many_kinds())
    uv = clients.uv()
    uv.run("pip", "install", "--offline", "--link-mode", link_mode, str(wheel)).succeeded()
    venv = uv.venv()
    before = {path.relative_to(venv): path.stat().st_mode & 0o111 for path in venv.rglob("*") if path.is_file()}
    alone = {"WHEELFS_NO_INDEX": "1"}
    run_wheelfs("--store", str(store_dir), "add", "--venv", str(venv), env=alone).succeeded()
    cache = uv.run("cache", "dir").succeeded().stdout.strip()
    again = run_wheelfs("--store", str(store_dir), "add", "--json", "--uv-cache", cache, env=alone).succeeded()
    assert [line["file"]["result"] for line in objects(again)] == ["present"]
    mount = mounted("--no-index")
    pip = clients.pip()
    pip.run("install", "--no-index", "--no-compile", "--find-links", str(mount.path), "many-kinds").succeeded()
    after = {path.relative_to(pip.venv()): path.stat().st_mode & 0o111 for path in pip.venv().rglob("*") if path.is_file()}
    own = {".lock", "INSTALLER", "REQUESTED", "direct_url.json", "uv_cache.json"}
    assert {path for path in before if path.name not in own} == {path for path in after if path.name not in own}
    assert {path for path, is_executable in before.items() if is_executable} == {
        path for path, is_executable in after.items() if is_executable
    }
    script = pip.venv() / "bin" / "in-python"
    assert script.read_text("latin-1").startswith(f"#!{pip.venv()}/bin/python")
