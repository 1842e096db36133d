"""What surrounds every small object of a share: four bytes that say what it is, and a checksum at its end."""

from __future__ import annotations

import hashlib
import sys
from array import array
from typing import Final, TypeVar

import msgspec

from wheelfs.model.decoding import DECODE_ERRORS

T = TypeVar("T")

MAGIC_BYTES: Final = 4
CHECK_BYTES: Final = 16
FRAMING_BYTES: Final = MAGIC_BYTES + CHECK_BYTES


class ShareFormatError(ValueError):
    """These bytes are not what they should be; the message says why."""


class NewerFormatError(ShareFormatError):
    """It is of the kind that was expected, in a form that another version of wheelfs writes."""


def framed(magic: bytes, body: bytes) -> bytes:
    """Return ``body`` between its magic and its checksum."""
    begun = magic + body
    return begun + _check(begun)


def unframed(magic: bytes, encoded: bytes) -> bytes:
    """Return the body of what `framed` made; raise `ShareFormatError` for anything else, a single flipped bit included."""
    is_whole = len(encoded) >= MAGIC_BYTES + CHECK_BYTES and _check(encoded[:-CHECK_BYTES]) == encoded[-CHECK_BYTES:]
    if encoded[:MAGIC_BYTES] != magic:
        is_ours = is_whole and encoded[: MAGIC_BYTES - 1] == magic[:-1]  # the last byte is the version
        raise (NewerFormatError if is_ours else ShareFormatError)(f"it does not begin with {magic.decode()}")
    if not is_whole:
        raise ShareFormatError("its checksum is wrong")
    return encoded[MAGIC_BYTES:-CHECK_BYTES]


def unpacked(magic: bytes, encoded: bytes, kind: type[T], what: str) -> T:
    """Return the MessagePack value of what `framed` made; raise `ShareFormatError`, which names ``what``, for anything else.

    The checksum is no promise: any writer can make one.  Text that is no UTF-8 is a `UnicodeDecodeError`, which msgspec does not
    count among its own errors, as it does not an impossible number or too deep a nesting.
    """
    try:
        return msgspec.msgpack.decode(unframed(magic, encoded), type=kind)
    except ShareFormatError:
        raise
    except DECODE_ERRORS as error:
        raise ShareFormatError(f"it is no {what} ({error})") from None


def packed_numbers(numbers: array[int]) -> bytes:
    """Return 32-bit numbers, little-endian."""
    if sys.byteorder == "big":
        numbers = numbers[:]
        numbers.byteswap()
    return numbers.tobytes()


def read_numbers(encoded: bytes) -> array[int]:
    """Read what `packed_numbers` wrote; the length is a multiple of four."""
    numbers = array("I")
    numbers.frombytes(encoded)
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers


def _check(begun: bytes) -> bytes:
    return hashlib.blake2b(begun, digest_size=CHECK_BYTES).digest()
