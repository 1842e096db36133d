"""A simple repository in a directory (``file:///srv/simple``): ``PROJECT/index.html`` and the files its links lead to.

Only files below the directory that the index's own directory is in are read, links resolved: a page must not bring ``/etc``
into a mount.
"""

from __future__ import annotations

import os
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final, TypeVar
from urllib.parse import unquote, urlsplit

import trio

from wheelfs.core.http.ranges import Suffix, Whole, bounds_of
from wheelfs.core.simple.api import parse_page
from wheelfs.errors import ContentChanged, OriginDenied, OriginFault, OriginMissing, OriginUnreachable, UsageError
from wheelfs.model.links import Validators
from wheelfs.remote.limits import HTTP_LIMITS
from wheelfs.remote.origin import FileHead, PageAbsent, PageFound, PageUnchanged, RangeReply

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable

    from wheelfs.core.http.ranges import ByteRequest
    from wheelfs.errors import OriginError
    from wheelfs.model.names import ProjectName
    from wheelfs.remote.limits import HttpLimits
    from wheelfs.remote.origin import PageOutcome

T = TypeVar("T")

PIECE_BYTES: Final = 256 * 1024
THREADS: Final = 8
"""Those included that hang, which are abandoned: then nothing is asked of this index, and nothing else is held up."""


class FileIndex:
    """An `Origin` on a file system (it may well be a slow or vanishing one: everything is done in threads)."""

    def __init__(self, name: str, url: str, *, limits: HttpLimits = HTTP_LIMITS) -> None:
        """Raises `UsageError` when the address names another host."""
        parts = urlsplit(url)
        if parts.netloc not in ("", "localhost"):
            raise UsageError(f"use the index {name}", "a file:// address with a host cannot be read", "write file:///PATH/simple")
        self.name = name
        self._limits = limits
        self._limiter = trio.CapacityLimiter(THREADS)
        self._root = Path(unquote(parts.path).rstrip("/") or "/")
        self.url = self._root.as_uri()
        beside = self._root.parent.resolve()
        self._allowed = beside if beside != beside.parent else self._root.resolve()

    async def aclose(self) -> None:
        """Nothing is held."""

    async def project_page(self, project: ProjectName, *, validators: Validators | None = None) -> PageOutcome:
        """Read a project's page.  A missing directory of the whole index is no answer about a project."""
        attempted = f"look up {project} on {self.name}"
        return await self._ask(lambda: self._page(project, validators, attempted))

    def _page(self, project: ProjectName, validators: Validators | None, attempted: str) -> PageOutcome:
        path = self._root / project / "index.html"
        try:
            etag = _etag(path.stat())
            if validators is not None and validators.etag == etag:
                return PageUnchanged(None)
            with path.open("rb") as file:
                body = file.read(self._limits.page_bytes + 1)
        except (FileNotFoundError, NotADirectoryError):
            if self._root.is_dir():
                return PageAbsent()
            raise OriginUnreachable(attempted, f"there is no directory {self._root}", "is it mounted?") from None
        except OSError as error:
            raise _origin_error(attempted, error) from None
        url = path.as_uri()
        return PageFound(parse_page(body, "text/html", url, project), Validators(etag=etag), None)

    @asynccontextmanager
    async def open_range(
        self, url: str, wanted: ByteRequest, *, validator: str | None = None, fresh: bool = False
    ) -> AsyncIterator[RangeReply]:
        """Read part of a file; ``fresh`` means nothing here."""
        path = _path_of(url)
        attempted = self._attempted(path)
        try:
            file = await self._ask(lambda: self._opened(path))
        except OSError as error:
            raise _origin_error(attempted, error) from None
        try:
            status = os.fstat(file.fileno())
            etag = _etag(status)
            if validator is not None and validator != etag:
                raise ContentChanged(
                    attempted, "the file is no longer the one of which a part was read before", "what was read is of no use"
                )
            start, end = bounds_of(wanted, status.st_size)
            if start >= end and not (isinstance(wanted, Whole | Suffix)):
                raise ContentChanged(attempted, f"the file has only {status.st_size} bytes", "what was read is of no use")
            chunks = self._chunks(file.fileno(), start, end, attempted)
            try:
                yield RangeReply(start, status.st_size, (start, end) == (0, status.st_size), etag, chunks)
            finally:
                await chunks.aclose()
        finally:
            file.close()

    async def head(self, url: str) -> FileHead:
        """Return size and validator of a file."""
        path = _path_of(url)
        attempted = self._attempted(path)
        try:
            with await self._ask(lambda: self._opened(path)) as file:
                status = os.fstat(file.fileno())
        except OSError as error:
            raise _origin_error(attempted, error) from None
        return FileHead(status.st_size, _etag(status))

    async def fetch_metadata(self, url: str) -> bytes:
        """Return a core metadata file."""
        async with self.open_range(url, Whole()) as reply:
            if (reply.total_bytes or 0) > self._limits.metadata_bytes:
                raise OriginFault(f"read {url}", f"it has more than {self._limits.metadata_bytes >> 20} MiB")
            return b"".join([piece async for piece in reply.chunks])

    async def _chunks(self, descriptor: int, start: int, end: int, attempted: str) -> AsyncGenerator[bytes, None]:
        while start < end:
            wanted, at = min(PIECE_BYTES, end - start), start
            try:
                piece = await self._ask(partial(os.pread, descriptor, wanted, at))
            except OSError as error:
                raise _origin_error(attempted, error) from None
            if not piece:
                raise OriginFault(attempted, "truncated: the file became shorter while it was read")
            start += len(piece)
            yield piece

    async def _ask(self, work: Callable[[], T]) -> T:
        return await trio.to_thread.run_sync(work, abandon_on_cancel=True, limiter=self._limiter)

    def _opened(self, path: Path) -> BinaryIO:
        """Open a file of the index; one that is missing together with the whole index is no answer about the file."""
        attempted = self._attempted(path)
        if not path.resolve().is_relative_to(self._allowed):
            raise OriginDenied(attempted, "the page links to a file outside of the index")
        try:
            return path.open("rb")
        except (FileNotFoundError, NotADirectoryError):
            if self._root.is_dir():
                raise
            raise self._unreachable(attempted) from None

    def _unreachable(self, attempted: str) -> OriginUnreachable:
        return OriginUnreachable(attempted, f"there is no directory {self._root}", "is it mounted?")

    def _attempted(self, path: Path) -> str:
        return f"read {path.name} of {self.name}"


def _path_of(url: str) -> Path:
    return Path(unquote(urlsplit(url).path))


def _etag(status: os.stat_result) -> str:
    return f'"{status.st_mtime_ns:x}-{status.st_size:x}"'


def _origin_error(attempted: str, error: OSError) -> OriginError:
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return OriginMissing(attempted, "there is no such file")
    if isinstance(error, PermissionError):
        return OriginDenied(attempted, "its permissions forbid it")
    return OriginFault(attempted, error.strerror or str(error))
