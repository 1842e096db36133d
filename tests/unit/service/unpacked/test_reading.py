"""What cannot be read is refused by name, with what to do."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.fakes.unpacked import UvCache, installed
from tests.fakes.wheels import build_wheel, wheel_filename
from wheelfs.errors import InvalidInput
from wheelfs.service.unpacked import reading
from wheelfs.service.unpacked.places import in_environment, in_uv_cache
from wheelfs.service.unpacked.reading import read_distribution

if TYPE_CHECKING:
    from pathlib import Path


def refused(*_: object, **__: object) -> int:
    raise PermissionError(13, "Permission denied")


def test_files_of_another_user_are_refused_with_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = UvCache(tmp_path / "uv")
    cache.add(build_wheel("one", "1.0"), "one")
    [found] = in_uv_cache(cache.path)
    monkeypatch.setattr(os, "open", refused)
    with pytest.raises(InvalidInput, match="Permission denied") as raised:
        read_distribution(found)
    assert raised.value.advice == "run this as the user who owns it"


def test_what_uv_built_for_an_editable_install_is_no_wheel_of_its_name(tmp_path: Path) -> None:
    cache = UvCache(tmp_path / "uv")
    cache.add(build_wheel("one", "1.0"), "one", bucket="editable", linked=True)
    cache.add(build_wheel("two", "1.0"), "two", bucket="path", linked=True)
    one, two = sorted(in_uv_cache(cache.path), key=lambda found: found.dist_info)
    assert read_distribution(two).wheel.project == "two"
    with pytest.raises(InvalidInput, match="installed as editable"):
        read_distribution(one)


def test_of_a_cache_the_newest_comes_first(tmp_path: Path) -> None:
    cache = UvCache(tmp_path / "uv")
    roots = [cache.add(build_wheel("one", "1.0"), "one") for _ in range(3)]
    for root, made_s in zip(roots, (2_000, 1_000, 3_000), strict=True):
        os.utime(root, (made_s, made_s))
    assert [found.root for found in in_uv_cache(cache.path)] == [roots[2], roots[0], roots[1]]


def test_an_environment_that_is_not_condas_is_not_taken_for_one(tmp_path: Path) -> None:
    installed(build_wheel("one", "1.0"), wheel_filename("one", "1.0"), "one", tmp_path)
    with pytest.raises(InvalidInput, match=r"no conda-meta.*--venv"):
        in_environment(tmp_path, conda=True)
    (tmp_path / "conda-meta").mkdir()
    assert [found.dist_info for found in in_environment(tmp_path, conda=True)] == ["one-1.0.dist-info"]


def test_a_cache_of_another_user_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = UvCache(tmp_path / "uv")
    monkeypatch.setattr(os, "scandir", refused)
    with pytest.raises(InvalidInput, match="Permission denied"):
        in_uv_cache(cache.path)


@pytest.mark.parametrize("find", [in_uv_cache, in_environment])
def test_what_is_no_directory_is_refused(tmp_path: Path, find: object) -> None:
    (tmp_path / "file").write_bytes(b"")
    assert callable(find)
    with pytest.raises(InvalidInput):
        find(tmp_path / "file")


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MAX_FILE_BYTES", 10)
    (tmp_path / "RECORD").write_bytes(bytes(11))
    with pytest.raises(InvalidInput, match="RECORD has more than"):
        reading.read_small("take it", tmp_path / "RECORD")
    (tmp_path / "RECORD").write_bytes(bytes(10))
    assert reading.read_small("take it", tmp_path / "RECORD") == bytes(10)
    assert reading.read_small("take it", tmp_path / "none") is None


def test_links_are_followed_to_files_only(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    (tmp_path / "link").symlink_to("file")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "device").symlink_to("/dev/zero")
    assert reading.read_small("take it", tmp_path / "link") == b"x"
    for name in ("loop", "device"):
        with pytest.raises(InvalidInput):
            reading.read_small("take it", tmp_path / name)
