"""What a share needs of whatever keeps its objects: the same claims for each kind of place."""

from __future__ import annotations

import os
import stat
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from tests.fakes.wheels import incompressible
from wheelfs.config.indexes import check_share_url
from wheelfs.errors import OriginError, OriginUnreachable, UsageError
from wheelfs.model.framing import ShareFormatError
from wheelfs.remote.share.objects import open_objects

if TYPE_CHECKING:
    from pathlib import Path

    from tests.shares.conftest import Place


def test_an_object_is_read_back_whole_and_in_parts(place: Place) -> None:
    objects, content = place.open(), incompressible(300_000)
    assert objects.create("packs/ab/one", content)
    assert place.open().read("packs/ab/one", limit_bytes=300_000) == content
    assert place.open().read_range("packs/ab/one", 1_000, 250_000) == content[1_000:250_000]
    assert objects.read_range("packs/ab/one", 299_990, 300_050) == content[299_990:], "shorter only at the end"


def test_what_is_not_there_is_none_and_no_error(place: Place) -> None:
    objects = place.open()
    assert objects.read("entries/none", limit_bytes=10) is None
    assert objects.read_range("packs/ab/none", 0, 10) is None
    assert list(objects.found("log")) == []


def test_an_object_is_created_once_and_stays(place: Place) -> None:
    objects = place.open()
    assert objects.create("entries/one", b"first")
    assert not objects.create("entries/one", b"second")
    assert objects.read("entries/one", limit_bytes=10) == b"first"


def test_of_many_who_create_one_object_at_once_exactly_one_succeeds(place: Place) -> None:
    contents = [bytes([number]) * 200_000 for number in range(8)]
    with ThreadPoolExecutor(8) as threads:
        created = list(threads.map(lambda content: place.open().create("entries/one", content), contents))
    assert created.count(True) == 1
    assert place.open().read("entries/one", limit_bytes=200_000) == contents[created.index(True)]
    assert [one.key for one in place.open().found("entries")] == ["entries/one"], "and nothing is left over"


def test_objects_are_found_also_more_than_one_answer_holds(place: Place) -> None:
    objects = place.open()
    names = [f"{number:04}" for number in range(1_100)]
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda name: objects.create(f"entries/{name}", b"x"), names))
    assert sorted(one.key for one in objects.found("entries")) == [f"entries/{name}" for name in names]
    assert list(objects.found("snapshots")) == []


def test_objects_are_found_however_deep_with_their_sizes_and_by_the_place_s_own_clock(place: Place) -> None:
    objects = place.open()
    for key in ("packs/ab/one", "packs/cd/two", "packs/three", "entries/four"):
        objects.create(key, key.encode())
    found = {one.key: one for one in objects.found("packs")}
    assert {key: one.size_bytes for key, one in found.items()} == {"packs/ab/one": 12, "packs/cd/two": 12, "packs/three": 11}
    assert all(abs(one.modified_s - time.time()) < 3_600 for one in found.values()), "seconds of the epoch, in UTC"
    assert list(objects.found("manifests")) == []


def test_an_object_is_deleted_and_may_be_made_anew(place: Place) -> None:
    objects = place.open()
    objects.create("packs/ab/one", b"first")
    objects.create("packs/ab/two", b"stays")
    for _ in range(2):
        objects.delete("packs/ab/one")
        assert objects.read("packs/ab/one", limit_bytes=10) is None
    assert [one.key for one in objects.found("packs")] == ["packs/ab/two"]
    assert objects.create("packs/ab/one", b"second")
    assert objects.read("packs/ab/one", limit_bytes=10) == b"second"


def test_an_object_that_is_too_large_is_not_taken_into_memory(place: Place) -> None:
    place.open().create("entries/one", bytes(1_000))
    with pytest.raises(ShareFormatError, match="larger than 999 bytes"):
        place.open().read("entries/one", limit_bytes=999)


def test_a_directory_that_is_not_there_is_not_made_up(tmp_path: Path) -> None:
    objects = open_objects((tmp_path / "not mounted").as_uri())
    with pytest.raises(OriginUnreachable, match="is its file system mounted"):
        objects.read("wheelfs-share", limit_bytes=10)
    with pytest.raises(OriginUnreachable, match="make the directory first"):
        objects.create("wheelfs-share", b"x")
    with pytest.raises(OriginUnreachable):
        list(objects.found("packs"))
    with pytest.raises(OriginUnreachable):
        objects.delete("packs/ab/one")
    assert not (tmp_path / "not mounted").exists()


def test_a_write_that_fails_leaves_nothing_that_anybody_sees(tmp_path: Path) -> None:
    (tmp_path / "entries").write_bytes(b"in the way")
    with pytest.raises(OriginError):
        open_objects(tmp_path.as_uri()).create("entries/one", b"x")
    assert [path.name for path in tmp_path.iterdir()] == ["entries"]


@pytest.mark.parametrize("mode", [0o2775, 0o1777, 0o755, 0o700], ids=oct)
def test_what_is_made_in_a_directory_is_as_open_as_that_is_whatever_the_umask(tmp_path: Path, mode: int) -> None:
    tmp_path.chmod(mode)
    before = os.umask(0o077)
    try:
        assert open_objects(check_share_url(tmp_path.as_uri())).create("packs/ab/one", b"content")
    finally:
        os.umask(before)
    made = {path.relative_to(tmp_path).as_posix(): stat.S_IMODE(path.stat().st_mode) for path in tmp_path.rglob("*")}
    assert made == {"packs": mode, "packs/ab": mode, "packs/ab/one": mode & 0o644 | 0o600}


def test_of_many_who_make_one_directory_at_once_each_finds_room_for_its_object(tmp_path: Path) -> None:
    names = [f"packs/{directory}/{name}" for directory in range(20) for name in range(8)]
    with ThreadPoolExecutor(8) as threads:
        created = threads.map(lambda name: open_objects(check_share_url(tmp_path.as_uri())).create(name, b"x"), names)
    assert all(created)
    assert sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()) == sorted(names)
    assert not list(tmp_path.rglob(".new-*"))


def test_an_object_in_a_directory_is_flushed_before_it_has_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[str] = []
    fsync, link = os.fsync, os.link

    def flushing(descriptor: int) -> None:
        steps.append("flush")
        fsync(descriptor)

    def naming(path: str, target: str, **options: int | bool) -> None:
        steps.append("name")
        link(path, target, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "fsync", flushing)
    monkeypatch.setattr(os, "link", naming)
    (tmp_path / "entries").mkdir()
    open_objects(tmp_path.as_uri()).create("entries/one", b"x")
    assert steps == ["flush", "name", "flush"], "the content, the name, the directory"


@pytest.mark.parametrize(
    "url",
    [
        "ftp://host/x",
        "file:relative",
        "file://elsewhere/x",
        "file:///",
        "file:///lab/../etc",
        "file:///lab/%2e%2e/etc",
        "file:///lab/%00",
        "file:///lab?x",
        "file:///lab#",
        "file:///lab wheels",
        "s3://",
        "s3:///x",
        "s3://key@bucket/",
        "s3://bucket:80/x",
        "gs://bucket/x?y",
        "az://../x",
        "/lab/wheels",
        "~/wheels",
        "",
    ],
)
def test_an_address_that_is_no_place_for_objects_is_refused(url: str) -> None:
    with pytest.raises(UsageError, match="unsupported share URL"):
        open_objects(url)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("file:/lab/wheels", "file:///lab/wheels"),
        ("FILE://localhost/lab//wheels/", "file:///lab/wheels"),
        ("file:///lab%20wheels/w%C3%A4ls%3F", "file:///lab%20wheels/w%C3%A4ls%3F"),
        ("file:///l%61b/%7Ex+y", "file:///lab/~x%2By"),
        ("file:///lab/%ff", "file:///lab/%FF"),
        ("S3://bucket//wheels/", "s3://bucket/wheels"),
        ("s3://bucket", "s3://bucket"),
    ],
)
def test_an_address_is_written_in_one_way(written: str, meant: str) -> None:
    assert open_objects(written).url == meant
    assert open_objects(meant).url == meant
    assert check_share_url(written) == meant, "in options and files as for push and pull"


def test_a_container_without_an_account_is_refused_with_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AZURE_STORAGE_ACCOUNT_NAME", "AZURE_STORAGE_USE_EMULATOR"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(UsageError, match=r"Account must be specified.*AZURE_STORAGE_ACCOUNT_NAME"):
        open_objects("az://container/wheels")
