"""Indexes that are away: what is stored stays, the rest fails fast and clearly, and comes back by itself."""

from __future__ import annotations

import errno
import json
import os
from typing import TYPE_CHECKING

import pytest

from tests.fakes.faults import Fault, GarbagePage, Status
from tests.fakes.index import FIRST_CONTACT, FakeIndex
from tests.fakes.waiting import eventually

if TYPE_CHECKING:
    from tests.conftest import MountWheelfs


def page_of(mounted_path: object, project: str) -> str:
    from pathlib import Path

    return (Path(str(mounted_path)) / "simple" / project / "index.html").read_text()


def test_an_unreachable_index_is_an_error_at_open_and_never_enoent(fake_index: FakeIndex, mounted: MountWheelfs) -> None:
    fake_index.add_wheel("numbers", "1.0")
    mount = mounted(index=fake_index.url)
    fake_index.stop()
    page = mount.path / "simple" / "numbers" / "index.html"
    assert page.exists(), "to pip a look-up that fails is a quiet 404"
    with pytest.raises(OSError, match="Network is unreachable") as caught:
        page.read_text()
    assert caught.value.errno == errno.ENETUNREACH
    assert "main" in mount.log
    assert "refused" in mount.log.lower()


@pytest.mark.parametrize(
    ("code", "expected"),
    [(401, errno.EACCES), (403, errno.EACCES), (500, errno.EREMOTEIO), (404, errno.ENOENT), (410, errno.ENOENT)],
)
def test_what_the_index_answers_decides_the_errno(fake_index: FakeIndex, mounted: MountWheelfs, code: int, expected: int) -> None:
    fake_index.add_wheel("numbers", "1.0")
    fake_index.faults.append(Fault("/simple/numbers/", Status(code), times=None))
    with pytest.raises(OSError, match="Errno") as caught:
        page_of(mounted(index=fake_index.url).path, "numbers")
    assert caught.value.errno == expected


@pytest.mark.parametrize(
    ("code", "expected"), [(401, errno.EACCES), (403, errno.EACCES), (500, errno.EREMOTEIO), (404, errno.ENOENT)]
)
def test_a_file_that_its_index_refuses_fails_at_open(
    fake_index: FakeIndex, mounted: MountWheelfs, code: int, expected: int
) -> None:
    name, _ = fake_index.add_wheel("numbers", "1.0", big_bytes=1_000_000)
    fake_index.faults.append(Fault(name, Status(code), times=None))
    path = mounted(index=fake_index.url).path / "simple" / "numbers" / name
    with pytest.raises(OSError, match="Errno") as caught:
        path.open("rb")
    assert caught.value.errno == expected


def test_a_page_that_is_no_simple_page_is_the_origins_fault(fake_index: FakeIndex, mounted: MountWheelfs) -> None:
    fake_index.add_wheel("numbers", "1.0")
    fake_index.faults.append(Fault("/simple/numbers/", GarbagePage(), times=None))
    with pytest.raises(OSError, match="Remote I/O error"):
        page_of(mounted(index=fake_index.url).path, "numbers")


def test_offline_lists_and_serves_what_is_stored_with_no_request_at_all(fake_index: FakeIndex, mounted: MountWheelfs) -> None:
    name, content = fake_index.add_wheel("numbers", "1.0")
    fake_index.add_wheel("numbers", "2.0")
    first = mounted(index=fake_index.url)
    (first.path / "simple" / "numbers" / name).read_bytes()
    first.stop()
    fake_index.reset_counters()
    mount = mounted("--offline", index=fake_index.url).path
    page = page_of(mount, "numbers")
    assert name in page
    assert "numbers-2.0" not in page
    assert (mount / "simple" / "numbers" / name).read_bytes() == content
    assert (mount / name).read_bytes() == content
    with pytest.raises(OSError, match="Network is unreachable"):
        page_of(mount, "never-asked")
    assert json.loads((mount / ".wheelfs" / "status.json").read_text())["offline"] is True
    assert fake_index.requests == []


def test_a_file_asked_for_by_name_fails_clearly_while_its_index_is_away(fake_index: FakeIndex, mounted: MountWheelfs) -> None:
    name, _ = fake_index.add_wheel("numbers", "1.0", big_bytes=1_000_000)
    mount = mounted(index=fake_index.url).path
    page_of(mount, "numbers")
    fake_index.stop()
    for _ in range(2):
        with pytest.raises(OSError, match="Network is unreachable"):
            (mount / "simple" / "numbers" / name).open("rb")


def test_offline_can_list_everything_and_fails_loudly_at_open(fake_index: FakeIndex, mounted: MountWheelfs) -> None:
    fake_index.add_wheel("numbers", "1.0", big_bytes=1_000_000)
    first = mounted(index=fake_index.url)
    page_of(first.path, "numbers")
    first.stop()
    mount = mounted("--offline", index=fake_index.url, env={"WHEELFS_OFFLINE_SHOW": "all"}).path
    assert "numbers-1.0" in page_of(mount, "numbers")
    with pytest.raises(OSError, match="Network is unreachable"):
        (mount / "simple" / "numbers" / "numbers-1.0-py3-none-any.whl").open("rb")


def test_a_known_page_is_served_stale_while_its_index_is_away_and_renewed_when_it_is_back(
    fake_index: FakeIndex, mounted: MountWheelfs
) -> None:
    name, _ = fake_index.add_wheel("numbers", "1.0")
    mount = mounted(index=fake_index.url, env={"WHEELFS_PAGE_TTL_S": "0", "WHEELFS_OFFLINE_SHOW": "all"}).path
    assert name in page_of(mount, "numbers")
    fake_index.stop()
    assert name in page_of(mount, "numbers")
    eventually(lambda: _origin(mount)["state"] == "down")
    fake_index.add_wheel("numbers", "2.0")
    fake_index.start()
    eventually(lambda: "numbers-2.0" in page_of(mount, "numbers"))
    assert _origin(mount)["state"] == "up"


def _origin(mount: object) -> dict[str, str]:
    from pathlib import Path

    origin: dict[str, str] = json.loads((Path(str(mount)) / ".wheelfs" / "status.json").read_text())["origins"][0]
    return origin


def test_a_hanging_index_costs_one_bounded_wait_and_then_fails_at_once(fake_index: FakeIndex, mounted: MountWheelfs) -> None:
    for number in range(30):
        fake_index.add_wheel(f"numbers{number}", "1.0")
    mount = mounted(index=fake_index.url, env={"WHEELFS_LOOKUP_TIMEOUT_S": "1"}).path
    fake_index.hang()
    with pytest.raises(OSError, match="timed out"):
        page_of(mount, "numbers0")
    for number in range(1, 30):
        with pytest.raises(OSError, match="unreachable"):
            page_of(mount, f"numbers{number}")
    fake_index.unhang()
    eventually(lambda: _reads(mount, "numbers1"))


def _reads(mount: object, project: str) -> bool:
    try:
        return "1.0" in page_of(mount, project)
    except OSError:
        return False


def test_silence_of_a_higher_index_never_lets_a_lower_one_in(fake_index: FakeIndex, mounted: MountWheelfs) -> None:
    with FakeIndex() as lower:
        fake_index.add_wheel("private", "1.0")
        lower.add_wheel("private", "9.0")
        fake_index.stop()
        mount = mounted("--index", f"lab={fake_index.url}", "--index", f"public={lower.url}").path
        with pytest.raises(OSError, match="unreachable") as caught:
            page_of(mount, "private")
        assert caught.value.errno != errno.ENOENT
        assert {request.path for request in lower.requests} <= {FIRST_CONTACT}


def test_nor_do_files_stored_from_the_lower_one_come_in(fake_index: FakeIndex, mounted: MountWheelfs) -> None:
    with FakeIndex() as lower:
        name, _ = lower.add_wheel("private", "9.0")
        first = mounted("--index", f"public={lower.url}")
        (first.path / "simple" / "private" / name).read_bytes()
        first.stop()
        fake_index.stop()
        mount = mounted("--index", f"lab={fake_index.url}", "--index", f"public={lower.url}").path
        with pytest.raises(OSError, match="unreachable"):
            page_of(mount, "private")


def test_a_stored_wheel_is_found_whatever_its_index_is_called_now(fake_index: FakeIndex, mounted: MountWheelfs) -> None:
    name, content = fake_index.add_wheel("numbers", "1.0")
    first = mounted("--index", f"old-name={fake_index.url}")
    (first.path / "simple" / "numbers" / name).read_bytes()
    first.stop()
    fake_index.stop()
    mount = mounted("--index", "new-name=http://127.0.0.1:9/simple").path
    assert name in page_of(mount, "numbers")
    assert (mount / "simple" / "numbers" / name).read_bytes() == content
    assert (mount / name).read_bytes() == content


def test_cached_reads_and_listings_answer_while_others_hang_on_the_network(fake_index: FakeIndex, mounted: MountWheelfs) -> None:
    from concurrent.futures import ThreadPoolExecutor

    stored, content = fake_index.add_wheel("stored", "1.0")
    names = [fake_index.add_wheel("hung", f"1.{number}", big_bytes=600_000)[0] for number in range(64)]
    mount = mounted(index=fake_index.url, env={"WHEELFS_OPEN_TIMEOUT_S": "20"}).path
    (mount / "simple" / "stored" / stored).read_bytes()
    page_of(mount, "hung")
    fake_index.hang()
    with ThreadPoolExecutor(64) as pool:
        hung = [pool.submit(_open, mount / "simple" / "hung" / name) for name in names]
        eventually(lambda: all(future.running() for future in hung))
        for _ in range(20):
            assert (mount / stored).read_bytes() == content
            assert stored in os.listdir(mount)
            os.statvfs(mount)
            assert (mount / "simple" / "stored" / "index.html").read_text()
        assert not any(future.done() for future in hung), "they must have been hanging all the while"
        fake_index.unhang()
        fake_index.stop()


def _open(path: object) -> int:
    try:
        return os.open(str(path), os.O_RDONLY)
    except OSError as error:
        return -(error.errno or 0)
