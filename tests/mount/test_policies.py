"""What a user's policy hides: everywhere where it is too young, and in flat directories what they are not to list."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from tests.fakes.waiting import eventually
from tests.fakes.wheels import build_wheel, wheel_filename

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import MountWheelfs, RunWheelfs
    from tests.fakes.index import FakeIndex


def host(index: FakeIndex, version: str, *, age_days: float | None, tag: str = "py3-none-any", yanked: bool = False) -> str:
    name = wheel_filename("demo", version, tag=tag)
    uploaded = None if age_days is None else (datetime.now(UTC) - timedelta(days=age_days)).isoformat()
    index.add(name, build_wheel("demo", version, tag=tag), upload_time=uploaded, yanked=yanked)
    return name


def wheels(directory: Path) -> set[str]:
    return {name for name in os.listdir(directory) if name.endswith(".whl")}


def test_what_is_too_young_is_nowhere_and_says_so(
    fake_index: FakeIndex, mounted: MountWheelfs, run_wheelfs: RunWheelfs, store_dir: Path, tmp_path: Path
) -> None:
    old, young, undated = (
        host(fake_index, "1.0", age_days=8),
        host(fake_index, "2.0", age_days=6),
        host(fake_index, "3.0", age_days=None),
    )
    ours = tmp_path / wheel_filename("ours", "1.0")
    ours.write_bytes(build_wheel("ours", "1.0"))
    run_wheelfs("--store", str(store_dir), "add", str(ours)).succeeded()
    before = mounted(index=fake_index.url)
    for name in (old, young, undated):
        (before.path / "simple" / "demo" / name).read_bytes()
    eventually(lambda: wheels(before.path) == {old, young, undated, ours.name})
    before.stop()

    mount = mounted("--min-age", "7d", index=fake_index.url).path
    assert wheels(mount) == wheels(mount / "stored") == {old, ours.name}
    for view in ("simple", "here/simple", "stored/simple", "index/main/simple", "asof/2099-01-01/simple"):
        page = (mount / view / "demo" / "index.html").read_text()
        assert (old in page, young in page, undated in page) == (True, False, False), view
        assert "so younger than min-age -->" in page
        assert "<!-- hidden here: 1 file without an upload time -->" in page
        assert not (mount / view / "demo" / young).exists()
    assert not (mount / young).exists()
    assert (mount / "simple" / "ours" / ours.name).read_bytes() == ours.read_bytes()
    assert "hidden here: 1 file uploaded at or after" in (mount / "index.html").read_text()


def test_fetch_takes_nothing_that_is_too_young_and_show_says_what_is_hidden(
    fake_index: FakeIndex, run_wheelfs: RunWheelfs, store_dir: Path
) -> None:
    old, young = host(fake_index, "1.0", age_days=8), host(fake_index, "2.0", age_days=6)
    given = ["--store", str(store_dir), "--json"]
    index = f"main={fake_index.url}"
    fetched = run_wheelfs(*given, "fetch", "demo", "--min-age", "7d", "--index", index).succeeded()
    assert json.loads(fetched.stdout.splitlines()[0])["file"]["filename"] == old
    refused = run_wheelfs(*given, "fetch", "demo==2.0", "--min-age", "7d", "--index", index)
    assert refused.returncode != 0
    assert "so younger than min-age" in refused.stdout + refused.stderr
    shown = run_wheelfs(*given, "show", young, env={"WHEELFS_MIN_AGE": "7d", "WHEELFS_INDEX": index}).succeeded()
    assert json.loads(shown.stdout)["hidden"] == "younger than min-age"


def test_flat_directories_list_what_their_policy_lets_through(fake_index: FakeIndex, mounted: MountWheelfs) -> None:
    shown = {host(fake_index, "1.0", age_days=9), host(fake_index, "1.0", age_days=9, tag="cp311-abi3-manylinux_2_17_x86_64")}
    hidden = {
        host(fake_index, "1.0", age_days=9, tag="cp311-cp311-win_amd64"),
        host(fake_index, "1.0", age_days=9, tag="cp310-cp310-manylinux_2_17_x86_64"),
        host(fake_index, "2.0rc1", age_days=9),
        host(fake_index, "1.1", age_days=9, yanked=True),
    }
    before = mounted(index=fake_index.url)
    for name in shown | hidden:
        (before.path / "simple" / "demo" / name).read_bytes()
    eventually(lambda: wheels(before.path) == shown | hidden)
    before.stop()

    flat = {"PLATFORMS": "manylinux_2_28_x86_64", "PYTHONS": "3.11", "PRE_RELEASES": "hide", "YANKED": "hide"}
    mount = mounted(index=fake_index.url, env={f"WHEELFS_FLAT_{name}": value for name, value in flat.items()}).path
    for place in (mount, mount / "stored", mount / "asof" / "2099-01-01"):
        assert wheels(place) == shown
        assert not any((place / name).exists() for name in hidden)
    page = (mount / "index.html").read_text()
    assert page.count("<a ") == len(shown)
    assert page.count("<!-- hidden here: 1 file ") == len(hidden)
    # Pages of projects list everything, with what a client needs for choosing.
    assert (mount / "simple" / "demo" / "index.html").read_text().count("<a ") == len(shown | hidden)
