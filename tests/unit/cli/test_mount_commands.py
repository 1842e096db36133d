from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from wheelfs import errors
from wheelfs.frontends.fuse.mount import daemon, umount
from wheelfs.service.process import spawn

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
    assert "list of processes" not in run("mount", "-f", str(tmp_path), "--index", "a=https://a.example/").err
    for words in (("-o", "index=a=https://me:hunter2@a.example/"), ("--share", "a=https://me:hunter2@a.example/")):
        assert "list of processes" in run("mount", "-f", str(tmp_path), *words).err


def test_pips_cutoff_that_has_no_effect_on_a_mount_is_warned_of_unless_min_age_is_set(
    fake: FakeApp, run: Callable[..., Result], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    words = ("mount", "-f", str(tmp_path / "mount"))
    monkeypatch.setenv("PIP_CONFIG_FILE", str(tmp_path / "pip.conf"))
    assert "uploaded-prior-to" not in run(*words).err
    (tmp_path / "pip.conf").write_text("[install]\nuploaded-prior-to = 2026-11-01\n")
    assert f"{tmp_path}/pip.conf [install] uploaded-prior-to keeps new files from pip" in run(*words).err
    assert "uploaded-prior-to" not in run(*words, "--min-age", "7d").err
    (tmp_path / "pip.conf").unlink()
    monkeypatch.setenv("PIP_UPLOADED_PRIOR_TO", "2026-11-01")
    assert "PIP_UPLOADED_PRIOR_TO in the environment" in run(*words).err


def test_a_mount_says_which_indexes_are_not_taken_unless_it_is_to_be_quiet(
    fake: FakeApp, run: Callable[..., Result], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    fake.notes = ("not taken as indexes: this", "not taken as indexes: that")
    assert run("mount", "-f", str(tmp_path)).err.count("wheelfs: not taken as indexes: ") == 2
    assert "places" not in fake.asked, "installers' files are read once, by the mount itself"
    assert "not taken" not in run("mount", "-f", str(tmp_path), "--quiet").err
    monkeypatch.setattr(daemon, "spawn_daemon", lambda *_, **__: daemon.DaemonReady(4711, {}))
    assert run("mount", str(tmp_path)).err.count("wheelfs: not taken as indexes: ") == 2
    assert fake.asked["places"].mountpoint == tmp_path


@pytest.mark.parametrize(("user", "words", "said"), [(0, (), True), (0, ("--allow-other",), False), (1000, (), False)])
def test_root_is_told_that_no_other_user_can_use_the_mount(
    fake: FakeApp,
    run: Callable[..., Result],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    user: int,
    words: tuple[str, ...],
    said: bool,
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: user)
    assert ("--allow-other lets other users in" in run("mount", "-f", str(tmp_path), *words).err) is said


def test_lists_of_flags_and_of_mount_options_are_joined_and_a_flag_goes_first(
    fake: FakeApp, run: Callable[..., Result], tmp_path: Path
) -> None:
    options = "index=c=https://c.example/,share=file:///s,quota=1GB,index=d=https://d.example/"
    assert run("mount", "-f", str(tmp_path), "-o", options, "--index", "a=https://a.example/", "--quota", "2GB").code == 0
    settings = fake.asked["settings"]
    assert [index.name for index in settings.indexes] == ["a", "c", "d"]
    assert [share.url for share in settings.shares] == ["file:///s"]
    assert (settings.quota_bytes, settings.provenance["quota_bytes"]) == (2_000_000_000, "--quota")


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
    result = run("mount", "/m", "--index", "lab=https://me:hunter2@lab.example/", "-o", "nonempty,fsname=a\\,b", "-v")
    assert result.code == 0, result.err
    assert spawned["arguments"] == ["mount", "--foreground", "--quiet", "-v", "-o", "fsname=a\\,b", "-o", "nonempty", "--", "/m"]
    assert spawned["environ"]["WHEELFS_INDEX"] == "lab=https://me:hunter2@lab.example/"
    assert spawned["program"] == ("-P", "-m", "wheelfs")
    assert spawned["log_path"].parent.is_dir()
    assert f"process 4711, log: {spawned['log_path']}" in result.out


@pytest.mark.parametrize(
    ("words", "variable", "named"),
    [
        ((), "w.toml", "here/w.toml"),
        (("--config=~/w.toml",), None, "w.toml"),
        (("-o", "config=~/w.toml"), "other.toml", "w.toml"),
    ],
)
def test_the_daemon_finds_its_configuration_file_from_everywhere_and_at_each_reload(
    words: tuple[str, ...],
    variable: str | None,
    named: str,
    run: Callable[..., Result],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / named).touch()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("HOME", str(tmp_path))
    if variable is not None:
        monkeypatch.setenv("WHEELFS_CONFIG", variable)
    given: list[str] = []

    def spawn_daemon(*_: object, **__: object) -> daemon.DaemonReady:
        given.append(os.environ["WHEELFS_CONFIG"])
        return daemon.DaemonReady(4711, {})

    monkeypatch.setattr(daemon, "spawn_daemon", spawn_daemon)
    assert run("mount", "/m", *words).code == 0
    assert given == [str(tmp_path / named)]


def test_a_home_that_is_not_known_is_an_error_of_its_user(run: Callable[..., Result]) -> None:
    done = run("--config", "~no-such-user/w.toml", "status")
    assert (done.code, "there is no such file" in done.err) == (2, True)


@pytest.mark.parametrize("command", ["mount", "serve"])
def test_a_log_that_cannot_be_written_is_named_with_the_option_that_gives_another(
    command: str, run: Callable[..., Result], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.undo()
    monkeypatch.setenv("WHEELFS_STORE", str(tmp_path / "store"))
    (tmp_path / "log").mkdir()
    words = ["/m"] if command == "mount" else []
    result = run(command, *words, "--log-file", str(tmp_path / "log"))
    assert result.code == errors.StoreError.exit_code
    assert f"open the log {tmp_path / 'log'}: Is a directory (give another one with --log-file" in result.err


NOT_EMPTY = errors.MountPointError("mount", "it is not empty")


@pytest.mark.parametrize("failure", [NOT_EMPTY, ExceptionGroup("nursery", [NOT_EMPTY]), None])
def test_a_daemon_reports_to_its_parent_instead_of_printing(
    failure: Exception | None, fake: FakeApp, run: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    reports: list[Any] = []
    monkeypatch.setattr(spawn, "take_report_pipe", lambda: 99)
    monkeypatch.setattr(daemon, "report_ready", lambda fd, payload: reports.append((fd, payload)))
    monkeypatch.setattr(daemon, "report_error", lambda fd, error: reports.append((fd, error)))
    fake.failure = failure
    result = run("mount", "-f", "/m")
    assert result.out == ""
    assert reports == [(99, NOT_EMPTY if failure else {"path": "/m", "store": "/s"})]


@pytest.mark.parametrize("command", ["mount", "umount"])
def test_an_empty_path_is_not_the_working_directory(fake: FakeApp, run: Callable[..., Result], command: str) -> None:
    result = run(command, "")
    assert (result.code, "a path is not empty" in result.err) == (2, True)


def test_the_working_directory_may_go_with_the_mount_and_is_missed_afterwards(
    run: Callable[..., Result], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    place = tmp_path / "mount"
    place.mkdir()
    monkeypatch.chdir(place)

    def unmount(_path: Path, *, lazy_if_busy: bool, only_dead: bool) -> umount.Unmounted:
        place.rmdir()  # as for getcwd(2), a detached one is gone
        return umount.Unmounted((7,), (), in_use=lazy_if_busy)

    monkeypatch.setattr(umount, "unmount", unmount)
    done = run("umount", "--lazy", ".")
    assert (done.code, f"{place} is detached" in done.err) == (0, True)
    again = run("umount", ".")
    assert (again.code, "the working directory is gone" in again.err) == (2, True)


def test_umount_needs_no_readable_configuration(
    run: Callable[..., Result], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked: list[Any] = []

    def unmount(path: Path, *, lazy_if_busy: bool, only_dead: bool) -> umount.Unmounted:
        asked.append((path, lazy_if_busy))
        return umount.Unmounted((7,), (), in_use=True) if lazy_if_busy else umount.Unmounted()

    monkeypatch.setattr(umount, "unmount", unmount)
    monkeypatch.setenv("WHEELFS_OFFLINE", "nonsense")
    assert run("umount", "/m") == Result(0, "", "")
    assert "last open file" in run("umount", "--lazy", "/m").err
    assert asked == [(Path("/m"), False), (Path("/m"), True)]


@pytest.mark.parametrize(
    ("left", "words"),
    [
        (umount.Unmounted((7, 8), (8,)), "`kill -CONT 8` lets it end"),
        (umount.Unmounted((7,)), "its process (7) has not ended yet"),
    ],
)
def test_a_process_that_outlives_its_mount_is_named_with_what_ends_it(
    run: Callable[..., Result], monkeypatch: pytest.MonkeyPatch, left: umount.Unmounted, words: str
) -> None:
    monkeypatch.setattr(umount, "unmount", lambda _path, **_how: left)
    said = run("umount", "/m").err
    assert words in said
    assert "last open file" not in said
