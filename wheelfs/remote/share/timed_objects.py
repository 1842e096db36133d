"""Objects in a directory whose file system may hang, for commands that have no loop: each operation has a bound.

An object store's client has bounds of its own; a system call on a network file system has none, and cannot be cancelled.
"""

from __future__ import annotations

import threading
from itertools import islice
from typing import TYPE_CHECKING, Final, TypeVar

from wheelfs.errors import OriginTimeout

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from wheelfs.model.share_objects import FoundObject
    from wheelfs.remote.share.objects import Objects

T = TypeVar("T")

OPERATION_S: Final = 300.0
"""A pack of 64 MiB in it is 1.8 Mbit/s; a file server that fails over takes a minute or two."""

_LISTED_AT_ONCE: Final = 500


class TimedObjects:
    """`wheelfs.remote.share.objects.Objects`; an operation that takes too long is an `OriginTimeout`, and so is each later one.

    Each operation runs in a thread that the end of the process does not wait for.
    """

    def __init__(self, objects: Objects, *, operation_s: float = OPERATION_S) -> None:
        self.url = objects.url
        self._objects = objects
        self._operation_s = operation_s
        self._hangs = False

    def read(self, key: str, *, limit_bytes: int) -> bytes | None:
        return self._within(f"read {key}", lambda: self._objects.read(key, limit_bytes=limit_bytes))

    def read_range(self, key: str, start: int, end: int) -> bytes | None:
        return self._within(f"read {key}", lambda: self._objects.read_range(key, start, end))

    def create(self, key: str, content: bytes) -> bool:
        return self._within(f"write {key}", lambda: self._objects.create(key, content))

    def found(self, prefix: str) -> Iterator[FoundObject]:
        # Some at a time: a listing of a million names may take longer in all.
        listing = self._objects.found(prefix)
        while some := self._within(f"list {prefix}", lambda: list(islice(listing, _LISTED_AT_ONCE))):
            yield from some

    def delete(self, key: str) -> None:
        self._within(f"delete {key}", lambda: self._objects.delete(key))

    def _within(self, attempted: str, work: Callable[[], T]) -> T:
        done: list[T] = []
        failed: list[BaseException] = []

        def run() -> None:
            try:
                done.append(work())
            except BaseException as error:
                failed.append(error)

        thread = threading.Thread(target=run, name="share", daemon=True)
        if not self._hangs:
            thread.start()
            thread.join(self._operation_s)
        if failed:
            raise failed[0]
        if not done:
            self._hangs = True
            raise OriginTimeout(
                f"{attempted} in the share {self.url}",
                f"its file system did not answer within {self._operation_s:.0f} s",
                "is its server up? run it again when it answers",
            )
        return done[0]
