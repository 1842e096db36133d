"""Signals of a daemon: they end it cleanly, have it read its configuration again, or show what it is doing."""

from __future__ import annotations

import logging
import os
import signal
from typing import TYPE_CHECKING, Final

import trio

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from trio.lowlevel import Task

log = logging.getLogger(__name__)

_ENDING: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_MAX_DUMPED_TASKS: Final = 2000


async def obey_signals(
    shutdown: trio.Event,
    reload: Callable[[], None] | None = None,
    *,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Set ``shutdown`` on SIGTERM and SIGINT; log the task tree on SIGUSR1; for the main thread only.

    On SIGHUP ``reload`` is called, in a thread: it reads files.  Where there is none, or the terminal that this process was
    started from is gone, SIGHUP ends it, too.
    """
    had_terminal = _has_terminal()
    with trio.open_signal_receiver(*_ENDING, signal.SIGUSR1) as received:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDING)  # our parent may have blocked what we could not obey yet
        task_status.started()
        async for number in received:
            if number == signal.SIGUSR1:
                log.warning("tasks:\n%s", task_tree())
            elif number == signal.SIGHUP and reload is not None and _has_terminal() == had_terminal:
                await trio.to_thread.run_sync(reload)
            else:
                log.info("%s: ending", signal.Signals(number).name)
                shutdown.set()


def _has_terminal() -> bool:
    """Return whether this process has a controlling terminal: the kernel takes it away before it says so by SIGHUP."""
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC))
    except OSError:
        return False
    return True


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
