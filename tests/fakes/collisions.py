"""Other bytes with the same CRC-32, as anybody can make them."""

from __future__ import annotations

import zlib


def forged(content: bytes, like: bytes) -> bytes:
    """Return ``content`` with its last four bytes chosen so that it has the CRC-32 of ``like``."""
    # Run backwards from the wanted end, the register's highest byte tells which entry of the table was used last.
    table: list[int] = []
    for byte in range(256):
        value = byte
        for _ in range(8):
            value = (value >> 1) ^ (0xEDB88320 if value & 1 else 0)
        table.append(value)
    by_top = {entry >> 24: number for number, entry in enumerate(table)}
    wanted = zlib.crc32(like) ^ 0xFFFFFFFF
    chosen = []
    for _ in range(4):
        number = by_top[wanted >> 24]
        chosen.append(number)
        wanted = ((wanted ^ table[number]) << 8) & 0xFFFFFFFF
    register = zlib.crc32(content[:-4]) ^ 0xFFFFFFFF
    end = bytearray()
    for number in reversed(chosen):
        end.append((register ^ number) & 0xFF)
        register = (register >> 8) ^ table[number]
    made = content[:-4] + bytes(end)
    assert zlib.crc32(made) == zlib.crc32(like)
    return made
