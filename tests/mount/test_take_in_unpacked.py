"""What is unpacked is taken in as the file that its index lists, or repacked where no index has it, or refused by name."""

from __future__ import annotations

import os
import zipfile
from typing import TYPE_CHECKING, Any

import pytest

from tests.fakes.commands import error_of, objects
from tests.fakes.many_kinds import many_kinds
from tests.fakes.unpacked import UvCache, installed, snapshot
from tests.fakes.wheels import build_wheel, wheel_filename

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.conftest import MountWheelfs
    from tests.fakes.index import FakeIndex
    from tests.fakes.processes import Finished

NAME = wheel_filename("own", "1.0")
OWN = build_wheel("own", "1.0", files={"own/__init__.py": b"X = 1\n" * 100, "own/data.txt": b"kept"})


@pytest.fixture
def cache(tmp_path: Path) -> UvCache:
    return UvCache(tmp_path / "uv")


def files(done: Finished) -> dict[str, dict[str, Any]]:
    return {line["file"]["filename"]: line["file"] for line in objects(done)}


def refusal(done: Finished) -> str:
    [file] = files(done).values()
    assert file["result"] == "refused"
    return str(file["reason"])


def test_what_no_index_has_and_was_named_by_a_path_is_repacked_and_marked(
    command: Callable[..., Finished], cache: UvCache, mounted: MountWheelfs
) -> None:
    cache.add(OWN, "own")
    before = snapshot(cache.path)
    [file] = files(command("add", "--json", "--uv-cache", str(cache.path)).succeeded()).values()
    assert (file["result"], file["repacked"], file["fetched_bytes"]) == ("added", True, 0)
    assert snapshot(cache.path) == before
    shown = objects(command("show", "--json", NAME).succeeded())[0]
    assert (shown["origin"], shown["private"], shown["repacked"]) == ("local", True, True)
    assert "made of unpacked files" in command("show", NAME).succeeded().stdout
    mount = mounted("--no-index")
    assert os.getxattr(mount.path / NAME, "user.wheelfs.repacked") == b"1"
    assert "repacked: made here" in (mount.path / "simple" / "own" / "index.html").read_text()
    with zipfile.ZipFile(mount.path / NAME) as wheel:
        assert wheel.comment == b"repacked by wheelfs from unpacked files"
        assert wheel.testzip() is None
    assert files(command("add", "--json", "--uv-cache", str(cache.path)).succeeded())[NAME]["result"] == "present"


def test_a_wheel_that_was_added_itself_is_not_marked(command: Callable[..., Finished], tmp_path: Path, cache: UvCache) -> None:
    (tmp_path / NAME).write_bytes(OWN)
    command("add", str(tmp_path / NAME)).succeeded()
    assert objects(command("show", "--json", NAME).succeeded())[0]["repacked"] is False
    cache.add(OWN, "own")
    assert files(command("add", "--json", "--uv-cache", str(cache.path)).succeeded())[NAME]["result"] == "present"


@pytest.mark.parametrize("linked", [False, True])
def test_what_came_from_an_index_that_is_not_configured_is_private_only_if_that_is_asked_for(
    command: Callable[..., Finished], cache: UvCache, linked: bool
) -> None:
    cache.add(OWN, "own", bucket="pypi", linked=linked)
    assert "--private makes a wheel of it" in refusal(command("add", "--json", "--uv-cache", str(cache.path)))
    assert files(command("add", "--json", "--private", "--uv-cache", str(cache.path)).succeeded())[NAME]["repacked"] is True


def test_links_of_earlier_versions_tell_what_was_named_by_a_path(command: Callable[..., Finished], cache: UvCache) -> None:
    cache.add(OWN, "own", linked=True)
    assert files(command("add", "--json", "--uv-cache", str(cache.path)).succeeded())[NAME]["result"] == "added"


def test_a_project_of_an_index_is_not_taken_from_it(
    command: Callable[..., Finished], cache: UvCache, fake_index: FakeIndex
) -> None:
    fake_index.add_wheel("own", "2.0")
    cache.add(OWN, "own")
    assert "main has the project and does not list own-1.0" in refusal(command("add", "--json", "--uv-cache", str(cache.path)))


def test_while_the_index_is_away_no_name_is_taken(
    command: Callable[..., Finished], cache: UvCache, fake_index: FakeIndex
) -> None:
    cache.add(OWN, "own")
    fake_index.stop()
    done = command("add", "--json", "--uv-cache", str(cache.path))
    assert "cannot be found out which index lists" in refusal(done)
    assert done.returncode == 21
    assert files(command("add", "--json", "--private", "--uv-cache", str(cache.path)).succeeded())[NAME]["repacked"] is True


def test_a_dry_run_stores_nothing(command: Callable[..., Finished], cache: UvCache) -> None:
    cache.add(OWN, "own")
    done = command("add", "--json", "--dry-run", "--uv-cache", str(cache.path)).succeeded()
    assert files(done)[NAME]["result"] == "would-add"
    assert "1 wheel of unpacked files, 0 B would be fetched" in done.stderr
    assert objects(command("ls", "--json").succeeded()) == []


def edit(root: Path) -> None:
    (root / "own" / "__init__.py").write_bytes(b"X = 2\n" * 100)


def lose(root: Path) -> None:
    (root / "own" / "data.txt").unlink()


def forget(root: Path) -> None:
    (root / "own-1.0.dist-info" / "RECORD").unlink()


def block(root: Path) -> None:
    (root / "own" / "data.txt").unlink()
    os.mkfifo(root / "own" / "data.txt")


def fold(root: Path) -> None:
    """Leave what a file system that ignores case makes of two names."""
    record = root / "own-1.0.dist-info" / "RECORD"
    row = next(line for line in record.read_text().splitlines() if line.startswith("own/data.txt"))
    record.write_text(f"{row.replace('data.txt', 'DATA.txt')}\n{record.read_text()}")


def halve(root: Path) -> None:
    for path in (root / "own-1.0.dist-info").iterdir():
        path.unlink()
    (root / "own-1.0.dist-info").rmdir()


def mark_editable(root: Path) -> None:
    (root / "own-1.0.dist-info" / "direct_url.json").write_text('{"url": "file:///src", "dir_info": {"editable": true}}')


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (edit, "own/__init__.py is not what its RECORD says"),
        (lose, "own/data.txt is gone"),
        (forget, "it has no RECORD"),
        (block, "not a regular file"),
        (fold, "own/DATA.txt is gone"),
        (halve, "it has no .dist-info"),
        (mark_editable, "editable"),
    ],
)
def test_what_is_not_whole_is_refused_by_name(
    command: Callable[..., Finished], cache: UvCache, damage: Callable[[Path], None], reason: str
) -> None:
    damage(cache.add(OWN, "own"))
    assert reason in refusal(command("add", "--json", "--uv-cache", str(cache.path)))
    assert objects(command("ls", "--json").succeeded()) == []


def test_one_that_is_refused_does_not_keep_the_others_out(command: Callable[..., Finished], cache: UvCache) -> None:
    edit(cache.add(OWN, "own"))
    cache.add(build_wheel("other", "1.0"), "other")
    done = command("add", "--json", "--uv-cache", str(cache.path))
    assert done.returncode == 1
    assert {name: file["result"] for name, file in files(done).items()} == {
        "own-1.0.dist-info": "refused",
        wheel_filename("other", "1.0"): "added",
    }


def test_of_two_builds_of_one_version_the_newer_is_taken_and_the_other_refused_by_name(
    command: Callable[..., Finished], cache: UvCache, mounted: MountWheelfs
) -> None:
    roots = [cache.add(build_wheel("own", "1.0", files={"own/built.py": text}), "own") for text in (b"old", b"older", b"new")]
    for root, made_s in zip(roots, (2_000, 1_000, 3_000), strict=True):
        os.utime(root, (made_s, made_s))
    done = command("add", "--json", "--private", "--uv-cache", str(cache.path))
    told = [line["file"] for line in objects(done)]
    assert (done.returncode, [file["result"] for file in told]) == (1, ["added", "refused", "refused"])
    for file, root in zip(told[1:], roots, strict=False):
        assert f"{root}/own-1.0.dist-info: a file of this name is stored with other content" in file["reason"]
    with zipfile.ZipFile(mounted("--no-index").path / NAME) as wheel:
        assert wheel.read("own/built.py") == b"new"


@pytest.mark.parametrize(
    ("name", "reason"), [("archive-v1", "archive-v1, which this wheelfs does not know"), ("other", "no directory archive-v0")]
)
def test_a_cache_of_another_layout_is_refused(command: Callable[..., Finished], tmp_path: Path, name: str, reason: str) -> None:
    (tmp_path / "cache" / name).mkdir(parents=True)
    assert reason in error_of(command("add", "--json", "--uv-cache", str(tmp_path / "cache")))["message"]


def test_where_uv_has_its_cache_is_known(command: Callable[..., Finished], cache: UvCache) -> None:
    cache.add(OWN, "own")
    assert set(files(command("add", "--json", "--uv-cache", UV_CACHE_DIR=str(cache.path)))) == {NAME}
    assert set(files(command("add", "--json", "--uv-cache", XDG_CACHE_HOME=str(cache.path.parent)))) == {NAME}


def test_an_environment_gives_back_what_was_installed_into_it(
    command: Callable[..., Finished], tmp_path: Path, mounted: MountWheelfs
) -> None:
    prefix = tmp_path / "env"
    site = installed(many_kinds(), wheel_filename("many-kinds", "1.0"), "many-kinds", prefix)
    (site / "many_kinds-1.0.dist-info" / "direct_url.json").write_text('{"url": "file:///x.whl", "archive_info": {}}')
    (site / "many_kinds" / "not_recorded.py").write_bytes(b"")
    before = snapshot(prefix)
    [file] = files(command("add", "--json", "--venv", str(prefix)).succeeded()).values()
    assert file["result"] == "added"
    assert snapshot(prefix) == before
    with zipfile.ZipFile(mounted("--no-index").path / file["filename"]) as wheel:
        names = set(wheel.namelist())
        assert wheel.read("many_kinds-1.0.data/scripts/in-python").startswith(b"#!python\n")
    assert {"many_kinds-1.0.data/headers/many.h", "many_kinds-1.0.data/data/share/many/read me.txt"} <= names
    assert not {name for name in names if "not_recorded" in name or "INSTALLER" in name or "direct_url" in name}


def test_of_condas_environments_only_what_others_installed_is_taken(command: Callable[..., Finished], tmp_path: Path) -> None:
    prefix = tmp_path / "conda"
    installed(OWN, NAME, "own", prefix)
    site = installed(build_wheel("cpkg", "1.0"), wheel_filename("cpkg", "1.0"), "cpkg", prefix)
    (prefix / "conda-meta").mkdir()
    owned = f"{site.relative_to(prefix)}/cpkg-1.0.dist-info/METADATA"
    (prefix / "conda-meta" / "cpkg-1.0-py_0.json").write_text(f'{{"files": ["{owned}"]}}')
    (prefix / "conda-meta" / "broken.json").write_text("{")
    assert set(files(command("add", "--json", "--private", "--conda", str(prefix)).succeeded())) == {NAME}
    both = files(command("add", "--json", "--private", "--venv", str(prefix)).succeeded())
    assert set(both) == {NAME, wheel_filename("cpkg", "1.0")}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--venv", "nowhere"), "no lib/python3.*/site-packages"),
        (("--dry-run",), "nothing is named"),
        (("--dry-run", "x.whl"), "--dry-run goes with"),
        (("--index", "main", "--venv", "."), "--index does not go with --venv"),
        (("--private", "x.whl"), "--private goes with"),
    ],
)
def test_what_does_not_go_together_is_said(command: Callable[..., Finished], words: tuple[str, ...], said: str) -> None:
    assert said in error_of(command("add", "--json", *words))["message"]
