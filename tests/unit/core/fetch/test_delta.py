"""What of a wheel is assumed to be stored, and what is asked for: decided from its directory alone."""

from __future__ import annotations

import io
import struct
import zipfile

import pytest

from tests.fakes.wheels import build_wheel
from wheelfs.core.fetch import delta
from wheelfs.core.fetch.delta import MAX_REQUESTS, Known, Likeness, PlacedMember, covered, match, ranges
from wheelfs.core.fetch.spans import Spans
from wheelfs.core.wheel import zip_layout

SAME, OTHER, UNKNOWN = Known(Likeness.SAME), Known(Likeness.OTHER_ENCODER), Known(Likeness.UNKNOWN)
FILES = {f"demo/{number}.py": b"import sys\n" * number for number in range(1, 60)}


def entries_of(content: bytes) -> list[PlacedMember]:
    location = zip_layout.find_directory(content, len(content))
    assert isinstance(location, zip_layout.DirectoryLocation)
    directory = content[location.offset : location.offset + location.size_bytes]
    return delta.entries(directory, location, zip_layout.parse_directory(directory, location))


def rebuilt(content: bytes, found: list[PlacedMember]) -> bytes:
    """The members' rooms, made of what is predicted and of the data alone."""
    parts = []
    for entry in found:
        assert entry.shape is not None
        head, trailer = entry.shape
        start = entry.member.header_offset + len(head)
        parts.append(head + content[start : start + entry.member.compressed_size] + trailer)
    return b"".join(parts)


def zipped(write: str) -> bytes:
    """A ZIP whose headers carry extras: the same in both places, only in the directory, or zip64 ones in the header alone."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in FILES.items():
            info = zipfile.ZipInfo(name, (2021, 5, 6, 7, 8, 10))
            info.compress_type = zipfile.ZIP_DEFLATED
            if write != "force-zip64":
                info.extra = b"UT\5\0\3abcd"
            with archive.open(info, "w", force_zip64=write == "force-zip64") as file:
                file.write(data)
            if write == "extra-in-header-only":
                info.extra = b""
            if write == "extra-in-directory-only":
                info.extra += b"xx\2\0ab"
    return made.getvalue()


def as_before_3_11_4(content: bytes) -> bytes:
    """Return a ZIP as zipfile wrote it before python/cpython#103861 was mended: rules_python's builder still does."""
    made = bytearray(content)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        for entry in archive.infolist():
            at = entry.header_offset
            made[at + 4 : at + 6] = struct.pack("<H", 20)
            made[at + 18 : at + 26] = struct.pack("<2L", entry.compress_size, entry.file_size)
        position = archive.start_dir
        for entry in archive.infolist():
            made[position + 6 : position + 8] = struct.pack("<H", 20)
            position += 46 + len(entry.filename) + len(entry.extra) + len(entry.comment)
    return bytes(made)


@pytest.mark.parametrize(
    "content",
    [
        build_wheel("demo", "1.0", files=FILES),
        build_wheel("demo", "1.0", files=FILES, compression="stored"),
        build_wheel("demo", "1.0", files=FILES, data_descriptors=True),
        zipped("extra-in-both"),
        zipped("force-zip64"),
        as_before_3_11_4(zipped("force-zip64")),
    ],
    ids=["deflated", "stored", "descriptors", "extras", "zip64", "zip64 with sizes in the header as well"],
)
def test_headers_of_usual_writers_are_predicted_to_the_byte(content: bytes) -> None:
    found = entries_of(content)
    assert rebuilt(content, found) == content[: found[-1].end]


@pytest.mark.parametrize("write", ["extra-in-header-only", "extra-in-directory-only"])
def test_what_no_known_shape_fills_is_fetched(write: str) -> None:
    found = entries_of(zipped(write))
    assert all(entry.shape is None for entry in found)
    assert match(found, [SAME] * len(found)) == []


def test_data_before_the_first_member_or_between_is_never_assumed() -> None:
    content = b"#!launcher\n" * 100 + build_wheel("demo", "1.0", files=FILES)
    found = entries_of(content)
    pieces = match(found, [SAME] * len(found))
    assert pieces[0].start == 1100
    assert covered(pieces).missing(0, 1100) == [(0, 1100)]


def test_what_is_absent_of_a_stored_member_is_fetched_with_its_header() -> None:
    content = build_wheel("demo", "1.0", files={"demo/a.gz": bytes(range(200)), "demo/b.py": b"b"}, compression="stored")
    found = entries_of(content)
    known = [Known(Likeness.SAME, 64), *[UNKNOWN] * (len(found) - 1)]
    (piece,) = match(found, known)
    start = found[0].member.header_offset + 30 + len("demo/a.gz") + 64
    assert piece == (start, found[0].end, b"", 0, b"")


def test_members_without_data_need_no_fetch_and_tell_nothing_of_the_encoder() -> None:
    content = build_wheel("demo", "1.0", files={f"demo/{n}/__init__.py": b"" for n in range(9)} | {"demo/a.py": b"a"})
    found = entries_of(build_wheel("demo", "1.0", files={"demo/__init__.py": b"", "demo/a.py": b"a"}, compression="stored"))
    assert [piece.number for piece in match(found, [UNKNOWN, SAME, *[UNKNOWN] * (len(found) - 2)])] == [0, 1]
    assert match(found, [UNKNOWN] * len(found)) == []
    found = entries_of(content)
    assert match(found, [UNKNOWN] * 9 + [SAME, OTHER] + [UNKNOWN] * (len(found) - 11)) == []


def test_an_encoder_that_changed_makes_all_matches_doubtful() -> None:
    found = entries_of(build_wheel("demo", "1.0", files={f"demo/{number}": b"x" * number for number in range(1, 98)}))
    assert len(found) == 100
    likenesses = [SAME] * 96 + [OTHER] * 2 + [UNKNOWN] * 2
    assert match(found, likenesses) == []
    likenesses = [SAME] * 98 + [OTHER] * 2
    assert len(match(found, likenesses)) == 98


def test_ranges_leave_out_what_is_here_or_assumed_and_join_over_small_gaps() -> None:
    here, assumed = Spans.from_iterable([(900, 1000)]), Spans.from_iterable([(0, 100), (150, 200), (300, 600)])
    assert ranges(1000, here, assumed, gap_bytes=0) == [(100, 150), (200, 300), (600, 900)]
    assert ranges(1000, here, assumed, gap_bytes=50) == [(100, 300), (600, 900)]
    assert ranges(1000, here, assumed, gap_bytes=299) == [(100, 300), (600, 900)]
    assert ranges(1000, here, assumed, gap_bytes=300) == [(100, 900)]
    assert ranges(1000, Spans.from_iterable([(0, 1000)]), Spans(), gap_bytes=0) == []


def test_there_are_never_too_many_ranges() -> None:
    assumed = Spans.from_iterable((100 * number, 100 * number + 10 + number % 50) for number in range(5_000))
    asked = ranges(500_000, Spans(), assumed, gap_bytes=0)
    assert 1 < len(asked) <= MAX_REQUESTS
    assert not Spans.from_iterable([*asked, *assumed]).missing(0, 500_000)
