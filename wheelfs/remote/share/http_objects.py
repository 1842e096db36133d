"""Objects behind a web server or in a public bucket, to be read: by GET and ranges, nothing is listed.

The HTTP client is the one of indexes, with its credentials, authorities and proxies; it lives in a trio loop, and is asked from
threads as every place for objects is.
"""

from __future__ import annotations

import threading
from contextlib import aclosing, contextmanager
from typing import TYPE_CHECKING, Final

import trio

from wheelfs.config import redact
from wheelfs.core.http.ranges import Range, Whole
from wheelfs.errors import ContentChanged, OriginDenied, OriginMissing, OriginTimeout, OriginUnreachable
from wheelfs.model.framing import ShareFormatError
from wheelfs.model.share_catalog import LOG, MARKER_KEY, ROOTS
from wheelfs.remote.index.http import HttpIndex

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping

    from wheelfs.core.http.ranges import ByteRequest
    from wheelfs.remote.http.tls import Access

REQUEST_S: Final = 300.0
"""The caller may have given up long before; no request is unbounded."""

_CHANGING: Final = (MARKER_KEY, f"{LOG}/", f"{ROOTS}/")
"""Keys that may be missing now and there in a moment, or be another share's tomorrow: caches are to ask the server."""


class HttpObjects:
    """Objects below an address."""

    def __init__(self, http: HttpIndex, token: trio.lowlevel.TrioToken) -> None:
        """``token`` is that of the loop that ``http`` lives in."""
        self.url = http.url
        self._http = http
        self._token = token

    def read(self, key: str, *, limit_bytes: int) -> bytes | None:
        content = trio.from_thread.run(self.get, key, Whole(), limit_bytes, trio_token=self._token)
        if content is not None and len(content) > limit_bytes:
            raise ShareFormatError(f"it is larger than {limit_bytes} bytes")
        return content

    def read_range(self, key: str, start: int, end: int) -> bytes | None:
        return trio.from_thread.run(self.get, key, Range(start, end), end - start, trio_token=self._token)

    async def get(self, key: str, wanted: ByteRequest, limit_bytes: int) -> bytes | None:
        """Return an object or a part of it, up to ``limit_bytes``, one byte more of a larger one.  To be called in the loop."""
        url = f"{self.url}/{key}"
        attempted = f"read {key} in the share {self.url}"
        first = wanted.start if isinstance(wanted, Range) else 0
        most = limit_bytes if isinstance(wanted, Range) else limit_bytes + 1
        try:
            with trio.fail_after(REQUEST_S):
                async with self._http.open_range(url, wanted, fresh=key.startswith(_CHANGING)) as reply:
                    return await _between(reply.chunks, first - reply.offset, first - reply.offset + most)
        except trio.TooSlowError:
            raise OriginTimeout(attempted, f"not done within {REQUEST_S:.0f} s") from None
        except OriginMissing:
            return None
        except ContentChanged:
            return b""  # it ends before
        except OriginDenied:
            # What buckets say of a key that is not there to those who may not list them.  The marker always is there.
            if key == MARKER_KEY:
                raise
            return None


async def _between(pieces: AsyncIterator[bytes | memoryview], start: int, end: int) -> bytes:
    """Return bytes ``[start, end)`` of what arrives."""
    kept: list[bytes | memoryview] = []
    at = 0
    async for piece in pieces:
        kept.append(piece[max(0, start - at) : max(0, end - at)])
        at += len(piece)
        if at >= end:
            break
    return b"".join(kept)


@contextmanager
def http_objects(url: str, environ: Mapping[str, str], *, access: Access) -> Iterator[HttpObjects]:
    """Lend the objects at ``url`` to threads of a process that has no loop: one runs in a thread of its own."""
    started = threading.Event()
    found: list[HttpObjects] = []
    ended = trio.Event()

    async def serve() -> None:
        http = HttpIndex("share", url, environ, access=access)
        async with aclosing(http):
            found.append(HttpObjects(http, trio.lowlevel.current_trio_token()))
            started.set()
            await ended.wait()

    def run() -> None:
        try:
            trio.run(serve)
        finally:
            started.set()

    # Made here once more, for its errors: those of a thread are lost.
    HttpIndex("share", url, environ, access=access)
    thread = threading.Thread(target=run, name="http-objects", daemon=True)
    thread.start()
    started.wait()
    if not found:
        raise OriginUnreachable(f"read the share {redact(url)}", "no thread can be made for it", "see the error before this one")
    try:
        yield found[0]
    finally:
        trio.from_thread.run_sync(ended.set, trio_token=found[0]._token)
        thread.join()
