"""Run many habits: those that may share mounts in batches, each of the others on mounts of its own, several at once."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from queue import SimpleQueue
from typing import TYPE_CHECKING, Final

from tests.world.clients import Clients
from tests.world.pip_server import PipServer
from tests.world.rig import Rig
from tests.world.runner import Report, run_habit

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from tests.world.habits import Habit

MAX_INDEXES: Final = 64
"""As many as a configuration may have."""


def batches(habits: Sequence[Habit]) -> Iterator[list[Habit]]:
    """Yield habits in groups of which each has at most `MAX_INDEXES` indexes."""
    batch: list[Habit] = []
    for habit in habits:
        if sum(len(one.places) for one in [*batch, habit]) > MAX_INDEXES:
            yield batch
            batch = []
        batch.append(habit)
    if batch:
        yield batch


class Running:
    """Runs ``habits`` in the background from ``__enter__`` on; `report` waits for one of them; ``__exit__`` begins no more."""

    def __init__(self, habits: Sequence[Habit], where: Path, *, jobs: int, mounts: bool = True) -> None:
        self._habits = habits
        self._where = where
        self._jobs = jobs
        self._mounts = mounts
        self._futures: dict[str, Future[Report]] = {habit.name: Future() for habit in habits}
        self._thread = ThreadPoolExecutor(1)
        self._ending = False

    def __enter__(self) -> Running:
        self._thread.submit(self._run).add_done_callback(self._ended)
        return self

    def __exit__(self, *_: object) -> None:
        self._ending = True
        self._thread.shutdown()

    def report(self, habit: Habit) -> Report:
        """Return its report, when there is one; raises what running it raised."""
        return self._futures[habit.name].result()

    def _run(self) -> None:
        where = self._where
        with ExitStack() as stack:
            free: SimpleQueue[Clients] = SimpleQueue()
            for number in range(self._jobs):
                free.put(Clients(stack.enter_context(PipServer(where / f"pip-{number}"))))
            threads = stack.enter_context(ThreadPoolExecutor(self._jobs))
            for number, batch in enumerate(batches([habit for habit in self._habits if not habit.alone])):
                with Rig(batch, where / f"batch-{number}", mounts=self._mounts) as rig:
                    list(threads.map(partial(self._run_one, rig=rig, free=free), batch))
            list(threads.map(partial(self._run_alone, free=free), [habit for habit in self._habits if habit.alone]))

    def _run_one(self, habit: Habit, rig: Rig, free: SimpleQueue[Clients]) -> None:
        if self._ending:
            return
        clients = free.get()
        try:
            self._futures[habit.name].set_result(run_habit(habit, rig, clients))
        except BaseException as error:
            self._futures[habit.name].set_exception(error)
        finally:
            free.put(clients)

    def _run_alone(self, habit: Habit, free: SimpleQueue[Clients]) -> None:
        if self._ending:
            return
        with Rig([habit], self._where / habit.name, tied=False, mounts=self._mounts) as rig:
            self._run_one(habit, rig, free)

    def _ended(self, whole: Future[None]) -> None:
        """A failure outside of a habit (a mount that does not start) is that of all habits that have not run."""
        error = whole.exception()
        for future in self._futures.values():
            if not future.done():
                future.set_exception(error or RuntimeError("it was not run"))
