"""Waiting, under trio, for what a thread of the store does."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import trio

if TYPE_CHECKING:
    from concurrent.futures import Future

T = TypeVar("T")


async def wait_for(future: Future[T]) -> T:
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
