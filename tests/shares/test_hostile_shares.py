"""A share that anyone may write to: odd objects cost the files that need them, and no more; nothing outside is touched."""

from __future__ import annotations

import logging
import os
import stat
import threading
from typing import TYPE_CHECKING

import msgspec
import pytest

from tests.fakes.catalogs import Follower, file, filled
from tests.shares.test_collecting import fill, pulled, push_all
from wheelfs.errors import OriginError, OriginFault
from wheelfs.model.condemned import decode_condemned
from wheelfs.model.framing import ShareFormatError, framed
from wheelfs.model.share_catalog import decode_record, decode_root, decode_snapshot, record_key
from wheelfs.remote.share.log_writer import WrittenShareCatalog
from wheelfs.remote.share.objects import open_objects

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from wheelfs.remote.share.objects import Objects

NO_TEXT = b"\xa4demo"[:1] + b"\xff\xfe\xff\xfe"


def odd_bodies() -> list[bytes]:
    good = msgspec.msgpack.encode(((("demo", "demo-1-py3-none-any.whl", "main", b"\0" * 32, 10),), ()))
    return [good.replace(b"\xa4demo", NO_TEXT), b"\x91" * 100_000, b"\xc1", b""]


@pytest.fixture
def share(tmp_path: Path) -> Path:
    (tmp_path / "share").mkdir()
    return tmp_path / "share"


def within(seconds: float, work: Callable[[], object]) -> None:
    """Do something that must not hang."""
    failed: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    assert not thread.is_alive(), "it hangs"
    if failed:
        raise failed[0]


@pytest.mark.parametrize("body", odd_bodies(), ids=["no text", "deep", "invalid", "empty"])
def test_odd_bytes_with_a_right_checksum_are_a_format_error(body: bytes) -> None:
    for magic, decode in (
        (b"WFL1", decode_record),
        (b"WFS1", decode_snapshot),
        (b"WFR1", decode_root),
        (b"WFC1", decode_condemned),
    ):
        with pytest.raises(ShareFormatError):
            decode(framed(magic, body))


@pytest.mark.parametrize("body", odd_bodies(), ids=["no text", "deep", "invalid", "empty"])
def test_an_odd_record_stops_neither_followers_nor_writers_and_is_reported_once(
    share: Path, caplog: pytest.LogCaptureFixture, body: bytes
) -> None:
    objects = open_objects(share.as_uri())
    filled(objects, 2)
    assert objects.create(record_key(2), framed(b"WFL1", body))
    filled(objects, 1, first=7)
    follower = Follower(objects)
    with caplog.at_level(logging.WARNING):
        follower.follow()
        follower.catalog.files()
    assert sorted(follower.files) == [("demo", file(number).filename, file(number).sha256) for number in (0, 1, 7)]
    assert caplog.text.count(f"left out {record_key(2)}") == 1
    assert follower.catalog.passed_over == 1


def make_strange(path: Path, kind: str) -> None:
    match kind:
        case "fifo":
            os.mkfifo(path)
        case "directory":
            path.mkdir()
        case "link":
            path.symlink_to("/dev/zero")
        case "loop":
            path.symlink_to(path.name)


@pytest.mark.parametrize("kind", ["fifo", "directory", "link", "loop"])
def test_what_is_no_file_under_the_next_key_holds_up_nobody(tmp_path: Path, share: Path, kind: str) -> None:
    objects = open_objects(share.as_uri())
    wheels = fill(tmp_path / "a", "1.0")
    push_all(tmp_path / "a", objects)
    make_strange(share / record_key(1), kind)
    wheels |= fill(tmp_path / "b", "2.0")
    within(30.0, lambda: push_all(tmp_path / "b", objects))
    got: dict[str, bytes] = {}
    within(30.0, lambda: got.update(pulled(tmp_path / "c", objects)))
    assert got == wheels


@pytest.mark.parametrize("kind", ["fifo", "directory", "link", "loop"])
def test_a_marker_that_is_no_file_is_refused_without_hanging(share: Path, kind: str) -> None:
    make_strange(share / "wheelfs-share", kind)
    with pytest.raises(OriginFault, match="format"):
        within(30.0, lambda: WrittenShareCatalog(open_objects(share.as_uri())).prepare())


@pytest.mark.parametrize("below", ["log", "packs/ab"])
def test_writing_follows_no_link_and_changes_no_mode_outside(tmp_path: Path, share: Path, below: str) -> None:
    outside = tmp_path / "outside"
    outside.mkdir(mode=0o700)
    share.chmod(0o777)
    (share / below).parent.mkdir(exist_ok=True)
    (share / below).symlink_to(outside)
    with pytest.raises(OriginError):
        open_objects(share.as_uri()).create(f"{below}/one", b"x")
    assert not list(outside.iterdir())
    assert stat.S_IMODE(outside.stat().st_mode) == 0o700


def test_a_link_that_takes_the_place_of_a_file_while_it_is_made_changes_nothing_outside(
    tmp_path: Path, share: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As one does who sees the temporary name appear and swaps it before its mode is set."""
    victim = tmp_path / "victim"
    victim.write_bytes(b"secret")
    victim.chmod(0o600)
    share.chmod(0o777)
    (share / "log").mkdir()
    real = os.open

    def swapped(path: str | Path, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        descriptor = real(path, flags, mode, dir_fd=dir_fd)
        if flags & os.O_CREAT and str(path).startswith(".new-"):
            (share / "log" / str(path)).unlink()
            (share / "log" / str(path)).symlink_to(victim)
        return descriptor

    monkeypatch.setattr(os, "open", swapped)
    open_objects(share.as_uri()).create("log/00000000", b"x")
    assert (stat.S_IMODE(victim.stat().st_mode), victim.read_bytes()) == (0o600, b"secret")


class Sick:
    """Objects of which some cannot be read."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self.url = objects.url
        self.sick: set[str] = set()
        self.create, self.found, self.delete = objects.create, objects.found, objects.delete

    def read(self, key: str, *, limit_bytes: int) -> bytes | None:
        self._refuse(key)
        return self._objects.read(key, limit_bytes=limit_bytes)

    def read_range(self, key: str, start: int, end: int) -> bytes | None:
        self._refuse(key)
        return self._objects.read_range(key, start, end)

    def _refuse(self, key: str) -> None:
        if key in self.sick:
            raise OriginFault(f"read {key}", "input/output error")


def test_a_record_that_cannot_be_read_is_passed_over_and_read_when_it_can_be(share: Path) -> None:
    objects = Sick(open_objects(share.as_uri()))
    filled(objects, 2)
    objects.sick.add(record_key(1))
    filled(objects, 1, first=7)
    follower = Follower(objects)
    follower.follow()
    assert sorted(name for _, name, _ in follower.files) == [file(0).filename, file(7).filename]
    objects.sick.clear()
    for _ in range(20):
        follower.follow()
    assert sorted(name for _, name, _ in follower.files) == [file(number).filename for number in (0, 1, 7)]


def test_when_the_marker_cannot_be_read_either_it_is_the_share_that_is_away(share: Path) -> None:
    objects = Sick(open_objects(share.as_uri()))
    filled(objects, 2)
    objects.sick |= {record_key(1), "wheelfs-share"}
    with pytest.raises(OriginFault, match="input/output"):
        Follower(objects).follow()
