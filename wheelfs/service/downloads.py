"""``wheelfs add URL``: one file fetched whole, then added like a local one."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit, urlunsplit

import trio

from wheelfs.core.http_ranges import Whole
from wheelfs.errors import OriginError, OriginFault, OriginTimeout, OriginUnreachable
from wheelfs.service.additions import Source, add_one
from wheelfs.service.reports import AddedFile

if TYPE_CHECKING:
    from wheelfs.remote.origin import Origin
    from wheelfs.service.reports import Progress
    from wheelfs.store.local import Store


def add_url(
    store: Store, url: str, origin: Origin, *, index: str | None, progress: Progress, offline: bool, bound_s: float
) -> AddedFile:
    """Fetch ``url`` (without credentials: ``origin`` has them) into the store's directory, add it, and say what became of it.

    ``bound_s`` is how long the origin may bring nothing.  A file that cannot be had or is no wheel is reported as refused.
    """
    parts = urlsplit(url)
    filename = unquote(parts.path.rpartition("/")[2])
    shown = urlunsplit((parts.scheme, parts.netloc, parts.path, "", ""))
    try:
        if offline:
            raise OriginUnreachable(f"fetch {shown}", "wheelfs is offline (--offline)")
        # In the store's own directory: it is where the room is.
        with tempfile.TemporaryDirectory(dir=store.directory.spool, prefix="private-") as directory:
            path = Path(directory) / "download"
            trio.run(_fetch, origin, url, shown, path, filename, progress, bound_s)
            return add_one(store, Source(path, filename, shown, url=shown), index=index, progress=progress)
    except OriginError as error:
        return AddedFile(filename=filename, result="refused", reason=str(error), error_class=type(error).__name__)


async def _fetch(origin: Origin, url: str, shown: str, path: Path, filename: str, progress: Progress, bound_s: float) -> None:
    attempted = f"fetch {shown}"
    progress.begin(filename, None)
    try:
        with trio.fail_after(bound_s) as scope, path.open("wb") as file:
            async with origin.open_range(url, Whole()) as reply:
                async for data in reply.chunks:
                    await trio.to_thread.run_sync(file.write, data)
                    progress.advance(filename, len(data))
                    scope.deadline = trio.current_time() + bound_s
            if reply.total_bytes is not None and file.tell() != reply.total_bytes:
                raise OriginFault(attempted, f"{file.tell()} of {reply.total_bytes} bytes came", "try again")
    except trio.TooSlowError:
        raise OriginTimeout(attempted, f"nothing came for {bound_s:.0f} s", "try again") from None
    finally:
        progress.end(filename)
        await origin.aclose()
