from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from wheelfs import errors
from wheelfs.frontends.fuse.mount import daemon, umount

if TYPE_CHECKING:
    from collections.abc import Callable


from tests.unit.cli.fake_app import FakeApp, Result

# --- mount and umount ------------------------------------------------------------------------------------------------


def test_mount_in_the_foreground_prints_the_lines_with_the_real_path_when_ready(
    fake: FakeApp, run: Callable[..., Result], tmp_path: Path
) -> None:
    target = tmp_path / "my wheels"
    result = run("mount", "-f", str(target), "--index", "a=https://a.example/", "--index", "b=https://b.example/", "--offline")
    assert result.code == 0
    assert fake.asked["mountpoint"] == target
    assert [index.name for index in fake.asked["settings"].indexes] == ["a", "b"]
    assert fake.asked["settings"].offline is True
    assert f"pip install --index-url {(target / 'here/simple').as_uri()} PACKAGE" in result.out
    assert f"uv pip install --default-index {(target / 'here/simple').as_uri()} PACKAGE" in result.out
    assert f"--find-links '{target}'" in result.out
    (value,) = run("mount", "-f", str(target), "--json").objects
    assert set(value) == {"path", "pid", "store", "log", "lines"}


def test_a_password_that_everybody_can_read_for_as_long_as_the_mount_lives_is_warned_of(
    fake: FakeApp, run: Callable[..., Result], tmp_path: Path
) -> None:
    told = run("mount", "-f", str(tmp_path), "--index", "a=https://me:hunter2@a.example/").err
    assert "list of processes" in told
    assert "hunter2" not in told
    assert run("mount", "-f", str(tmp_path), "--index", "a=https://a.example/").err == ""


def test_mount_options_reach_the_settings(fake: FakeApp, run: Callable[..., Result], tmp_path: Path) -> None:
    store = tmp_path / "other"
    options = f"rw,noauto,_netdev,x-systemd.automount,store={store},offline,allow_other,nonempty,index=a=https://a.example/"
    assert run("mount", "-f", str(tmp_path), "-o", options).code == 0
    settings = fake.asked["settings"]
    assert (settings.store, settings.offline, settings.allow_other) == (store, True, True)
    assert settings.provenance["store"] == "-o store"
    assert fake.asked["options"].nonempty is True


def test_mount_leaves_a_daemon_and_tells_where_its_log_is(
    monkeypatch: pytest.MonkeyPatch, run: Callable[..., Result], tmp_path: Path
) -> None:
    spawned: dict[str, Any] = {}

    def spawn_daemon(arguments: Any, *, log_path: Path, ready_timeout_s: float, program: Any) -> daemon.DaemonReady:
        spawned.update(arguments=arguments, log_path=log_path, program=program, environ=dict(os.environ))
        return daemon.DaemonReady(4711, {"path": "/m", "store": "/s"})

    monkeypatch.setattr(daemon, "spawn_daemon", spawn_daemon)
    result = run("mount", "/m", "--index", "lab=https://me:hunter2@lab.example/", "-o", "nonempty", "-v")
    assert result.code == 0, result.err
    assert spawned["arguments"] == ["mount", "--foreground", "-v", "-o", "nonempty", "--", "/m"]
    assert spawned["environ"]["WHEELFS_INDEX"] == "lab=https://me:hunter2@lab.example/"
    assert spawned["program"] == ("-P", "-m", "wheelfs")
    assert spawned["log_path"].parent.is_dir()
    assert f"process 4711, log: {spawned['log_path']}" in result.out


NOT_EMPTY = errors.MountPointError("mount", "it is not empty")


@pytest.mark.parametrize("failure", [NOT_EMPTY, ExceptionGroup("nursery", [NOT_EMPTY]), None])
def test_a_daemon_reports_to_its_parent_instead_of_printing(
    failure: Exception | None, fake: FakeApp, run: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    reports: list[Any] = []
    monkeypatch.setattr(daemon, "take_ready_fd", lambda: 99)
    monkeypatch.setattr(daemon, "report_ready", lambda fd, payload: reports.append((fd, payload)))
    monkeypatch.setattr(daemon, "report_error", lambda fd, error: reports.append((fd, error)))
    fake.failure = failure
    result = run("mount", "-f", "/m")
    assert result.out == ""
    assert reports == [(99, NOT_EMPTY if failure else {"path": "/m", "store": "/s"})]


def test_umount_needs_no_readable_configuration(
    run: Callable[..., Result], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked: list[Any] = []

    def unmount(path: Path, *, lazy_if_busy: bool) -> bool:
        asked.append((path, lazy_if_busy))
        return not lazy_if_busy

    monkeypatch.setattr(umount, "unmount", unmount)
    monkeypatch.setenv("WHEELFS_OFFLINE", "nonsense")
    assert run("umount", "/m") == Result(0, "", "")
    assert "last open file" in run("umount", "--lazy", "/m").err
    assert asked == [(Path("/m"), False), (Path("/m"), True)]
