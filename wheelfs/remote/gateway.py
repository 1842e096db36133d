"""A gateway as a share: where a sealed file is found by its sha256, and what files there are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import quote, urlsplit

import msgspec

from wheelfs.errors import OriginFault, UsageError
from wheelfs.model.shared import News
from wheelfs.remote.client import READ_TIMEOUT_S
from wheelfs.remote.http_index import HttpIndex

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wheelfs.remote.access import Access

MAX_NEWS_BYTES: Final = 16 << 20

POLL_S: Final = 2.0
"""A node lists what arrived in the lab within five seconds (the contract), a kernel's time-outs of a second included."""


class Gateway:
    """A share behind ``wheelfs serve``; ``origin`` fetches its files."""

    poll_s: float = POLL_S

    def __init__(
        self, name: str, url: str, environ: Mapping[str, str], *, access: Access, read_timeout_s: float = READ_TIMEOUT_S
    ) -> None:
        """Raises `UsageError` when the address is none."""
        if urlsplit(url).scheme not in ("http", "https"):
            raise UsageError(f"use the share {name}", "its URL is neither http:// nor https://", "give a gateway's address")
        self.origin = HttpIndex(name, url, environ, access=access, read_timeout_s=read_timeout_s)
        self.name = name
        self.url = self.origin.url

    def file_url(self, sha256: bytes) -> str:
        """Return where the file is, if the gateway has it."""
        return f"{self.url}/-/share/v1/file/{sha256.hex()}"

    async def news(self, point: str | None) -> News:
        """Return what is new since ``point`` (None: everything), in portions; raises `OriginError`."""
        since = "" if point is None else f"?since={quote(point, safe='')}"
        body = await self.origin.fetch_small(f"{self.url}/-/share/v1/news{since}", limit_bytes=MAX_NEWS_BYTES)
        try:
            return msgspec.msgpack.decode(body, type=News)
        except msgspec.MsgspecError as error:
            raise OriginFault(
                f"ask {self.name} for news", f"its answer is none ({error})", "is the share's URL that of `wheelfs serve`?"
            ) from None

    async def aclose(self) -> None:
        """Close all connections."""
        await self.origin.aclose()
