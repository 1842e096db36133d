"""``wheelfs doctor`` on real mounts, stores and indexes: what is broken is named with its mend, and nothing is changed."""

from __future__ import annotations

import signal
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


def test_a_clock_that_is_wrong_is_seen_by_the_date_of_an_index(
    run_wheelfs: RunWheelfs, store_dir: Path, fake_index: FakeIndex
) -> None:
    fake_index.ahead_s = 7_200.0
    by_subject = found(
        run_wheelfs("--store", str(store_dir), "doctor", "--json", "--index", f"main={fake_index.url}").succeeded()
    )
    assert by_subject["clock"]["level"] == "note"
    assert "by the index main, this machine's clock is" in by_subject["clock"]["what"]
