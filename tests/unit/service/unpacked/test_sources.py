"""Directories that the user has named are listed when they are needed, and again when something was added."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from tests.fakes.unpacked import UvCache, installed
from tests.fakes.wheels import build_wheel, wheel_filename
from wheelfs.model.links import FileLink
from wheelfs.model.names import parse_project_name
from wheelfs.service.file_refs import FileRef
from wheelfs.service.unpacked import places
from wheelfs.service.unpacked import sources as sources_module
from wheelfs.service.unpacked.sources import LIST_AGAIN_S, UnpackedSources

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from wheelfs.service.unpacked.places import Unpacked


def ref(name: str, version: str) -> FileRef:
    return FileRef(
        parse_project_name(name), "main", FileLink(wheel_filename(name, version), "https://files.example/x", bytes(32))
    )


def test_a_wheel_is_found_in_caches_and_environments(tmp_path: Path) -> None:
    cache = UvCache(tmp_path / "uv")
    root = cache.add(build_wheel("one", "1.0"), "one")
    installed(build_wheel("two", "1.0"), wheel_filename("two", "1.0"), "two", tmp_path / "env")
    sources = UnpackedSources([tmp_path / "missing", cache.path, tmp_path / "env"])
    found = sources.of(ref("one", "1.0"))
    assert found is not None
    assert (found.unpacked.root, found.is_asked_for) == (root, False)
    assert sources.of(ref("two", "1.0")) is not None
    assert sources.of(ref("two", "2.0")) is None
    assert sources.of(ref("three", "1.0")) is None


def test_what_is_added_later_is_found(tmp_path: Path) -> None:
    cache = UvCache(tmp_path / "uv")
    now_s = 0.0
    sources = UnpackedSources([cache.path], clock_s=lambda: now_s)
    assert sources.of(ref("one", "1.0")) is None
    cache.add(build_wheel("one", "1.0"), "one")
    os.utime(cache.path / "archive-v0", ns=(1, 1))  # within one tick of the clock the time would be the same
    now_s = LIST_AGAIN_S
    assert sources.of(ref("one", "1.0")) is not None


def test_a_cache_that_is_being_filled_is_not_listed_for_each_wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache, listed = UvCache(tmp_path / "uv"), list[object]()

    def in_source(directory: Path) -> list[Unpacked]:
        listed.append(directory)
        return places.in_source(directory)

    monkeypatch.setattr(sources_module, "in_source", in_source)
    sources = UnpackedSources([cache.path], clock_s=lambda: 0.0)
    for number in range(10):
        cache.add(build_wheel("one", f"1.{number}"), f"one{number}")
        os.utime(cache.path / "archive-v0", ns=(number, number))
        assert (sources.of(ref("one", f"1.{number}")) is not None) == (number == 0), "the others are fetched"
    assert len(listed) == 1


def test_one_that_is_not_whole_does_not_hide_another(tmp_path: Path) -> None:
    cache = UvCache(tmp_path / "uv")
    (cache.add(build_wheel("one", "1.0"), "one") / "one-1.0.dist-info" / "RECORD").unlink()
    whole = cache.add(build_wheel("one", "1.0"), "again")
    found = UnpackedSources([cache.path]).of(ref("one", "1.0"))
    assert found is not None
    assert found.unpacked.root == whole


def test_what_is_offered_goes_first_for_as_long_as_it_is(tmp_path: Path) -> None:
    cache = UvCache(tmp_path / "uv")
    cache.add(build_wheel("one", "1.0"), "one")
    sources = UnpackedSources([cache.path])
    found = sources.of(ref("one", "1.0"))
    assert found is not None
    alone = UnpackedSources()
    with alone.offering(ref("one", "1.0"), found):
        assert alone.of(ref("one", "1.0")) is found
    assert alone.of(ref("one", "1.0")) is None
