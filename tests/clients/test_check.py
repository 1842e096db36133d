"""``wheelfs check``: what it says is there is what an install finds that asks no index."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.fakes.commands import objects
from tests.fakes.index import FakeIndex
from tests.fakes.processes import run, wheelfs_command
from tests.fakes.runs import UV, Runs, project
from tests.fakes.wheels import build_sdist, build_wheel, sdist_filename, wheel_filename
from wheelfs.errors import ContentMismatch, InvalidInput

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import Any

    from tests.fakes.processes import Finished

SYNC = (UV, "--quiet", "sync", "--frozen", "--no-install-project")
DEMO, LIB = wheel_filename("demo", "1.0"), wheel_filename("lib", "1.0")


@pytest.fixture
def index() -> Iterator[FakeIndex]:
    with FakeIndex(tls=True) as index:
        index.add_wheel("demo", "1.0", requires=["lib"])
        index.add_wheel("lib", "1.0")
        yield index


@pytest.fixture
def runs(tmp_path: Path, index: FakeIndex) -> Runs:
    return Runs(tmp_path / "runs", index)


@pytest.fixture
def app(tmp_path: Path, runs: Runs, index: FakeIndex) -> Path:
    """A project with a lock that was made straight."""
    app = project(tmp_path / "app", "demo", index=index)
    runs.straight(UV, "--quiet", "lock", cwd=app).succeeded()
    return app


def wheelfs(runs: Runs, *words: str) -> Finished:
    return run(wheelfs_command("--store", str(runs.store), "--json", *words), environment=runs.environment())


def checked(runs: Runs, *words: str) -> tuple[int, dict[str, tuple[str, str | None]], dict[str, Any]]:
    """Return the exit code, the result and the reason for each file that is named, and the summary."""
    said = wheelfs(runs, "check", *words)
    *files, last = objects(said)
    told = {file["file"]["filename"] or file["file"]["wanted"]: file["file"] for file in files}
    return said.returncode, {name: (file["result"], file.get("reason")) for name, file in told.items()}, last["summary"]


def test_a_lock_is_missing_then_there_and_then_syncs_without_its_index(runs: Runs, app: Path, index: FakeIndex) -> None:
    code, files, summary = checked(runs, str(app / "uv.lock"))
    assert code == 1
    assert {files[DEMO][0], files[LIB][0]} == {"missing"}
    assert (summary["present"], summary["missing"]) == (0, 2)
    assert not runs.store.exists(), "looking makes no store"

    runs.wheelfs(*SYNC, cwd=app).succeeded()
    index.stop()
    index.reset_counters()
    code, files, summary = checked(runs, str(app / "uv.lock"))
    assert code == 0
    assert (files[DEMO], files[LIB]) == (("present", None), ("present", None))
    assert summary["present_bytes"] == sum(
        len(content) for content in (build_wheel("demo", "1.0", requires=["lib"]), build_wheel("lib", "1.0"))
    )
    assert index.requests == []
    runs.wheelfs(*SYNC, cwd=app, options=("--offline",)).succeeded()


def test_a_part_of_a_lock_is_named_and_so_is_another_hash(runs: Runs, app: Path, index: FakeIndex) -> None:
    wheelfs(runs, "fetch", "--index", f"main={index.url}", "lib").succeeded()
    lock = app / "uv.lock"
    code, files, _ = checked(runs, str(lock))
    assert (code, files[DEMO][0], files[LIB][0]) == (1, "missing", "present")
    said = run(wheelfs_command("--store", str(runs.store), "check", str(lock)), environment=runs.environment())
    assert f"missing {DEMO}: it is not stored ({lock})" in said.stdout
    text = lock.read_text()
    digest = text.partition(f'{LIB}", hash = "sha256:')[2][:64]
    lock.write_text(text.replace(digest, "0" * 64))
    code, files, _ = checked(runs, str(lock))
    assert files[LIB] == ("missing", "what is stored under this name has another hash")
    assert runs.wheelfs(*SYNC, cwd=app, options=("--offline",)).returncode != 0


def test_a_wheel_with_another_hash_than_the_locks_is_an_error_and_no_reason_for_its_sdist(
    runs: Runs, index: FakeIndex, tmp_path: Path
) -> None:
    index.add(sdist_filename("lib", "1.0"), build_sdist("lib", "1.0"))
    app = project(tmp_path / "alone", "lib", index=index)
    lock = app / "uv.lock"
    runs.straight(UV, "--quiet", "lock", cwd=app).succeeded()
    text = lock.read_text()
    assert sdist_filename("lib", "1.0") in text
    lock.write_text(text.replace(text.partition(f'{LIB}", hash = "sha256:')[2][:64], "0" * 64))
    assert runs.straight(*SYNC, cwd=app).returncode != 0
    for more in ((), ("--dry-run",)):
        said = wheelfs(runs, "fetch", "--index", f"main={index.url}", *more, str(lock))
        assert said.returncode == ContentMismatch.exit_code
        [failed] = [one["file"] for one in objects(said) if one.get("file", {}).get("result") == "failed"]
        assert (failed["wanted"], failed["error_class"]) == ("lib==1.0", "ContentMismatch")
        assert f"{LIB} has none of the hashes that the lock gives" in failed["reason"]


def test_an_extra_or_a_hash_that_a_lock_cannot_have_is_refused(runs: Runs, app: Path) -> None:
    lock = app / "uv.lock"
    for command in (("check",), ("fetch", "--dry-run")):
        said = wheelfs(runs, *command, f"{lock}[nosuch]")
        assert said.returncode == InvalidInput.exit_code
        assert "it has no extra nosuch" in said.stderr + said.stdout
    text = lock.read_text()
    lock.write_text(text.replace(text.partition('hash = "sha256:')[2][:64], "xyz"))
    said = wheelfs(runs, "check", str(lock))
    assert said.returncode == InvalidInput.exit_code
    assert "'xyz' is no sha256" in said.stderr + said.stdout
    assert runs.straight(*SYNC, cwd=app).returncode != 0, "uv refuses it, too"


def test_a_wheel_of_unknown_address_is_no_answer_to_a_lock(runs: Runs, app: Path, tmp_path: Path) -> None:
    for name, requires in (("demo", ["lib"]), ("lib", [])):
        wheel = tmp_path / wheel_filename(name, "1.0")
        wheel.write_bytes(build_wheel(name, "1.0", requires=requires))
        wheelfs(runs, "add", str(wheel)).succeeded()
    code, files, _ = checked(runs, str(app / "uv.lock"))
    assert (code, files[LIB][0]) == (1, "missing")
    assert "nothing here says that its index has it" in str(files[LIB][1])
    assert runs.wheelfs(*SYNC, cwd=app, options=("--offline",), environment={"UV_HTTP_RETRIES": "0"}).returncode != 0


def test_other_targets_need_other_files(runs: Runs, app: Path, index: FakeIndex, tmp_path: Path) -> None:
    for python in ("cp311", "cp312"):
        tag = f"{python}-{python}-manylinux_2_17_x86_64"
        index.add(wheel_filename("fast", "1.0", tag=tag), build_wheel("fast", "1.0", tag=tag))
    fast = project(tmp_path / "fast", "fast", index=index)
    runs.straight(UV, "--quiet", "lock", cwd=fast).succeeded()
    for python, code in (("3.12", 1), ("3.11", 0)):
        platform = ("--python", python, "--platform", "manylinux_2_28_x86_64")
        wheelfs(runs, "fetch", "--index", f"main={index.url}", "fast", "--python", "3.11", *platform[2:]).succeeded()
        found, files, _ = checked(runs, str(fast / "uv.lock"), *platform)
        assert (found, [result for result, _ in files.values() if result != "skipped"]) == (
            code,
            ["missing" if code else "present"],
        )


def test_requirements_and_pylock_files_are_read_too(runs: Runs, app: Path, index: FakeIndex, tmp_path: Path) -> None:
    runs.straight(UV, "--quiet", "export", "--frozen", "--no-emit-project", "-o", "requirements.txt", cwd=app).succeeded()
    runs.straight(UV, "--quiet", "export", "--frozen", "--no-emit-project", "-o", "pylock.toml", cwd=app).succeeded()
    (tmp_path / "loose.txt").write_text("demo\nlib>=1\n")
    names = [str(app / "requirements.txt"), str(app / "pylock.toml"), str(tmp_path / "loose.txt")]
    for name in names:
        assert checked(runs, name)[0] == 1
    runs.wheelfs(*SYNC, cwd=app).succeeded()
    index.stop()
    for name in names:
        code, files, summary = checked(runs, name)
        assert (code, summary["present"], {result for result, _ in files.values()}) == (0, 2, {"present"}), name


def test_what_is_no_lock_is_refused(runs: Runs, tmp_path: Path) -> None:
    (tmp_path / "pdm.lock").write_text("[metadata]\nlock_version = '4.5'\n")
    said = wheelfs(runs, "check", str(tmp_path / "pdm.lock"))
    assert said.returncode == 3
    assert "pdm export" in said.stdout
