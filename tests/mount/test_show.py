"""``wheelfs show PROJECT``: the newest first, what is here and what fits this machine; the rest is there with --all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.fakes.commands import objects
from tests.fakes.wheels import wheel_filename

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.conftest import RunWheelfs
    from tests.fakes.index import FakeIndex
    from tests.fakes.processes import Finished

WINDOWS = "cp311-cp311-win_amd64"


def test_the_newest_is_first_and_what_does_not_fit_is_counted(
    fake_index: FakeIndex, fetch: Callable[..., Finished], run_wheelfs: RunWheelfs, store_dir: Path
) -> None:
    for minor in range(30):
        fake_index.add_wheel("numbers", f"1.{minor}")
        fake_index.add_wheel("numbers", f"1.{minor}", tag=WINDOWS)
    fetch("numbers==1.2").succeeded()

    def show(*words: str) -> Finished:
        index = {"WHEELFS_INDEX": f"main={fake_index.url}"}
        return run_wheelfs("--store", str(store_dir), "show", *words, env=index).succeeded()

    text = show("numbers").stdout
    lines = [line for line in text.splitlines() if line.endswith(".whl")]
    assert [line.split()[-1] for line in lines] == [
        *(wheel_filename("numbers", f"1.{minor}") for minor in range(29, 19, -1)),
        wheel_filename("numbers", "1.2"),
    ]
    assert lines[-1].split()[1] == "stored"
    assert text.splitlines()[-1] == "49 more files, for other machines or of older versions: --all shows them"
    assert "1.29, 1.28, " in text
    assert " and 10 older" in text
    everything = show("--all", "numbers").stdout
    assert sum(line.endswith(".whl") for line in everything.splitlines()) == 60
    assert "more file" not in everything
    assert everything.index("numbers-1.29-") < everything.index("numbers-1.3-")
    [project] = objects(show("--json", "numbers"))
    assert len(project["files"]) == 60
    assert project["versions"][0] == "1.0"
    assert {file["fits"] for file in project["files"] if WINDOWS in file["filename"]} == {False}
    assert all(file["fits"] for file in project["files"] if WINDOWS not in file["filename"])
    narrowed = show("numbers<1.1").stdout
    assert "more file, for other machines" in narrowed
    assert sum(line.endswith(".whl") for line in narrowed.splitlines()) == 1
