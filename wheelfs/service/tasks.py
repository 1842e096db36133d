"""Work in the background, and the barrier that keeps a bug in one piece of it from ending the mount.

An exception that leaves a task of the service's nursery cancels everything in it.  So each such task ends by telling its waiters
how it failed, and only cancellation goes further.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, TypeVar

import msgspec
import trio

from wheelfs.errors import InternalError, OriginUnreachable, WheelfsError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from concurrent.futures import Future

log = logging.getLogger(__name__)

T = TypeVar("T")


class Work(msgspec.Struct):
    """One piece of work; ``error`` is how it failed, and stands once ``done`` is set."""

    done: bool = False
    error: WheelfsError | None = None
    _over: trio.Event = msgspec.field(default_factory=trio.Event)

    async def wait(self) -> None:
        """Wait until the work is done; raises how it failed."""
        await self._over.wait()
        self.check()

    def check(self) -> None:
        """Raise how the work failed.  Many waiters share one error, which must not collect all their tracebacks."""
        if self.error is not None:
            raise self.error.with_traceback(None)

    def end(self) -> None:
        """Let the waiters go on."""
        self.done = True
        self._over.set()


def begin(nursery: trio.Nursery, job: Callable[[], Awaitable[None]], attempted: str, after: Callable[[], object]) -> Work:
    """Start ``job``, which any number of callers may wait for; ``after`` is called when it has ended, however it ended."""
    work = Work()
    nursery.start_soon(_run, work, job, attempted, after)
    return work


async def _run(work: Work, job: Callable[[], Awaitable[None]], attempted: str, after: Callable[[], object]) -> None:
    try:
        await job()
    except BaseException as error:
        work.error = failure(attempted, error)
        if not isinstance(error, Exception):
            raise
    finally:
        work.end()
        after()


def failure(attempted: str, error: BaseException) -> WheelfsError:
    """Return the error that waiters get for an exception that ended background work; a bug of wheelfs is logged, too."""
    if isinstance(error, WheelfsError):
        return error
    if isinstance(error, Exception):
        log.error("%s: a bug in wheelfs", attempted, exc_info=error)
        return InternalError(attempted, f"unexpected {type(error).__name__}", "please report it, with the log")
    return OriginUnreachable(attempted, "wheelfs is being stopped")


async def await_future(future: Future[T]) -> T:
    """Return the future's result or raise its error; cancelling the wait leaves the work to finish by itself.

    The store's writer answers with ``concurrent.futures`` since it serves threads as well; trio has no adapter for them.
    """
    done = trio.Event()
    token = trio.lowlevel.current_trio_token()

    def wake(_: object) -> None:
        try:
            token.run_sync_soon(done.set)
        except trio.RunFinishedError:  # the loop that waited is gone
            return

    future.add_done_callback(wake)
    await done.wait()
    return future.result()
