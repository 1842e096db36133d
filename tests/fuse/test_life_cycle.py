"""How mounts begin and end."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.fuse.mounting import DEADLINE_S, ROOT, detach, end, is_mounted, mounted, requires_fuse, start, until
from wheelfs import errors
from wheelfs.frontends.fuse.kernel.connections import servers_of
from wheelfs.frontends.fuse.kernel.control import cutting_off
from wheelfs.frontends.fuse.kernel.limits import FUSE_LIMITS
from wheelfs.frontends.fuse.kernel.mountinfo import mount_at
from wheelfs.frontends.fuse.kernel.syscalls import umount
from wheelfs.frontends.fuse.mount.daemon import spawn_daemon
from wheelfs.frontends.fuse.mount.umount import Unmounted, unmount

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.fuse.mounting import Mount

pytestmark = requires_fuse()

RUNNER = ("-m", "tests.fakes.fuse_runner")


@pytest.fixture
def point(tmp_path: Path) -> Iterator[Path]:
    point = tmp_path / "mnt"
    yield point
    detach(point)


def test_readiness_means_that_the_mount_answers_and_is_tuned(point: Path) -> None:
    with mounted(point) as mount:
        device = (point / "a.whl").stat().st_dev
        connection = Path(f"/sys/fs/fuse/connections/{os.minor(device)}")
        assert int((connection / "max_background").read_text()) == FUSE_LIMITS.background
        entry = mount_at(str(point))
        assert entry is not None
        assert entry.fstype == "fuse.wheelfs"
        assert servers_of(entry.minor) == (mount.process.pid,)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])  # SIGHUP: there is nothing to read again
def test_a_signal_unmounts_and_ends_with_zero(point: Path, number: signal.Signals) -> None:
    with mounted(point) as mount:
        assert mount.signal(number) == 0
        assert not is_mounted(point)


def test_a_signal_ends_the_mount_while_requests_hang(point: Path) -> None:
    failed: list[int | None] = []

    def read() -> None:
        try:
            (point / "hung" / "0.whl").read_bytes()
        except OSError as error:
            failed.append(error.errno)

    with mounted(point) as mount:
        reader = threading.Thread(target=read)
        waiting = Path(f"/sys/fs/fuse/connections/{os.minor(point.stat().st_dev)}/waiting")
        reader.start()
        until(lambda: int(waiting.read_text()) >= 1, "the read hangs")
        assert mount.signal(signal.SIGTERM) == 0
        reader.join(DEADLINE_S)
        assert len(failed) == 1
        assert not is_mounted(point)


def test_a_clean_end_leaves_no_unmounter_that_could_hit_the_next_mount(point: Path) -> None:
    with mounted(point) as first:
        assert first.signal(signal.SIGTERM) == 0
    with mounted(point):
        found = subprocess.run(["pgrep", "-f", f"fusermount3.*{point}"], capture_output=True, text=True, check=False)
        assert len(found.stdout.split()) == 1
        assert (point / "a.whl").exists()


def test_auto_unmount_clears_up_after_a_killed_daemon(point: Path) -> None:
    with mounted(point) as mount:
        mount.signal(signal.SIGKILL)
        until(lambda: not is_mounted(point), "the mount is gone")


def test_a_kill_closes_the_device_before_the_socket_at_whose_end_fusermount_looks_whether_the_mount_is_dead(point: Path) -> None:
    with mounted(point) as mount:
        opened = {int(link.name): str(link.readlink()) for link in Path(f"/proc/{mount.process.pid}/fd").iterdir()}
    [device] = [number for number, target in opened.items() if target == "/dev/fuse"]
    sockets = [number for number, target in opened.items() if target.startswith("socket:")]
    assert sockets
    assert max(sockets) < device, "the kernel closes from the highest number down"


def test_a_dead_mount_is_cleared_at_the_next_start(point: Path) -> None:
    with mounted(point, options={"auto_unmount": False}) as killed:
        killed.signal(signal.SIGKILL)
        assert is_mounted(point)
        with pytest.raises(OSError, match="not connected"):
            list(point.iterdir())
        with mounted(point) as mount:
            assert (point / "a.whl").exists()
            assert "clearing the dead mount" in mount.log.read_text()
            assert mount.signal(signal.SIGTERM) == 0
        assert not is_mounted(point)


def test_sigusr1_shows_the_tasks(point: Path) -> None:
    with mounted(point) as mount:
        mount.process.send_signal(signal.SIGUSR1)
        until(lambda: "pyfuse-" in mount.log.read_text(), "the task tree in the log")
        assert (point / "a.whl").exists()


def test_a_missing_mount_point_is_created(tmp_path: Path) -> None:
    with mounted(tmp_path / "new") as mount:
        assert (mount.path / "a.whl").exists()


def test_a_mount_point_through_a_symbolic_link_works(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    with mounted(tmp_path / "link"):
        assert (tmp_path / "real" / "a.whl").exists()
        unmount(tmp_path / "link")
        assert not is_mounted(tmp_path / "real")


@pytest.mark.parametrize(
    ("kind", "words"),
    [("file", "not a directory"), ("full", "not empty"), ("mounted", "in use by wheelfs (fuse.wheelfs) by process")],
)
def test_a_bad_mount_point_is_refused(tmp_path: Path, kind: str, words: str) -> None:
    point = tmp_path / "mnt"
    other = None
    match kind:
        case "file":
            point.write_text("")
        case "full":
            point.mkdir()
            (point / "something").touch()
        case "mounted":
            other = start(point)
            assert other.answer() == "ready"
    second = start(point)
    try:
        answer = second.answer()
        assert (answer["error"], second.process.wait(DEADLINE_S)) == ("MountPointError", errors.MountPointError.exit_code)
        assert words in answer["message"]
        if other is not None:
            assert f"process {other.process.pid} " in answer["message"]
            assert (point / "a.whl").exists(), "the first mount is unharmed"
    finally:
        if other is not None:
            end(other)
        end(second)


def test_a_full_directory_is_covered_when_asked_for(point: Path) -> None:
    point.mkdir()
    (point / "hidden").touch()
    with mounted(point, options={"nonempty": True}):
        assert not (point / "hidden").exists()
    assert (point / "hidden").exists()


# --- umount -----------------------------------------------------------------------------------------------------------


def test_umount_waits_for_the_daemon(point: Path) -> None:
    with mounted(point) as mount:
        # Reaped beside, as init would do it for a daemon.
        reaper = threading.Thread(target=mount.process.wait)
        reaper.start()
        assert unmount(point) == Unmounted()
        reaper.join(DEADLINE_S)
        assert mount.process.returncode == 0
        assert not is_mounted(point)


@contextmanager
def number_given_twice(tmp_path: Path) -> Iterator[tuple[Mount, Callable[[], None]]]:
    """Yield a mount whose connection has the number of an older one, which a process still holds, and what cuts off that one."""
    for attempt in range(10):  # other programs of this machine mount, too, and may be given the number first
        with ExitStack() as stack:
            older = stack.enter_context(mounted(tmp_path / f"older-{attempt}"))
            first = mount_at(str(older.path))
            assert first is not None
            cut_off = stack.enter_context(cutting_off(first.minor))
            older.process.send_signal(signal.SIGSTOP)
            stack.callback(older.process.send_signal, signal.SIGCONT)
            umount(first.mountpoint, lazy=True)
            newer = stack.enter_context(mounted(tmp_path / f"newer-{attempt}"))
            second = mount_at(str(newer.path))
            assert second is not None
            if second.minor == first.minor:
                yield newer, cut_off
                return
    pytest.fail("the kernel has given the number of a mount that is gone to no other")


def test_umount_does_not_wait_for_a_process_that_holds_an_older_connection_of_the_same_number(tmp_path: Path) -> None:
    with number_given_twice(tmp_path) as (newer, _):
        entry = mount_at(str(newer.path))
        assert entry is not None
        assert servers_of(entry.minor) == (newer.process.pid,)
        threading.Thread(target=newer.process.wait).start()
        assert unmount(newer.path) == Unmounted()


def test_a_mount_that_ends_cuts_no_other_one_off_that_was_given_its_number(tmp_path: Path) -> None:
    with number_given_twice(tmp_path) as (newer, cut_off):
        cut_off()
        assert (newer.path / "a.whl").stat().st_size == 5000
        assert list(newer.path.iterdir())


def test_a_connection_that_is_cut_off_leaves_no_dead_mount(point: Path) -> None:
    with mounted(point) as mount:
        entry = mount_at(str(point))
        assert entry is not None
        with cutting_off(entry.minor) as cut_off:
            cut_off()
        assert mount.process.wait(DEADLINE_S) == 0
        assert not is_mounted(point)


def test_umount_of_a_busy_mount_names_who_holds_it(point: Path) -> None:
    with mounted(point), (point / "a.whl").open("rb") as file:
        with pytest.raises(errors.MountPointError, match=rf"in use by .*\({os.getpid()}\).*--lazy"):
            unmount(point)
        assert is_mounted(point)
        assert file.read(5) == b"wheel"


def test_umount_clears_a_dead_mount_even_when_a_file_is_open(point: Path) -> None:
    with mounted(point, options={"auto_unmount": False}) as mount:
        fd = os.open(point / "a.whl", os.O_RDONLY)
        try:
            mount.signal(signal.SIGKILL)
            assert unmount(point).ended
            assert not is_mounted(point)
        finally:
            with suppress(OSError):
                os.close(fd)


def test_umount_of_what_is_not_ours_is_refused(tmp_path: Path) -> None:
    with pytest.raises(errors.NotKnown, match="nothing is mounted"):
        unmount(tmp_path)
    with pytest.raises(errors.NotKnown, match="a proc is mounted there, which is not ours"):
        unmount(Path("/proc"))


# --- the daemon that is left over --------------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def _importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))


def test_a_daemon_is_reported_when_its_mount_answers(point: Path, tmp_path: Path) -> None:
    ready = spawn_daemon([str(point)], log_path=tmp_path / "log", ready_timeout_s=DEADLINE_S, program=RUNNER)
    assert ready.message["mountpoint"] == str(point)
    assert (point / "a.whl").exists()
    assert os.getsid(ready.pid) == ready.pid
    assert Path(f"/proc/{ready.pid}/cwd").readlink() == Path("/")
    assert Path(f"/proc/{ready.pid}/fd/0").readlink() == Path(os.devnull)
    unmount(point)
    assert os.waitstatus_to_exitcode(os.waitpid(ready.pid, 0)[1]) == 0


def test_an_error_of_the_daemon_is_raised_by_the_parent(point: Path, tmp_path: Path) -> None:
    point.write_text("")
    with pytest.raises(errors.MountPointError, match="not a directory") as caught:
        spawn_daemon([str(point)], log_path=tmp_path / "log", ready_timeout_s=DEADLINE_S, program=RUNNER)
    assert f"its log: {tmp_path}/log" in caught.value.advice


def test_a_daemon_that_dies_silently_shows_the_end_of_its_log(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("an older line\n")
    program = ("-c", "import sys; sys.exit('last words')")
    with pytest.raises(errors.InternalError, match=r"exit code 1[\s\S]*last words") as caught:
        spawn_daemon([], log_path=tmp_path / "log", ready_timeout_s=DEADLINE_S, program=program)
    assert "an older line" not in str(caught.value)


def test_a_daemon_that_is_late_is_ended(tmp_path: Path) -> None:
    program = ("-c", f"import os, time; open({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid())); time.sleep(600)")
    with pytest.raises(errors.InternalError, match="not ready within"):
        spawn_daemon([], log_path=tmp_path / "log", ready_timeout_s=2, program=program)
    pid = int((tmp_path / "pid").read_text())
    assert not Path(f"/proc/{pid}").exists()
