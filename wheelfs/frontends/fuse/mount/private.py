"""A mount for the use of one command alone: made for the duration of a block, in a directory that no other user can enter."""

from __future__ import annotations

import tempfile
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import trio

from wheelfs.frontends.fuse.mount.session import MountOptions, serve_mount

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from wheelfs.service.vfs.protocol import Filesystem


@asynccontextmanager
async def private_mount(filesystem: Filesystem) -> AsyncIterator[Path]:
    """Mount ``filesystem`` for the duration of the block and yield where; once in a process, in its main thread.

    The block must not look at the mount itself: it would wait for its own loop.  Raises what `serve_mount` does, and
    KeyboardInterrupt when a signal ends the mount first, since that is what signals are taken for while it lives.
    """
    # 0700; a leftover of a killed process is a dead mount at most, which libfuse clears where it can.
    with tempfile.TemporaryDirectory(prefix="wheelfs-", ignore_cleanup_errors=True) as directory:
        place = Path(directory, "mount")
        shutdown, ready = trio.Event(), trio.Event()
        interrupted = False
        async with trio.open_nursery() as nursery:

            async def serve() -> None:
                nonlocal interrupted
                await serve_mount(filesystem, place, MountOptions(), on_ready=ready.set, shutdown=shutdown)
                if not over:
                    interrupted = True
                    nursery.cancel_scope.cancel()

            over = False
            nursery.start_soon(serve)
            await ready.wait()
            try:
                yield place
            finally:
                over = True
                shutdown.set()
        if interrupted:
            raise KeyboardInterrupt
