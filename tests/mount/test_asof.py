"""``asof/``: the tree as it was at some time, under any name of that time."""

from __future__ import annotations

import json
import os
import re
from functools import partial
from typing import TYPE_CHECKING

import pytest

from tests.fakes.waiting import eventually
from tests.fakes.wheels import build_wheel, wheel_filename

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import MountWheelfs, RunWheelfs
    from tests.fakes.index import FakeIndex

UPLOADED = {
    "1.0": "2026-01-30T08:00:00Z",
    "2.0": "2026-01-31T23:59:59.999999Z",
    "3.0": "2026-02-01T00:00:00Z",
    "4.0": None,
}
NAMES = {version: wheel_filename("demo", version) for version in UPLOADED}


@pytest.fixture
def dated_index(fake_index: FakeIndex) -> FakeIndex:
    for version, uploaded in UPLOADED.items():
        host(fake_index, "demo", version, uploaded)
    return fake_index


def host(index: FakeIndex, project: str, version: str, uploaded: str | None, **build: object) -> str:
    name = wheel_filename(project, version, tag=str(build.get("tag", "py3-none-any")))
    index.add(name, build_wheel(project, version, **build), project=project, upload_time=uploaded)  # type: ignore[arg-type]
    return name


def versions(page: Path) -> list[str]:
    """Return the versions on a project's page."""
    return re.findall(r">demo-([0-9.]+)-py3-none-any\.whl<", page.read_text())


def wheels(directory: Path) -> set[str]:
    return {name for name in os.listdir(directory) if name.endswith(".whl")}


TIMES: dict[str, list[str]] = {
    "2026-01-29": [],
    "2026-01-30": ["1.0"],
    "2026-01-31": ["1.0", "2.0"],
    "2026-02-01": ["1.0", "2.0", "3.0"],
    "2099-12-31": ["1.0", "2.0", "3.0"],
    "2026-01-30T08:00:00Z": [],
    "2026-01-30T08:00:00.001Z": ["1.0"],
    "2026-01-30T10:00:01+02:00": ["1.0"],
    "2026-02-01T00:00:00+00:00": ["1.0", "2.0"],
}


def test_a_time_has_what_had_been_uploaded_by_then(dated_index: FakeIndex, mounted: MountWheelfs) -> None:
    mount = mounted(index=dated_index.url).path
    for name, expected in TIMES.items():
        tree = mount / "asof" / name
        assert sorted(os.listdir(tree)) == ["here", "index", "simple", "stored"]
        for view in ("simple", "here/simple", "index/main/simple", "index/main/here/simple"):
            assert versions(tree / view / "demo" / "index.html") == expected, f"{name}/{view}"
        for version, file in NAMES.items():
            assert (tree / "simple" / "demo" / file).exists() == (version in expected)
            assert (tree / "simple" / "demo" / f"{file}.metadata").exists() == (version in expected)


def test_a_page_says_what_it_hides_and_why(dated_index: FakeIndex, mounted: MountWheelfs) -> None:
    page = (mounted(index=dated_index.url).path / "asof/2026-01-31/simple/demo/index.html").read_text()
    assert "<!-- hidden here: 1 file without an upload time -->" in page
    assert "<!-- hidden here: 1 file uploaded at or after 2026-02-01T00:00:00Z -->" in page


def test_what_is_no_time_is_absent_and_no_time_is_listed(dated_index: FakeIndex, mounted: MountWheelfs) -> None:
    asof = mounted(index=dated_index.url).path / "asof"
    for name in ("yesterday", "2026-02-30", "2026-1-31", "2026-01-31T12:00:00", "index.html", "simple", "0", "x" * 255):
        with pytest.raises(FileNotFoundError):
            os.listdir(asof / name)
    os.listdir(asof / "2026-01-31")
    assert os.listdir(asof) == []


def test_flat_directories_of_the_past_list_what_is_stored_and_was_there(
    dated_index: FakeIndex, mounted: MountWheelfs, run_wheelfs: RunWheelfs
) -> None:
    mount = mounted(index=dated_index.url)
    for name in NAMES.values():
        (mount.path / "simple" / "demo" / name).read_bytes()
    eventually(lambda: wheels(mount.path) == set(NAMES.values()))
    for view in ("asof/2026-01-31", "asof/2026-01-31/stored"):
        past = mount.path / view
        assert wheels(past) == {NAMES["1.0"], NAMES["2.0"]}
        assert (past / NAMES["1.0"]).stat().st_ino == (mount.path / NAMES["1.0"]).stat().st_ino
        assert not (past / NAMES["3.0"]).exists()
        assert not (past / NAMES["4.0"]).exists()
        assert (past / "index.html").read_text().count("<a ") == 2
    # What is removed is gone from every view, though the kernel may remember names of wheels for a day.
    run_wheelfs("--store", str(mount.store), "rm", NAMES["1.0"]).succeeded()
    eventually(lambda: not (mount.path / "asof/2026-01-31" / NAMES["1.0"]).exists())
    eventually(lambda: not (mount.path / "asof/2026-01-31/stored" / NAMES["1.0"]).exists())


def test_files_added_by_hand_are_in_every_time_since_nobody_uploaded_them(
    dated_index: FakeIndex, mounted: MountWheelfs, run_wheelfs: RunWheelfs, tmp_path: Path, store_dir: Path
) -> None:
    path = tmp_path / wheel_filename("ours", "1.0")
    path.write_bytes(build_wheel("ours", "1.0"))
    run_wheelfs("--store", str(store_dir), "add", str(path)).succeeded()
    past = mounted(index=dated_index.url).path / "asof" / "2000-01-01"
    assert wheels(past) == {path.name}
    assert path.name in (past / "simple" / "ours" / "index.html").read_text()


def test_a_past_changes_with_what_the_index_says_of_it(dated_index: FakeIndex, mounted: MountWheelfs) -> None:
    past = mounted(index=dated_index.url, env={"WHEELFS_PAGE_TTL_S": "0"}).path / "asof/2026-01-31/simple/demo"
    page = past / "index.html"
    late = wheel_filename("demo", "1.5")
    assert versions(page) == ["1.0", "2.0"]
    assert not (past / late).exists()
    host(dated_index, "demo", "1.5", "2026-01-30T09:00:00Z")
    eventually(lambda: versions(page) == ["1.0", "2.0", "1.5"])
    eventually(partial(os.path.exists, past / late))


def test_a_project_that_is_younger_than_the_time_exists_and_has_no_files(dated_index: FakeIndex, mounted: MountWheelfs) -> None:
    # A page that is absent would send clients to their next index.
    past = mounted(index=dated_index.url).path / "asof/2000-01-01"
    assert versions(past / "simple/demo/index.html") == []
    # The page, not its directory, which may exist until the index has answered: looking it up waits for a moment only.
    with pytest.raises(FileNotFoundError):
        (past / "simple/unknown/index.html").read_text()


def test_tracked_files_that_are_younger_than_the_time_are_not_listed(
    dated_index: FakeIndex, mounted: MountWheelfs, run_wheelfs: RunWheelfs
) -> None:
    mount = mounted(index=dated_index.url)
    run_wheelfs("--store", str(mount.store), "track", "demo", env={"WHEELFS_INDEX": f"main={dated_index.url}"}).succeeded()
    eventually(lambda: wheels(mount.path) == set(NAMES.values()))
    assert wheels(mount.path / "asof/2026-01-31") == {NAMES["1.0"], NAMES["2.0"]}
    assert not (mount.path / "asof/2026-01-31" / NAMES["3.0"]).exists()
    assert not wheels(mount.path / "asof/2026-01-31/stored")


def test_a_file_that_its_index_has_dropped_stays_and_is_marked(
    dated_index: FakeIndex, mounted: MountWheelfs, run_wheelfs: RunWheelfs
) -> None:
    mount = mounted(index=dated_index.url, env={"WHEELFS_PAGE_TTL_S": "0"})
    project, gone = mount.path / "simple" / "demo", NAMES["1.0"]
    content = (project / gone).read_bytes()
    dated_index.remove(gone)
    eventually(lambda: f"{gone}</a><br><!-- not listed by its index -->" in (project / "index.html").read_text())
    for view in ("simple", "stored/simple", "index/main/simple", "asof/2026-01-31/simple"):
        assert gone in (mount.path / view / "demo" / "index.html").read_text(), view
        assert (mount.path / view / "demo" / gone).read_bytes() == content
    assert gone not in (mount.path / "asof/2026-01-29/simple/demo/index.html").read_text(), "its upload time is not forgotten"
    index = {"WHEELFS_INDEX": f"main={dated_index.url}"}
    assert "no longer by its index" in run_wheelfs("--store", str(mount.store), "show", gone, env=index).succeeded().stdout
    told = json.loads(run_wheelfs("--store", str(mount.store), "--json", "show", gone, env=index).succeeded().stdout)
    assert (told["listed"], told["state"]) == (False, "stored")
