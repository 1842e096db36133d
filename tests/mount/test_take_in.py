"""What other tools have fetched is taken in: pip's own cache, and folders of ``pip download``."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from tests.fakes.commands import error_of, objects
from tests.fakes.index import FakeIndex
from tests.fakes.processes import wheelfs_command, wheelfs_environment
from tests.fakes.wheels import build_sdist, build_wheel, wheel_filename

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.conftest import MountWheelfs, RunWheelfs
    from tests.fakes.clients import Clients
    from tests.fakes.processes import Finished


@pytest.fixture
def cache(fake_index: FakeIndex, clients: Clients) -> Path:
    """pip's cache after it has fetched two wheels."""
    fake_index.add_wheel("Big.Demo", "1.0", big_bytes=700_000, requires=["other"])
    fake_index.add_wheel("other", "2.0", tag="py2.py3-none-any")
    pip = clients.pip()
    # pip caches nothing that comes by plain HTTP from a host that it does not trust.
    trusting = ("--trusted-host", "127.0.0.1", "--index-url", fake_index.url)
    pip.run("download", "--no-deps", *trusting, "big-demo", "other").succeeded()
    directory = pip.directory / "home" / "cache" / "pip"
    assert (directory / "http-v2").is_dir()
    fake_index.reset_counters()
    return directory


BIG = wheel_filename("big-demo", "1.0")
OTHER = wheel_filename("other", "2.0", tag="py2.py3-none-any")


def results(done: Finished) -> dict[str, str]:
    return {line["file"]["filename"]: line["file"]["result"] for line in objects(done)}


def listed(command: Callable[..., Finished]) -> dict[str, dict[str, Any]]:
    return {line["filename"]: line for line in objects(command("ls", "--json").succeeded())}


def test_pips_cache_is_taken_in_under_the_index_that_lists_it(
    cache: Path, command: Callable[..., Finished], fake_index: FakeIndex, mounted: MountWheelfs, clients: Clients
) -> None:
    done = command("add", "--json", "--pip-cache", str(cache)).succeeded()
    assert results(done) == {BIG: "added", OTHER: "added"}
    assert fake_index.requests_for(".whl") == []
    assert {(file["origin"], file["private"]) for file in listed(command).values()} == {("main", False)}
    fake_index.stop()
    assert results(command("add", "--json", "--pip-cache", str(cache)).succeeded()) == {BIG: "present", OTHER: "present"}
    mount = mounted("--offline", index=fake_index.url)
    uv = clients.uv()
    uv.run("pip", "install", "--default-index", f"file://{mount.path}/simple", "big-demo").succeeded()
    assert uv.installed() == {"big-demo": "1.0", "other": "2.0"}


def test_where_pip_has_its_cache_is_known(cache: Path, command: Callable[..., Finished]) -> None:
    assert results(command("add", "--json", "--pip-cache", PIP_CACHE_DIR=str(cache)).succeeded()) == {
        BIG: "added",
        OTHER: "added",
    }
    assert set(results(command("add", "--json", "--pip-cache", XDG_CACHE_HOME=str(cache.parent)).succeeded())) == {BIG, OTHER}
    assert error_of(command("add", "--json", "--pip-cache", str(cache.parent)))["class"] == "InvalidInput"


def test_what_no_index_lists_is_refused_unless_it_shall_be_private(
    cache: Path, command: Callable[..., Finished], fake_index: FakeIndex
) -> None:
    fake_index.remove(OTHER)
    done = command("add", "--json", "--pip-cache", str(cache))
    assert done.returncode == 1
    [refused] = [line["file"] for line in objects(done) if line["file"]["result"] == "refused"]
    assert refused["filename"] == OTHER
    assert refused["reason"].startswith("not listed by any configured index")
    assert set(listed(command)) == {BIG}
    assert results(command("add", "--json", "--private", "--pip-cache", str(cache)).succeeded())[OTHER] == "added"
    assert (listed(command)[OTHER]["origin"], listed(command)[OTHER]["private"]) == ("local", True)
    assert listed(command)[BIG]["private"] is False


def test_while_the_index_is_away_nothing_unknown_is_taken(
    cache: Path, command: Callable[..., Finished], fake_index: FakeIndex
) -> None:
    fake_index.stop()
    done = command("add", "--json", "--pip-cache", str(cache))
    assert done.returncode == 21
    assert set(results(done).values()) == {"refused"}
    fake_index.start()
    assert set(results(command("add", "--json", "--pip-cache", str(cache)).succeeded()).values()) == {"added"}


def test_other_content_under_a_listed_name_is_not_taken_for_the_index_own(
    cache: Path, command: Callable[..., Finished], fake_index: FakeIndex
) -> None:
    fake_index.add(BIG, build_wheel("Big.Demo", "1.0", big_bytes=700_001))
    assert results(command("add", "--json", "--pip-cache", str(cache)))[BIG] == "refused"


def test_a_wheel_goes_by_the_name_that_its_index_gives_it(
    cache: Path, command: Callable[..., Finished], fake_index: FakeIndex
) -> None:
    spelled = "Big.Demo-1.0-py3-none-any.whl"
    fake_index.remove(BIG)
    fake_index.add(spelled, build_wheel("Big.Demo", "1.0", big_bytes=700_000, requires=["other"]), project="big-demo")
    assert results(command("add", "--json", "--pip-cache", str(cache)).succeeded()) == {spelled: "added", OTHER: "added"}


def test_pages_and_broken_bodies_are_left_out_and_counted(cache: Path, command: Callable[..., Finished]) -> None:
    bodies = sorted(cache.glob("http-v2/?/?/?/?/?/*.body"))
    for number, content in enumerate((b"", b"<html>", build_wheel("cut", "1.0")[:-40], build_sdist("source", "1.0"))):
        (bodies[0].parent / f"{number}.body").write_bytes(content)
    done = command("add", "--pip-cache", str(cache)).succeeded()
    assert sorted(done.stdout.split()) == sorted(["added", BIG, "added", OTHER])
    others = 4 + len(bodies) - 2
    assert f"{others} files in pip's cache are not wheels" in done.stderr


def test_a_killed_run_is_taken_up_again(
    cache: Path, command: Callable[..., Finished], fake_index: FakeIndex, store_dir: Path, tmp_path: Path
) -> None:
    process = subprocess.Popen(
        wheelfs_command("--store", str(store_dir), "add", "--json", "--pip-cache", str(cache)),
        env={**wheelfs_environment(tmp_path / "home"), "WHEELFS_INDEX": f"main={fake_index.url}", "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    first = json.loads(process.stdout.readline())["file"]["filename"]
    process.kill()
    process.stdout.close()
    process.wait(30)
    assert first in listed(command)
    found = results(command("add", "--json", "--pip-cache", str(cache)).succeeded())
    assert found[first] == "present"
    assert set(found) == set(listed(command)) == {BIG, OTHER}
    assert json.loads(command("verify", "--json").succeeded().stdout)["ok"]


def test_a_folder_of_downloads_is_filed_under_the_index_that_is_known_to_list_it(
    command: Callable[..., Finished], fake_index: FakeIndex, tmp_path: Path
) -> None:
    name, content = fake_index.add_wheel("demo", "1.0", big_bytes=300_000)
    mine = wheel_filename("demo", "1.0", tag="py3-none-linux_x86_64")
    folder = tmp_path / "downloads"
    folder.mkdir()
    (folder / name).write_bytes(content)
    command("fetch", "--dry-run", "demo").succeeded()  # now its page is known
    fake_index.stop()
    assert results(command("add", "--json", str(folder)).succeeded()) == {name: "added"}
    (folder / mine).write_bytes(build_wheel("demo", "1.0", tag="py3-none-linux_x86_64"))
    assert results(command("add", "--json", str(folder)).succeeded()) == {name: "present", mine: "added"}
    files = listed(command)
    assert (files[name]["origin"], files[name]["private"]) == ("main", False)
    assert (files[mine]["origin"], files[mine]["private"]) == ("local", True)


def test_without_a_known_page_a_folder_is_private(
    command: Callable[..., Finished], fake_index: FakeIndex, tmp_path: Path
) -> None:
    name, content = fake_index.add_wheel("demo", "1.0")
    (tmp_path / name).write_bytes(content)
    command("add", str(tmp_path / name)).succeeded()
    assert listed(command)[name]["private"] is True
    assert fake_index.requests == []


def test_a_lower_index_recognises_nothing_that_a_higher_one_has(
    fake_index: FakeIndex, run_wheelfs: RunWheelfs, store_dir: Path, tmp_path: Path
) -> None:
    with FakeIndex() as lower:
        fake_index.add_wheel("shared", "2.0")
        name, content = lower.add_wheel("shared", "1.0")
        (tmp_path / "http-v2/a/b/c/d/e").mkdir(parents=True)
        (tmp_path / "http-v2/a/b/c/d/e/f.body").write_bytes(content)
        environment = {"WHEELFS_INDEX": f"main={fake_index.url} lower={lower.url}"}
        done = run_wheelfs("--store", str(store_dir), "add", "--json", "--pip-cache", str(tmp_path), env=environment)
        assert results(done) == {name: "refused"}
        assert lower.requests == []


@pytest.mark.parametrize("words", [("--private", "x.whl"), ("--index", "lab", "--pip-cache", "/nowhere"), ()])
def test_options_that_do_not_go_together_are_usage_errors(command: Callable[..., Finished], words: tuple[str, ...]) -> None:
    assert command("add", *words).returncode == 2
