"""Several processes that answer on one socket: spawned afresh, kept alive, ended together.

A worker is the same command once more.  It inherits the listening socket, a pipe on which it reports that it answers, and one
that is closed when the head is gone, however that died; their numbers come in the environment (``WHEELFS_WORKER``).
"""

from __future__ import annotations

import json
import logging
import os
import signal
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import trio

from wheelfs.errors import InternalError, StoreError
from wheelfs.frontends.http.limits import WORKER_LIMITS, WorkerLimits
from wheelfs.frontends.http.scoreboard import Scoreboard
from wheelfs.service.process.sockets import address_in, bound_socket, remove_stale
from wheelfs.service.process.spawn import ENDING, MAX_REPORT_BYTES, how_it_ended, parse_report, spawn, take_report_pipe
from wheelfs.telemetry import Counters

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from wheelfs.service.process.spawn import Child

log = logging.getLogger(__name__)

_ASKED_TO_END: Final = (0, -signal.SIGTERM, -signal.SIGINT, -signal.SIGHUP)
"""A terminal's Ctrl-C, or a supervisor's SIGTERM to the whole group, may reach a worker a moment before it reaches us."""

_PLACE: Final = "WHEELFS_WORKER"
_HEAD: Final = ".head"


@dataclass(frozen=True, slots=True)
class Place:
    """What a worker inherits: descriptors, and the name of the head's socket in ``directory``, a descriptor too.

    ``counts`` is that of its board (`wheelfs.frontends.http.scoreboard`).
    """

    listening: int
    ready: int
    life: int
    directory: int
    counts: int
    name: str

    @property
    def head(self) -> str:
        """A path of the head's socket that is short enough for an address, however deep the store is."""
        return address_in(self.directory, self.name)


# --- the head's side --------------------------------------------------------------------------------------------------


@contextmanager
def head_socket(directory: Path) -> Iterator[tuple[socket.socket, str]]:
    """Yield a bound socket that only this user may connect to, and its name in ``directory``; it is deleted at the end."""
    remove_stale(sorted(directory.glob(f"*{_HEAD}")))
    path = directory / f"{os.getpid()}{_HEAD}"
    try:
        made = bound_socket(path)
    except OSError as error:
        raise StoreError(f"listen for workers in {directory}", error.strerror or str(error)) from None
    try:
        yield made, path.name
    finally:
        made.close()
        with suppress(OSError):
            path.unlink()


class Workers:
    """Keeps workers alive for the duration of `keep`."""

    def __init__(
        self,
        arguments: Sequence[str],
        listening: socket.socket,
        directory: Path,
        name: str,
        *,
        limits: WorkerLimits = WORKER_LIMITS,
    ) -> None:
        """``arguments`` are the command's own; ``name`` is that of the head's socket in ``directory``."""
        self._arguments = tuple(arguments)
        self._listening = listening
        self._directory = directory
        self._name = name
        self._limits = limits
        self._children: set[Child] = set()

    def send(self, number: signal.Signals) -> None:
        """Send a signal to all workers that live."""
        for child in list(self._children):
            child.send(number)

    async def keep(self, boards: Sequence[int], *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Run a worker for each board (its descriptor) until cancelled; started when all of them answer.

        Raises `InternalError` when one never does.
        """
        async with trio.open_nursery() as nursery:
            async with trio.open_nursery() as starting:
                for board in boards:
                    starting.start_soon(nursery.start, self._keep_one, board)
            task_status.started()

    async def _keep_one(self, board: int, *, task_status: trio.TaskStatus[None]) -> None:
        counters = Counters(Scoreboard(board))
        is_first, pause_s = True, self._limits.first_pause_s
        while True:
            began_s = trio.current_time()
            try:
                with self._spawned(board) as (child, gone):
                    try:
                        is_ready = await self._is_ready(child)
                        if is_first and is_ready:
                            is_first = False
                            task_status.started()
                        elif is_ready is None:
                            log.error("worker %d does not answer", child.pid)
                        if is_ready:
                            await trio.lowlevel.wait_readable(gone)
                    finally:
                        code = await self._ended(child, gone)
                        counters.note_answering(False, 0)
                how = how_it_ended(code)
                if is_first and (is_ready is None or code not in _ASKED_TO_END):
                    raise InternalError("start a worker", f"it ended ({how}) before it answered", "the log says why")
                told = f"worker {child.pid} ended ({how})"
            except InternalError as error:
                if is_first:
                    raise
                told = str(error)  # the others answer meanwhile
            is_steady = trio.current_time() - began_s >= self._limits.steady_s
            pause_s = self._limits.first_pause_s if is_steady else min(pause_s * 2, self._limits.longest_pause_s)
            log.error("%s; another one takes its place in %.1f s", told, pause_s)
            await trio.sleep(pause_s)

    @contextmanager
    def _spawned(self, board: int) -> Iterator[tuple[Child, int]]:
        """Yield a new worker, and a descriptor that is readable when it has ended; raises `InternalError`."""
        with ExitStack() as closing:
            try:
                with ExitStack() as passing:
                    life, living = os.pipe()
                    passing.callback(os.close, life)
                    closing.callback(os.close, living)
                    directory = os.open(self._directory, os.O_PATH | os.O_DIRECTORY)
                    passing.callback(os.close, directory)
                    passed_on = (self._listening.fileno(), life, directory, board)
                    environment = {**os.environ, _PLACE: json.dumps([*passed_on, self._name])}
                    child = spawn(self._arguments, environment=environment, passed_on=passed_on)
                closing.callback(child.close)
                try:
                    gone = os.pidfd_open(child.pid)
                except OSError:
                    child.end(grace_s=self._limits.end_s)
                    raise
            except OSError as error:
                raise InternalError("start a worker", error.strerror or str(error)) from None
            closing.callback(os.close, gone)
            self._children.add(child)
            closing.callback(self._children.discard, child)
            yield child, gone

    async def _is_ready(self, child: Child) -> bool | None:
        """Return whether a worker answers; False when it ended before, None when it has not reported in time."""
        with trio.move_on_after(self._limits.ready_s):
            await trio.lowlevel.wait_readable(child.reports)
            # One write of less than a pipe's page: it comes whole or not at all (pipe(7)).
            return parse_report(os.read(child.reports, MAX_REPORT_BYTES)).get("ready") is True
        return None

    async def _ended(self, child: Child, gone: int) -> int:
        """End a worker where it still runs, and return its exit code (negative: the signal); bounded, and not to be cancelled."""
        with trio.CancelScope(shield=True):
            for number in ENDING:
                child.send(number)
                with trio.move_on_after(self._limits.end_s):
                    await trio.lowlevel.wait_readable(gone)
                    break
        code = child.exit_code()
        return 0 if code is None else code


# --- the worker's side ------------------------------------------------------------------------------------------------


def take_place() -> Place | None:
    """Return what this process inherited as a worker, or None when it is not one; call once, before anything is spawned."""
    text = os.environ.pop(_PLACE, "")
    if not text:
        return None
    ready = take_report_pipe()
    assert ready is not None, "a worker is spawned with a pipe to report on"
    listening, life, directory, counts, name = json.loads(text)
    for descriptor in (listening, life, directory, counts):
        os.set_inheritable(descriptor, False)
    return Place(listening, ready, life, directory, counts, name)


async def end_with_head(place: Place, shutdown: trio.Event) -> None:
    """Set ``shutdown`` when the head is gone."""
    await trio.lowlevel.wait_readable(place.life)
    log.warning("the gateway's head is gone: ending")
    shutdown.set()
