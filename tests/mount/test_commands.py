"""The commands as people and scripts call them: real stores, real mounts, exit codes and fields as documented."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import shutil
import signal
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.fakes.faults import Fault, Slow, Stall
from tests.fakes.index import FakeIndex
from tests.fakes.mounts import mount_points, unmount_lazily
from tests.fakes.processes import ROOT, run, wheelfs_command, wheelfs_environment
from tests.fakes.waiting import eventually
from tests.fakes.wheels import build_wheel, wheel_filename

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.conftest import MountWheelfs, RunWheelfs
    from tests.fakes.mounts import Mounted
    from tests.fakes.processes import Finished

LISTED = {"filename", "project", "version", "state", "size_bytes", "sha256", "origin", "pinned", "private"}
NAME = wheel_filename("tools", "1.0")
BIG = 3_000_000

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: file systems are mounted")


def objects(done: Finished) -> list[dict[str, Any]]:
    return [json.loads(line) for line in done.stdout.splitlines()]


def error_of(done: Finished) -> dict[str, Any]:
    [answer] = objects(done)
    error: dict[str, Any] = answer["error"]
    assert set(error) == {"class", "message", "exit_code"}
    assert error["exit_code"] == done.returncode
    assert done.stderr == ""
    return error


@pytest.fixture
def tools(run_wheelfs: RunWheelfs, store_dir: Path, tmp_path: Path) -> bytes:
    """The content of the one wheel in the store."""
    content = build_wheel("tools", "1.0", big_bytes=500_000)
    (tmp_path / NAME).write_bytes(content)
    run_wheelfs("--store", str(store_dir), "add", str(tmp_path / NAME)).succeeded()
    return content


@pytest.fixture
def file_system(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """Mount a small file system in memory: ``file_system("4m")``."""
    made: list[Path] = []

    def make(size: str) -> Path:
        path = tmp_path / f"tmpfs-{len(made)}"
        path.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "none", str(path)], check=True)
        made.append(path)
        return path

    yield make
    for path in made:
        subprocess.run(["umount", "-l", str(path)], check=True)


def resize(path: Path, options: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{options}", str(path)], check=True)


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
    name, _ = fake_index.add_wheel("numbers", "1.0", big_bytes=BIG)
    mount = mounted(index=fake_index.url)
    (mount.path / "simple" / "numbers" / name).stat()
    remote = objects(run_wheelfs(*store, "show", name, "--json", env={"WHEELFS_INDEX": f"main={fake_index.url}"}).succeeded())[0]
    assert (remote["state"], remote["stored_bytes"]) == ("remote", 0)


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
    assert all(set(mount) == {"path", "pid", "since"} for mount in both["mounts"])
    assert {"name", "url", "state", "since", "last_error"} == set(both["origins"][0])
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
        run_wheelfs("umount", str(path)).succeeded()
    finally:
        for left in mount_points(path):
            unmount_lazily(left)


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


@needs_root
def test_a_machine_without_fuse_is_told_so(run_wheelfs: RunWheelfs, store_dir: Path, tmp_path: Path) -> None:
    command = wheelfs_command("--store", str(store_dir), "mount", str(tmp_path / "mnt"), "--offline", "--json")
    without = 'mount -t tmpfs none /dev && mknod -m 666 /dev/null c 1 3 && exec "$@"'
    environment = wheelfs_environment(tmp_path / "home")
    done = run(["unshare", "-m", "sh", "-c", without, "sh", *command], environment=environment)
    if "unshare" in done.stderr or "mount:" in done.stderr:
        pytest.skip("this machine lets nobody make a mount namespace")
    assert done.returncode == 7, done
    assert "/dev/fuse" in error_of(done)["message"]


@needs_root
def test_a_user_without_fusermount_is_told_so() -> None:
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        pytest.skip("needs setpriv")
    with tempfile.TemporaryDirectory() as directory:
        home = Path(directory)
        home.chmod(0o777)
        user = [setpriv, "--reuid=12345", "--regid=12345", "--clear-groups"]
        command = wheelfs_command("--store", f"{home}/store", "mount", f"{home}/mnt", "--offline", "--json", "-f")
        environment = {**wheelfs_environment(home / "home"), "PATH": str(home)}
        (home / "home").chmod(0o777)
        if run([*user, command[0], "-c", "import wheelfs.app"], environment=environment).returncode:
            pytest.skip(f"{ROOT} cannot be read by other users")
        done = run([*user, *command], environment=environment)
        assert done.returncode == 7, done
        assert "fuse" in done.stdout


# --- stores ----------------------------------------------------------------------------------------------------------


def test_a_store_that_is_being_opened_elsewhere_is_waited_for(tools: bytes, run_wheelfs: RunWheelfs, store_dir: Path) -> None:
    with (store_dir / "lock").open("r+") as held, ThreadPoolExecutor(1) as pool:
        fcntl.flock(held, fcntl.LOCK_EX)
        listing = pool.submit(run_wheelfs, "--store", str(store_dir), "ls", "--json")
        with pytest.raises(TimeoutError):
            listing.result(timeout=0.7)
        fcntl.flock(held, fcntl.LOCK_UN)
        assert [line["filename"] for line in objects(listing.result().succeeded())] == [NAME]


def test_a_store_of_another_format_or_a_foreign_directory_is_refused_and_left_alone(
    tools: bytes, run_wheelfs: RunWheelfs, store_dir: Path, tmp_path: Path
) -> None:
    format_file = store_dir / "format"
    original = format_file.read_bytes()
    newer = original.replace(b'"wheelfs_store":1', b'"wheelfs_store":2')
    assert newer != original
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    (foreign / "thesis.tex").write_text("years of work")
    cases = [(store_dir, newer), (store_dir, b"\xff\xfe"), (store_dir, b""), (foreign, None)]
    for store, content in cases:
        if content is not None:
            format_file.write_bytes(content)
        writing = (["add", str(tmp_path / NAME)], ["mount", str(tmp_path / "mnt"), "--offline"])
        for words in (["ls"], *(writing if content in (newer, None) else ())):
            done = run_wheelfs("--store", str(store), "--json", *words)
            assert done.returncode == 44, done
            assert str(store) in error_of(done)["message"]
    assert os.listdir(foreign) == ["thesis.tex"]
    format_file.write_bytes(original)
    assert NAME in run_wheelfs("--store", str(store_dir), "ls").succeeded().stdout


def test_a_store_that_is_a_file_or_below_one_is_refused(run_wheelfs: RunWheelfs, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"")
    for place in (file, file / "below"):
        for words in (["ls"], ["add", str(file)], ["mount", str(tmp_path / "mnt"), "--offline"]):
            done = run_wheelfs("--store", str(place), "--json", *words)
            assert 40 <= done.returncode < 50, done
            assert str(place) in error_of(done)["message"]


def test_a_store_on_a_fuse_file_system_is_refused_and_share_is_named(
    tools: bytes, run_wheelfs: RunWheelfs, tmp_path: Path, mounted: MountWheelfs
) -> None:
    mount = mounted("--offline")
    for words in (["ls"], ["add", str(tmp_path / NAME)], ["mount", str(tmp_path / "other"), "--offline"]):
        done = run_wheelfs("--store", str(mount.path / "stored"), "--json", *words)
        assert done.returncode == 45, done
        assert "--share" in error_of(done)["message"]


@needs_root
def test_a_read_only_store_can_be_looked_at_and_says_what_it_cannot(
    run_wheelfs: RunWheelfs, tmp_path: Path, file_system: Callable[[str], Path]
) -> None:
    place = file_system("40m")
    store = ("--store", str(place / "store"))
    wheel = tmp_path / NAME
    wheel.write_bytes(build_wheel("tools", "1.0", big_bytes=100_000))
    run_wheelfs(*store, "add", str(wheel)).succeeded()
    resize(place, "ro")
    assert [line["filename"] for line in objects(run_wheelfs(*store, "ls", "--json").succeeded())] == [NAME]
    assert objects(run_wheelfs(*store, "show", "tools", "--json").succeeded())[0]["versions"] == ["1.0"]
    run_wheelfs(*store, "status").succeeded()
    for words in (["add", str(wheel)], ["mount", str(tmp_path / "mnt"), "--offline"]):
        done = run_wheelfs(*store, "--json", *words)
        assert done.returncode == 42, done
        assert error_of(done)["class"] == "StoreReadOnly"


@needs_root
def test_adding_to_a_full_disk_says_so_and_loses_nothing(
    run_wheelfs: RunWheelfs, tmp_path: Path, file_system: Callable[[str], Path], fake_index: FakeIndex
) -> None:
    place = file_system("3m")
    store = ("--store", str(place / "store"))
    small, large = tmp_path / NAME, tmp_path / wheel_filename("large", "1.0")
    small.write_bytes(build_wheel("tools", "1.0", big_bytes=300_000))
    large.write_bytes(build_wheel("large", "1.0", big_bytes=4_000_000))
    fake_index.add(large.name, large.read_bytes())
    run_wheelfs(*store, "add", str(small)).succeeded()
    for source in (str(large), fake_index.file_url(large.name)):
        done = run_wheelfs(*store, "add", "--json", source)
        assert done.returncode == 43, done
        assert error_of(done)["class"] == "StoreFull"
    assert [line["filename"] for line in objects(run_wheelfs(*store, "ls", "--json").succeeded())] == [NAME]
    resize(place, "size=20m")
    run_wheelfs(*store, "add", str(large)).succeeded()
    assert [line["filename"] for line in objects(run_wheelfs(*store, "ls", "--json").succeeded())] == [large.name, NAME]


@needs_root
@pytest.mark.parametrize("size", ["12k", "40k", "100k"])
def test_a_disk_with_no_room_for_a_store_at_all_is_told_so(
    run_wheelfs: RunWheelfs, tmp_path: Path, file_system: Callable[[str], Path], size: str
) -> None:
    wheel = tmp_path / NAME
    wheel.write_bytes(build_wheel("tools", "1.0", big_bytes=300_000))
    place = file_system(size)
    for _ in range(2):
        done = run_wheelfs("--store", str(place / "store"), "add", "--json", str(wheel))
        assert done.returncode == 43, done
    resize(place, "size=20m")
    run_wheelfs("--store", str(place / "store"), "add", str(wheel)).succeeded()


@needs_root
def test_fetching_onto_a_full_disk_fails_clearly_and_works_again_when_there_is_room(
    run_wheelfs: RunWheelfs, tmp_path: Path, file_system: Callable[[str], Path], fake_index: FakeIndex, mounted: MountWheelfs
) -> None:
    place = file_system("4m")
    name, content = fake_index.add_wheel("small", "1.0", big_bytes=300_000)
    large, large_content = fake_index.add_wheel("large", "1.0", big_bytes=6_000_000)
    mount = mounted(index=fake_index.url, store=place / "store")
    assert (mount.path / "simple" / "small" / name).read_bytes() == content
    path = mount.path / "simple" / "large" / large
    for _ in range(2):
        with pytest.raises(OSError, match="No space") as caught:
            path.read_bytes()
        assert caught.value.errno == errno.ENOSPC
    assert (mount.path / "simple" / "small" / name).read_bytes() == content
    assert name in os.listdir(mount.path)
    assert "Traceback" not in mount.log
    resize(place, "size=40m")
    assert path.read_bytes() == large_content
    eventually(lambda: os.getxattr(path, "user.wheelfs.state") == b"stored")
    assert mount.restart().path.is_mount()
    assert path.read_bytes() == large_content


def test_two_mounts_on_one_store_fetch_the_same_wheel_at_once(
    run_wheelfs: RunWheelfs, store_dir: Path, fake_index: FakeIndex, mounted: MountWheelfs
) -> None:
    name, content = fake_index.add_wheel("numbers", "1.0", big_bytes=BIG)
    fake_index.faults.append(Fault(name, Slow(6_000_000), times=None))
    mounts = [mounted(index=fake_index.url), mounted(index=fake_index.url)]
    paths = [mount.path / "simple" / "numbers" / name for mount in mounts]
    with ThreadPoolExecutor(4) as pool:
        assert all(read == content for read in pool.map(Path.read_bytes, paths * 2))
    for path in paths:
        eventually(lambda: os.getxattr(path, "user.wheelfs.state") == b"stored")  # noqa: B023
        assert path.read_bytes() == content
    assert [line["filename"] for line in objects(run_wheelfs("--store", str(store_dir), "ls", "--json"))] == [name]


def test_adding_while_mounts_fetch_disturbs_neither(
    run_wheelfs: RunWheelfs, store_dir: Path, tmp_path: Path, fake_index: FakeIndex, mounted: MountWheelfs
) -> None:
    name, content = fake_index.add_wheel("numbers", "1.0", big_bytes=BIG)
    fake_index.faults.append(Fault(name, Slow(4_000_000), times=None))
    mount = mounted(index=fake_index.url)
    added = {wheel_filename("mine", f"1.{minor}"): build_wheel("mine", f"1.{minor}", big_bytes=300_000) for minor in range(5)}
    (tmp_path / "house").mkdir()
    for filename, wheel in added.items():
        (tmp_path / "house" / filename).write_bytes(wheel)
    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit((mount.path / "simple" / "numbers" / name).read_bytes)
        run_wheelfs("--store", str(store_dir), "add", str(tmp_path / "house")).succeeded()
        assert reading.result() == content
    eventually(lambda: set(added) < set(os.listdir(mount.path)))
    assert all((mount.path / filename).read_bytes() == wheel for filename, wheel in added.items())


# --- credentials -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("from_netrc", [False, True])
def test_credentials_reach_their_index_and_appear_nowhere(
    run_wheelfs: RunWheelfs, store_dir: Path, tmp_path: Path, mounted: MountWheelfs, from_netrc: bool
) -> None:
    secret = "s3cr3t-0123456789"
    user = "me-0123456789"
    with FakeIndex(credentials=(user, secret)) as index, FakeIndex() as elsewhere:
        name, content = index.add_wheel("private", "1.0", big_bytes=400_000)
        away, away_content = elsewhere.add_wheel("away", "1.0", big_bytes=400_000)
        # A page of the index with credentials that links to a file of another origin.
        index.set_page("away", f'<a href="{elsewhere.file_url(away)}">{away}</a>'.encode())
        env = {"NETRC": str(tmp_path / "netrc")}
        (tmp_path / "netrc").write_text(f"machine 127.0.0.1 login {user} password {secret}\n" if from_netrc else "")
        (tmp_path / "netrc").chmod(0o600)
        url = index.url if from_netrc else index.url.replace("http://", f"http://{user}:{secret}@")
        mount = mounted("-v", index=url, env=env)
        assert (mount.path / "simple" / "private" / name).read_bytes() == content
        assert (mount.path / "simple" / "away" / away).read_bytes() == away_content
        index.credentials = ("other", "x")
        with pytest.raises(OSError, match="Permission denied"):
            (mount.path / "simple" / "unknown" / "index.html").read_bytes()
        index.credentials = (user, secret)
        index.faults.append(Fault("/simple/", Stall(after_bytes=None), times=None))
        seen = _everything_shown(mount)
        for words in (
            ["status"],
            ["status", "--json"],
            ["config"],
            ["config", "--json"],
            ["ls", "--json"],
            ["show", "private", "--json"],
        ):
            done = run_wheelfs("--store", str(store_dir), *words, env={**env, "WHEELFS_INDEX": f"main={url}"}).succeeded()
            seen[" ".join(words)] = (done.stdout + done.stderr).encode()
        mount.stop()
        index.stop()
        refused = run_wheelfs("--store", str(store_dir), "add", f"{url}/{name}", "--json", env=env)
        seen["add"] = (refused.stdout + refused.stderr).encode()
        seen["log"] = mount.log.encode()
        for file in store_dir.rglob("*"):
            if file.is_file():
                seen[str(file)] = file.read_bytes()
        encoded = [secret.encode(), user.encode()]
        assert not [place for place, text in seen.items() for word in encoded if word in text]
        assert all("authorization" in request.headers for request in index.requests if request.path.endswith(name))
        assert not [request for request in elsewhere.requests if "authorization" in request.headers]


def _everything_shown(mount: Mounted) -> dict[str, bytes]:
    seen: dict[str, bytes] = {}
    for place in (
        "index.html",
        "simple/index.html",
        "simple/private/index.html",
        "simple/away/index.html",
        ".wheelfs/status.json",
    ):
        seen[place] = (mount.path / place).read_bytes()
    for file in (mount.path / "simple" / "private").iterdir():
        seen.update({f"{file} {name}": os.getxattr(file, name) for name in os.listxattr(file)})
    return seen
