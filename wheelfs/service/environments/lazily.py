"""Making an environment of wheels of which some are not stored: a node brings what is needed of those."""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING

import trio

from wheelfs.errors import WheelfsError
from wheelfs.model.links import FileLink
from wheelfs.model.names import ProjectName
from wheelfs.service.environments.making import make_environment
from wheelfs.service.environments.sources import AT_ONCE, hold, open_stored
from wheelfs.service.file_refs import FileRef

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from wheelfs.model.environment import EnvironmentWheel, Interpreter
    from wheelfs.service.environments.making import Made
    from wheelfs.service.environments.sources import Source
    from wheelfs.service.running import Running
    from wheelfs.service.vfs.environments.wheels import LazyWheel


async def make_lazily(
    node: Running,
    name: str,
    wheels: Sequence[EnvironmentWheel],
    interpreter: Interpreter,
    *,
    progress: Callable[[int, int], None],
) -> Made:
    """Do what `make_environment` does for wheels that may not be stored.

    Of those the directory is read, and the few members that say how it is installed.  Raises what opening a wheel does, too.
    """
    with ExitStack() as closing:
        sources = await _open_sources(node, wheels, closing)
        made = partial(make_environment, check_cancelled=trio.from_thread.check_cancelled, progress=progress)
        # The loop is free meanwhile: it is what brings the members.
        return await trio.to_thread.run_sync(made, node.store, name, wheels, interpreter, sources)


async def _open_sources(node: Running, wheels: Sequence[EnvironmentWheel], closing: ExitStack) -> list[Source]:
    """Open wheels until ``closing`` ends, the ends of those that are not stored at hand; raises the first error."""
    hold(node.store, wheels, closing)
    sources: dict[int, Source] = {}
    errors: list[WheelfsError] = []
    places = trio.CapacityLimiter(AT_ONCE)

    async def bring_end(number: int, wheel: EnvironmentWheel) -> None:
        async with places:
            if errors:
                return
            try:
                lazy = await node.lazy_wheels.open(_as_listed(wheel))
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
                sources[number] = open_stored(node.store, wheel)
            else:
                nursery.start_soon(bring_end, number, wheel)
    if errors:
        raise errors[0]
    return [sources[number] for number in range(len(wheels))]


def _as_listed(wheel: EnvironmentWheel) -> FileRef:
    """Return a wheel as it is known without its index."""
    return FileRef(ProjectName(wheel.project), wheel.origin, FileLink(wheel.filename, "", wheel.sha256, wheel.size_bytes))


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
