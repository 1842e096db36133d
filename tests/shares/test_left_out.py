"""What named files need and a share will not have, or this machine will not, is said; --with-deps takes it along."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.fakes.commands import objects
from tests.fakes.wheels import build_wheel, wheel_filename

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.conftest import RunWheelfs
    from tests.fakes.processes import Finished

NEEDS = {"app": ["one>=1; python_version >= '3'", "never; python_version < '3'"], "one": ["two", "gone"], "two": [], "other": []}
FILES = {project: wheel_filename(project, "1.0") for project in NEEDS}


@pytest.fixture
def store(run_wheelfs: RunWheelfs, tmp_path: Path) -> Callable[..., Finished]:
    where = tmp_path / "incoming"
    where.mkdir()
    for project, requires in NEEDS.items():
        (where / FILES[project]).write_bytes(build_wheel(project, "1.0", requires=requires))
    (tmp_path / "share").mkdir()
    run_wheelfs("--store", str(tmp_path / "a"), "add", str(where)).succeeded()

    def command(*words: str, of: str = "a") -> Finished:
        return run_wheelfs("--store", str(tmp_path / of), *words).succeeded()

    return command


def test_an_export_says_what_is_needed_and_takes_it_along(store: Callable[..., Finished], tmp_path: Path) -> None:
    done = store("export", str(tmp_path / "out"), "app")
    assert done.stderr.splitlines() == [
        "wheelfs: app needs one>=1, which is stored but not exported",
        "wheelfs: one needs two, which is stored but not exported",
        "wheelfs: --with-deps takes along what is needed and stored",
        "wheelfs: one needs gone, which is not stored",
    ]
    last = objects(store("export", "--json", str(tmp_path / "out"), "app"))[-1]["export"]
    assert [(one["project"], one["needed_by"], one["at_hand"]) for one in last["left_out"]] == [
        ("one", "app", True),
        ("two", "one", True),
        ("gone", "one", False),
    ]
    # Several exports add up: what is there already is not left out.
    store("export", str(tmp_path / "out"), "one", "two")
    assert store("export", str(tmp_path / "out"), "app").stderr == ""
    done = store("export", "--with-deps", str(tmp_path / "all"), "app")
    assert done.stderr == "wheelfs: one needs gone, which is not stored\n"
    assert {path.name for path in (tmp_path / "all").glob("*.whl")} == {FILES[project] for project in ("app", "one", "two")}
    assert store("export", str(tmp_path / "everything")).stderr == "", "no name, so nothing is chosen"


def test_a_push_says_what_is_needed_and_takes_it_along(store: Callable[..., Finished], tmp_path: Path) -> None:
    share = ("--share", (tmp_path / "share").as_uri())
    said = store("push", *share, "app").stderr
    assert "wheelfs: app needs one>=1, which is stored but not pushed, since it is private: name it, or give --private\n" in said
    assert "wheelfs: app needs one>=1, which is stored but not pushed\n" in store("push", *share, "--private", "app").stderr
    assert {line["left_out"]["project"] for line in objects(store("push", "--json", *share, "app")) if "left_out" in line} == {
        *("one", "two", "gone")
    }
    # They are private here, and not named.
    assert "pushed one" not in store("push", *share, "--with-deps", "app").stdout
    done = store("push", *share, "--with-deps", "--private", "app")
    assert {line.split()[1] for line in done.stdout.splitlines() if line.startswith("pushed ")} == {FILES["one"], FILES["two"]}
    assert done.stderr == "wheelfs: one needs gone, which is not stored\n"


def test_a_pull_says_what_is_needed_and_takes_it_along(store: Callable[..., Finished], tmp_path: Path) -> None:
    share = ("--share", (tmp_path / "share").as_uri())
    store("push", *share, "--private")
    done = store("pull", *share, "--contents", "app", of="b")
    assert done.stderr.splitlines() == [
        "wheelfs: app needs one>=1, which is in the share but not copied",
        "wheelfs: --with-deps takes along what is needed and in the share",
    ], "what that needs is known when it is here"
    done = store("pull", *share, "--contents", "--with-deps", "app", of="b")
    assert done.stderr == "wheelfs: one needs gone, which is not in the share\n"
    assert {line["project"] for line in objects(store("ls", "--json", of="b"))} == {"app", "one", "two"}
