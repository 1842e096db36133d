"""A share that anyone may write to: odd objects cost the files that need them, and no more; nothing outside is touched."""

from __future__ import annotations

import logging
import os
import stat
import threading
from typing import TYPE_CHECKING

import msgspec
import pytest

from tests.fakes.catalogs import Follower, Memory, file, filled
from tests.fakes.later import collect_later
from tests.shares.test_collecting import fill, orphan_pack, pulled, push_all
from wheelfs.errors import OriginDenied, OriginError, OriginFault
from wheelfs.model.condemned import decode_condemned
from wheelfs.model.framing import ShareFormatError, framed
from wheelfs.model.share_catalog import (
    SnapshotOf,
    decode_record,
    decode_root,
    decode_snapshot,
    encode_root,
    record_key,
    root_key,
)
from wheelfs.remote.limits import ShareLimits
from wheelfs.remote.share.log_writer import WrittenShareCatalog
from wheelfs.remote.share.objects import open_objects
from wheelfs.remote.share.share import WrittenShare
from wheelfs.service.shares.condemned_view import CondemnedView
from wheelfs.service.shares.pull import pull
from wheelfs.service.shares.push import push
from wheelfs.store.store import Store

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


@pytest.mark.parametrize("key", ["manifests/ab/ab", "packs/ab/.new-" + "0" * 32])
def test_deleting_follows_no_link_either(tmp_path: Path, share: Path, key: str) -> None:
    """As one swaps a directory who has seen what is about to be deleted in it."""
    name = key.rpartition("/")[2]
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / name).write_bytes(b"of others")
    (share / key).parent.parent.mkdir()
    (share / key).parent.symlink_to(outside)
    objects = open_objects(share.as_uri())
    with pytest.raises(OriginFault, match="is a link or no file"):
        objects.delete(key)
    assert (outside / name).read_bytes() == b"of others"
    (share / key).parent.unlink()
    objects.delete(key)  # its directory is gone


def test_a_left_over_directory_that_is_not_empty_stays_and_stops_no_collection(tmp_path: Path, share: Path) -> None:
    objects = open_objects(share.as_uri())
    wheels = fill(tmp_path / "a", "1.0")
    push_all(tmp_path / "a", objects)
    for below in ("packs", "condemned"):
        (share / below / ".new-mine").mkdir(parents=True)
        (share / below / ".new-mine" / "thing").write_bytes(b"x")
    orphan_pack(objects, b"left")
    before = len(list((share / "packs").rglob("*")))
    for days in (9, 17):
        collect_later(objects, days)
    assert len(list((share / "packs").rglob("*"))) < before, "the orphan is gone"
    assert (share / "packs" / ".new-mine" / "thing").exists()
    assert pulled(tmp_path / "b", objects) == wheels


def test_names_that_are_no_text_are_nobodys_objects(share: Path) -> None:
    (share / "packs" / "ab").mkdir(parents=True)
    for name in (b"one", b"\xff", "\u00e9".encode()):
        (share / "packs" / "ab" / os.fsdecode(name)).write_bytes(b"x")
    assert [found.key for found in open_objects(share.as_uri()).found("packs")] == ["packs/ab/one"]


def test_a_damaged_list_of_what_is_condemned_stops_no_push_and_every_collection(
    tmp_path: Path, share: Path, caplog: pytest.LogCaptureFixture
) -> None:
    objects = open_objects(share.as_uri())
    wheels = fill(tmp_path / "a", "1.0")
    push_all(tmp_path / "a", objects)
    for number, content in enumerate([b"", b"WFC1 cut off", b"x" * 100, framed(b"WFC1", b"\xc1")]):
        objects.create(f"condemned/{number:032x}", content)
    wheels |= fill(tmp_path / "b", "2.0")
    push_all(tmp_path / "b", objects)
    assert pulled(tmp_path / "c", objects) == wheels
    assert caplog.text.count(f"left out condemned/{0:032x}") == 1
    with pytest.raises(OriginFault, match="delete that object"):
        collect_later(objects, 9)
    objects.create(f"condemned/{9:032x}", framed(b"WFC2", b"\xc1"))
    with pytest.raises(OriginFault, match="update wheelfs"):
        CondemnedView(WrittenShare(objects)).begin()


class Sick:
    """Objects of which some cannot be read."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self.url = objects.url
        self.sick: set[str] = set()
        self.error: type[OriginError] = OriginFault
        self.create, self.found, self.delete = objects.create, objects.found, objects.delete

    def read(self, key: str, *, limit_bytes: int) -> bytes | None:
        self._refuse(key)
        return self._objects.read(key, limit_bytes=limit_bytes)

    def read_range(self, key: str, start: int, end: int) -> bytes | None:
        self._refuse(key)
        return self._objects.read_range(key, start, end)

    def _refuse(self, key: str) -> None:
        if key in self.sick:
            raise self.error(f"read {key}", "input/output error")


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


@pytest.mark.parametrize("error", [OriginFault, OriginDenied])
@pytest.mark.parametrize("below", ["manifests", "packs"])
def test_what_cannot_be_read_of_like_files_stops_no_push(
    tmp_path: Path, share: Path, below: str, error: type[OriginError]
) -> None:
    """A manifest or pack with a sick copy, or that its owner has closed: chunks in it are written once more."""
    objects = Sick(open_objects(share.as_uri()))
    fill(tmp_path / "a", "1.0")
    push_all(tmp_path / "a", objects)
    objects.sick, objects.error = {found.key for found in objects.found(below)}, error
    wheels = fill(tmp_path / "b", "2.0")
    push_all(tmp_path / "b", objects)
    with Store.open(tmp_path / "a") as store:
        [name] = store.catalog.names()
        results = [file.result for file in push(store, WrittenShare(objects), [name.filename], private=False)]
    assert results == ["failed"], "what is asked for by name is looked at"
    with Store.open(tmp_path / "c") as store:
        pulls = {file.filename: file.result for file in pull(store, WrittenShare(objects), [], contents=True)}
    assert {pulls[filename] for filename in wheels} == {"pulled"}


def test_roots_with_gaps_between_them_hold_up_no_reader_and_no_writer() -> None:
    """Damaged ones at each power of two: looked for one by one, those between would be a billion."""
    memory, limits = Memory(), ShareLimits(span=4)
    filled(memory, 9, limits=limits)
    for power in range(2, 31):
        memory.kept[root_key(1 << power)] = b"damaged"
    memory.asked.clear()
    follower = Follower(memory, limits)
    follower.follow()
    assert len(follower.files) == 9
    assert len(memory.asked) < 5_000
    filled(memory, 1, first=9, limits=limits)
    follower.follow()
    assert len(follower.files) == 10


def test_a_root_beyond_all_records_is_none() -> None:
    memory = Memory()
    filled(memory, 2)
    for power in range(40):
        memory.kept[root_key(1 << power)] = encode_root(())
    follower = Follower(memory)
    for _ in range(50):
        if not follower.ask().more:
            break
    else:
        raise AssertionError("it does not end")


def test_snapshots_that_are_not_there_are_reported_once(caplog: pytest.LogCaptureFixture) -> None:
    memory = Memory()
    filled(memory, 2)
    memory.kept[root_key(1)] = encode_root((SnapshotOf("0" * 32, 1, 0),))
    for _ in range(3):
        Follower(memory).follow()
    follower = Follower(memory)
    for _ in range(20):
        follower.cursor = None
        follower.follow()
    assert caplog.text.count("it is not there") == 4
