"""Inflated members: kept within a part of the quota, given up first where room is needed."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, BinaryIO

import pytest

from wheelfs.errors import StoreFull
from wheelfs.store.limits import Limits, Need
from wheelfs.store.spool.inflated import QUOTA_PART, InflatedFiles
from wheelfs.store.store import Store

if TYPE_CHECKING:
    from pathlib import Path


def kept(files: InflatedFiles, key: int, size: int) -> BinaryIO:
    def write(file: BinaryIO) -> None:
        file.write(bytes(size))

    made = files.make("inflate it", write)
    files.keep(key, made, size)
    return made


def test_the_least_recently_used_go_first(tmp_path: Path) -> None:
    files = InflatedFiles(tmp_path, QUOTA_PART * 100)
    made = [kept(files, key, 40) for key in (1, 2)]
    assert files.get(1) is made[0]
    made.append(kept(files, 3, 40))
    assert (files.get(2), files.get(1), files.kept_bytes) == (None, made[0], 80)
    made[1].seek(0)
    assert made[1].read() == bytes(40), "its readers go on"
    assert files.forget()
    assert not files.forget()
    assert (files.get(1), files.kept_bytes) == (None, 0)
    assert list(tmp_path.iterdir()) == []
    for file in made:
        file.close()


def test_on_a_full_disk_what_is_kept_makes_room_once(tmp_path: Path) -> None:
    files = InflatedFiles(tmp_path)
    before = kept(files, 1, 40)
    before.close()
    asked = []

    def write(file: BinaryIO) -> None:
        asked.append(files.kept_bytes)
        if files.kept_bytes or len(asked) == 3:
            file.close()
            raise OSError(errno.ENOSPC, "No space left on device")

    files.make("inflate it", write).close()
    assert asked == [40, 0]
    with pytest.raises(StoreFull):
        files.make("inflate it", write)


def test_the_quota_knows_it_and_takes_it_first(tmp_path: Path) -> None:
    quota_bytes = 64 << 20
    with Store.open(tmp_path / "store", limits=Limits(quota_bytes=quota_bytes)) as store:
        before = store.usage().spool_bytes
        made = kept(store.inflated, 1, quota_bytes // QUOTA_PART)
        assert store.usage().spool_bytes == before + quota_bytes // QUOTA_PART
        fits = Need(spooled_bytes=int(quota_bytes * 0.9))
        assert not store.has_room(fits)
        store.make_room(fits, "fetch something")
        assert store.inflated.kept_bytes == 0
        made.close()
