"""Several processes that answer on one socket: spawned afresh (LMDB and trio do not survive a fork), kept alive, ended together.

A worker is the same command once more.  It inherits the listening socket, a pipe on which it tells that it answers, and one that
is closed when the head is gone, however that died; their numbers come in the environment (``WHEELFS_WORKER``).
"""

from __future__ import annotations

import json
import logging
import os
import signal
import socket
import sys
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import trio

from wheelfs.errors import InternalError, StoreError
from wheelfs.frontends.http.scoreboard import Scoreboard
from wheelfs.telemetry import Counters

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

log = logging.getLogger(__name__)

READY_S: Final = 60.0
"""A worker opens the store and imports what it needs; a busy machine takes seconds for that."""
FIRST_PAUSE_S: Final = 0.5
LONGEST_PAUSE_S: Final = 30.0
STEADY_S: Final = 60.0
"""A worker that lived so long died of something new: it is replaced soon, others later and later."""
END_S: Final = 8.0
"""What requests under way get to finish in (5 s), and some more to close the store."""

_TOLD_TO_END: Final = (0, -signal.SIGTERM, -signal.SIGINT, -signal.SIGHUP)
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
        return f"/proc/self/fd/{self.directory}/{self.name}"


# --- the head's side --------------------------------------------------------------------------------------------------


@contextmanager
def head_socket(directory: Path) -> Iterator[tuple[socket.socket, str]]:
    """Yield a bound socket that only this user may connect to, and its name in ``directory``; it is deleted at the end."""
    _remove_stale(directory)
    name = f"{os.getpid()}{_HEAD}"
    at = os.open(directory, os.O_PATH | os.O_DIRECTORY)
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        os.fchmod(made.fileno(), 0o600)  # bind() gives the file this mode
        try:
            made.bind(f"/proc/self/fd/{at}/{name}")
        except OSError as error:
            raise StoreError(f"listen for workers in {directory}", error.strerror or str(error)) from None
        yield made, name
    finally:
        made.close()
        os.close(at)
        with suppress(OSError):
            (directory / name).unlink()


def _remove_stale(directory: Path) -> None:
    """Remove the sockets of heads that were killed: nobody listens there."""
    for path in sorted(directory.glob(f"*{_HEAD}")):
        at = os.open(directory, os.O_PATH | os.O_DIRECTORY)
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asking, suppress(BlockingIOError, FileNotFoundError):
            asking.setblocking(False)
            try:
                asking.connect(f"/proc/self/fd/{at}/{path.name}")
            except ConnectionRefusedError:
                path.unlink(missing_ok=True)
        os.close(at)


class Workers:
    """Keeps workers alive for the duration of `keep`."""

    def __init__(self, arguments: Sequence[str], listening: socket.socket, directory: Path, name: str) -> None:
        """``arguments`` are the command's own; ``name`` is that of the head's socket in ``directory``."""
        self._arguments = tuple(arguments)
        self._listening = listening
        self._directory = directory
        self._name = name

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
        is_first, pause_s = True, FIRST_PAUSE_S
        while True:
            began_s = trio.current_time()
            with self._spawned(board) as (pid, gone, ready):
                try:
                    is_ready = await _is_ready(ready)
                    if is_first and is_ready:
                        is_first = False
                        task_status.started()
                    elif is_ready is None:
                        log.error("worker %d does not answer", pid)
                    if is_ready:
                        await trio.lowlevel.wait_readable(gone)
                finally:
                    code = await _ended(pid, gone)
                    counters.note_answering(False, 0)
            how = f"exit code {code}" if code >= 0 else f"killed by {signal.Signals(-code).name}"
            if is_first and (is_ready is None or code not in _TOLD_TO_END):
                raise InternalError("start a worker", f"it ended ({how}) before it answered", "the log says why")
            pause_s = FIRST_PAUSE_S if trio.current_time() - began_s >= STEADY_S else min(pause_s * 2, LONGEST_PAUSE_S)
            log.error("worker %d ended (%s); another one takes its place in %.1f s", pid, how, pause_s)
            await trio.sleep(pause_s)

    @contextmanager
    def _spawned(self, board: int) -> Iterator[tuple[int, int, int]]:
        """Yield the number of a new worker, a descriptor that is readable when it is gone, and the pipe it reports on."""
        ready, told = os.pipe()
        life, living = os.pipe()
        directory = os.open(self._directory, os.O_PATH | os.O_DIRECTORY)
        place = Place(self._listening.fileno(), told, life, directory, board, self._name)
        passed_on = (place.listening, told, life, directory, board)
        fields = json.dumps([*passed_on, self._name])
        try:
            # Nothing else is spawned between these lines: they have no checkpoint.
            for descriptor in passed_on:
                os.set_inheritable(descriptor, True)
            pid = os.posix_spawn(
                sys.executable,
                [sys.executable, "-m", "wheelfs", *self._arguments],
                {**os.environ, _PLACE: fields},
                # What it would print is the head's to say.
                file_actions=[(os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0), (os.POSIX_SPAWN_DUP2, 2, 1)],
                # A terminal's Ctrl-C reaches workers too: one that imports would print a traceback. `obey_signals` unblocks.
                setsigmask=[signal.SIGINT],
            )
        except OSError as error:
            os.close(ready)
            os.close(living)
            raise InternalError("start a worker", error.strerror or str(error)) from None
        finally:
            for kept in (self._listening.fileno(), board):
                os.set_inheritable(kept, False)
            for descriptor in (told, life, directory):
                os.close(descriptor)
        gone = os.pidfd_open(pid)
        try:
            yield pid, gone, ready
        finally:
            for descriptor in (gone, ready, living):
                os.close(descriptor)


async def _is_ready(ready: int) -> bool | None:
    """Tell whether a worker answers; False when it ended before, None when it has not told in time."""
    with trio.move_on_after(READY_S):
        await trio.lowlevel.wait_readable(ready)
        return bool(os.read(ready, 1))
    return None


async def _ended(pid: int, gone: int) -> int:
    """End a worker where it still runs, and return its exit code (negative: the signal); bounded, and not to be cancelled."""
    with trio.CancelScope(shield=True):
        for number in (signal.SIGTERM, signal.SIGKILL):
            with suppress(ProcessLookupError):
                os.kill(pid, number)
            with trio.move_on_after(END_S):
                await trio.lowlevel.wait_readable(gone)
                break
        _, status = os.waitpid(pid, os.WNOHANG)  # noqa: ASYNC222 - it does not wait
    return os.waitstatus_to_exitcode(status)


# --- the worker's side ------------------------------------------------------------------------------------------------


def take_place() -> Place | None:
    """Return what this process inherited as a worker, or None when it is none; call once, before anything is spawned."""
    text = os.environ.pop(_PLACE, "")
    if not text:
        return None
    listening, ready, life, directory, counts, name = json.loads(text)
    for descriptor in (listening, ready, life, directory, counts):
        os.set_inheritable(descriptor, False)
    return Place(listening, ready, life, directory, counts, name)


def tell_ready(place: Place) -> None:
    """Tell the head that this worker answers."""
    with suppress(BrokenPipeError):
        os.write(place.ready, b"1")
    os.close(place.ready)


async def end_with_head(place: Place, shutdown: trio.Event) -> None:
    """Set ``shutdown`` when the head is gone."""
    await trio.lowlevel.wait_readable(place.life)
    log.warning("the gateway's head is gone: ending")
    shutdown.set()
