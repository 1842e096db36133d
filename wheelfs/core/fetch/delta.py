"""Which bytes of a wheel need not be fetched, because members like those are stored: a plan, made from its directory alone.

A member is taken for a stored one when CRC-32, sizes and method agree.  That, and the local header predicted for it, are
*assumptions*: two encoders may pack the same content into other bytes of the same length, and anybody can make a CRC-32 collide.
Only the sha256 of the whole file decides, and until then no reader may see what was assumed.

The directory tells where each member's room begins and ends, not where in it the data stands.  So of the few shapes in which
tools write local headers one is taken that fills the room to the byte, and a member that none fits is fetched.
"""

from __future__ import annotations

import enum
import struct
from itertools import pairwise
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from wheelfs.core.fetch.spans import Spans
from wheelfs.core.wheel.zip_layout import LOCAL_HEADER_BYTES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wheelfs.core.wheel.zip_layout import DirectoryLocation, Member

OTHER_ENCODER_SHARE: Final = 0.02
"""More than this share of members with a known content but another packed size: the builder's encoder has changed, and members
whose packed sizes agree may be other bytes all the same.  Measured: this tells 11 of 12 such wheels."""

MIN_GAP_BYTES: Final = 8 * 1024
MAX_GAP_BYTES: Final = 32 * 1024
"""How much that is here is fetched once more rather than asking twice: a request costs about as much in headers and waiting.
Between the two the bytes of an upgrade grow by a twentieth, below the requests soar, above the bytes do."""

CONNECTIONS: Final = 8
"""Ranges of one file asked for at once: a quarter of the connections to an index, so that other files and pages go on."""

MAX_REQUESTS: Final = 512
"""More ranges than this, and the gaps between them are fetched along."""

_CENTRAL: Final = struct.Struct("<4s2B2B4HL2L5H2L")  # APPNOTE 4.3.12
_LOCAL: Final = struct.Struct("<4s2B4HL2L2H")  # 4.3.7
_LOCAL_MAGIC: Final = b"PK\x03\x04"
_DESCRIPTOR: Final = struct.Struct("<4s3L")  # 4.3.9
_DESCRIPTOR_MAGIC: Final = b"PK\x07\x08"
_ZIP64: Final = struct.Struct("<2H2Q")  # 4.5.3
_EXTRA_ZIP64: Final = 1
_NEEDED_ZIP64: Final = 45  # 4.4.3.2
_FLAG_DESCRIPTOR: Final = 8
_FULL32: Final = 0xFFFFFFFF


class Likeness(enum.Enum):
    """What the store knows of a member: its very bytes (most likely), its content packed otherwise, or nothing."""

    SAME = enum.auto()
    OTHER_ENCODER = enum.auto()
    UNKNOWN = enum.auto()


class Known(NamedTuple):
    """What the store knows of a member; of one that is the same it may lack the first ``absent_bytes``."""

    likeness: Likeness
    absent_bytes: int = 0


class PlacedMember(msgspec.Struct, frozen=True):
    """A member, and how its local header is expected to look: ``head``, then the data, then ``trailer``.  None: not predictable.

    ``end`` is where its room ends: at the next header, or the directory.
    """

    member: Member
    end: int
    shape: tuple[bytes, bytes] | None


class Piece(NamedTuple):
    """A stretch of the file that is assumed: ``head``, what is stored of member ``number`` of the plan, ``trailer``."""

    start: int
    end: int
    head: bytes
    number: int
    trailer: bytes


def entries(directory: bytes, location: DirectoryLocation, members: Sequence[Member]) -> list[PlacedMember]:
    """Return the members with their rooms and expected headers, in the order of the file.

    ``members`` is what `zip_layout.parse_directory` made of ``directory``, which is therefore well formed.
    """
    records: list[tuple[Member, tuple[int, ...], bytes, bytes]] = []
    position = 0
    for member in members:
        fields = _CENTRAL.unpack_from(directory, position)
        name_size, extra_size, comment_size = fields[12:15]
        name_end = position + _CENTRAL.size + name_size
        name = directory[position + _CENTRAL.size : name_end]
        records.append((member, fields, name, directory[name_end : name_end + extra_size]))
        position = name_end + extra_size + comment_size
    records.sort(key=lambda record: record[0].header_offset)
    ends = [*(record[0].header_offset for record in records[1:]), location.offset]
    return [
        PlacedMember(record[0], end, _shape(record[1], record[2], record[3], end - record[0].header_offset))
        for record, end in zip(records, ends, strict=True)
    ]


def _shape(fields: tuple[int, ...], name: bytes, extra: bytes, room: int) -> tuple[bytes, bytes] | None:
    """Return the header and trailer, of the shapes that tools write, that fill ``room`` together with the data."""
    needed, needed_host, flags, method, time, date, crc, packed, size = fields[3:12]
    if _FULL32 in (packed, size):
        return None  # a member of 4 GiB comes from the origin
    spare = room - LOCAL_HEADER_BYTES - len(name) - packed

    def head(crc: int, packed: int, size: int, extra: bytes) -> bytes:
        numbers = (needed, needed_host, flags, method, time, date, crc, packed, size, len(name), len(extra))
        return _LOCAL.pack(_LOCAL_MAGIC, *numbers) + name + extra

    if flags & _FLAG_DESCRIPTOR:
        # A writer that could not seek: zeros before the data, the values after it.  The magic is optional, and always written.
        if spare == len(extra) + _DESCRIPTOR.size:
            return head(0, 0, 0, extra), _DESCRIPTOR.pack(_DESCRIPTOR_MAGIC, crc, packed, size)
        return None
    if spare == len(extra):
        return head(crc, packed, size, extra), b""
    if spare == 0:
        return head(crc, packed, size, b""), b""
    if spare == _ZIP64.size and not extra:
        # Python's zipfile, forced to zip64: since 3.11.4 as APPNOTE 4.5.3 has it, before with the sizes in the header as well.
        zip64 = _ZIP64.pack(_EXTRA_ZIP64, _ZIP64.size - 4, size, packed)
        return head(crc, *((packed, size) if needed < _NEEDED_ZIP64 else (_FULL32, _FULL32)), zip64), b""
    return None


def match(found: Sequence[PlacedMember], known: Sequence[Known]) -> list[Piece]:
    """Return what may be taken from the store: nothing at all when the encoder seems to have changed.

    ``known`` is what is known of the members of ``found``.  Pieces neither overlap nor leave their member's room.
    """
    same = sum(one.likeness is Likeness.SAME for one in known)
    other = sum(one.likeness is Likeness.OTHER_ENCODER for one in known)
    if not same or other > OTHER_ENCODER_SHARE * (same + other):
        return []
    return [
        _piece(number, entry.member.header_offset, entry.end, entry.shape, one.absent_bytes)
        for number, (entry, one) in enumerate(zip(found, known, strict=True))
        if entry.shape is not None and (one.likeness is Likeness.SAME or _is_empty(entry.member))
    ]


def _piece(number: int, start: int, end: int, shape: tuple[bytes, bytes], absent_bytes: int) -> Piece:
    head, trailer = shape
    if absent_bytes:  # what is before the stored part has to be fetched, header and all
        return Piece(start + len(head) + absent_bytes, end, b"", number, trailer)
    return Piece(start, end, head, number, trailer)


def _is_empty(member: Member) -> bool:
    """Tell whether a member is all header, and so predicted as a whole (and tells nothing of the encoder)."""
    return not member.size and not member.compressed_size


def ranges(size_bytes: int, here: Spans, assumed: Spans, *, gap_bytes: int) -> list[tuple[int, int]]:
    """Return what to ask for: all that is neither here nor assumed, joined over up to ``gap_bytes`` of what is.

    They are at most `MAX_REQUESTS`: beyond that the smallest distances are closed first.
    """
    known = here.copy()
    for start, end in assumed:
        known.add(start, end)
    missing = known.missing(0, size_bytes)
    distances = sorted((after[0] - before[1] for before, after in pairwise(missing)), reverse=True)
    if len(missing) > MAX_REQUESTS:
        gap_bytes = max(gap_bytes, distances[MAX_REQUESTS - 1])
    joined: list[tuple[int, int]] = []
    for start, end in missing:
        if joined and start - joined[-1][1] <= gap_bytes:
            joined[-1] = joined[-1][0], end
        else:
            joined.append((start, end))
    return joined


def covered(pieces: Sequence[Piece]) -> Spans:
    """Return the bytes that ``pieces`` assume."""
    return Spans.from_iterable((piece.start, piece.end) for piece in pieces)
