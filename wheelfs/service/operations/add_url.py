"""``wheelfs add URL``: one file fetched whole, then added like a local one."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit, urlunsplit

import trio

from wheelfs.core.http.ranges import Whole
from wheelfs.errors import InvalidInput, OriginError, OriginFault, OriginTimeout, OriginUnreachable
from wheelfs.file_io import write_all
from wheelfs.reports.files import AddedFile
from wheelfs.service.fetch.limits import FETCH_LIMITS
from wheelfs.service.operations.add import add_one, refused
from wheelfs.service.operations.add_checks import Source, checked_name
from wheelfs.store.engine.environment import store_error

if TYPE_CHECKING:
    from wheelfs.core.projects.index_scopes import IndexScopes
    from wheelfs.remote.origin import Origin
    from wheelfs.reports.progress import Progress
    from wheelfs.store.store import Store


def add_url(
    store: Store,
    url: str,
    origin: Origin,
    *,
    index: str | None,
    scopes: IndexScopes,
    progress: Progress,
    offline: bool,
    bound_s: float,
) -> AddedFile:
    """Fetch ``url`` (without credentials: ``origin`` has them) into the store's directory, add it, and say what became of it.

    ``bound_s`` is how long the origin may bring (nearly) nothing.  A file that cannot be had or is no wheel is reported as
    refused.  Raises `StoreError`, for instance when there is no room for it.
    """
    parts = urlsplit(url)
    filename = unquote(parts.path.rpartition("/")[2])
    shown = urlunsplit((parts.scheme, parts.netloc, parts.path, "", ""))
    try:
        checked_name(Source(Path(filename), filename, shown))
        if offline:
            raise OriginUnreachable(f"fetch {shown}", "wheelfs is offline (--offline)")
        # In the store's own directory: that file system has the space.  Without a name: nothing is left over, however this ends.
        with tempfile.TemporaryFile(dir=store.directory.spool, prefix="private-") as file:
            trio.run(_fetch, origin, url, shown, file.fileno(), filename, progress, bound_s)
            path = Path(f"/proc/self/fd/{file.fileno()}")
            return add_one(store, Source(path, filename, shown, url=shown), index=index, scopes=scopes, progress=progress)
    except InvalidInput as error:
        return refused(filename or shown, error)
    except OriginError as error:
        return AddedFile(filename=filename, result="refused", reason=str(error), error_class=type(error).__name__)
    except OSError as error:
        raise store_error(f"store {filename}", error) from error


async def _fetch(origin: Origin, url: str, shown: str, fd: int, filename: str, progress: Progress, bound_s: float) -> None:
    attempted = f"fetch {shown}"
    progress.begin(filename, None)
    received = credited = 0
    try:
        with trio.fail_after(bound_s) as scope:
            async with origin.open_range(url, Whole()) as reply:
                async for data in reply.chunks:
                    await trio.to_thread.run_sync(write_all, fd, data, received)
                    progress.advance(filename, len(data))
                    received += len(data)
                    if received - credited >= FETCH_LIMITS.progress_bytes:
                        scope.deadline, credited = trio.current_time() + bound_s, received
            if reply.total_bytes is not None and received != reply.total_bytes:
                raise OriginFault(attempted, f"{received} of {reply.total_bytes} bytes came", "try again")
    except trio.TooSlowError:
        raise OriginTimeout(attempted, f"(nearly) nothing came for {bound_s:g} s", "try again") from None
    finally:
        progress.end(filename)
        await origin.aclose()
