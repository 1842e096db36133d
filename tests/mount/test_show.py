"""``wheelfs show PROJECT``: the newest first, what is here and what fits this machine; the rest is there with --all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.fakes.commands import objects
from tests.fakes.processes import wheelfs_environment
from tests.fakes.terminals import printed_by
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
        *(wheel_filename("numbers", f"1.{minor}") for minor in range(29, 16, -1)),
        wheel_filename("numbers", "1.2"),
    ]
    assert lines[-1].split()[1] == "stored"
    assert text.splitlines()[-1] == "46 more files, for other machines or of older versions: --all shows them"
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


def test_a_terminal_gets_a_pager_as_git_gives_it(
    fake_index: FakeIndex, fetch: Callable[..., Finished], store_dir: Path, tmp_path: Path
) -> None:
    fake_index.add_wheel("numbers", "1.0")
    fetch("numbers").succeeded()
    pager = tmp_path / "pager"
    pager.write_text('#!/bin/sh\nsed "s/^/$LESS: /"\n')
    pager.chmod(0o755)
    environment = {**wheelfs_environment(tmp_path / "home"), "WHEELFS_INDEX": f"main={fake_index.url}"}
    name = wheel_filename("numbers", "1.0")
    for words in (("show", "numbers"), ("show", name), ("ls",)):
        paged = printed_by(store_dir, {**environment, "PAGER": str(pager)}, *words)
        plain = printed_by(store_dir, {**environment, "PAGER": ""}, *words)
        assert name in plain
        result = [line for line in plain.splitlines() if not line.startswith("wheelfs: ")]
        assert [line for line in paged.splitlines() if not line.startswith("wheelfs: ")] == [f"FRX: {line}" for line in result]
