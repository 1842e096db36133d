"""What a power cut may leave: all that was synced; of the rest any part, but no later write to a page without earlier ones."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Final

from tests.fakes.power import PAGE_BYTES, Disk, Make, Move, Name, Operation, Resize, Sync, Write

if TYPE_CHECKING:
    from pathlib import Path

ROOT: Final = 1
DRAWS: Final = 200
MADE: Final[tuple[Operation, ...]] = (Make(2, False), Name(ROOT, "file", 2), Sync(ROOT))


def left(path: Path, *operations: Operation) -> set[tuple[tuple[str, bytes], ...]]:
    """Return all that may be left, as far as so many draws show."""
    found = set()
    for seed in range(DRAWS):
        disk = Disk(ROOT)
        for operation in operations:
            disk.do(operation)
        where = path / str(seed)
        disk.left(where, random.Random(seed))
        files = sorted(one for one in where.rglob("*") if one.is_file())
        found.add(tuple((one.relative_to(where).as_posix(), one.read_bytes()) for one in files))
    return found


def test_what_is_synced_stays(tmp_path: Path) -> None:
    assert left(tmp_path, *MADE, Write(2, 0, b"one", False), Sync(2)) == {(("file", b"one"),)}


def test_what_is_not_synced_may_stay_or_not(tmp_path: Path) -> None:
    assert left(tmp_path, *MADE, Write(2, 0, b"one", False)) == {(("file", b"one"),), (("file", b""),), (("file", bytes(3)),)}


def test_a_file_has_no_name_before_its_directory_is_synced(tmp_path: Path) -> None:
    operations = (Make(2, False), Name(ROOT, "file", 2), Write(2, 0, b"one", False), Sync(2))
    assert left(tmp_path, *operations) == {(), (("file", b"one"),)}


def test_no_later_write_to_a_page_is_there_without_the_earlier_ones(tmp_path: Path) -> None:
    synced = (*MADE, Resize(2, 2), Sync(2))
    found = left(tmp_path, *synced, Write(2, 0, b"a", False), Write(2, 1, b"b", False))
    assert found == {(("file", content),) for content in (b"\0\0", b"a\0", b"ab")}


def test_pages_are_torn_apart(tmp_path: Path) -> None:
    synced = (*MADE, Resize(2, 2 * PAGE_BYTES), Sync(2))
    found = left(tmp_path, *synced, Write(2, 0, b"x" * 2 * PAGE_BYTES, False))
    pages = (bytes(PAGE_BYTES), b"x" * PAGE_BYTES)
    assert found == {(("file", first + second),) for first in pages for second in pages}


def test_a_write_that_waits_for_the_disk_is_there_and_nothing_else_of_the_file(tmp_path: Path) -> None:
    synced = (*MADE, Resize(2, 2 * PAGE_BYTES), Sync(2), Write(2, PAGE_BYTES, b"later", False), Write(2, 0, b"now", True))
    contents = {files[0][1] for files in left(tmp_path, *synced)}
    assert {content[:3] for content in contents} == {b"now"}
    assert {content[PAGE_BYTES : PAGE_BYTES + 5] for content in contents} == {b"later", bytes(5)}


def test_a_rename_is_done_or_not(tmp_path: Path) -> None:
    operations = (*MADE, Write(2, 0, b"new", False), Sync(2), Make(3, True), Name(ROOT, "below", 3), Sync(ROOT))
    found = left(tmp_path, *operations, Move(2, (ROOT, "file"), (3, "moved")))
    assert found == {(("file", b"new"),), (("below/moved", b"new"),)}


def test_readers_see_what_is_not_on_the_disk(tmp_path: Path) -> None:
    disk = Disk(ROOT)
    for operation in (Make(3, True), Name(ROOT, "said", 3), Make(2, False), Name(3, "file", 2), Write(2, 0, b"one", False)):
        disk.do(operation)
    assert disk.text("said") == {"file": b"one"}
