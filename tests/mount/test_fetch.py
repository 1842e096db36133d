"""wheelfs fetch: exactly the files that are asked for, whole, verified, each byte once, and installable without a network."""

from __future__ import annotations

import contextlib
import hashlib
import os
import pty
import re
import signal
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.fakes.commands import error_of, fetched_files, objects
from tests.fakes.faults import Fault, Slow, Status, WrongBytes
from tests.fakes.index import FakeIndex
from tests.fakes.processes import wheelfs_command, wheelfs_environment
from tests.fakes.waiting import eventually
from tests.fakes.wheels import build_sdist, build_wheel, incompressible, sdist_filename, wheel_filename

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.conftest import MountWheelfs, RunWheelfs
    from tests.fakes.clients import Clients
    from tests.fakes.processes import Finished

IN_FLIGHT_BYTES = 350_000
"""What may be under way on one connection when its reader dies: in the kernel's buffers, and not yet written to the spool."""


def test_what_was_fetched_installs_offline(
    fake_index: FakeIndex, fetch: Callable[..., Finished], mounted: MountWheelfs, clients: Clients, tmp_path: Path
) -> None:
    name, content = fake_index.add_wheel("demo", "1.0", big_bytes=700_000, requires=["other"])
    other, _ = fake_index.add_wheel("other", "2.0")
    fake_index.add_wheel("other", "1.0")
    (tmp_path / "req.txt").write_text("demo == 1.0\nother; python_version > '3'\nnever; python_version < '3'\n")
    files = fetched_files(fetch("--json", "-r", str(tmp_path / "req.txt")).succeeded())
    assert {filename: file["result"] for filename, file in files.items()} == {name: "fetched", other: "fetched"}
    assert files[name] == {
        "wanted": "demo==1.0",
        "filename": name,
        "project": "demo",
        "version": "1.0",
        "sha256": hashlib.sha256(content).hexdigest(),
        "size_bytes": len(content),
        "fetched_bytes": len(content),
        "saved_bytes": 0,
        "resumed_bytes": 0,
        "kept_bytes": 0,
        "missing_bytes": 0,
        "result": "fetched",
        "origin": "main",
        "pinned": False,
        "reason": None,
        "error_class": None,
        "places": [f"{tmp_path / 'req.txt'}, line 1"],
        "notice": None,
    }
    assert fake_index.body_bytes(name) == len(content)
    fake_index.stop()
    mount = mounted("--offline", index=fake_index.url)
    clients.uv().run("pip", "install", "--default-index", f"file://{mount.path}/simple", "demo").succeeded()


def test_what_is_stored_is_not_fetched_again_and_can_be_pinned(
    fake_index: FakeIndex, fetch: Callable[..., Finished], run_wheelfs: RunWheelfs, store_dir: Path
) -> None:
    name, _ = fake_index.add_wheel("demo", "1.0", big_bytes=300_000)
    assert fetch("demo").succeeded().stdout.splitlines()[0] == f"fetched {name}"
    fake_index.reset_counters()
    assert fetched_files(fetch("--json", "--pin", "demo").succeeded())[name]["result"] == "present"
    assert fake_index.body_bytes(".whl") == 0
    other, _ = fake_index.add_wheel("other", "1.0")
    assert fetched_files(fetch("--json", "--pin", "other==1.0").succeeded())[other]["pinned"]
    listed = objects(run_wheelfs("--store", str(store_dir), "ls", "--json").succeeded())
    assert {line["filename"]: line["pinned"] for line in listed} == {name: True, other: True}


def test_a_file_that_was_added_by_hand_can_be_pinned_by_its_index_name(
    fake_index: FakeIndex, fetch: Callable[..., Finished], run_wheelfs: RunWheelfs, store_dir: Path, tmp_path: Path
) -> None:
    name, content = fake_index.add_wheel("demo", "1.0")
    (tmp_path / name).write_bytes(content)
    run_wheelfs("--store", str(store_dir), "add", str(tmp_path / name)).succeeded()
    assert fetch("--pin", "demo").succeeded().stdout.splitlines()[0] == f"present {name}"
    [line] = objects(run_wheelfs("--store", str(store_dir), "ls", "--json").succeeded())
    assert (line["pinned"], line["private"]) == (True, True)
    assert fake_index.requests_for(".whl") == []


def test_a_running_mount_serves_what_was_fetched_beside_it(
    fake_index: FakeIndex, fetch: Callable[..., Finished], mounted: MountWheelfs
) -> None:
    name, content = fake_index.add_wheel("demo", "1.0", big_bytes=700_000)
    mount = mounted(index=fake_index.url)
    path = mount.path / "simple" / "demo" / name
    assert os.getxattr(path, "user.wheelfs.state") == b"remote"
    fetch("demo").succeeded()
    eventually(lambda: os.getxattr(path, "user.wheelfs.state") == b"stored")
    fake_index.reset_counters()
    assert path.read_bytes() == content
    assert fake_index.body_bytes(name) == 0


@pytest.mark.parametrize("sizes", [True, False], ids=["sizes-listed", "sizes-asked-for"])
def test_a_dry_run_tells_files_and_bytes_and_fetches_none(
    fake_index: FakeIndex, fetch: Callable[..., Finished], sizes: bool
) -> None:
    fake_index.sizes = sizes
    name, content = fake_index.add_wheel("demo", "1.0", big_bytes=300_000)
    done = fetch("--dry-run", "demo").succeeded()
    assert done.stdout.startswith(f"would fetch {name} (")
    file = fetched_files(fetch("--dry-run", "--json", "demo").succeeded())[name]
    assert (file["result"], file["missing_bytes"], file["pinned"]) == ("would-fetch", len(content), False)
    assert fake_index.body_bytes(".whl") == 0


def test_files_are_chosen_for_the_machine_that_is_named(fake_index: FakeIndex, fetch: Callable[..., Finished]) -> None:
    tags = ("cp312-cp312-manylinux_2_17_aarch64", "cp312-cp312-win_amd64", "cp310-cp310-manylinux_2_17_aarch64")
    arm, windows, older = (fake_index.add_wheel("demo", "1.0", tag=tag)[0] for tag in tags)
    fake_index.add(sdist_filename("demo", "1.0"), build_sdist("demo", "1.0"))
    for words, expected in (
        (("--python", "3.12", "--platform", "manylinux_2_28_aarch64"), arm),
        (("--python", "3.12", "--platform", "win_amd64"), windows),
        (("--python", "3.10", "--platform", "manylinux_2_17_aarch64"), older),
        (("--python", "3.11", "--platform", "win_amd64"), sdist_filename("demo", "1.0")),
    ):
        assert list(fetched_files(fetch("--json", "--dry-run", *words, "demo").succeeded())) == [expected]


def test_a_part_that_fails_is_told_and_does_not_keep_the_rest(fake_index: FakeIndex, fetch: Callable[..., Finished]) -> None:
    good, _ = fake_index.add_wheel("good", "1.0")
    fake_index.add_wheel("old", "1.0")
    gone, _ = fake_index.add_wheel("gone", "1.0")
    broken, _ = fake_index.add_wheel("broken", "1.0", big_bytes=300_000)
    fake_index.faults += [Fault(gone, Status(404), times=None), Fault(broken, WrongBytes(at=1000), times=None)]
    done = fetch("--json", "good", "gone", "broken", "unknown", "old>5", "https://files.example/a-1.0-py3-none-any.whl")
    assert done.returncode == 1
    found = {name: (file["result"], file["error_class"]) for name, file in fetched_files(done).items()}
    assert found == {
        good: ("fetched", None),
        gone: ("failed", "OriginMissing"),
        broken: ("failed", "ContentMismatch"),
        "unknown": ("failed", "OriginMissing"),
        "old>5": ("failed", "OriginMissing"),
        "https://files.example/a-1.0-py3-none-any.whl": ("failed", "InvalidInput"),
    }


def test_when_all_fails_the_exit_code_is_that_of_the_reason(fake_index: FakeIndex, fetch: Callable[..., Finished]) -> None:
    unknown = fetch("unknown")
    nothing = "0 files fetched, 0 B at 0 B/s, 0 B saved; 0 files already here, 0 B; 1 failed"
    assert (unknown.returncode, unknown.stdout.splitlines()) == (24, [nothing])
    assert "no configured index has such a project" in unknown.stderr
    fake_index.add_wheel("demo", "1.0")
    assert fetch("demo", "--offline").returncode == 21
    fake_index.stop()
    assert fetch("demo").returncode == 21


@pytest.mark.parametrize("hashes", [True, False], ids=["listed", "not-listed"])
def test_a_file_with_another_hash_than_asked_for_fails(
    fake_index: FakeIndex, fetch: Callable[..., Finished], tmp_path: Path, hashes: bool
) -> None:
    fake_index.hashes = hashes
    _, content = fake_index.add_wheel("demo", "1.0")
    requirements = tmp_path / "req.txt"
    requirements.write_text(f"demo==1.0 --hash=sha256:{'0' * 64}\n")
    done = fetch("--json", "-r", str(requirements))
    assert done.returncode == 26
    assert [file["error_class"] for file in fetched_files(done).values()] == ["ContentMismatch"]
    requirements.write_text(f"demo==1.0 \\\n --hash=sha256:{'0' * 64} \\\n --hash=sha256:{hashlib.sha256(content).hexdigest()}\n")
    fetch("-r", str(requirements)).succeeded()


def test_offline_the_newest_stored_version_is_present(fake_index: FakeIndex, fetch: Callable[..., Finished]) -> None:
    name, _ = fake_index.add_wheel("demo", "1.0")
    fake_index.add_wheel("demo", "2.0")
    fetch("demo<2").succeeded()
    fake_index.stop()
    assert fetch("demo", "--offline").succeeded().stdout.splitlines()[0] == f"present {name}"
    assert fetch("demo==2.0", "--offline").returncode == 21


def test_a_killed_fetch_is_resumed_and_no_byte_on_disk_is_fetched_again(
    fake_index: FakeIndex, fetch: Callable[..., Finished], store_dir: Path, tmp_path: Path
) -> None:
    wheels = dict(fake_index.add_wheel("numbers", f"1.{minor}", big_bytes=1_500_000) for minor in range(3))
    total_bytes = sum(map(len, wheels.values()))
    words = [f"numbers==1.{minor}" for minor in range(3)]
    fake_index.faults.append(Fault(".whl", Slow(2_000_000), times=None))
    for instant in (700_000, 2_400_000):
        process = subprocess.Popen(
            wheelfs_command("--store", str(store_dir), "fetch", "--index", f"main={fake_index.url}", *words),
            env=wheelfs_environment(tmp_path / "home"),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        eventually(lambda: fake_index.body_bytes(".whl") >= instant)  # noqa: B023
        process.send_signal(signal.SIGKILL)
        assert process.wait(30) == -signal.SIGKILL
    fake_index.stop()  # its last sends are counted now
    fake_index.start()
    sent_bytes = fake_index.body_bytes(".whl")
    fake_index.faults.clear()
    fake_index.reset_counters()
    planned = fetched_files(fetch("--json", "--dry-run", *words).succeeded())
    missing_bytes = sum(file["missing_bytes"] for file in planned.values())
    assert total_bytes - sent_bytes <= missing_bytes <= total_bytes - sent_bytes + 2 * len(wheels) * IN_FLIGHT_BYTES
    assert missing_bytes < total_bytes
    fetch(*words).succeeded()
    assert fake_index.body_bytes(".whl") == missing_bytes
    assert {file["result"] for file in fetched_files(fetch("--json", *words).succeeded()).values()} == {"present"}


def test_what_is_logged_meanwhile_is_said_without_the_form_of_a_log(
    fake_index: FakeIndex, fetch: Callable[..., Finished]
) -> None:
    for project in ("demo", "more"):
        fake_index.add_wheel(project, "1.0", big_bytes=300_000)
    fake_index.faults.append(Fault("-1.0-", WrongBytes(100_000), times=None))
    said = fetch("demo").stderr.splitlines()
    assert "once more, past caches" in said[0]
    assert all(line.startswith("wheelfs: ") for line in said)
    assert any(re.match(r"\d{4}-\d\d-\d\d .* WARNING wheelfs\.", line) for line in fetch("-v", "more").stderr.splitlines())


def test_lock_files_bring_what_they_name(
    fake_index: FakeIndex, fetch: Callable[..., Finished], clients: Clients, tmp_path: Path
) -> None:
    """The lock files are uv's own."""
    names = {fake_index.add_wheel(name, "1.0", requires=requires)[0] for name, requires in (("demo", ["other"]), ("other", []))}
    extra, _ = fake_index.add_wheel("extra", "1.0")
    windows, _ = fake_index.add_wheel("winonly", "1.0", tag="cp311-cp311-win_amd64")
    project = tmp_path / "project"
    project.mkdir()
    (project / "pyproject.toml").write_text(
        '[project]\nname = "mine"\nversion = "0.1"\nrequires-python = ">=3.11"\n'
        'dependencies = ["demo", "winonly; sys_platform == \'win32\'"]\n'
        '[dependency-groups]\ndev = ["extra"]\n'
    )
    uv = clients.uv()
    uv.run("--project", str(project), "lock", "--default-index", fake_index.url).succeeded()
    done = fetch("--json", str(project / "uv.lock")).succeeded()
    assert set(fetched_files(done)) == {*names, extra}
    done = fetch("--json", "--dry-run", "--python", "3.11", "--platform", "win_amd64", str(project / "uv.lock")).succeeded()
    assert set(fetched_files(done)) == {*names, extra, windows}
    lock = tmp_path / "pylock.toml"
    uv.run(
        *("--project", str(project), "export", "--format", "pylock.toml", "--no-emit-project", "--no-dev"),
        *("--default-index", fake_index.url, "-o", str(lock)),
    ).succeeded()
    assert set(fetched_files(fetch("--json", str(lock)).succeeded())) == names


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("req.txt", "good\n???\n", "req.txt, line 2: ???"),
        ("uv.lock", "version = 7\n", "neither a pylock.toml nor a uv.lock"),
        ("uv.lock", "version = 1\n[[package]]\nname = 3\n", "not built as a lock file is"),
        ("pylock.toml", 'lock-version = "1.0"\n', "created-by"),
        ("pylock.toml", "= =\n", "no TOML"),
        ("req.txt", "-r nowhere.txt\n", "No such file"),
    ],
)
def test_a_file_that_means_nothing_is_refused_before_anything_is_fetched(
    fake_index: FakeIndex, fetch: Callable[..., Finished], tmp_path: Path, name: str, text: str, reason: str
) -> None:
    path = tmp_path / name
    path.write_text(text)
    fake_index.add_wheel("good", "1.0")
    error = error_of(fetch("--json", "good", *(["-r"] if name == "req.txt" else []), str(path)))
    assert error["class"] == "InvalidInput"
    assert reason in error["message"]
    assert fake_index.requests == []


def test_files_include_each_other_and_constraints_narrow(
    fake_index: FakeIndex, fetch: Callable[..., Finished], tmp_path: Path
) -> None:
    fake_index.add_wheel("demo", "2.0")
    older, _ = fake_index.add_wheel("demo", "1.0")
    fake_index.add_wheel("unwanted", "1.0")
    (tmp_path / "limits.txt").write_text("demo<2\nunwanted==1.0\n")
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "base.txt").write_text(
        "-r ../req.txt\n-c ../limits.txt\n--index-url https://index.example/simple\ndemo\n"
    )
    (tmp_path / "req.txt").write_text("-r more/base.txt\n")
    done = fetch("--json", "-r", str(tmp_path / "req.txt")).succeeded()
    assert list(fetched_files(done)) == [older]
    assert "--index-url in a requirements file has no effect" in done.stderr


def test_a_project_belongs_to_the_first_index_that_has_it(
    fake_index: FakeIndex, run_wheelfs: RunWheelfs, store_dir: Path
) -> None:
    with FakeIndex() as lower:
        mine, _ = fake_index.add_wheel("shared", "1.0")
        lower.add(wheel_filename("shared", "9.0"), build_wheel("shared", "9.0"))
        indexes = ("--index", f"main={fake_index.url}", "--index", f"lower={lower.url}")
        done = run_wheelfs("--store", str(store_dir), "fetch", *indexes, "shared").succeeded()
        assert done.stdout.splitlines()[0] == f"fetched {mine}"
        assert lower.requests == []


def test_the_last_line_sums_up_what_was_fetched_saved_and_already_here(
    fake_index: FakeIndex, fetch: Callable[..., Finished]
) -> None:
    parts = {f"numbers/part{number}.bin": incompressible(60_000, f"part {number}") for number in range(10)}
    _, old = fake_index.add_wheel("numbers", "1.0", files=parts)
    name, new = fake_index.add_wheel("numbers", "1.1", files=parts | {"numbers/new.bin": incompressible(60_000, "new")})
    fetch("numbers==1.0").succeeded()
    fake_index.reset_counters()
    done = fetch("--json", "--delta", "always", "numbers==1.0", "numbers==1.1").succeeded()
    file = fetched_files(done)[name]
    sent_bytes = fake_index.body_bytes(name)
    assert sent_bytes < 200_000 < len(new)
    assert (file["fetched_bytes"], file["saved_bytes"]) == (sent_bytes, len(new) - sent_bytes)
    summary = objects(done)[-1]["summary"]
    assert summary.pop("duration_s") > 0
    assert summary == {
        **dict.fromkeys(("would_fetch", "skipped", "failed", "missing_bytes", "resumed_bytes", "unknown"), 0),
        **{"fetched": 1, "fetched_bytes": sent_bytes, "saved_bytes": len(new) - sent_bytes},
        **{"present": 1, "present_bytes": len(old)},
    }
    assert fetch("numbers==1.0", "numbers==1.1").succeeded().stdout.splitlines()[-1] == (
        f"0 files fetched, 0 B at 0 B/s, 0 B saved; 2 files already here, {(len(old) + len(new)) / 2**20:.1f} MiB"
    )


def test_progress_is_shown_on_a_terminal_alone(fake_index: FakeIndex, store_dir: Path, tmp_path: Path) -> None:
    for number in range(3):
        fake_index.add_wheel(f"demo{number}", "1.0", big_bytes=900_000)
    fake_index.faults.append(Fault(".whl", Slow(3_000_000), times=None))
    shown, terminal = pty.openpty()
    command = wheelfs_command("--store", str(store_dir), "fetch", "--index", f"main={fake_index.url}", "demo0", "demo1", "demo2")
    environment = {**wheelfs_environment(tmp_path / "home"), "TERM": "xterm", "COLUMNS": "150"}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=terminal, text=True) as process:
        os.close(terminal)
        bars = b""
        # A terminal whose last writer has gone reads as EIO.
        with contextlib.suppress(OSError):
            while data := os.read(shown, 65536):
                bars += data
        assert process.stdout is not None
        lines = process.stdout.read().splitlines()
        assert process.wait(60) == 0
    os.close(shown)
    assert b"demo0-1.0-py3-none-any.whl" in bars
    assert b"of 3 files" in bars
    assert b"MB/s" in bars
    assert re.search(rb"of 3 files.*/2\.7 MB .*\d:\d\d", bars), "the total, and the time that is left"
    assert [line.split()[0] for line in lines] == ["fetched"] * 3 + ["3"]


def test_the_users_own_trees_are_skipped_and_told(fake_index: FakeIndex, fetch: Callable[..., Finished], tmp_path: Path) -> None:
    name, _ = fake_index.add_wheel("demo", "1.0")
    (tmp_path / "req.txt").write_text("-e .\n-e ./other\ndemo\n")
    done = fetch("-r", str(tmp_path / "req.txt")).succeeded()
    assert "skipped ./other: it is installed from where it lies" in done.stderr
    assert done.stdout.splitlines()[-1].endswith("; 2 skipped")
    files = fetched_files(fetch("--json", "-r", str(tmp_path / "req.txt")).succeeded())
    assert {name: file["result"] for name, file in files.items()} == {".": "skipped", "./other": "skipped", name: "present"}
    (tmp_path / "req.txt").write_text("-e .\nunknown\n")
    assert fetch("-r", str(tmp_path / "req.txt")).returncode == 24, "what was skipped is no part that came"
