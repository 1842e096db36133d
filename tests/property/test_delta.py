"""A new version assembled from an old one and from what is fetched is the new version, to the byte, or is known not to be."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from tests.fakes.wheels import build_wheel
from wheelfs.core.fetch import delta
from wheelfs.core.fetch.delta import Known, Likeness
from wheelfs.core.fetch.spans import Spans
from wheelfs.core.wheel import zip_layout

if TYPE_CHECKING:
    from wheelfs.core.wheel.zip_layout import Member

NAMES = st.integers(0, 30).map("demo/module{}.py".format)
CONTENTS = st.one_of(st.binary(max_size=40), st.integers(1, 3000).map(lambda size: bytes(range(256)) * (size // 256 + 1)))
FILES = st.dictionaries(NAMES, CONTENTS, max_size=20)


def members_of(content: bytes) -> tuple[bytes, zip_layout.DirectoryLocation, tuple[Member, ...]]:
    location = zip_layout.find_directory(content, len(content))
    assert isinstance(location, zip_layout.DirectoryLocation)
    directory = content[location.offset : location.offset + location.size_bytes]
    return directory, location, zip_layout.parse_directory(directory, location)


def key(member: Member) -> tuple[int, int, int, int]:
    return member.crc, member.size, member.method, member.compressed_size


@given(old=FILES, new=FILES, descriptors=st.booleans(), gap_bytes=st.sampled_from([0, 16, 200, 8192]), lie=st.booleans())
def test_a_new_version_is_put_together_from_the_old_one(
    old: dict[str, bytes], new: dict[str, bytes], descriptors: bool, gap_bytes: int, lie: bool
) -> None:
    before = build_wheel("demo", "1.0", files=old, made_at=(2020, 1, 1, 0, 0, 0))
    target = build_wheel("demo", "1.1", files=old | new, data_descriptors=descriptors, made_at=(2021, 1, 1, 0, 0, 0))
    stored = {}
    for member in members_of(before)[2]:
        start = zip_layout.data_offset(member, before[member.header_offset : member.header_offset + 30])
        data = before[start : start + member.compressed_size]
        stored[key(member)] = bytes(byte ^ 1 for byte in data) if lie else data
    directory, location, members = members_of(target)
    found = delta.entries(directory, location, members)
    likenesses = [Likeness.SAME if key(entry.member) in stored else Likeness.UNKNOWN for entry in found]
    pieces = delta.match(found, [Known(one) for one in likenesses])
    assert {piece.number for piece in pieces} >= {number for number, one in enumerate(likenesses) if one is Likeness.SAME}
    here = Spans.from_iterable([(location.offset, len(target))])
    assumed = delta.covered(pieces)
    asked = delta.ranges(len(target), here, assumed, gap_bytes=gap_bytes)

    made = bytearray(len(target))
    for piece in pieces:
        made[piece.start : piece.end] = piece.head + stored.get(key(found[piece.number].member), b"") + piece.trailer
    real = here.copy()
    for start, end in asked:
        real.add(start, end)
    for start, end in real:
        made[start:end] = target[start:end]
    assert not Spans.from_iterable([*real, *assumed]).missing(0, len(target))
    if not lie:
        assert made == target
    # What was only assumed, and nothing else, is what is missing once the assumption proves wrong.
    for start, end in real.missing(0, len(target)):
        assert assumed.covers(start, end)
        made[start:end] = target[start:end]
    assert made == target
