"""Counts that a worker and the head of its gateway share: memory that outlives the worker, so that no count goes back with it.

A board is a file in memory (``memfd_create``) of rows: 56 bytes of name, ended by zeros, and the number, 8 bytes in the machine's
own order.  Rows are only added.  One process writes, the worker that has the place now (when it has ended, the head); the head
reads whenever it is asked, also while a worker hangs.  A worker may be killed between any two instructions: a row without its
number is zero, which is no count.
"""

from __future__ import annotations

import mmap
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

ROWS: Final = 512
"""Statuses, and errors by operation and class, are closed sets of some dozens each."""
ROW_BYTES: Final = 64
NAME_BYTES: Final = 56
_WORDS: Final = ROW_BYTES // 8


class Scoreboard:
    """A `wheelfs.telemetry.Table` in memory that is shared through its descriptor, which stays the caller's."""

    def __init__(self, descriptor: int) -> None:
        """Open the board of ``descriptor``, with what was counted on it before."""
        self._memory = mmap.mmap(descriptor, ROWS * ROW_BYTES)
        # Stored and loaded as whole words: a reader sees a number before or after, never half of both.
        self._numbers = memoryview(self._memory).cast("Q")
        self._rows = {name: row for row, name in self._names()}

    def add(self, name: str, number: int) -> None:
        """Count; a name that is new takes a row."""
        self._numbers[self._place(name)] += number

    def put(self, name: str, number: int) -> None:
        """Set a number."""
        self._numbers[self._place(name)] = number

    def items(self) -> Iterator[tuple[str, int]]:
        """Yield what is counted as of now, whichever process counted it."""
        for row, name in self._names():
            if number := self._numbers[row * _WORDS + _WORDS - 1]:
                yield name, number

    def _place(self, name: str) -> int:
        row = self._rows.get(name)
        if row is None:  # another process may have added rows, when it was the one that wrote
            self._rows = {known: number for number, known in self._names()}
            row = self._rows.get(name)
        if row is None:
            encoded = name.encode()
            row = max(self._rows.values(), default=-1) + 1
            assert row < ROWS and len(encoded) <= NAME_BYTES, f"no place to count {name}"
            self._memory[row * ROW_BYTES : row * ROW_BYTES + NAME_BYTES] = encoded.ljust(NAME_BYTES, b"\0")
            self._rows[name] = row
        return row * _WORDS + _WORDS - 1

    def _names(self) -> Iterator[tuple[int, str]]:
        for row in range(ROWS):
            encoded = self._memory[row * ROW_BYTES : row * ROW_BYTES + NAME_BYTES].rstrip(b"\0")
            if not encoded:
                return
            yield row, encoded.decode(errors="replace")


@contextmanager
def made_board() -> Iterator[int]:
    """Yield the descriptor of a new board."""
    descriptor = os.memfd_create("wheelfs-counts", os.MFD_CLOEXEC)
    try:
        os.ftruncate(descriptor, ROWS * ROW_BYTES)
        yield descriptor
    finally:
        os.close(descriptor)
