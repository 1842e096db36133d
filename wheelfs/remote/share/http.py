"""A share at an HTTP address: a gateway of ``wheelfs serve``, or a share of objects behind any web server or in a public bucket.

Which of the two is found out by asking for the marker of a share of objects, once, and once more after every request for changes
that failed: another server may be there by then.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

import trio

from wheelfs.core.http.ranges import Range
from wheelfs.errors import OriginDenied, OriginError, OriginFault, OriginMissing
from wheelfs.model.share_catalog import MARKER_KEY
from wheelfs.remote.limits import HTTP_LIMITS
from wheelfs.remote.origin import FileHead, PageAbsent
from wheelfs.remote.share.gateway import Gateway
from wheelfs.remote.share.http_objects import HttpObjects
from wheelfs.remote.share.origin import ObjectOrigin
from wheelfs.remote.share.share import ObjectShare

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from wheelfs.core.fetch.composition import Composition
    from wheelfs.core.http.ranges import ByteRequest
    from wheelfs.model.links import Validators
    from wheelfs.model.names import ProjectName
    from wheelfs.model.shared import FeedPage
    from wheelfs.remote.http.tls import Access
    from wheelfs.remote.limits import HttpLimits
    from wheelfs.remote.origin import Origin, PageOutcome, RangeReply

_MARKER_BYTES: Final = 4_096
_BEGINS: Final = b"wheelfs share "


class HttpShare:
    """A `wheelfs.remote.share.protocol.Share` and its `wheelfs.remote.origin.Origin` at once.

    To be made inside the loop that asks it.
    """

    def __init__(
        self, name: str, url: str, environ: Mapping[str, str], *, access: Access, limits: HttpLimits = HTTP_LIMITS
    ) -> None:
        """Raises `UsageError` for an invalid address."""
        self._gateway = Gateway(name, url, environ, access=access, limits=limits)
        self.name = name
        self.url = self._gateway.url
        self._http_objects = HttpObjects(self._gateway.origin, trio.lowlevel.current_trio_token())
        self._objects = ObjectOrigin(name, ObjectShare(self._http_objects))
        self._found: Gateway | ObjectOrigin | None = None
        self._asking = trio.Lock()

    @property
    def poll_s(self) -> float:
        """As often as what is there is asked."""
        return (self._found or self._gateway).poll_s

    @property
    def origin(self) -> HttpShare:
        """Itself."""
        return self

    async def _asked(self) -> Gateway | ObjectOrigin:
        """Return what is there; raises `OriginError`."""
        async with self._asking:
            if self._found is None:
                self._found = self._objects if await self._has_marker() else self._gateway
            return self._found

    async def _has_marker(self) -> bool:
        try:
            content = await self._http_objects.get(MARKER_KEY, Range(0, _MARKER_BYTES), _MARKER_BYTES)
        except OriginDenied:
            return False  # the gateway's own answer says what is wrong, if there is one
        return content is not None and content.startswith(_BEGINS)

    async def events(self, cursor: str | None) -> FeedPage:
        """Return what is new since ``cursor``, in portions; raises `OriginError`."""
        found = await self._asked()
        try:
            return await found.events(cursor)
        except OriginMissing as error:
            self._found = None
            if found is self._objects:
                raise
            raise OriginFault(
                f"use the share {self.url}",
                f"there is neither a gateway nor a share of objects ({error.happened})",
                "give the address of `wheelfs serve`, or of what `wheelfs push` has filled",
            ) from None
        except OriginError:
            self._found = None
            raise

    # --- files ---------------------------------------------------------------------------------------------------------

    def file_url(self, sha256: bytes) -> str:
        """Return an address that `open_range` understands, whatever is there."""
        return self._gateway.file_url(sha256)

    def part_url(self, sha256: bytes, project: str, filename: str) -> str:
        """Return an address that `open_range` understands, whatever is there."""
        return self._gateway.part_url(sha256, project, filename)

    async def composition(self, sha256: bytes) -> Composition | None:
        """Return how a file is made, or None where that is not told; raises `OriginError`."""
        return await (await self._asked()).composition(sha256)

    async def lacks(self, sha256: bytes) -> bool:
        """Tell whether it is certain that the share has no such file."""
        return await (await self._asked()).lacks(sha256)

    def checked(self, composition: Composition) -> Origin:
        """Return what gives that file's bytes, each chunk compared with its digest."""
        return self if self._found is self._objects else self._gateway.checked(composition)

    @asynccontextmanager
    async def open_range(
        self, url: str, wanted: ByteRequest, *, validator: str | None = None, fresh: bool = False
    ) -> AsyncIterator[RangeReply]:
        """Give bytes of a file."""
        found = await self._asked()
        if isinstance(found, ObjectOrigin):
            url = found.file_url(_sha256_of(url))
        async with found.origin.open_range(url, wanted, validator=validator, fresh=fresh) as reply:
            yield reply

    async def head(self, url: str) -> FileHead:
        """Tell whether anything is there, and of a file its size."""
        found = await self._asked()
        if isinstance(found, ObjectOrigin) and url.startswith(self.file_url(b"")):
            url = found.file_url(_sha256_of(url))
        return await found.origin.head(url)

    async def project_page(self, project: ProjectName, *, validators: Validators | None = None) -> PageOutcome:
        """A share has no pages."""
        return PageAbsent()

    async def fetch_metadata(self, url: str) -> bytes:
        """A share has no metadata beside its files."""
        raise OriginMissing(f"read {url}", "a share has no such files")

    async def aclose(self) -> None:
        """Close all connections."""
        await self._gateway.aclose()


def _sha256_of(url: str) -> bytes:
    return bytes.fromhex(url.rpartition("/")[2])
