"""Tracked projects: the flat directory lists their files before any is fetched, with exact sizes, and pip and uv install them."""

from __future__ import annotations

import json
import os
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from tests.fakes.commands import error_of, objects
from tests.fakes.faults import Fault, Status
from tests.fakes.index import FakeIndex
from tests.fakes.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.conftest import MountWheelfs, RunWheelfs
    from tests.fakes.clients import Clients
    from tests.fakes.processes import Finished

DIRECTORIES = {"simple", "index", "stored", "here", "asof"}
FOREIGN = "cp311-cp311-win_amd64"


@pytest.fixture
def track(run_wheelfs: RunWheelfs, fake_index: FakeIndex, store_dir: Path) -> Callable[..., Finished]:
    def track(*words: str, command: str = "track", **settings: Any) -> Finished:
        given = ["--index", f"main={fake_index.url}"] if command == "track" else []
        return run_wheelfs("--store", str(store_dir), command, *given, *words, **settings)

    return track


def files_in(place: Path) -> set[str]:
    return set(os.listdir(place)) - DIRECTORIES


def shows(place: Path, *names: str) -> bool:
    return files_in(place) == set(names)


def told(done: Finished) -> dict[str, dict[str, Any]]:
    return {line["tracked"]["project"]: line["tracked"] for line in objects(done)}


def test_what_is_tracked_is_listed_before_it_is_fetched_and_pip_and_uv_install_it(
    fake_index: FakeIndex, mounted: MountWheelfs, clients: Clients, track: Callable[..., Finished]
) -> None:
    name, content = fake_index.add_wheel("demo", "1.0", big_bytes=700_000, requires=["other"])
    other, _ = fake_index.add_wheel("other", "2.0")
    fake_index.add_wheel("demo", "1.0", tag=FOREIGN)
    mount = mounted(index=fake_index.url).path
    assert shows(mount)
    track("demo", "other").succeeded()
    eventually(partial(shows, mount, name, other))
    assert fake_index.body_bytes(".whl") == 0
    assert (mount / name).stat().st_size == len(content)
    assert (mount / name).stat().st_ino == (mount / "simple" / "demo" / name).stat().st_ino
    assert name in (mount / "index.html").read_text()
    assert shows(mount / "stored")
    uv = clients.uv()
    (uv.directory / "demo.in").write_text("demo")
    uv.run("pip", "compile", "--no-index", "--find-links", str(mount), "demo.in").succeeded()
    assert fake_index.body_bytes(name) < len(content) // 2
    uv.run("pip", "install", "--no-index", "--find-links", str(mount), "demo").succeeded()
    assert uv.installed() == {"demo": "1.0", "other": "2.0"}
    pip = clients.pip()
    pip.run("install", "--no-index", "--find-links", str(mount), "demo").succeeded()
    assert pip.installed() == {"demo": "1.0", "other": "2.0"}
    assert fake_index.body_bytes(name) <= len(content) * 1.2
    assert shows(mount / "stored", name, other)


@pytest.mark.parametrize("habits", [{"hashes": False}, {"content_length": False}])
def test_a_file_whose_size_nobody_tells_is_listed_when_it_was_found_out_without_its_bytes(
    mounted: MountWheelfs, run_wheelfs: RunWheelfs, store_dir: Path, habits: dict[str, Any]
) -> None:
    with FakeIndex(page_format="html", **habits) as index:
        files = dict(index.add_wheel("demo", f"1.{number}", big_bytes=200_000) for number in range(12))
        run_wheelfs("--store", str(store_dir), "track", "--index", f"main={index.url}", "demo").succeeded()
        mount = mounted(index=index.url)
        eventually(partial(shows, mount.path, *files))
        assert {name: (mount.path / name).stat().st_size for name in files} == {
            name: len(content) for name, content in files.items()
        }
        assert index.body_bytes(".whl") < 100_000
        mount.stop()
        index.stop()
        # Sizes are kept: no index is there that could tell them.
        mount = mounted(index=index.url, env={"WHEELFS_OFFLINE_SHOW": "all"})
        assert shows(mount.path, *files)


def test_a_range_and_every_platform_decide_what_is_listed(
    fake_index: FakeIndex, mounted: MountWheelfs, track: Callable[..., Finished]
) -> None:
    names = [fake_index.add_wheel("demo", version)[0] for version in ("1.0", "2.0", "2.1rc1", "3.0")]
    foreign, _ = fake_index.add_wheel("demo", "2.0", tag=FOREIGN)
    mount = mounted(index=fake_index.url).path
    report = told(track("--json", "demo>=2,<3").succeeded())["demo"]
    assert report["ranges"] == ["<3,>=2"]
    assert (report["result"], report["files"], report["listed"], report["origin"]) == ("tracked", 1, 1, "main")
    eventually(partial(shows, mount, names[1]))
    assert told(track("--json", "demo>=2,<3").succeeded())["demo"]["result"] == "unchanged"
    track("--every-platform", "--pre", "demo>=2,<3", "demo==1.0").succeeded()
    eventually(partial(shows, mount, *names[:3], foreign))
    track("demo", command="untrack").succeeded()
    eventually(partial(shows, mount))
    eventually(lambda: not (mount / names[0]).exists())


def test_new_files_of_a_tracked_project_appear_and_dropped_ones_go(
    fake_index: FakeIndex, mounted: MountWheelfs, track: Callable[..., Finished]
) -> None:
    first, _ = fake_index.add_wheel("demo", "1.0")
    mount = mounted(index=fake_index.url, env={"WHEELFS_PAGE_TTL_S": "1"}).path
    track("demo").succeeded()
    eventually(partial(shows, mount, first))
    second, content = fake_index.add_wheel("demo", "2.0")
    eventually(partial(shows, mount, first, second))
    assert (mount / second).read_bytes() == content
    fake_index.remove(first)
    eventually(partial(shows, mount, second))
    eventually(lambda: not (mount / first).exists())


def test_a_project_that_no_index_has_is_an_error_and_one_that_cannot_be_asked_for_is_tracked_all_the_same(
    fake_index: FakeIndex, mounted: MountWheelfs, track: Callable[..., Finished]
) -> None:
    name, _ = fake_index.add_wheel("demo", "1.0")
    done = track("--json", "demo", "nowhere")
    assert done.returncode == 1
    assert {project: one["result"] for project, one in told(done).items()} == {"demo": "tracked", "nowhere": "failed"}
    assert told(done)["nowhere"]["error_class"] == "OriginMissing"
    assert track("nowhere").returncode == 24
    fake_index.stop()
    later, _ = fake_index.add_wheel("later", "1.0")
    report = told(track("--json", "later").succeeded())["later"]
    assert (report["result"], report["error_class"], report["files"]) == ("tracked", "OriginUnreachable", None)
    mount = mounted(index=fake_index.url).path
    eventually(partial(shows, mount))  # an index that refuses a connection is asked twice more before it counts as away
    fake_index.start()
    eventually(partial(shows, mount, name, later))


def test_while_the_index_is_away_only_what_is_stored_is_listed_unless_all_is_wanted(
    fake_index: FakeIndex, mounted: MountWheelfs, track: Callable[..., Finished]
) -> None:
    stored, _ = fake_index.add_wheel("demo", "1.0")
    remote, _ = fake_index.add_wheel("demo", "2.0")
    track("demo").succeeded()
    mount = mounted(index=fake_index.url)
    eventually(partial(shows, mount.path, stored, remote))
    (mount.path / stored).read_bytes()
    eventually(partial(shows, mount.path / "stored", stored))
    mount.stop()
    offline = mounted("--offline", index=fake_index.url)
    assert shows(offline.path, stored)
    with pytest.raises(OSError, match="unreachable"):
        (offline.path / remote).read_bytes()
    offline.stop()
    assert shows(mounted("--offline", index=fake_index.url, env={"WHEELFS_OFFLINE_SHOW": "all"}).path, stored, remote)


def test_what_is_tracked_is_shown(
    fake_index: FakeIndex, mounted: MountWheelfs, track: Callable[..., Finished], store_dir: Path, run_wheelfs: RunWheelfs
) -> None:
    stored, _ = fake_index.add_wheel("demo", "1.0")
    remote, _ = fake_index.add_wheel("demo", "2.0")
    mount = mounted(index=fake_index.url).path
    (mount / "simple" / "demo" / stored).read_bytes()
    done = track("demo<3", "nowhere-yet", "--offline").succeeded()
    assert "tracked nowhere-yet" in done.stdout
    status = mount / ".wheelfs" / "status.json"
    eventually(lambda: json.loads(status.read_text())["tracked"] == {"projects": 2, "unsized": 0, "failing": 1})

    def command(*words: str) -> Finished:
        return run_wheelfs("--store", str(store_dir), *words, env={"WHEELFS_INDEX": f"main={fake_index.url}"}).succeeded()

    def states(*words: str) -> dict[str, str]:
        eventually(lambda: "stored" in command("ls").stdout)
        return {one["filename"]: one["state"] for one in objects(command("ls", "--json", *words))}

    assert states("--tracked") == {stored: "stored", remote: "remote"}
    assert states("--tracked", "nowhere*") == {}
    assert states() == {stored: "stored"}
    listed = told(command("track", "--json"))
    assert {name: (one["ranges"], one["files"]) for name, one in listed.items()} == {
        "demo": (["<3"], 2),
        "nowhere-yet": ([""], None),
    }
    assert "demo<3" in command("track").stdout
    assert objects(command("show", "--json", "demo"))[0]["tracked"] == ["<3"]
    assert "all versions" in command("show", "nowhere-yet").stdout
    assert "tracked 2 projects, 1 cannot be looked up" in command("status").stdout


def test_words_that_mean_nothing_are_refused_before_anything_is_tracked(
    track: Callable[..., Finished], fake_index: FakeIndex
) -> None:
    fake_index.add_wheel("demo", "1.0")
    assert error_of(track("--json", "demo", "no requirement!"))["class"] == "InvalidInput"
    assert track("--json", command="untrack").returncode == 2
    track("demo").succeeded()
    track("demo", command="untrack").succeeded()
    done = track("--json", "demo", command="untrack")
    assert told(done)["demo"]["error_class"] == "NotKnown"
    assert done.returncode == track("demo", command="untrack").returncode == 5
    assert told(track("--json", "demo", "./demo-1.0-py3-none-any.whl"))["./demo-1.0-py3-none-any.whl"]["result"] == "failed"


def test_requirements_files_are_tracked_with_their_markers_heeded(
    fake_index: FakeIndex, tmp_path: Path, track: Callable[..., Finished]
) -> None:
    for project in ("demo", "never"):
        fake_index.add_wheel(project, "1.0")
    (tmp_path / "req.txt").write_text("demo[extra] >= 0.5 ; python_version > '3'\nnever; python_version < '3'\n--pre\n")
    report = told(track("--json", "-r", str(tmp_path / "req.txt")).succeeded())
    assert {name: one["ranges"] for name, one in report.items()} == {"demo": [">=0.5"]}
    assert report["demo"]["prereleases"]


def test_a_file_that_cannot_be_asked_for_its_size_is_not_asked_for_it_again_and_again(
    fake_index: FakeIndex, mounted: MountWheelfs, track: Callable[..., Finished]
) -> None:
    fake_index.sizes = False
    good, _ = fake_index.add_wheel("demo", "1.0")
    bad, _ = fake_index.add_wheel("demo", "2.0")
    fake_index.faults.append(Fault(bad, Status(404), times=None))
    mount = mounted(index=fake_index.url, env={"WHEELFS_PAGE_TTL_S": "1"}).path
    track("demo").succeeded()
    eventually(partial(shows, mount, good))
    pages = len(fake_index.requests_for("/demo/"))
    eventually(lambda: len(fake_index.requests_for("/demo/")) > pages + 2)
    assert [request.method for request in fake_index.requests_for(bad)] == ["HEAD", "GET", "GET"], "a part, then the whole"
    assert shows(mount, good)
