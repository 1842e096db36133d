"""A gateway as a share: where a sealed file is found by its sha256, how it is made, and what files there are.

The questions are described in ``docs/design/gateway-protocol.md``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import quote, urlsplit

import msgspec
import trio

from wheelfs.errors import OriginFault, OriginMissing, UsageError
from wheelfs.model.decoding import DECODE_ERRORS
from wheelfs.model.framing import ShareFormatError
from wheelfs.model.manifest import Manifest
from wheelfs.model.shared import MAX_CURSOR, FeedPage, is_safe
from wheelfs.remote.index.http import HttpIndex
from wheelfs.remote.limits import HTTP_LIMITS
from wheelfs.remote.share.manifests import composition_of
from wheelfs.remote.share.verified_origin import VerifiedOrigin

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wheelfs.core.fetch.composition import Composition
    from wheelfs.remote.http.tls import Access
    from wheelfs.remote.limits import HttpLimits
    from wheelfs.remote.origin import Origin

MAX_PAGE_BYTES: Final = 16 << 20
MAX_MANIFEST_BYTES: Final = 64 << 20
"""That of a wheel of a million members; more is fetched as if it were not told how it is made."""

_QUICK_BYTES: Final = 64 << 10
"""Read in less time than a thread takes to start."""

POLL_S: Final = 2.0
"""A node lists what arrived in the lab within five seconds (the contract), a kernel's time-outs of a second included."""


class Gateway:
    """A share that ``wheelfs serve`` gives; ``origin`` fetches its files."""

    poll_s: float = POLL_S

    def __init__(
        self, name: str, url: str, environ: Mapping[str, str], *, access: Access, limits: HttpLimits = HTTP_LIMITS
    ) -> None:
        """Raises `UsageError` for an invalid address."""
        if urlsplit(url).scheme not in ("http", "https"):
            raise UsageError(f"use the share {name}", "its URL is neither http:// nor https://", "give a gateway's address")
        self.origin = HttpIndex(name, url, environ, access=access, limits=limits)
        self.name = name
        self.url = self.origin.url

    def file_url(self, sha256: bytes) -> str:
        """Return where the file is, if the gateway has it."""
        return f"{self.url}/-/share/v1/file/{sha256.hex()}"

    def part_url(self, sha256: bytes, project: str, filename: str) -> str:
        """Return where parts of a file are that the gateway has, or fetches from its index when they are asked for."""
        return f"{self.url}/-/share/v1/part/{quote(project, safe='')}/{quote(filename, safe='')}/{sha256.hex()}"

    async def composition(self, sha256: bytes) -> Composition | None:
        """Return how a file is made; None where the gateway does not say: the file is not sealed there, or it is an older one."""
        url = f"{self.url}/-/share/v1/manifest/{sha256.hex()}"
        attempted = f"ask {self.name} how {sha256.hex()[:12]}… is made"
        try:
            encoded = await self.origin.fetch_small(url, limit_bytes=MAX_MANIFEST_BYTES)
        except OriginMissing:
            return None
        if len(encoded) < _QUICK_BYTES:
            return _composition_of(encoded, attempted)
        return await trio.to_thread.run_sync(_composition_of, encoded, attempted, abandon_on_cancel=True)

    def checked(self, composition: Composition) -> Origin:
        """Return an origin of that file that compares its chunks with their digests."""
        return VerifiedOrigin(self.origin, composition)

    async def lacks(self, sha256: bytes) -> bool:
        """Never certain: it may be about to fetch the file, and its feed reports what goes."""
        return False

    async def events(self, cursor: str | None) -> FeedPage:
        """Return what is new since ``cursor`` (None: everything), in portions, of what can be shown; raises `OriginError`."""
        since = "" if cursor is None else f"?since={quote(cursor, safe='')}"
        body = await self.origin.fetch_small(f"{self.url}/-/share/v1/news{since}", limit_bytes=MAX_PAGE_BYTES)
        try:
            events = msgspec.msgpack.decode(body, type=FeedPage)
            if len(events.cursor) > MAX_CURSOR:
                raise msgspec.ValidationError("its cursor is too long")
        except DECODE_ERRORS as error:
            raise OriginFault(
                f"ask {self.name} for changes", f"invalid response ({error})", "is the share's URL that of `wheelfs serve`?"
            ) from None
        return msgspec.structs.replace(events, files=tuple(file for file in events.files if is_safe(file)))

    async def aclose(self) -> None:
        """Close all connections."""
        await self.origin.aclose()


def _composition_of(encoded: bytes, attempted: str) -> Composition:
    try:
        manifest = Manifest.decode(encoded)
    except ShareFormatError as error:
        raise OriginFault(attempted, f"invalid response ({error})") from None
    return composition_of(manifest, attempted=attempted)
