"""``first-seen``: of an index that gives no upload times, pip and uv get through a mount what this store had seen by then."""

from __future__ import annotations

import json
import os
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from tests.fakes.wheels import wheel_filename
from wheelfs.store.catalog.records import PageRecord
from wheelfs.store.store import Store

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import MountWheelfs, RunWheelfs
    from tests.fakes.clients import Clients
    from tests.fakes.index import FakeIndex

DAY_S = 86_400
OLD, NEW = wheel_filename("demo", "1.0"), wheel_filename("demo", "2.0")


def day(offset: int) -> str:
    return (datetime.now(UTC) + timedelta(days=offset)).strftime("%Y-%m-%d")


def installed(clients: Clients, index: str, program: str) -> str | None:
    """Return the version that a program installs from the mount, or None when it finds none."""
    client = clients.uv() if program == "uv" else clients.pip()
    words = ("pip", "install", "--default-index") if program == "uv" else ("install", "--index-url")
    done = client.run(*words, index, "demo")
    assert (done.returncode == 0) == ("demo" in client.installed()), done.stderr
    return client.installed().get("demo")


@pytest.fixture
def seen_before(fake_index: FakeIndex, mounted: MountWheelfs, store_dir: Path) -> FakeIndex:
    """An index without upload times whose page was read eight days ago, when it had one version; by now it has two."""
    fake_index.upload_times = False
    fake_index.add_wheel("demo", "1.0")
    mount = mounted(index=fake_index.url)
    (mount.path / "simple/demo/index.html").read_text()
    mount.stop()
    with Store.open(store_dir) as store:
        head, page = store.catalog.page_head("main", "demo"), store.catalog.page("main", "demo")
        assert head is not None
        store.catalog.forget_page("main", "demo").result()
        then_us = round((time.time() - 8 * DAY_S) * 1e6)
        record = PageRecord(index_url=head.index_url, fetched_at_us=then_us, page=page)
        store.catalog.put_page("main", "demo", record).result()
    fake_index.add_wheel("demo", "2.0")
    return fake_index


def test_times_of_first_sight_stand_for_upload_times_that_are_not_given(
    seen_before: FakeIndex, mounted: MountWheelfs, clients: Clients
) -> None:
    mount = mounted(index=seen_before.url, env={"WHEELFS_FIRST_SEEN": "true"}).path
    for time_, version in ((day(-9), None), (day(-1), "1.0"), (day(1), "2.0")):
        for program in ("uv", "pip"):
            assert installed(clients, (mount / "asof" / time_ / "simple").as_uri(), program) == version, (time_, program)
    page = (mount / "asof" / day(-1) / "simple/demo/index.html").read_text()
    assert "<!-- hidden here: 1 file first seen here at or after" in page
    assert "data-upload-time" not in page, "what was not given is not passed on as if it were"


def test_min_age_goes_by_first_sight_on_the_users_word_alone(
    seen_before: FakeIndex, mounted: MountWheelfs, clients: Clients, run_wheelfs: RunWheelfs, store_dir: Path
) -> None:
    index = json.dumps([{"name": "main", "url": seen_before.url, "first-seen": True}])
    mount = mounted("--min-age", "7d", env={"WHEELFS_INDEX": index})
    assert [installed(clients, (mount.path / "simple").as_uri(), program) for program in ("uv", "pip")] == ["1.0", "1.0"]
    old = mount.path / "simple/demo" / OLD
    seen = os.getxattr(old, "user.wheelfs.first_seen").decode()
    assert seen.startswith(day(-8))
    assert "user.wheelfs.upload_time" not in os.listxattr(old)
    shown = run_wheelfs("--store", str(store_dir), "show", OLD, env={"WHEELFS_INDEX": index}).succeeded().stdout
    assert f"first seen {seen}" in " ".join(shown.split())
    assert "uploaded" not in shown
    hidden = run_wheelfs(
        "--json", "--store", str(store_dir), "show", NEW, env={"WHEELFS_INDEX": index, "WHEELFS_MIN_AGE": "7d"}
    ).succeeded()
    assert json.loads(hidden.stdout)["hidden"] == "first seen here less than min-age ago"
    mount.stop()

    unasked = mounted("--min-age", "7d", index=seen_before.url).path
    assert [installed(clients, (unasked / "simple").as_uri(), program) for program in ("uv", "pip")] == [None, None]
    assert "2 files without an upload time" in (unasked / "simple/demo/index.html").read_text()
