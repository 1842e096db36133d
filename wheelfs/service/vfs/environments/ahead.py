"""Bringing what a lazy environment's profile names, as soon as a program looks into it: one by one it would take far longer."""

from __future__ import annotations

import logging
import math
from typing import TYPE_CHECKING, Final

import trio

from wheelfs.core.environments.profile import profiled_members, ranges_by_wheel
from wheelfs.errors import WheelfsError
from wheelfs.service.tasks import failure
from wheelfs.store.catalog.mounted_environments import bytecode_key

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wheelfs.service.fetch.context import FetchContext
    from wheelfs.service.file_refs import FileRef
    from wheelfs.service.vfs.environments.nodes import EnvironmentTree
    from wheelfs.service.vfs.environments.wheels import LazyWheels

log = logging.getLogger(__name__)

WHEELS_AT_ONCE: Final = 8
"""Wheels of which parts are brought at a time; requests for all of them share one limit."""
RETRY_S: Final = 60.0
"""After this it is tried again, where something failed or nothing was known."""


class ProfilePrefetcher:
    """Brings the members that profiles name, in the background, for each tree once."""

    def __init__(self, context: FetchContext, wheels: LazyWheels) -> None:
        """``context`` has the store, and the nursery to work in."""
        self._context = context
        self._wheels = wheels
        self._again_s: dict[bytes, float] = {}
        self._places = trio.CapacityLimiter(WHEELS_AT_ONCE)

    def looked_into(self, tree: EnvironmentTree) -> None:
        """Begin, unless that was done or all is here; called at every look-up, so it must cost nothing."""
        if tree.is_complete or self._context.hosts.offline or trio.current_time() < self._again_s.get(tree.digest, -math.inf):
            return
        self._again_s[tree.digest] = math.inf
        self._context.nursery.start_soon(self._bring, tree)

    async def _bring(self, tree: EnvironmentTree) -> None:
        done = False
        try:
            wanted = await trio.to_thread.run_sync(self._wanted, tree, limiter=self._context.disk)
            outcomes: list[bool] = []
            async with trio.open_nursery() as nursery:
                for number, ranges in wanted.items():
                    nursery.start_soon(self._bring_parts, tree.refs[number], ranges, outcomes)
            done = bool(outcomes) and all(outcomes)
        except Exception as error:  # a task that fails here would end the mount
            known = failure("look into the profile of an environment", error)
            log.warning("bring what the profile of an environment names: %s", known)
        finally:
            if not done:
                self._again_s[tree.digest] = trio.current_time() + RETRY_S

    def _wanted(self, tree: EnvironmentTree) -> dict[int, list[tuple[int, int]]]:
        mounted = self._context.store.mounted
        environment, profile = mounted.tree(tree.digest), mounted.profiles.of(tree.digest)
        if environment is None:
            return {}
        magic = environment.interpreter.magic
        paths = {member.path: bytecode_key(member.sha256, magic) for member in profiled_members(environment, profile, ())}
        there = mounted.bytecode_sizes(paths.values())
        compiled = {path for path, key in paths.items() if key in there and path.endswith(".py")}
        members = profiled_members(environment, profile, compiled)
        stored = {number for number, ref in enumerate(tree.refs) if self._context.store.holds(ref.link.sha256 or b"")}
        return ranges_by_wheel(member for member in members if member.wheel not in stored)

    async def _bring_parts(self, ref: FileRef, ranges: Sequence[tuple[int, int]], outcomes: list[bool]) -> None:
        async with self._places:
            try:
                wheel = await self._wheels.open(ref, ahead=True)
                try:
                    await wheel.bring(ranges)
                finally:
                    wheel.close()
            except WheelfsError as error:
                log.debug("bring parts of %s ahead: %s", ref.filename, error)
                outcomes.append(False)
            else:
                outcomes.append(True)
