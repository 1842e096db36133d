"""The wheels of an environment that is made, read by threads: stored ones, and those of which only parts are here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

import trio

from wheelfs.core.fetch.plan import TAIL_BYTES
from wheelfs.errors import WheelfsError
from wheelfs.model.links import FileLink
from wheelfs.model.names import ProjectName
from wheelfs.service.file_refs import FileRef

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import ExitStack

    from wheelfs.model.environment import EnvironmentWheel
    from wheelfs.service.running import Running
    from wheelfs.service.vfs.environments.wheels import LazyWheel
    from wheelfs.store.chunks.sealed_file import SealedFile

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


async def open_sources(node: Running, wheels: Sequence[EnvironmentWheel], closing: ExitStack) -> list[Source]:
    """Open wheels until ``closing`` ends, the ends of those that are not stored at hand; raises the first error."""
    sources: dict[int, Source] = {}
    errors: list[WheelfsError] = []
    places = trio.CapacityLimiter(AT_ONCE)
    for wheel in wheels:
        node.store.hold(wheel.sha256)
        closing.callback(node.store.release, wheel.sha256)

    async def bring_end(number: int, wheel: EnvironmentWheel) -> None:
        async with places:
            if errors:
                return
            try:
                lazy = await node.lazy_wheels.open(as_listed(wheel))
                closing.callback(lazy.close)
                await lazy.download.ensure_tail()
            except WheelfsError as error:
                errors.append(error)
                return
        tail_bytes = node.fetching.facts.tail_bytes(lazy.download.ref.project, wheel.size_bytes)
        sources[number] = _Parts(lazy, wheel.size_bytes, tail_bytes, trio.lowlevel.current_trio_token())

    async with trio.open_nursery() as nursery:
        for number, wheel in enumerate(wheels):
            if node.store.holds(wheel.sha256):
                sources[number] = _Stored(node.store.open_sealed(wheel.sha256))
            else:
                nursery.start_soon(bring_end, number, wheel)
    if errors:
        raise errors[0]
    return [sources[number] for number in range(len(wheels))]


def as_listed(wheel: EnvironmentWheel) -> FileRef:
    """Return a wheel as it is known without its index."""
    return FileRef(ProjectName(wheel.project), wheel.origin, FileLink(wheel.filename, "", wheel.sha256, wheel.size_bytes))


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


class _Parts:
    def __init__(self, wheel: LazyWheel, size: int, tail_bytes: int, token: trio.lowlevel.TrioToken) -> None:
        self._wheel = wheel
        self._token = token
        self.size = size
        self.tail_bytes = tail_bytes

    @property
    def is_whole(self) -> bool:
        return self._wheel.is_verified

    def has(self, start: int, end: int) -> bool:
        return self._wheel.has(start, end)

    def read(self, offset: int, size: int) -> bytes:
        return bytes(trio.from_thread.run(self._wheel.read, offset, size, trio_token=self._token))

    def bring(self, ranges: Sequence[tuple[int, int]]) -> None:
        trio.from_thread.run(self._wheel.bring, ranges, trio_token=self._token)
