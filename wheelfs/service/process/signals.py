"""Signals of a daemon: three end it cleanly, one shows what it is doing."""

from __future__ import annotations

import logging
import signal
from typing import TYPE_CHECKING, Final

import trio

if TYPE_CHECKING:
    from collections.abc import Iterator

    from trio.lowlevel import Task

log = logging.getLogger(__name__)

_ENDING: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_MAX_DUMPED_TASKS: Final = 2000


async def obey_signals(shutdown: trio.Event, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
    """Set ``shutdown`` on SIGTERM, SIGINT or SIGHUP; log the task tree on SIGUSR1; for the main thread only."""
    with trio.open_signal_receiver(*_ENDING, signal.SIGUSR1) as received:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDING)  # our parent may have blocked what we could not obey yet
        task_status.started()
        async for number in received:
            if number == signal.SIGUSR1:
                log.warning("tasks:\n%s", task_tree())
            else:
                log.info("%s: ending", signal.Signals(number).name)
                shutdown.set()


def task_tree() -> str:
    """Return all trio tasks, indented by nursery, each with the line it waits at."""
    root = trio.lowlevel.current_root_task()
    lines: list[str] = []
    for depth, task in _walk(root):
        if len(lines) == _MAX_DUMPED_TASKS:
            lines.append("...")
            break
        lines.append(f"{'  ' * depth}{task.name}{_waits_at(task)}")
    return "\n".join(lines)


def _walk(root: Task | None) -> Iterator[tuple[int, Task]]:
    pending = [(0, root)] if root is not None else []
    while pending:
        depth, task = pending.pop()
        yield depth, task
        pending.extend((depth + 1, child) for nursery in task.child_nurseries for child in nursery.child_tasks)


def _waits_at(task: Task) -> str:
    place = None
    for frame, line in task.iter_await_frames():
        if "/trio/" not in frame.f_code.co_filename:
            place = f" at {frame.f_code.co_qualname} ({frame.f_code.co_filename}:{line})"
    return place or ""
