"""pip and uv work against the fake index, and know nothing of this machine."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from tests.fakes.processes import isolated_environment, run
from tests.fakes.wheels import build_sdist, sdist_filename

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fakes.clients import Clients
    from tests.fakes.index import FakeIndex


@pytest.mark.parametrize("page_format", ["html", "json"])
def test_built_wheels_install_with_their_requirements(fake_index: FakeIndex, clients: Clients, page_format: str) -> None:
    fake_index.page_format = page_format  # type: ignore[assignment]
    fake_index.add_wheel("demo", "1.0", requires=["other>1"], data_descriptors=True)
    fake_index.add_wheel("other", "1.0", compression="stored")
    fake_index.add_wheel("other", "2.0", metadata_first=True, big_bytes=10_000)
    uv, pip = clients.uv(), clients.pip()
    uv.run("pip", "install", "--default-index", fake_index.url, "demo").succeeded()
    pip.run("install", "--index-url", fake_index.url, "demo").succeeded()
    assert uv.installed() == pip.installed() == {"demo": "1.0", "other": "2.0"}


def test_built_sdists_install_without_network(fake_index: FakeIndex, clients: Clients) -> None:
    fake_index.add(sdist_filename("demo", "1.0"), build_sdist("demo", "1.0"))
    uv = clients.uv()
    uv.run("pip", "install", "--default-index", fake_index.url, "demo").succeeded()
    assert uv.installed() == {"demo": "1.0"}


def test_nothing_of_this_machine_is_inherited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_FIND_LINKS", "/nowhere")
    monkeypatch.setenv("UV_OFFLINE", "1")
    monkeypatch.setenv("WHEELFS_STORE", "/nowhere")
    environment = isolated_environment(tmp_path / "home")
    assert not {"PIP_FIND_LINKS", "UV_OFFLINE", "WHEELFS_STORE"} & set(environment)
    configured = run([sys.executable, "-m", "pip", "config", "list"], environment=environment).succeeded()
    assert all(line.startswith(":env:") for line in configured.stdout.splitlines()), "only what the environment says"
