"""The wheels of an environment that is made, read by threads: stored ones, and those of which only parts are here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from wheelfs.core.wheel.cutting import TAIL_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from contextlib import ExitStack

    from wheelfs.model.environment import EnvironmentWheel
    from wheelfs.store.chunks.sealed_file import SealedFile
    from wheelfs.store.store import Store

AT_ONCE: Final = 8
"""Wheels whose ends are asked for at a time, as for files that are fetched."""


class Source(Protocol):
    """A wheel; its methods may be called from any thread but the loop's."""

    @property
    def size(self) -> int: ...

    @property
    def tail_bytes(self) -> int:
        """How much of its end to look at first."""
        ...

    @property
    def is_whole(self) -> bool:
        """Whether all of it is here and verified."""
        ...

    def has(self, start: int, end: int) -> bool:
        """Return whether a range is here."""
        ...

    def read(self, offset: int, size: int) -> bytes: ...

    def bring(self, ranges: Sequence[tuple[int, int]]) -> None:
        """Bring ranges that are not here; raises `OriginError`."""
        ...


def hold(store: Store, wheels: Iterable[EnvironmentWheel], closing: ExitStack) -> None:
    """Keep those of the wheels that are stored, or will be, readable until ``closing`` ends."""
    for wheel in wheels:
        store.hold(wheel.sha256)
        closing.callback(store.release, wheel.sha256)


def open_stored(store: Store, wheel: EnvironmentWheel) -> Source:
    """Open a stored wheel, which the caller holds; raises what `Store.open_sealed` does."""
    return _Stored(store.open_sealed(wheel.sha256))


class _Stored:
    tail_bytes = TAIL_BYTES
    is_whole = True

    def __init__(self, sealed: SealedFile) -> None:
        self._sealed = sealed
        self.size = sealed.size

    def has(self, start: int, end: int) -> bool:
        return start <= end

    def read(self, offset: int, size: int) -> bytes:
        return bytes(self._sealed.read(offset, size))

    def bring(self, ranges: Sequence[tuple[int, int]]) -> None:
        pass
