"""What other users of the machine can read of a store and its logs: nothing, unless a group is named; and of credentials."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.fakes.wheels import build_wheel, wheel_filename
from wheelfs.cli import logs
from wheelfs.config import Settings, load
from wheelfs.errors import UsageError
from wheelfs.model.recipe import DIGEST_BYTES
from wheelfs.private_files import Readers, readers_of, restrict
from wheelfs.store.store import Store
from wheelfs.telemetry import set_up_logging

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import RunWheelfs

GROUP = os.getgid()


@pytest.fixture(autouse=True)
def open_umask() -> Iterator[None]:
    before = os.umask(0)
    try:
        yield
    finally:
        os.umask(before)


def open_to_others(below: Path, *, group: bool = False) -> dict[str, str]:
    """Return what others may use of a directory and all in it, with its mode; ``group``: the group may read."""
    allowed = 0o750 if group else 0o700
    modes = {path: path.lstat().st_mode for path in (below, *below.rglob("*"))}
    return {
        str(path): oct(mode) for path, mode in modes.items() if not stat.S_ISLNK(mode) and stat.S_IMODE(mode) & 0o777 & ~allowed
    }


def test_what_a_store_holds_is_its_owner_s_alone_whatever_the_umask(tmp_path: Path) -> None:
    with Store.open(tmp_path / "store") as store:
        key = bytes(DIGEST_BYTES)
        with_part = store.spool.open(key, size_bytes=10)  # type: ignore[arg-type]
        try:
            assert not open_to_others(tmp_path / "store")
        finally:
            with_part.close()


def test_a_group_that_is_named_may_read_it(tmp_path: Path) -> None:
    with Store.open(tmp_path / "store", readers=Readers(GROUP)):
        assert not open_to_others(tmp_path / "store", group=True)
        assert stat.S_IMODE((tmp_path / "store" / "chunks" / "data.mdb").stat().st_mode) == 0o640
        assert stat.S_IMODE((tmp_path / "store").stat().st_mode) == 0o2750


def test_a_store_that_was_open_to_others_is_closed_and_that_is_said_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with Store.open(tmp_path / "store"):
        pass
    for path in (tmp_path / "store", *(tmp_path / "store").rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    for _ in range(2):
        with Store.open(tmp_path / "store"):
            assert not open_to_others(tmp_path / "store")
    assert caplog.text.count("could be read by others") == 1


def test_a_link_in_the_place_of_a_file_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "victim").write_bytes(b"x")
    (tmp_path / "victim").chmod(0o644)
    (tmp_path / "link").symlink_to("victim")
    with pytest.raises(OSError, match="symbolic links"):
        restrict(tmp_path / "link", Readers())
    assert stat.S_IMODE((tmp_path / "victim").stat().st_mode) == 0o644


def test_a_log_is_its_owner_s_alone_one_that_is_there_as_well(tmp_path: Path) -> None:
    for name in ("new", "old"):
        path = tmp_path / name
        if name == "old":
            path.write_text("")
            path.chmod(0o644)
        set_up_logging("info", log_file=path)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    set_up_logging("info", log_file=tmp_path / "grouped", readers=Readers(GROUP))
    assert stat.S_IMODE((tmp_path / "grouped").stat().st_mode) == 0o640
    set_up_logging("warning")


def test_the_group_may_enter_the_directory_of_logs_but_not_one_that_is_not_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "log_directory", lambda _environ: tmp_path / "wheelfs")
    settings = Settings(store=tmp_path / "store", store_group=str(GROUP))
    for log_file, mode in ((tmp_path / "wheelfs" / "mount.log", 0o2750), (tmp_path / "other" / "mount.log", 0o700)):
        logs.check_log(log_file)
        logs.log_to(settings, 0, log_file)
        assert stat.S_IMODE(log_file.parent.stat().st_mode) == mode
        assert stat.S_IMODE(log_file.stat().st_mode) == 0o640
    set_up_logging("warning")


def test_a_group_that_is_not_there_is_refused() -> None:
    with pytest.raises(UsageError, match="no group"):
        readers_of("no-such-group-here")
    assert readers_of(str(GROUP)) == Readers(GROUP)


def test_commands_and_their_option_make_a_private_store(run_wheelfs: RunWheelfs, tmp_path: Path) -> None:
    wheel = tmp_path / wheel_filename("demo", "1.0")
    wheel.write_bytes(build_wheel("demo", "1.0"))
    run_wheelfs("--store", str(tmp_path / "store"), "add", str(wheel)).succeeded()
    assert not open_to_others(tmp_path / "store")
    environment = {"WHEELFS_STORE_GROUP": str(GROUP)}
    run_wheelfs("--store", str(tmp_path / "grouped"), "add", str(wheel), env=environment).succeeded()
    assert not open_to_others(tmp_path / "grouped", group=True)
    assert stat.S_IMODE((tmp_path / "grouped").stat().st_mode) == 0o2750


@pytest.mark.parametrize(("mode", "is_warned"), [(0o644, True), (0o600, False), (0o640, False)])
def test_credentials_in_a_file_that_everybody_can_read_are_warned_of_and_not_quoted(mode: int, is_warned: bool) -> None:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "wheelfs.toml"
        path.write_text('[[index]]\nname = "lab"\nurl = "https://user:hunter2@index.example/simple"\n')
        path.chmod(mode)
        warnings = load(config_file=path, environ={}).warnings
    assert bool(warnings) == is_warned
    assert "hunter2" not in " ".join(warnings)


def test_without_credentials_a_file_may_be_open(tmp_path: Path) -> None:
    (tmp_path / "wheelfs.toml").write_text('[[index]]\nname = "lab"\nurl = "https://index.example/simple"\n')
    assert not load(config_file=tmp_path / "wheelfs.toml", environ={}).warnings


@pytest.mark.parametrize(
    "name", ["https://user:hunter2@index.example/simple", f"https://user:{'hunter2' * 20}@index.example/", "u:hunter2@x"]
)
def test_a_password_under_name_is_not_quoted(tmp_path: Path, name: str) -> None:
    (tmp_path / "wheelfs.toml").write_text(f'[[index]]\nname = "{name}"\nurl = "https://index.example/simple"\n')
    with pytest.raises(UsageError) as caught:
        load(config_file=tmp_path / "wheelfs.toml", environ={})
    assert "hunter2" not in str(caught.value)
    assert "give that as url" in str(caught.value)
