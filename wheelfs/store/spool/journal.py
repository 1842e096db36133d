"""The journal beside a partly fetched file: which bytes are there, as far as that can be trusted after a crash.

Bytes on disk are described in ``docs/design/format.md`` (Spool).  Rules:

- A write is recorded after it was made, so what a process recorded before it was killed is in the page cache or on disk.
- Power loss takes the page cache along.  Of what was recorded under another boot only that counts which precedes an ``S``,
  written after the data was flushed.  ``B`` marks where the records of another boot begin.
- Each record's checksum covers the checksum before it, so a torn tail, a hole or a left-over is
  recognised, and everything after it ignored.
"""

from __future__ import annotations

import struct
import uuid
import zlib
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

from wheelfs.core.fetch.spans import Spans

_MAGIC: Final = b"whlspan1"
_HEAD: Final = struct.Struct("<8s32sQH")
_RECORD: Final = struct.Struct("<c16sL")
_RANGE: Final = struct.Struct("<QQ")
_CRC: Final = struct.Struct("<L")

MAX_RECORDS: Final = 200_000
"""About 5 MB.  Later writes go unrecorded and are fetched again after a restart: never wrong, but more expensive."""

RECORD_BYTES: Final = _RECORD.size

MAX_JOURNAL_BYTES: Final = (MAX_RECORDS + 1000) * RECORD_BYTES + 65_536 + _HEAD.size
"""A longer one is not read and counts as none: earlier builds bounded what each run added, and not their sum."""


class Replay(NamedTuple):
    """What a journal says: the header's fields, the trusted bytes, and where the valid records end, with their last checksum."""

    size_bytes: int
    validator: str | None
    spans: Spans
    end: int
    crc: int
    boot: bytes


@cache
def boot_id() -> bytes:
    """Return 16 bytes that are the same until the machine reboots; of this process where the kernel does not say."""
    try:
        return uuid.UUID(Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()).bytes
    except (OSError, ValueError):
        return uuid.uuid4().bytes


def header(key: bytes, size_bytes: int, validator: str | None) -> tuple[bytes, int]:
    """Return the bytes a journal begins with, and their checksum; the validator is kept without a length limit of its own."""
    text = b"" if validator is None else b"\1" + validator.encode("utf-8", "surrogateescape")[:65_000]
    body = _HEAD.pack(_MAGIC, key, size_bytes, len(text)) + text
    crc = zlib.crc32(body)
    return body + _CRC.pack(crc), crc


def boot_record(crc: int, boot: bytes) -> tuple[bytes, int]:
    """Return a ``B`` record and the checksum to chain the next one to."""
    return _record(b"B", boot, crc)


def range_record(kind: bytes, offset: int, length: int, crc: int) -> tuple[bytes, int]:
    """Return a ``W`` (written) or ``S`` (all before is on disk) record and its checksum.

    ``D`` (dropped) is part of the format and was written by earlier builds: it is still read.
    """
    return _record(kind, _RANGE.pack(offset, length), crc)


def _record(kind: bytes, payload: bytes, crc: int) -> tuple[bytes, int]:
    crc = zlib.crc32(payload, zlib.crc32(kind, crc))
    return _RECORD.pack(kind, payload, crc), crc


def replay(data: bytes, key: bytes, boot: bytes) -> Replay | None:
    """Read a journal as far as it is whole; None when not even its header is, or it belongs to another key."""
    if len(data) < _HEAD.size:
        return None
    magic, own_key, size_bytes, text_length = _HEAD.unpack_from(data)
    end = _HEAD.size + text_length + _CRC.size
    if magic != _MAGIC or own_key != key or len(data) < end:
        return None
    (crc,) = _CRC.unpack_from(data, end - _CRC.size)
    if zlib.crc32(data[: end - _CRC.size]) != crc:
        return None
    text = data[_HEAD.size : _HEAD.size + text_length]
    validator = text[1:].decode("utf-8", "surrogateescape") if text else None
    current, durable, last_boot = Spans(), Spans(), b""
    for kind, payload, own_crc in _RECORD.iter_unpack(data[end : end + (len(data) - end) // _RECORD.size * _RECORD.size]):
        if zlib.crc32(payload, zlib.crc32(kind, crc)) != own_crc:
            break
        crc = own_crc
        end += _RECORD.size
        if kind == b"B":
            if payload != last_boot:
                current = durable.copy()
            last_boot = payload
            continue
        offset, length = _RANGE.unpack(payload)
        if kind == b"W" and offset + length <= size_bytes:
            current.add(offset, offset + length)
        elif kind == b"S":
            durable = current.copy()
        elif kind == b"D":
            current = _without(current, offset, offset + length)
            durable = _without(durable, offset, offset + length)
    return Replay(size_bytes, validator, current if last_boot == boot else durable, end, crc, last_boot)


def _without(spans: Spans, start: int, end: int) -> Spans:
    """Return the bytes of ``spans`` that lie outside ``[start, end)``."""
    left = Spans()
    for first, last in spans:
        left.add(first, max(first, min(last, start)))
        left.add(min(last, max(first, end)), last)
    return left
