"""How the members that become solid are put into streams and blocks.

A stream is what is compressed as one: members in order of name, then of version, so that likes are near.  A block of it has what
one version added, since that is read together, and inflating what lies between costs little.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from wheelfs.core.solid.repeating import Repeat
from wheelfs.core.wheel.cutting import BLOCK_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from wheelfs.core.unpacked.encoders import Encoder

STREAM_BYTES: Final = 8 << 20
"""A stream is closed when it has this much content, but not between two members of one name: all of it is unpacked for any of its
blocks.  Whole histories as one stream would be smaller by 5 % (measured), and take as much memory as they have content."""
LONGEST_STREAM_BYTES: Final = 32 << 20
"""It is closed between those, too, when it would have more than this."""


class Cut(NamedTuple):
    """A chunk of a member: where in its data it lies, and its digest."""

    offset: int
    length: int
    digest: bytes


class SolidMember(NamedTuple):
    """A member to be kept as its content.

    ``rank`` is the number of the oldest wheel that has it, ``cuts`` are the chunks of it that are to be solid.
    """

    name: str
    rank: int
    content: bytes
    data: bytes
    encoder: Encoder
    cuts: Sequence[Cut]


class ArrangedBlock(NamedTuple):
    """A block to be stored: how it is made again, its bytes, and its chunks in order, as digest and length."""

    repeats: tuple[Repeat, ...]
    data: bytes
    chunks: Sequence[tuple[bytes, int]]


class ArrangedStream(NamedTuple):
    """What is compressed as one, and the blocks that are made of it."""

    content: bytes
    blocks: Sequence[ArrangedBlock]


def arranged(members: Iterable[SolidMember]) -> Iterator[ArrangedStream]:
    """Yield the members as streams, each with at least one member."""
    gathered: list[SolidMember] = []
    size_bytes = 0
    for member in sorted(members, key=lambda member: (member.name, member.rank)):
        longest = LONGEST_STREAM_BYTES if gathered and member.name == gathered[-1].name else STREAM_BYTES
        if gathered and size_bytes + len(member.content) > longest:
            yield _stream(gathered)
            gathered, size_bytes = [], 0
        gathered.append(member)
        size_bytes += len(member.content)
    if gathered:
        yield _stream(gathered)


def _stream(members: Sequence[SolidMember]) -> ArrangedStream:
    starts: list[int] = []
    position = 0
    for member in members:
        starts.append(position)
        position += len(member.content)
    blocks: list[ArrangedBlock] = []
    gathered: list[tuple[int, SolidMember, Cut]] = []
    filled = 0
    by_rank = sorted(zip(starts, members, strict=True), key=lambda placed: placed[1].rank)
    for start, member in by_rank:
        for cut in member.cuts:
            if filled + cut.length > BLOCK_BYTES:
                blocks.append(_block(gathered))
                gathered, filled = [], 0
            gathered.append((start, member, cut))
            filled += cut.length
    blocks.append(_block(gathered))
    return ArrangedStream(b"".join(member.content for member in members), blocks)


def _block(gathered: Sequence[tuple[int, SolidMember, Cut]]) -> ArrangedBlock:
    pieces: dict[int, list[tuple[int, int]]] = {}
    members: dict[int, SolidMember] = {}
    for start, member, cut in gathered:
        members[start] = member
        pieces.setdefault(start, []).append((cut.offset, cut.length))
    repeats = tuple(
        Repeat(start, len(member.content), member.encoder.level, member.encoder.memory, tuple(pieces[start]))
        for start, member in members.items()
    )
    data = b"".join(member.data[cut.offset : cut.offset + cut.length] for _, member, cut in gathered)
    return ArrangedBlock(repeats, data, [(cut.digest, cut.length) for _, _, cut in gathered])
