"""Reading a wheel's ZIP structure from whatever parts of it are here: the tail, the directory, single members.

Source: PKWARE APPNOTE 6.3.10 (clauses are named where they matter).  Everything comes from strangers: each number is checked
against the size of what was given before it is used, and what does not fit raises `NotAZip`.
"""

from __future__ import annotations

import re
import struct
from bisect import bisect_right
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec
from zlib_ng import zlib_ng

from wheelfs.core.wheel.unpacking import STORED, UNPACKING_ERRORS, stream_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

MAX_DIRECTORY_BYTES: Final = 256 << 20
"""A directory of a million members with long names; a larger one is an attack on memory."""
MAX_METADATA_BYTES: Final = 16 << 20
"""Unpacked METADATA: the largest seen is below 1 MiB."""

_END = struct.Struct("<4s4H2LH")  # 4.3.16
_END_MAGIC = b"PK\x05\x06"
_LOCATOR64 = struct.Struct("<4sLQL")  # 4.3.15
_LOCATOR64_MAGIC = b"PK\x06\x07"
_END64 = struct.Struct("<4sQ2H2L4Q")  # 4.3.14
_END64_MAGIC = b"PK\x06\x06"
_CENTRAL = struct.Struct("<4s4x2H4x3L4H2x2L")  # 4.3.12, without what nothing here needs
_CENTRAL_MAGIC = b"PK\x01\x02"
_LOCAL = struct.Struct("<4s22x2H")  # 4.3.7, without what the directory says, too
_LOCAL_MAGIC = b"PK\x03\x04"
LOCAL_HEADER_BYTES: Final = _LOCAL.size
_COMMENT_MAX: Final = 0xFFFF
_FULL16: Final = 0xFFFF
_FULL32: Final = 0xFFFFFFFF
_FLAG_ENCRYPTED: Final = 1
_FLAG_UTF8: Final = 0x800
_EXTRA_ZIP64: Final = 1
_INFLATED_BYTES: Final = 1 << 20


class NotAZip(ValueError):
    """These bytes are no ZIP that can be read; the message says why."""


class DirectoryLocation(msgspec.Struct, frozen=True):
    """Where the central directory is: absolute ``offset`` and ``size_bytes``, and how many ``entries`` it claims.

    ``prepended`` is what lies before the archive proper (a launcher, say): the offsets in the directory are relative to it.
    """

    offset: int
    size_bytes: int
    entries: int
    prepended: int = 0
    zip64: bool = False


class NeedMore(msgspec.Struct, frozen=True):
    """More of the tail is needed: everything from byte ``start`` of the file."""

    start: int


class Member(msgspec.Struct, frozen=True, gc=False):
    """One entry of the directory.  ``header_offset`` is absolute: where its local header begins in the file.

    ``mode`` is st_mode where the entry was made on Unix, else 0 (4.4.15).  No named tuple: there may be a million, and making
    one of those takes twice as long, and the garbage collector looks at each.
    """

    name: str
    crc: int
    method: int
    flags: int
    compressed_size: int
    size: int
    header_offset: int
    mode: int = 0


class Directory(NamedTuple):
    """A whole central directory: where it is, and its members in its order."""

    location: DirectoryLocation
    members: Sequence[Member]


def find_directory(tail: bytes, file_size: int) -> DirectoryLocation | NeedMore:
    """Find the central directory from the file's last bytes; raise `NotAZip` when there can be none.

    ``tail`` may have any length up to the whole file; when it is too short the answer says from where on it is needed.
    """
    if len(tail) > file_size:
        raise NotAZip("more bytes than the file has")
    tail_start = file_size - len(tail)
    position = _find_end(tail, tail_start, file_size)
    if position is None:
        needed = max(0, file_size - _COMMENT_MAX - _END.size)
        if tail_start > needed:
            return NeedMore(needed)
        # As in Python's zipfile and so in pip: bytes after the last record (NULs, a line end of some upload) do no harm.
        position = tail.rfind(_END_MAGIC, needed - tail_start)
        if position < 0 or _bytes_behind(tail, position) is None:
            raise NotAZip("it has no end-of-central-directory record (truncated, or no ZIP at all)")
    _, disk, directory_disk, entries_here, entries, size, offset, _ = _END.unpack_from(tail, position)
    end = tail_start + position
    zip64 = False
    if _FULL16 in (disk, directory_disk, entries_here, entries) or _FULL32 in (size, offset):
        found = _find_end64(tail, tail_start, end)
        if isinstance(found, NeedMore):
            return found
        if found is not None:
            end, disk, directory_disk, entries_here, entries, size, offset = found
            zip64 = True
    if disk or directory_disk or entries_here != entries:
        raise NotAZip("it spans several disks")
    return _located(end, entries, size, offset, zip64)


def _located(end: int, entries: int, size: int, offset: int, zip64: bool) -> DirectoryLocation:
    # The directory ends where its end record begins, whatever its offset says; the difference is prepended data.
    prepended = end - size - offset
    if size > end or prepended < 0:
        raise NotAZip("its central directory does not lie inside the file")
    if size > MAX_DIRECTORY_BYTES:
        raise NotAZip(f"its central directory is larger than {MAX_DIRECTORY_BYTES >> 20} MiB")
    if entries * _CENTRAL.size > size:
        raise NotAZip("its central directory is too small for the members it claims")
    return DirectoryLocation(end - size, size, entries, prepended, zip64)


def _find_end(tail: bytes, tail_start: int, file_size: int) -> int | None:
    """Return where in ``tail`` the end record begins: the last one whose comment reaches exactly to the end of the file."""
    position = len(tail) - _END.size + len(_END_MAGIC)
    lowest = max(0, file_size - _COMMENT_MAX - _END.size - tail_start)
    while position > lowest:
        position = tail.rfind(_END_MAGIC, lowest, position)
        if position < 0:
            return None
        comment = int.from_bytes(tail[position + _END.size - 2 : position + _END.size], "little")
        if position + _END.size + comment == len(tail):
            return position
        position += len(_END_MAGIC) - 1
    return None


def bytes_behind(tail: bytes) -> int:
    """Return how many bytes follow the end record and its comment, by a file's last bytes; 0 where there is no record."""
    if _find_end(tail, 0, len(tail)) is not None:
        return 0
    position = tail.rfind(_END_MAGIC)
    return 0 if position < 0 else _bytes_behind(tail, position) or 0


def _bytes_behind(tail: bytes, position: int) -> int | None:
    """Return how many bytes follow the end record at ``position``; None where it, or its comment, is cut short."""
    after = len(tail) - position - _END.size
    comment = int.from_bytes(tail[position + _END.size - 2 : position + _END.size], "little")
    return after - comment if 0 <= comment <= after else None


def _find_end64(tail: bytes, tail_start: int, end: int) -> tuple[int, int, int, int, int, int, int] | NeedMore | None:
    """Return the zip64 end record's own offset and its six fields; None when there is none (the fields are then meant)."""
    locator = end - _LOCATOR64.size
    if locator < 0:
        return None
    if locator < tail_start:
        return NeedMore(max(0, locator - _END64.size))
    magic, disk, claimed, disks = _LOCATOR64.unpack_from(tail, locator - tail_start)
    if magic != _LOCATOR64_MAGIC:
        return None
    if disk or disks > 1:
        raise NotAZip("it spans several disks")
    # With prepended data the claimed offset is short; without extensible data the record ends where its locator begins.
    for offset in (locator - _END64.size, claimed):
        if offset < 0 or offset > locator - _END64.size:
            continue
        if offset < tail_start:
            if locator - offset > _COMMENT_MAX:
                break
            return NeedMore(offset)
        record = _END64.unpack_from(tail, offset - tail_start)
        if record[0] == _END64_MAGIC and offset + 12 + record[1] == locator:  # 4.3.14.1: size leaves out its first 12 bytes
            return offset, record[4], record[5], record[6], record[7], record[8], record[9]
    raise NotAZip("its zip64 end-of-central-directory record is not where it should be")


def parse_directory(data: bytes | memoryview, location: DirectoryLocation, *, ending: bytes = b"") -> tuple[Member, ...]:
    """Return the members in the directory's order; ``data`` is exactly the directory.  Raises `NotAZip`.

    With ``ending`` only those whose names end so (the others are only stepped over, four times as fast).  No entry's data is
    promised to be where it says, or apart from its neighbours': see `wheelfs.core.wheel.cutting`.
    """
    if len(data) != location.size_bytes:
        raise NotAZip("the central directory is not complete")
    data = bytes(data)
    unpack = _CENTRAL.unpack_from
    head = _CENTRAL.size
    prepended = location.prepended
    limit = location.offset - LOCAL_HEADER_BYTES - prepended
    total = len(data)
    members: list[Member] = []
    following = 0
    for _ in range(location.entries):
        position = following
        start = position + head
        if start > total:
            raise NotAZip("its central directory ends in the middle of an entry")
        magic, flags, method, crc, packed, size, name_size, extra_size, comment_size, disk, external, offset = unpack(
            data, position
        )
        if magic != _CENTRAL_MAGIC:
            raise NotAZip("its central directory holds something that is no entry")
        name_end = start + name_size
        following = name_end + extra_size + comment_size
        if following > total:
            raise NotAZip("its central directory ends in the middle of an entry")
        if ending and not data.endswith(ending, start, name_end):
            continue
        if packed == _FULL32 or size == _FULL32 or offset == _FULL32 or disk == _FULL16:
            size, packed, offset, disk = _zip64_fields(data[name_end : name_end + extra_size], size, packed, offset, disk)
        if disk or offset + packed > limit:
            raise NotAZip("a member does not lie inside the file")
        raw_name = data[start:name_end]
        # 4.4.4 bit 11; wheels are UTF-8 by their own specification, so bytes that are not are kept apart, not guessed at.
        name = (
            raw_name.decode("utf-8", "surrogateescape") if flags & _FLAG_UTF8 or raw_name.isascii() else raw_name.decode("cp437")
        )
        members.append(Member(name, crc, method, flags, packed, size, offset + prepended, external >> 16))
    return tuple(members)


def _zip64_fields(extra: bytes, size: int, packed: int, offset: int, disk: int) -> tuple[int, int, int, int]:
    """Replace the fields that are full by those of the zip64 extra (4.5.3): only full ones are present, in this order."""
    position = 0
    while position + 4 <= len(extra):
        tag, length = struct.unpack_from("<HH", extra, position)
        body = extra[position + 4 : position + 4 + length]
        position += 4 + length
        if tag != _EXTRA_ZIP64:
            continue
        if len(body) != length:
            break
        try:
            cursor = 0
            if size == _FULL32:
                (size,) = struct.unpack_from("<Q", body, cursor)
                cursor += 8
            if packed == _FULL32:
                (packed,) = struct.unpack_from("<Q", body, cursor)
                cursor += 8
            if offset == _FULL32:
                (offset,) = struct.unpack_from("<Q", body, cursor)
                cursor += 8
            if disk == _FULL16:
                (disk,) = struct.unpack_from("<L", body, cursor)
        except struct.error:
            break
        return size, packed, offset, disk
    raise NotAZip("a member's zip64 field is missing or cut short")


def metadata_member(members: Sequence[Member], project: str | None = None) -> Member | None:
    """Return the member ``NAME-VERSION.dist-info/METADATA`` at top level, or None.

    With ``project`` (normalized) the directory must be that project's.  Two are as bad as none: installers refuse them.  Of one
    member that is there twice the later one is taken: it is what lies there when all is unpacked.
    """
    found = [member for member in members if _is_metadata(member.name, project)]
    return found[-1] if len({member.name for member in found}) == 1 else None


def _is_metadata(name: str, project: str | None) -> bool:
    directory, _, rest = name.partition("/")
    if rest != "METADATA" or not directory.endswith(".dist-info"):
        return False
    # Builders are to write no "-" in name or version, and old ones did: ``my-project-1.0``, ``project-1.0-1``.
    names = directory.removesuffix(".dist-info").rpartition("-")[0], directory.partition("-")[0]
    return project is None or project in (re.sub(r"[-_.]+", "-", name).lower() for name in names)


def member_window(member: Member, members: Sequence[Member], directory_offset: int) -> tuple[int, int]:
    """Return the bytes ``[start, end)`` that surely contain the member's local header and data.

    They end at the next member's header or the directory: the local header's own lengths are not known before it is read.
    Linear in the number of members; for many look-ups sort the offsets once and use `window_after`.
    """
    return window_after(member, sorted(other.header_offset for other in members), directory_offset)


def window_after(member: Member, sorted_offsets: Sequence[int], directory_offset: int) -> tuple[int, int]:
    """As `member_window`, with the offsets of all headers in ascending order."""
    following = bisect_right(sorted_offsets, member.header_offset)
    end = sorted_offsets[following] if following < len(sorted_offsets) else directory_offset
    return member.header_offset, min(end, directory_offset)


def data_offset(member: Member, header: bytes | memoryview, at: int = 0) -> int:
    """Return where in the file the member's data begins, from its local header; raises `NotAZip`.

    That begins at byte ``at`` of ``header``, of which 30 bytes are enough.
    """
    if len(header) - at < LOCAL_HEADER_BYTES:
        raise NotAZip(f"the local header of {member.name!r} is cut short")
    magic, name_size, extra_size = _LOCAL.unpack_from(header, at)
    if magic != _LOCAL_MAGIC:
        raise NotAZip(f"the local header of {member.name!r} is not where the directory says")
    return member.header_offset + LOCAL_HEADER_BYTES + int(name_size) + int(extra_size)


def extract_member(
    member: Member, window: bytes | memoryview, window_start: int, *, max_bytes: int = MAX_METADATA_BYTES
) -> bytes:
    """Return the member's content, unpacked and checked; ``window`` begins at ``window_start`` of the file.

    Raises `NotAZip` when the window is too short, the content larger than ``max_bytes``, or not what the directory promises.
    """
    if member.flags & _FLAG_ENCRYPTED:
        raise NotAZip(f"{member.name!r} is encrypted")
    if member.size > max_bytes:
        raise NotAZip(f"{member.name!r} is larger than {max_bytes} bytes")
    start = member.header_offset - window_start
    if start < 0:
        raise NotAZip(f"{member.name!r} is not inside these bytes")
    view = memoryview(window)
    begin = data_offset(member, view[start : start + LOCAL_HEADER_BYTES]) - window_start
    packed = view[begin : begin + member.compressed_size]
    if len(packed) != member.compressed_size:
        raise NotAZip(f"{member.name!r} is cut short")
    return inflated(member, packed)


def inflated(member: Member, packed: bytes | memoryview) -> bytes:
    """Return the member's content from all of its data, checked.  Raises `NotAZip`."""
    content = _unpacked(member, memoryview(packed))
    if len(content) != member.size or zlib_ng.crc32(content) != member.crc:
        raise NotAZip(f"{member.name!r} does not have the size and checksum that the directory gives")
    return content


def _unpacked(member: Member, packed: memoryview) -> bytes:
    if member.method == STORED:
        return bytes(packed)
    try:
        # One byte more than promised: a longer stream is then noticed, and a bomb stops there. (0 would mean no limit.)
        return bytes(_stream_of(member).decompress(packed, member.size + 1))
    except UNPACKING_ERRORS as error:
        raise NotAZip(f"{member.name!r} cannot be unpacked ({error})") from None


def _stream_of(member: Member) -> Any:
    if (stream := stream_of(member.method, member.size)) is None:
        raise NotAZip(f"{member.name!r} is packed by method {member.method}, which installers do not unpack")
    return stream


class Inflater:
    """Unpacks a member piece by piece, for what is too large to be unpacked at once."""

    def __init__(self, member: Member) -> None:
        """Begin; raises `NotAZip` for a way of packing that installers do not unpack."""
        self._member = member
        self._stream = None if member.method == STORED else _stream_of(member)
        self._size = 0
        self._crc = 0

    def take(self, packed: bytes) -> Iterator[bytes]:
        """Yield the content of the next packed bytes, in pieces of no more than 1 MiB; raises `NotAZip`."""
        if self._stream is None:
            yield self._counted(packed)
            return
        is_full = True
        # A full piece may leave more inside, although all that was packed is consumed.
        while packed or is_full:
            try:
                content = self._stream.decompress(packed, _INFLATED_BYTES)
            except UNPACKING_ERRORS as error:
                raise NotAZip(f"{self._member.name!r} cannot be unpacked ({error})") from None
            packed = self._stream.unconsumed_tail
            is_full = len(content) == _INFLATED_BYTES
            yield self._counted(content)

    def finish(self) -> None:
        """Raise `NotAZip` when what came is not what the directory promises."""
        if self._size != self._member.size or self._crc != self._member.crc:
            raise NotAZip(f"{self._member.name!r} does not have the size and checksum that the directory gives")

    def _counted(self, content: bytes) -> bytes:
        self._size += len(content)
        if self._size > self._member.size:
            raise NotAZip(f"{self._member.name!r} is larger than the directory says")
        self._crc = zlib_ng.crc32(content, self._crc)
        return content
