from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from wheelfs import app
from wheelfs.cli.main import main

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


from tests.unit.cli.fake_app import FakeApp, Result


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeApp:
    fake = FakeApp()
    for name in ("add", "list_files", "show", "status", "effective_indexes", "index_notes", "run_mount"):
        monkeypatch.setattr(app, name, getattr(fake, name), raising=False)
    return fake


@pytest.fixture(autouse=True)
def isolated(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    before = dict(os.environ)
    monkeypatch.setattr("wheelfs.telemetry.set_up_logging", lambda level, **_: None)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("WHEELFS_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("WHEELFS_LOG_FILE", str(tmp_path / "log" / "mount.log"))
    monkeypatch.setenv("PYTHONPATH", "")
    for name in ("WHEELFS_INDEX", "WHEELFS_CONFIG", "WHEELFS_OFFLINE", "WHEELFS_JSON", "WHEELFS_READY_FD"):
        monkeypatch.delenv(name, raising=False)
    yield
    # mount hands the configuration to its daemon in the environment.
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str]) -> Callable[..., Result]:
    def run(*words: str, program: str = "wheelfs") -> Result:
        code = main(words, program=program)
        out, err = capfd.readouterr()
        return Result(code, out, err)

    return run
