"""wheelfs fetch of requirements files: hashes of any algorithm, local files, what is said of sdists and typing errors."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest

from tests.fakes.commands import error_of, fetched_files, objects
from tests.fakes.wheels import build_sdist, build_wheel, sdist_filename, wheel_filename

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.conftest import RunWheelfs
    from tests.fakes.index import FakeIndex
    from tests.fakes.processes import Finished


@pytest.mark.parametrize("algorithm", ["sha512", "sha384", "blake2b"])
@pytest.mark.parametrize("listed", [True, False], ids=["sha256-listed", "no-hash-listed"])
def test_a_hash_that_the_index_does_not_tell_is_compared_with_what_came(
    fake_index: FakeIndex, fetch: Callable[..., Finished], tmp_path: Path, algorithm: str, listed: bool
) -> None:
    fake_index.hashes = listed
    name, content = fake_index.add_wheel("demo", "1.0", big_bytes=300_000)
    right, wrong = hashlib.new(algorithm, content).hexdigest(), hashlib.new(algorithm, b"").hexdigest()
    requirements = tmp_path / "req.txt"
    for _ in range(2):  # when it has just come, and when it is here
        requirements.write_text(f"demo==1.0 --hash={algorithm}:{wrong}\n")
        done = fetch("--json", "-r", str(requirements))
        file = fetched_files(done)[name]
        assert (done.returncode, file["result"], file["error_class"]) == (26, "failed", "ContentMismatch")
        assert f"its {algorithm} is {right}, which was not asked for" in file["reason"]
        requirements.write_text(f"demo==1.0 --hash={algorithm}:{right}\n")
        assert fetched_files(fetch("--json", "-r", str(requirements)).succeeded())[name]["result"] == "present"


def test_a_typing_error_brings_nothing(fake_index: FakeIndex, fetch: Callable[..., Finished]) -> None:
    fake_index.add(sdist_filename("demo", "1.0"), build_sdist("demo", "1.0"))
    for words, meant in ((("--platform", "win_amd65"), "win_amd64"), (("--python", "3.99"), "3.9")):
        error = error_of(fetch("--json", *words, "demo"))
        assert (error["class"], error["exit_code"]) == ("UsageError", 2)
        assert f"did you mean {meant}?" in error["message"]
    assert fake_index.requests == []


def test_an_sdist_that_comes_for_want_of_a_wheel_is_said(fake_index: FakeIndex, fetch: Callable[..., Finished]) -> None:
    fake_index.add_wheel("demo", "1.0", tag="cp311-cp311-win_amd64")
    name = sdist_filename("demo", "1.0")
    fake_index.add(name, build_sdist("demo", "1.0"))
    why = "no wheel of version 1.0 is for this Python and platform"
    done = fetch("demo").succeeded()
    assert done.stdout.splitlines()[0] == f"fetched {name}"
    assert f"wheelfs: {name}: it is an sdist, which is built where it is installed: {why}" in done.stderr
    assert why in fetched_files(fetch("--json", "demo").succeeded())[name]["notice"]
    done = fetch("--only-binary", ":all:", "demo")
    assert done.returncode == 24
    assert "--only-binary" in done.stderr


def test_a_wheel_that_is_named_by_its_path_is_added_once_it_is_what_is_asked_for(
    fake_index: FakeIndex, fetch: Callable[..., Finished], run_wheelfs: RunWheelfs, store_dir: Path, tmp_path: Path
) -> None:
    fake_index.add_wheel("demo", "1.0")
    mine, other = wheel_filename("mine", "1.5"), "other-1.0-cp27-cp27mu-win32.whl"
    (tmp_path / mine).write_bytes(content := build_wheel("mine", "1.5"))
    (tmp_path / other).write_bytes(build_wheel("other", "1.0", tag="cp27-cp27mu-win32"))
    requirements = tmp_path / "req.txt"
    requirements.write_text(f"./{mine} --hash=sha512:{hashlib.sha512(content).hexdigest()}\ndemo\nmine>=1\n")
    first = fetched_files(fetch("--json", "-r", str(requirements)).succeeded())[mine]
    assert (first["result"], first["origin"], first["fetched_bytes"]) == ("fetched", "local", 0)
    assert first["places"] == [f"{requirements}, line 1"]
    assert fetched_files(fetch("--json", "--pin", "-r", str(requirements)).succeeded())[mine]["result"] == "present"
    [line] = objects(run_wheelfs("--store", str(store_dir), "ls", "--json", "mine").succeeded())
    assert (line["pinned"], line["private"]) == (True, True)
    for text, reason in (
        (f"./{mine} --hash=sha256:{'0' * 64}\n", "which was not asked for"),
        (f"./{mine}\nmine>2\n", "mine>2 is asked for, too"),
        (f"./{other}\n", "not for this Python and platform"),
        ("./gone-1.0-py3-none-any.whl\n", "there is no such file"),
    ):
        requirements.write_text(text)
        done = fetch("--json", "-r", str(requirements))
        [failed] = [file for file in fetched_files(done).values() if file["result"] == "failed"]
        assert done.returncode != 0
        assert reason in failed["reason"]
        assert failed["places"] == [f"{requirements}, line 1"]


def test_several_pins_of_the_command_line_are_all_brought_and_those_of_a_file_exclude_each_other(
    fake_index: FakeIndex, fetch: Callable[..., Finished], tmp_path: Path
) -> None:
    names = {fake_index.add_wheel("demo", version)[0] for version in ("1.0", "2.0")}
    assert set(fetched_files(fetch("--json", "--dry-run", "demo==1.0", "demo==2.0").succeeded())) == names
    requirements = tmp_path / "req.txt"
    requirements.write_text("demo==1.0\n\ndemo==2.0\n")
    done = fetch("-r", str(requirements))
    assert done.returncode == 24
    assert f"({requirements}, line 1 and {requirements}, line 3)" in done.stderr


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-dev.lock"])
def test_what_rye_calls_a_lock_is_a_requirements_file(
    fake_index: FakeIndex, fetch: Callable[..., Finished], command: Callable[..., Finished], tmp_path: Path, name: str
) -> None:
    wheel, _ = fake_index.add_wheel("demo", "1.0")
    fake_index.add_wheel("demo", "2.0")
    lock = tmp_path / name
    lock.write_text("# generated by rye\n\ndemo==1.0\n    # via mine\n")
    for words in (("-r", str(lock)), (str(lock),)):
        assert list(fetched_files(fetch("--json", *words).succeeded())) == [wheel]
    command("check", str(lock)).succeeded()
    command("env", "create", "it", str(lock)).succeeded()
    assert [one["filename"] for one in objects(command("--json", "env", "show", "it").succeeded())[-1]["wheels"]] == [wheel]
    script = tmp_path / "requirements.py.lock"
    script.write_text("demo==1.0\n")
    assert "no TOML" in error_of(fetch("--json", str(script)))["message"]
