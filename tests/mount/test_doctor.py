"""``wheelfs doctor`` on real mounts, stores and indexes: what is broken is named with its mend, and nothing is changed."""

from __future__ import annotations

import signal
import sys
from importlib.util import MAGIC_NUMBER
from typing import TYPE_CHECKING, Any

from tests.fakes.commands import objects
from tests.fakes.index import FakeIndex

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import MountWheelfs, RunWheelfs
    from tests.fakes.processes import Finished


def found(done: Finished) -> dict[str, dict[str, Any]]:
    return {line["found"]["subject"]: line["found"] for line in objects(done)}


def test_a_machine_on_which_all_is_well(
    mounted: MountWheelfs, run_wheelfs: RunWheelfs, store_dir: Path, fake_index: FakeIndex, tmp_path: Path
) -> None:
    mount = mounted(index=fake_index.url)
    (tmp_path / "share").mkdir()
    wheelfs = ("--store", str(store_dir), "doctor", "--index", f"main={fake_index.url}")
    by_subject = found(run_wheelfs(*wheelfs, "--json").succeeded())
    for subject in ("fuse", f"mount {mount.path}", "store", "index main", "clients"):
        assert by_subject[subject]["level"] == "ok", by_subject[subject]
    assert "clock" not in by_subject
    text = run_wheelfs(*wheelfs).succeeded().stdout
    assert f"ok      mount {mount.path}: it answers\n" in text
    assert text.splitlines()[-1].startswith("nothing is broken, ")


def test_what_is_broken_is_named_with_its_mend(
    mounted: MountWheelfs, run_wheelfs: RunWheelfs, store_dir: Path, fake_index: FakeIndex, tmp_path: Path
) -> None:
    mount = mounted(index=fake_index.url)
    mount.process.send_signal(signal.SIGSTOP)
    fake_index.stop()
    with FakeIndex(credentials=("me", "hunter2")) as closed:
        done = run_wheelfs(
            *("--store", str(store_dir), "doctor", "--json", "--index", f"away={fake_index.url}"),
            *("--index", f"closed={closed.url}", "--share", f"lab={(tmp_path / 'nothing').as_uri()}"),
            env={"PIP_NO_INDEX": "1"},
        )
    assert done.returncode == 1
    by_subject = found(done)
    hung = by_subject[f"mount {mount.path}"]
    assert (hung["level"], f"wheelfs umount --lazy {mount.path}" in hung["mend"]) == ("broken", True)
    mount.process.send_signal(signal.SIGCONT)
    assert "401" in by_subject["index closed"]["what"]
    for subject in ("index away", "index closed", "share lab"):
        assert by_subject[subject]["level"] == "broken"
        assert by_subject[subject]["mend"]
    assert "PIP_NO_INDEX in the environment switches indexes off" in by_subject["clients"]["what"]


def test_a_store_that_is_none_is_broken_and_one_that_is_not_there_is_not_made(
    run_wheelfs: RunWheelfs, store_dir: Path, tmp_path: Path
) -> None:
    run_wheelfs("--store", str(store_dir), "doctor", "--offline", "--json").succeeded()
    assert not store_dir.exists()
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "file").write_text("not ours")
    done = run_wheelfs("--store", str(tmp_path / "other"), "doctor", "--offline", "--json")
    assert (done.returncode, found(done)["store"]["level"]) == (1, "broken")


REPLACED = """#!/bin/sh
case "$*" in *MAGIC_NUMBER.hex*) ;; *) exec {python} "$@" ;; esac
echo '["'$0'", "{version}", "cpython", "cpython-{tag}", "{magic}", false, "linux"]'
"""
"""A Python that says of itself what an upgrade in place would make it say."""


def test_an_environment_whose_interpreter_was_replaced_or_is_gone_is_named(
    run_wheelfs: RunWheelfs, store_dir: Path, fake_index: FakeIndex, tmp_path: Path
) -> None:
    fake_index.add_wheel("other", "1.0", files={"other.py": b"X = 1\n"})
    python, store = tmp_path / "python", ("--store", str(store_dir))

    def put(version: str, magic: str) -> None:
        tag = "".join(version.split(".")[:2])
        python.write_text(REPLACED.format(python=sys.executable, version=version, tag=tag, magic=magic))
        python.chmod(0o755)

    def looked() -> tuple[dict[str, Any], dict[str, dict[str, Any]], str]:
        [shown] = objects(run_wheelfs(*store, "env", "show", "it", "--json").succeeded())
        doctor = run_wheelfs(*store, "doctor", "--offline", "--json")
        text = run_wheelfs(*store, "env", "show", "it").succeeded().stdout
        return shown["interpreter"], found(doctor), text

    magic, minor = MAGIC_NUMBER.hex(), f"{sys.version_info.major}.{sys.version_info.minor}"
    put(f"{minor}.1", magic)
    create = ("env", "create", "it", "other", "--python", str(python), "--index", f"main={fake_index.url}")
    run_wheelfs(*store, *create).succeeded()
    put(f"{minor}.2", magic)
    interpreter, by_subject, text = looked()
    assert interpreter == {"path": str(python), "made_for": f"{minor}.1", "found": f"{minor}.2", "problem": "", "mend": ""}
    assert by_subject["environments"]["level"] == "ok"
    assert "broken" not in text

    put("3.99.1", "ffff0d0a")
    interpreter, by_subject, text = looked()
    problem = f"it was made for Python {minor}.1 at {python}, where Python 3.99.1 is now"
    mend = f"make it again: wheelfs env create it LOCK --python {python}"
    assert interpreter == {"path": str(python), "made_for": f"{minor}.1", "found": "3.99.1", "problem": problem, "mend": mend}
    assert by_subject["environment it"] == {
        "level": "broken",
        "subject": "environment it",
        "what": problem,
        "mend": mend,
    }
    assert f"broken       {problem}\n             → {mend}\n" in text

    python.unlink()
    interpreter, by_subject, text = looked()
    problem = f"it was made for Python {minor}.1 at {python}, which cannot be used: there is no such file"
    assert (interpreter["found"], interpreter["problem"]) == (None, problem)
    assert by_subject["environment it"]["what"] == problem
    assert "--python PATH" in text


def test_a_clock_that_is_wrong_is_seen_by_the_date_of_an_index(
    run_wheelfs: RunWheelfs, store_dir: Path, fake_index: FakeIndex
) -> None:
    fake_index.ahead_s = 7_200.0
    by_subject = found(
        run_wheelfs("--store", str(store_dir), "doctor", "--json", "--index", f"main={fake_index.url}").succeeded()
    )
    assert by_subject["clock"]["level"] == "note"
    assert "by the index main, this machine's clock is" in by_subject["clock"]["what"]
