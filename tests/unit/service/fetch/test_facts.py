"""What is remembered of files that are not stored, and when it is not."""

from __future__ import annotations

import hashlib
import time
from typing import TYPE_CHECKING

import pytest

from wheelfs.core.fetch.plan import TAIL_BYTES
from wheelfs.errors import ContentMismatch
from wheelfs.model.links import FileLink
from wheelfs.model.names import ProjectName
from wheelfs.service.fetch.facts import FileFacts
from wheelfs.service.fetch.limits import FetchLimits
from wheelfs.service.file_refs import FileRef
from wheelfs.store.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

METADATA = b"Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n"
OTHER = METADATA + b"Requires-Dist: evil\n"
MISMATCH = ContentMismatch("fetch demo", "its sha256 is another one")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "store") as opened:
        yield opened


def ref(number: int = 1, *, size_bytes: int | None = None, metadata: bytes | None = None) -> FileRef:
    link = FileLink(
        f"demo-{number}.0-py3-none-any.whl",
        "https://files.corp.example/demo.whl",
        sha256=bytes([number]) * 32,
        size_bytes=size_bytes,
        metadata_sha256=None if metadata is None else hashlib.sha256(metadata).digest(),
    )
    return FileRef(ProjectName("demo"), "corp", link)


def test_a_size_comes_from_the_index_or_from_what_was_found_out(store: Store) -> None:
    facts = FileFacts(store, FetchLimits())
    assert facts.size_of(ref(size_bytes=7)) == 7
    assert facts.size_of(ref(2)) is None
    facts.keep_size(ref(2), 20, '"etag"')
    store.catalog.put_metadata(ref().key, b"").result()  # the one before has been written now
    assert (facts.size_of(ref(2)), facts.etag_of(ref(2))) == (20, '"etag"')
    assert facts.sizes_of([ref(3), ref(2), ref(4, size_bytes=9)]) == [None, 20, 9]


async def test_metadata_that_the_index_announced_is_not_replaced_by_another(store: Store) -> None:
    facts, wheel = FileFacts(store, FetchLimits()), ref(metadata=METADATA)
    await facts.keep_metadata(wheel, OTHER)
    assert store.catalog.metadata(wheel.key) == OTHER, "better than nothing"
    await facts.keep_metadata(wheel, METADATA)
    await facts.keep_metadata(wheel, OTHER)
    assert store.catalog.metadata(wheel.key) == METADATA
    await facts.keep_metadata(wheel, b"")
    assert not store.catalog.metadata(wheel.key)


async def test_what_an_earlier_build_kept_and_is_no_metadata_of_the_wheel_counts_as_nothing(store: Store) -> None:
    facts = FileFacts(store, FetchLimits())
    for wrong in (b"", b"<html>", METADATA.replace(b"1.0", b"1.1"), METADATA.replace(b"demo", b"other")):
        await facts.keep_metadata(ref(), wrong)
        assert (facts.metadata(ref()), facts.served_metadata_sha256(ref())) == (None, None)
    await facts.keep_metadata(ref(), METADATA)
    assert facts.metadata(ref()) == METADATA
    assert facts.served_metadata_sha256(ref()) == hashlib.sha256(METADATA).digest()
    await facts.keep_metadata(ref(), OTHER)
    assert facts.served_metadata_sha256(ref()) == hashlib.sha256(OTHER).digest()


async def test_digests_in_memory_are_bounded(store: Store) -> None:
    facts = FileFacts(store, FetchLimits(known_digests=1))
    for number in (1, 2, 1):
        text = METADATA.replace(b"1.0", f"{number}.0".encode())
        await facts.keep_metadata(ref(number), text)
        assert facts.served_metadata_sha256(ref(number)) == hashlib.sha256(text).digest()
    assert len(facts._served) == 1


async def test_the_digest_of_metadata_is_the_indexs_or_that_of_what_was_found(store: Store) -> None:
    facts = FileFacts(store, FetchLimits())
    assert facts.metadata_sha256(ref(metadata=METADATA)) == hashlib.sha256(METADATA).digest()
    assert facts.metadata_sha256(ref(2)) is None
    await facts.keep_metadata(ref(2), OTHER)
    assert facts.metadata_sha256(ref(2)) == hashlib.sha256(OTHER).digest()


def test_the_next_versions_tail_is_as_long_as_the_last_ones_directory_and_old_projects_are_forgotten(store: Store) -> None:
    facts = FileFacts(store, FetchLimits(known_directories=2))
    for project in ("one", "two", "one", "three"):
        facts.saw_directory(project, 200_000)
    assert facts.tail_bytes("two", None) == TAIL_BYTES
    assert facts.tail_bytes("one", None) == facts.tail_bytes("three", None) > 200_000


async def test_a_clock_that_is_set_back_ends_a_quarantine(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    facts = FileFacts(store, FetchLimits(quarantine_s=600.0))
    await facts.quarantine(ref(), MISMATCH)
    now_ns = time.time_ns()
    monkeypatch.setattr(time, "time_ns", lambda: now_ns - 3_600 * 1_000_000_000)
    facts.check_quarantine(ref())


@pytest.mark.parametrize("quarantine_s", [600.0, 0.0])
async def test_a_quarantine_ends(store: Store, quarantine_s: float) -> None:
    facts = FileFacts(store, FetchLimits(quarantine_s=quarantine_s))
    facts.check_quarantine(ref())
    await facts.quarantine(ref(), MISMATCH)
    if quarantine_s:
        with pytest.raises(ContentMismatch, match="quarantined and asked for again later"):
            facts.check_quarantine(ref())
    else:
        facts.check_quarantine(ref())
    facts.check_quarantine(ref(2))
