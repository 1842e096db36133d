"""sdist and wheel: the same files, and each is installed as a tool by uv and pipx."""

from __future__ import annotations

import os
import tarfile
import zipfile
from typing import TYPE_CHECKING

import pytest
from uv import find_uv_bin

from tests.fakes.processes import ROOT, isolated_environment, run
from tests.fakes.real_index import machine_settings

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.soak, pytest.mark.real_index]


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of the sdist and of the wheel that is built from it."""
    where = tmp_path_factory.mktemp("dist")
    run([find_uv_bin(), "build", "--out-dir", str(where), str(ROOT)], environment=builder(where)).succeeded()
    return where


def builder(where: Path) -> dict[str, str]:
    """Return an environment in which what is compiled once stays for the next, and pip's index is asked."""
    environment = {**isolated_environment(where / "home"), **machine_settings(), "HOME": os.environ["HOME"]}
    for name in ("XDG_CACHE_HOME", "XDG_CONFIG_HOME", "PIP_CONFIG_FILE", "UV_NO_CONFIG"):
        del environment[name]
    return environment


def test_the_sdist_has_all_that_the_wheel_needs(built: Path) -> None:
    [sdist] = built.glob("*.tar.gz")
    [wheel] = built.glob("*.whl")
    with tarfile.open(sdist) as archive:
        packed = {name.partition("/")[2] for name in archive.getnames()}
    with zipfile.ZipFile(wheel) as archive:
        installed = {name for name in archive.namelist() if name.startswith("wheelfs/")}
    ours = {str(path.relative_to(ROOT)) for path in (ROOT / "wheelfs").rglob("*") if path.suffix in (".py", ".html", ".css")}
    assert installed >= ours
    assert packed >= installed


@pytest.mark.parametrize("kind", ["*.whl", "*.tar.gz"])
def test_uv_installs_it_as_a_tool_and_it_serves(built: Path, tmp_path: Path, kind: str) -> None:
    [file] = built.glob(kind)
    environment = {**builder(tmp_path), "UV_TOOL_DIR": str(tmp_path / "tools"), "UV_TOOL_BIN_DIR": str(tmp_path / "bin")}
    constraints = str(ROOT / "constraints.txt")
    run([find_uv_bin(), "tool", "install", "-c", constraints, str(file)], environment=environment).succeeded()
    check(tmp_path / "bin" / "wheelfs", tmp_path)
    run([find_uv_bin(), "tool", "uninstall", "wheelfs"], environment=environment).succeeded()
    assert not (tmp_path / "bin" / "wheelfs").exists()


def test_pipx_installs_it(built: Path, tmp_path: Path) -> None:
    [file] = built.glob("*.whl")
    environment = {**builder(tmp_path), "PIPX_HOME": str(tmp_path / "pipx"), "PIPX_BIN_DIR": str(tmp_path / "bin")}
    pipx = [find_uv_bin(), "tool", "run", "pipx"]
    run([*pipx, "install", str(file)], environment=environment).succeeded()
    check(tmp_path / "bin" / "wheelfs", tmp_path)
    run([*pipx, "uninstall", "wheelfs"], environment=environment).succeeded()
    assert not (tmp_path / "bin" / "wheelfs").exists()


def check(program: Path, where: Path) -> None:
    """See that what was installed mounts: its daemon is a process of its own, with the environment of a tool."""
    environment = {**isolated_environment(where / "user"), "WHEELFS_STORE": str(where / "store"), "WHEELFS_NO_INDEX": "1"}
    mountpoint = where / "mnt"
    run([str(program), "mount", str(mountpoint)], environment=environment).succeeded()
    assert (mountpoint / ".wheelfs" / "status.json").is_file()
    run([str(program), "umount", str(mountpoint)], environment=environment).succeeded()
