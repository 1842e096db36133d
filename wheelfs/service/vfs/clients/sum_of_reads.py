"""Verifying a file by what one reader was given of it, before it is stored.

An installer unpacks a wheel while it comes, and waits for the last bytes until they are known to be right.  Storing takes longer
than hashing: 3 ms a megabyte, after the last one has come.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from wheelfs.service.fetch.download import Download

_PIECE_BYTES: Final = 128 * 1024


class SumOfReads:
    """The sha256 of what one reader was given, as long as that is the beginning of the file, in order."""

    def __init__(self, download: Download) -> None:
        self._download = download
        self._generation = download.partial.generation
        self._sum = hashlib.sha256()
        self._end = 0
        self._is_right = False

    def add(self, offset: int, data: bytes | memoryview) -> None:
        """Take into account what is given."""
        if offset == self._end and self._generation == self._download.partial.generation:
            self._sum.update(data)
            self._end += len(data)

    async def is_right_to_the_end(self, offset: int) -> bool:
        """Wait for the rest of the file from ``offset`` on; return whether what was given and this have the file's hash."""
        download = self._download
        if self._is_right or offset != self._end:
            return self._is_right and self._generation == download.partial.generation
        whole = self._sum.copy()
        while data := await download.read(offset, _PIECE_BYTES):
            if download.sealed_sha256 is not None or self._generation != download.partial.generation:
                return False
            whole.update(data)
            offset += len(data)
        self._is_right = whole.digest() == download.ref.link.sha256
        return self._is_right
