"""Where a file is cut into chunks: a pure function of its ZIP structure (or, without one, of its size alone).

Each member's compressed data is cut apart from the headers between them, because headers carry times that change with every
build while the data does not.  All that is no chunk is the *skeleton*.  No content is looked at, so every cut is known before a
byte of content has arrived.  What was measured, and what was not taken: docs/design/decisions/0011-cutting.md.
"""

from __future__ import annotations

from array import array
from itertools import accumulate, chain, pairwise
from operator import attrgetter
from typing import TYPE_CHECKING, Final

import msgspec

from wheelfs.core.wheel.zip_layout import (
    LOCAL_HEADER_BYTES,
    Directory,
    Member,
    NeedMore,
    NotAZip,
    data_offset,
    find_directory,
    parse_directory,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    Read = Callable[[int, int], bytes | memoryview]
    """``read(offset, size)``: the file's bytes there, fewer only at its end."""

BLOCK_BYTES: Final = 262_128
"""64 pages less the 16-byte header of an LMDB overflow run: a block of this size wastes nothing.  No chunk is longer."""

SMALL_BYTES: Final = 96
"""Member data below this is skeleton: as a chunk it would cost more in the index and in every recipe than it could ever save."""

GZ_HEAD_BYTES: Final = 64
"""A gzip header holds its build time; deflate stores such data verbatim, so the rest of the member is freed from it here."""

EARLY_CUTS: Final = (16 << 10, 32 << 10, 64 << 10, 128 << 10)
"""Where what is shorter than a block is cut too: a deflate stream is the same up to the first change of its content."""
_LEAST_BEHIND_BYTES: Final = 2 << 10
"""No early cut is made for less than this after it."""
_ONE_PIECE_BYTES: Final = EARLY_CUTS[0] + _LEAST_BEHIND_BYTES
"""Most members are shorter, and are one chunk."""

MAX_SKELETON_BYTES: Final = 64 << 20
"""The skeleton is held in memory when read; a file with a larger one is no wheel of our world and is cut at fixed sizes."""

TAIL_BYTES: Final = 65_536 + 22 + 20 + 56
"""Enough for every end record with the longest comment, its zip64 locator and record."""

WINDOW_BYTES: Final = 64 << 10
LEAST_WINDOW_BYTES: Final = 4 << 10
"""Local headers are read as many at a time as lie close together; so little takes no longer to read than one of them."""

_by_offset: Final = attrgetter("header_offset")


class CutMember(msgspec.Struct, frozen=True, gc=False):
    """A member with data: its last part makes ``chunks`` chunks, what is before (all of it, when small) is skeleton.

    ``skeleton_start`` is where in the skeleton its data would begin.
    """

    member: Member
    chunks: int
    skeleton_start: int


class Layout:
    """The cuts of one file: element ``i`` is ``gaps[i]`` bytes of skeleton, then a chunk of ``lengths[i]`` bytes.

    What follows the last chunk is skeleton too.  Both are packed arrays of 32-bit numbers: a wheel may have 70,000 members.
    ``members`` are in the order of the file, and so of the chunks; there are none where the cuts are not a ZIP's.
    """

    __slots__ = ("gaps", "lengths", "members", "size_bytes", "skeleton_bytes")

    def __init__(self, size_bytes: int, gaps: array[int], lengths: array[int], members: Sequence[CutMember] = ()) -> None:
        self.size_bytes = size_bytes
        self.members = members
        self.gaps = gaps
        self.lengths = lengths
        self.skeleton_bytes = size_bytes - sum(lengths)

    def pieces(self) -> Iterator[tuple[bool, int, int]]:
        """Yield ``(is_chunk, start, length)`` for every part of the file, in order and without holes; no length is 0."""
        position = 0
        for gap, length in zip(self.gaps, self.lengths, strict=True):
            if gap:
                yield False, position, gap
            yield True, position + gap, length
            position += gap + length
        if position < self.size_bytes:
            yield False, position, self.size_bytes - position


def cut_fixed(size_bytes: int) -> Layout:
    """Cut at multiples of `BLOCK_BYTES`: for sdists, odd files, and ZIPs that are not well formed."""
    full, rest = divmod(size_bytes, BLOCK_BYTES)
    lengths = array("I", [BLOCK_BYTES]) * full
    if rest:
        lengths.append(rest)
    return Layout(size_bytes, array("I", bytes(4 * len(lengths))), lengths)


def divided(content: memoryview, pieces: Iterable[tuple[int, int]]) -> tuple[bytes, list[memoryview]]:
    """Divide bytes into ``pieces``, each a length of skeleton and then one of a chunk; return the whole skeleton and the chunks.

    Pieces without a chunk leave none.
    """
    # In loops that are not Python's: there are 180,000 chunks in a gigabyte of pure wheels.
    bounds = list(accumulate(chain.from_iterable(pieces)))
    starts, ends = bounds[::2], bounds[1::2]
    cut = content.__getitem__
    skeleton = b"".join(map(cut, map(slice, chain((0,), ends), starts)))
    return skeleton, [chunk for chunk in map(cut, map(slice, starts, ends)) if chunk]


def cut_file(read: Read, size_bytes: int, directory: Directory | None = None) -> Layout:
    """Cut a file that is all here: at its ZIP structure when it has one that is well formed, else at fixed sizes.

    ``directory`` is its own, where that was read before.
    """
    try:
        location, members = _directory(read, size_bytes) if directory is None else directory
        return cut_members(members, location.offset, read, size_bytes)
    except NotAZip:
        return cut_fixed(size_bytes)


def _directory(read: Read, size_bytes: int) -> Directory:
    location = find_directory(bytes(read(max(0, size_bytes - TAIL_BYTES), TAIL_BYTES)), size_bytes)
    if isinstance(location, NeedMore):
        location = find_directory(bytes(read(location.start, size_bytes - location.start)), size_bytes)
    if isinstance(location, NeedMore):
        raise NotAZip("its end records lead nowhere")
    return Directory(location, parse_directory(read(location.offset, location.size_bytes), location))


def cut_members(members: Sequence[Member], directory_offset: int, read: Read, size_bytes: int) -> Layout:
    """Cut a ZIP whose directory is known; ``read`` is asked only for local headers and what is near them.

    Raises `NotAZip` where members overlap, lie, or have no local header where they should.
    """
    gaps: list[int] = []
    lengths: list[int] = []
    cut: list[CutMember] = []
    position = 0  # everything before it is cut already
    header_floor = 0  # local headers may touch, never overlap, what came before
    skeleton = 0
    window: bytes | memoryview = b""
    window_start, window_bytes = 0, LEAST_WINDOW_BYTES
    for member in sorted(members, key=_by_offset):
        into = member.header_offset - window_start
        if 0 <= into <= len(window) - LOCAL_HEADER_BYTES:
            window_bytes = WINDOW_BYTES
        else:
            window_start, window, into = member.header_offset, read(member.header_offset, window_bytes), 0
            window_bytes = LEAST_WINDOW_BYTES  # unless it is of use
        size = member.compressed_size
        start = data_offset(member, window, into)
        end = start + size
        if member.header_offset < header_floor or end > directory_offset:
            raise NotAZip(f"{member.name!r} overlaps what is beside it")
        header_floor = end
        if not size:
            continue
        if SMALL_BYTES <= size < _ONE_PIECE_BYTES and not member.name.endswith(".gz"):  # as most are
            skeleton += start - position
            cut.append(CutMember(member, 1, skeleton))
            gaps.append(start - position)
            lengths.append(size)
        else:
            pieces = _split(size, gzipped=member.name.endswith(".gz"))
            cut.append(CutMember(member, len(pieces), skeleton + start - position))
            if not pieces:
                continue
            gap = end - sum(pieces) - position
            skeleton += gap
            gaps += [gap, *[0] * (len(pieces) - 1)]
            lengths += pieces
        position = end
    if skeleton + size_bytes - position > MAX_SKELETON_BYTES:
        raise NotAZip(f"more than {MAX_SKELETON_BYTES} bytes of it are no member's")
    return Layout(size_bytes, array("I", gaps), array("I", lengths), cut)


def _split(size_bytes: int, *, gzipped: bool) -> list[int]:
    """Return the lengths of the chunks at the end of a member's data; what they leave at its beginning is skeleton."""
    if size_bytes < SMALL_BYTES:
        return []
    if size_bytes < _ONE_PIECE_BYTES and not gzipped:
        return [size_bytes]
    head = GZ_HEAD_BYTES if gzipped and size_bytes >= GZ_HEAD_BYTES + SMALL_BYTES else 0
    last = (size_bytes - 1) // BLOCK_BYTES * BLOCK_BYTES  # where the last, shorter part begins, or a full one
    blocks = range(BLOCK_BYTES, last + 1, BLOCK_BYTES)
    early = (last + cut for cut in EARLY_CUTS if last + cut + _LEAST_BEHIND_BYTES <= size_bytes < last + BLOCK_BYTES)
    return [after - before for before, after in pairwise([head, *blocks, *early, size_bytes])]
