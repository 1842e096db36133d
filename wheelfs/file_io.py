"""Writing to files where the system may take less than it was given."""

from __future__ import annotations

import os


def write_all(descriptor: int, data: bytes | bytearray | memoryview, offset: int) -> None:
    """Write all of ``data`` at ``offset``, in several calls where the system takes less; an OSError may leave a part."""
    rest = memoryview(data)
    while rest:
        written = os.pwrite(descriptor, rest, offset)
        rest, offset = rest[written:], offset + written
