"""The commands as people and scripts call them: real stores, real mounts, exit codes and fields as documented."""

from __future__ import annotations

import json
import os
import signal
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.fakes.commands import error_of, objects
from tests.fakes.faults import Fault, Slow, Stall
from tests.fakes.mounts import mount_points, unmount_lazily
from tests.fakes.processes import ROOT, run, wheelfs_command, wheelfs_environment
from tests.fakes.waiting import eventually
from tests.fakes.wheels import wheel_filename
from wheelfs.frontends.fuse.kernel.mountinfo import canonical, mount_at

if TYPE_CHECKING:
    from tests.conftest import MountWheelfs, RunWheelfs
    from tests.fakes.index import FakeIndex
    from tests.fakes.processes import Finished

LISTED = {"filename", "project", "version", "state", "size_bytes", "sha256", "origin", "pinned", "private", "repacked", "also"}
NAME = wheel_filename("tools", "1.0")
BIG = 3_000_000

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: file systems are mounted")


# --- looking ---------------------------------------------------------------------------------------------------------


def test_ls_and_show_have_the_promised_fields(
    tools: bytes, run_wheelfs: RunWheelfs, store_dir: Path, fake_index: FakeIndex, mounted: MountWheelfs
) -> None:
    store = ("--store", str(store_dir))
    [listed] = objects(run_wheelfs(*store, "ls", "--json").succeeded())
    assert set(listed) == LISTED
    assert (listed["filename"], listed["state"], listed["private"]) == (NAME, "stored", True)
    assert (listed["size_bytes"], listed["origin"]) == (len(tools), "local")
    assert NAME in run_wheelfs(*store, "ls", "too*").succeeded().stdout
    assert run_wheelfs(*store, "ls", "--json", "nothing*").succeeded().stdout == ""
    [project] = objects(run_wheelfs(*store, "show", "Tools", "--json").succeeded())
    assert (project["versions"], project["origin"]) == (["1.0"], "local")
    [file] = objects(run_wheelfs(*store, "show", NAME, "--json").succeeded())
    assert file == project["files"][0]
    assert set(file) > LISTED
    # What an index has is known once it was looked up; a mount that lives changes nothing of it.
    name, _ = fake_index.add_wheel("numbers", "1.10", big_bytes=BIG)
    for version in ("1.9", "1.0"):
        fake_index.add_wheel("numbers", version)
    mount = mounted(index=fake_index.url)
    (mount.path / "simple" / "numbers" / name).stat()
    index = {"WHEELFS_INDEX": f"main={fake_index.url}"}
    [remote] = objects(run_wheelfs(*store, "show", name, "--json", env=index).succeeded())
    assert (remote["state"], remote["stored_bytes"]) == ("remote", 0)
    [project] = objects(run_wheelfs(*store, "show", "numbers", "--json", env=index).succeeded())
    assert [file["version"] for file in project["files"]] == project["versions"] == ["1.0", "1.9", "1.10"]


@pytest.mark.parametrize("name", ["nothing", NAME, "no such/name", "", "a" * 300])
def test_show_of_what_is_not_known_says_so(run_wheelfs: RunWheelfs, store_dir: Path, name: str) -> None:
    done = run_wheelfs("--store", str(store_dir), "show", name, "--json")
    assert done.returncode == 5
    assert error_of(done)["class"] == "NotKnown"


def test_looking_makes_no_store(run_wheelfs: RunWheelfs, store_dir: Path) -> None:
    for words in (("ls",), ("ls", "--json"), ("status", "--json"), ("config", "--json")):
        run_wheelfs("--store", str(store_dir), *words).succeeded()
    assert run_wheelfs("--store", str(store_dir), "show", "x").returncode == 5
    assert not store_dir.exists()


def test_status_tells_of_every_mount_on_the_store_and_of_no_dead_one(
    tools: bytes, run_wheelfs: RunWheelfs, store_dir: Path, fake_index: FakeIndex, mounted: MountWheelfs
) -> None:
    def status() -> dict[str, Any]:
        [answer] = objects(run_wheelfs("--store", str(store_dir), "status", "--json").succeeded())
        return answer

    idle = status()
    assert set(idle) >= {"version", "store", "mounts", "origins", "offline", "counters"}
    assert (idle["mounts"], idle["store"]) == ([], str(store_dir))
    mounts = [mounted(index=fake_index.url), mounted(index=fake_index.url)]
    both = status()
    assert [mount["path"] for mount in both["mounts"]] == sorted(str(mount.path) for mount in mounts)
    fields = {"path", "pid", "since", "offline", "indexes", "shares", "counters", "failures", "detached", "log"}
    assert all(set(mount) == fields for mount in both["mounts"])
    assert {"name", "kind", "url", "state", "since", "last_error"} == set(both["origins"][0])
    assert set(both["counters"]) >= {"requests", "fetched_bytes", "saved_bytes", "errors"}
    text = run_wheelfs("--store", str(store_dir), "status").succeeded().stdout
    assert all(str(mount.path) in text for mount in mounts)
    [file] = [(mount.path / ".wheelfs" / "status.json").read_text() for mount in mounts[:1]]
    assert set(json.loads(file)) == set(both)
    mounts[0].kill()
    assert [mount["pid"] for mount in status()["mounts"]] == [mounts[1].process.pid]
    assert run_wheelfs("--store", str(store_dir), "ls").succeeded().stdout.count(NAME) == 1
    lines = run_wheelfs("--store", str(store_dir), "config", "uv", "--json").succeeded()
    assert str(mounts[1].path) in lines.stdout


def test_status_answers_while_64_reads_hang_on_the_network(
    run_wheelfs: RunWheelfs, store_dir: Path, fake_index: FakeIndex, mounted: MountWheelfs
) -> None:
    names = [fake_index.add_wheel("numbers", f"1.{minor}", big_bytes=300_000)[0] for minor in range(64)]
    mount = mounted(index=fake_index.url)
    project = mount.path / "simple" / "numbers"
    os.listdir(project)
    fake_index.faults.append(Fault(".whl", Stall(after_bytes=0), times=None))

    def read(name: str) -> int:
        try:
            (project / name).read_bytes()
        except OSError as error:
            return error.errno or 0
        return 0

    with ThreadPoolExecutor(64) as pool:
        reads = [pool.submit(read, name) for name in names]
        eventually(lambda: len([request for request in fake_index.requests if request.path.endswith(".whl")]) > 3)
        [answer] = objects(run_wheelfs("--store", str(store_dir), "status", "--json").succeeded())
        assert "silent" not in answer or not answer["silent"]
        assert len(answer["mounts"]) == 1
        assert not any(one.done() for one in reads)
        assert mount.stop() == 0
        assert all(one.result() for one in reads)


# --- mounting --------------------------------------------------------------------------------------------------------


def test_a_daemon_is_left_behind_that_umount_ends(
    run_wheelfs: RunWheelfs, store_dir: Path, tmp_path: Path, fake_index: FakeIndex
) -> None:
    name, content = fake_index.add_wheel("numbers", "1.0", big_bytes=BIG)
    path = tmp_path / "deep" / "mnt"
    log = tmp_path / "log" / "mount.log"
    store = ("--store", str(store_dir))
    words = ("mount", str(path), "--index", f"main={fake_index.url}")
    try:
        done = run_wheelfs(*store, *words, env={"WHEELFS_LOG_FILE": str(log)}).succeeded()
        assert path.is_mount()
        assert f"file://{path}" in done.stdout
        assert str(log) in done.stdout
        assert (path / "simple" / "numbers" / name).read_bytes() == content
        again = run_wheelfs(*store, *words, "--json", env={"WHEELFS_LOG_FILE": str(log)})
        assert again.returncode == 6
        assert "wheelfs umount" in error_of(again)["message"]
        assert path.is_mount()
        assert "serving" in log.read_text()
        run_wheelfs("umount", str(path)).succeeded()
        assert not path.is_mount()
        assert run_wheelfs(*store, "status", "--json").stdout.count('"pid"') == 0
        assert run_wheelfs("umount", str(path)).returncode == 5
    finally:
        for left in mount_points(path):
            unmount_lazily(left)


def test_the_form_of_mount_8_works_and_prints_nothing(
    tools: bytes, run_wheelfs: RunWheelfs, store_dir: Path, tmp_path: Path
) -> None:
    path = tmp_path / "mnt"
    log = tmp_path / "mount.log"
    try:
        options = f"rw,nosuid,_netdev,x-systemd.automount,offline,store={store_dir}"
        done = run_wheelfs("none", str(path), "-o", options, env={"WHEELFS_LOG_FILE": str(log)}).succeeded()
        assert (done.stdout, done.stderr) == ("", "")
        assert (path / NAME).read_bytes() == tools
        shown = mount_at(canonical(path))
        assert shown is not None
        assert shown.source == "none", "mount -a mounts again what it does not find under its source"
        assert ("only root can use this mount" in log.read_text()) is (os.geteuid() == 0)
        refused = run_wheelfs("none", str(path), "-o", f"remount,{options}")
        assert (refused.returncode, "wheelfs umount DIR" in refused.stderr) == (2, True)
        run_wheelfs("umount", str(path)).succeeded()
    finally:
        for left in mount_points(path):
            unmount_lazily(left)


AS_MOUNT_HELPER = """#!/bin/sh
exec {python} -P -c 'import sys; sys.argv[0] = "mount.fuse.wheelfs"
from wheelfs.__main__ import main
raise SystemExit(main())' "$@"
"""

MOUNT_ALL_TWICE = """
mount -t tmpfs none /sbin && cp "$1/mount.fuse.wheelfs" /sbin/ || exit 77
/bin/mount -a -T "$1/fstab" && /bin/mount -a -T "$1/fstab" || exit 1
grep -c "$1/mnt" /proc/self/mountinfo
findmnt -no SOURCE "$1/mnt"
/bin/umount "$1/mnt"
"""


@needs_root
@pytest.mark.parametrize("source", ["none", "lab=https://index.example/a,b/simple"])
def test_mount_a_mounts_a_line_of_fstab_once(tmp_path: Path, source: str) -> None:
    (tmp_path / "mnt").mkdir()
    helper = tmp_path / "mount.fuse.wheelfs"
    helper.write_text(AS_MOUNT_HELPER.format(python=wheelfs_command()[0]))
    helper.chmod(0o755)
    options = f"offline,store={tmp_path / 'store'},log-file={tmp_path / 'log'}"
    (tmp_path / "fstab").write_text(f"{source} {tmp_path / 'mnt'} fuse.wheelfs {options} 0 0\n")
    environment = {**wheelfs_environment(tmp_path / "home"), "PYTHONPATH": str(ROOT)}
    # mount(8) looks for helpers in /sbin alone, so in a mount namespace of its own.
    done = run(["unshare", "-m", "sh", "-c", MOUNT_ALL_TWICE, "sh", str(tmp_path)], environment=environment)
    if "unshare" in done.stderr or done.returncode == 77:
        pytest.skip("this machine allows no mount namespace")
    assert done.stdout.splitlines() == ["1", source], done


def test_no_path_of_the_command_line_is_looked_at_before_it_is_used(mounted: MountWheelfs, run_wheelfs: RunWheelfs) -> None:
    """A mount whose daemon hangs answers no stat: unmounting it, of all things, would hang."""
    mount = mounted("--offline")
    mount.process.send_signal(signal.SIGSTOP)
    try:
        run_wheelfs("config", "pip", "--mount", str(mount.path), timeout_s=30).succeeded()
    finally:
        mount.process.send_signal(signal.SIGCONT)


@pytest.mark.parametrize("detached", [True, False])
def test_a_bad_mount_point_is_refused_with_the_reason(
    run_wheelfs: RunWheelfs, store_dir: Path, tmp_path: Path, detached: bool
) -> None:
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "entry").write_bytes(b"")
    for place, reason in {"file": "not a directory", "full": "not empty", "file/below": "not a directory"}.items():
        words = ["mount", str(tmp_path / place), "--offline", "--json", *([] if detached else ["-f"])]
        done = run_wheelfs("--store", str(store_dir), *words)
        assert done.returncode == 6, done
        assert reason in done.stdout
    assert (tmp_path / "full" / "entry").exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_mount_cleanly_while_a_file_is_being_fetched(
    fake_index: FakeIndex, mounted: MountWheelfs, number: signal.Signals
) -> None:
    name, content = fake_index.add_wheel("numbers", "1.0", big_bytes=BIG)
    fake_index.faults.append(Fault(name, Slow(1_000_000)))
    mount = mounted(index=fake_index.url)
    path = mount.path / "simple" / "numbers" / name
    file = os.open(path, os.O_RDONLY)
    assert os.pread(file, 10, 200_000) == content[200_000:200_010]
    mount.process.send_signal(number)
    assert mount.process.wait(20) == 0
    with suppress(OSError):  # its mount is gone
        os.close(file)
    assert not mount.path.is_mount()
    assert "Traceback" not in mount.log
    mount.start()
    assert path.read_bytes() == content


def test_a_dead_mount_is_cleared_and_mounted_anew(tools: bytes, mounted: MountWheelfs) -> None:
    mount = mounted("--offline")
    mount.kill()
    mount.start()
    assert (mount.path / NAME).read_bytes() == tools


@pytest.mark.parametrize("store", ["mnt", "mnt/below/store", "link/store"])
def test_a_mount_does_not_hide_its_own_store(run_wheelfs: RunWheelfs, tmp_path: Path, store: str) -> None:
    (tmp_path / "mnt").mkdir()
    (tmp_path / "link").symlink_to("mnt")
    words = ("--store", str(tmp_path / store), "mount", str(tmp_path / "mnt"), "--no-index", "-o", "nonempty", "--json")
    done = run_wheelfs(*words)
    assert (done.returncode, error_of(done)["class"]) == (6, "MountPointError")
    assert f"the store {tmp_path / store} lies there" in error_of(done)["message"]
    assert list((tmp_path / "mnt").iterdir()) == [], "and no store is made"


def test_commands_work_where_the_working_directory_is_gone_and_say_so_of_what_is_relative(
    tools: bytes, store_dir: Path, tmp_path: Path
) -> None:
    """As in a shell whose directory was removed, or was in a mount that was taken away."""

    def in_no_directory(*words: str) -> Finished:
        place = tmp_path / "gone"
        place.mkdir()
        command = ["sh", "-c", 'rmdir "$0" && exec "$@"', str(place), *wheelfs_command("--store", str(store_dir), *words)]
        return run(command, environment=wheelfs_environment(tmp_path / "home"), cwd=place)

    assert NAME in in_no_directory("ls").succeeded().stdout
    in_no_directory("add", str(tmp_path / NAME)).succeeded()
    in_no_directory("run", "--no-index", "--", "true").succeeded()
    for words in (("add", "x.whl"), ("--config", "x.toml", "ls"), ("export", "out")):
        done = in_no_directory(*words)
        assert done.returncode in (2, 3), done
        assert "bug" not in done.stderr


@needs_root
def test_a_machine_without_fuse_is_told_so(run_wheelfs: RunWheelfs, store_dir: Path, tmp_path: Path) -> None:
    command = wheelfs_command("--store", str(store_dir), "mount", str(tmp_path / "mnt"), "--offline", "--json")
    without = 'mount -t tmpfs none /dev && mknod -m 666 /dev/null c 1 3 && exec "$@"'
    environment = wheelfs_environment(tmp_path / "home")
    done = run(["unshare", "-m", "sh", "-c", without, "sh", *command], environment=environment)
    if "unshare" in done.stderr or "mount:" in done.stderr:
        pytest.skip("this machine lets no process make a mount namespace")
    assert done.returncode == 7, done
    assert "/dev/fuse" in error_of(done)["message"]


WITH_FUSE = """
mount -t tmpfs none /mnt && mknod -m 666 /mnt/fuse c 10 229 && mount --bind /mnt/fuse /dev/fuse || exit 77
exec "$@"
"""


@needs_root
@pytest.mark.parametrize(
    ("mount", "before", "code", "reason"),
    [
        ("home/mnt", ["sh", "-c", 'chmod 600 /dev/fuse && exec "$@"', "sh"], 7, "/dev/fuse may not be opened"),
        ("roots", [], 6, "not yours to write to"),
        ("home/mnt", ["setpriv", "--no-new-privs"], 7, "no_new_privs"),
    ],
)
def test_a_user_who_cannot_mount_is_told_the_reason(mount: str, before: list[str], code: int, reason: str) -> None:
    with tempfile.TemporaryDirectory() as directory:
        home = Path(directory)
        home.chmod(0o755)
        (home / "roots").mkdir(mode=0o755)
        environment = wheelfs_environment(home / "home")
        os.chown(home / "home", 12345, 12345)
        # In a mount namespace of its own: on some machines only root may open /dev/fuse.
        user = ["unshare", "-m", "sh", "-c", WITH_FUSE, "sh", *before]
        user += ["setpriv", "--reuid=12345", "--regid=12345", "--clear-groups"]
        command = wheelfs_command("--store", f"{home}/home/store", "mount", f"{home}/{mount}", "--offline", "--json", "-f")
        if run([*user, command[0], "-c", "import wheelfs.app"], environment=environment).returncode:
            pytest.skip(f"{ROOT} cannot be read by other users, or this machine allows no mount namespace")
        done = run([*user, *command], environment=environment)
        assert (done.returncode, reason in error_of(done)["message"]) == (code, True), done


@needs_root
def test_libfuses_own_words_are_in_the_error_with_the_log(store_dir: Path, tmp_path: Path) -> None:
    command = wheelfs_command("--store", str(store_dir), "mount", str(tmp_path / "mnt"), "--offline", "--json")
    environment = {**wheelfs_environment(tmp_path / "home"), "WHEELFS_LOG_FILE": str(tmp_path / "log")}
    # Root without the right to mount, as in most containers.
    done = run(["setpriv", "--bounding-set=-sys_admin", "--inh-caps=-sys_admin", *command], environment=environment)
    assert done.returncode == 7, done
    for words in ("mount failed: Operation not permitted", "--cap-add SYS_ADMIN", f"its log: {tmp_path}/log"):
        assert words in error_of(done)["message"]
    assert "mount failed: Operation not permitted" in (tmp_path / "log").read_text()
