"""``config --install``: the user's own file of pip or uv, and nothing else of it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from wheelfs.frontends.fuse.kernel import mountinfo

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.unit.cli.fake_app import Result

FILES = {"pip": "pip/pip.conf", "uv": "uv/uv.toml"}
OTHERS = {"pip": b"# mine\r\n[install]\r\ntimeout = 60", "uv": b"# mine\noffline = false"}


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PIP_CONFIG_FILE", "PIP_INDEX_URL", "PIP_NO_INDEX", "UV_CONFIG_FILE", "UV_DEFAULT_INDEX", "UV_NO_CONFIG"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("client", FILES)
def test_a_file_is_given_back_byte_for_byte_with_its_mode(run: Callable[..., Result], tmp_path: Path, client: str) -> None:
    file = tmp_path / "config" / FILES[client]
    file.parent.mkdir(parents=True)
    real = tmp_path / "dotfiles"
    real.write_bytes(OTHERS[client])
    real.chmod(0o640)
    file.symlink_to(real)
    done = run("config", "--install", client, "--mount", "/mnt/my wheels")
    assert done.code == 0, done.err
    assert f"{file}: changed" in done.out
    assert "file:///mnt/my%20wheels/here/simple" in done.out
    assert "  - " not in done.out
    changed = real.read_bytes()
    assert changed.startswith(OTHERS[client])
    assert run("config", "--install", client, "--mount", "/mnt/my wheels").out == f"{file}: has it already\n"
    assert real.read_bytes() == changed
    assert run("config", "--install", client, "--mount", "/mnt/wheels").code == 0
    assert b"file:///mnt/wheels/here/simple" in real.read_bytes()
    [undone] = run("config", "--install", client, "--undo", "--json").objects
    assert undone["removed"]
    assert not undone["added"]
    assert real.read_bytes() == OTHERS[client]
    assert file.is_symlink()
    assert real.stat().st_mode & 0o777 == 0o640
    assert run("config", "--install", client, "--undo").code == 5


@pytest.mark.parametrize("client", FILES)
def test_a_file_that_was_not_there_is_gone_again(run: Callable[..., Result], tmp_path: Path, client: str) -> None:
    file = tmp_path / "config" / FILES[client]
    assert run("config", "--install", client).code == 0
    assert "here/simple" in file.read_text()
    assert run("config", "--install", client, "--undo").code == 0
    assert list(file.parent.iterdir()) == []
    assert run("config", "--install", client, "--undo").code == 5


def test_what_would_not_work_is_refused_and_nothing_is_written(
    run: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "config/pip/pip.conf"
    file.parent.mkdir(parents=True)
    for content in (b"[global]\nindex-url = https://index.example/simple\n", b"\xff"):
        file.write_bytes(content)
        assert run("config", "--install", "pip").code == 2
        assert file.read_bytes() == content
    file.unlink()
    assert run("config", "--undo").code == 2
    assert run("config", "uv", "--install", "pip").code == 2
    assert run("config", "--install", "pip", "--undo", "--mount", "/mnt/wheels").code == 2
    monkeypatch.setenv("PIP_CONFIG_FILE", str(tmp_path / "other"))
    refused = run("config", "--install", "pip")
    assert refused.code == 2
    assert "PIP_CONFIG_FILE names another file" in refused.err
    monkeypatch.delenv("PIP_CONFIG_FILE")
    file.parent.rmdir()
    file.parent.write_text("no directory")
    assert run("config", "--install", "pip").code == 12


@pytest.mark.parametrize("kind", ["device", "fifo"])
def test_a_file_that_is_no_regular_one_is_left_alone(run: Callable[..., Result], tmp_path: Path, kind: str) -> None:
    file, there = tmp_path / "config/pip/pip.conf", tmp_path / "there"
    file.parent.mkdir(parents=True)
    os.mkfifo(there)
    file.symlink_to("/dev/null" if kind == "device" else there)
    before = file.stat()
    for words in (("--install", "pip"), ("--install", "pip", "--undo")):
        refused = run("config", *words)
        assert (refused.code, "not a regular file" in refused.err) == (12, True)
    assert file.stat().st_mode == before.st_mode


def test_what_goes_before_the_file_is_said(run: Callable[..., Result], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UV_DEFAULT_INDEX", "https://index.example/simple")
    assert run("config", "--install", "uv").err.startswith("wheelfs: UV_DEFAULT_INDEX in the environment goes before it\n")


@pytest.mark.parametrize(
    ("mounted", "note"),
    [
        ({}, "pip finds nothing there: wheelfs mount /mnt/wheels"),
        (
            {"/srv/wheels": "fuse.wheelfs", "/": "ext4"},
            "pip finds nothing there: mounted is /srv/wheels: name it by --mount",
        ),
        ({"/mnt/wheels": "fuse.wheelfs"}, None),
        ({"/mnt/wheels": "autofs"}, None),
    ],
)
def test_a_mount_that_is_not_there_is_said_with_those_of_other_users(
    mounted: dict[str, str], note: str | None, run: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    entries = [mountinfo.MountEntry(0, 40, place, fstype, "none") for place, fstype in mounted.items()]
    monkeypatch.setattr(mountinfo, "mounts_now", lambda: entries)
    done = run("config", "--install", "pip")
    assert (done.code, bool(done.err)) == (0, note is not None)
    assert note is None or f"wheelfs: nothing is mounted at /mnt/wheels now, so {note}\n" == done.err
