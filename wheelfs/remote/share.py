"""What the service asks of a share, whatever it is made of: a gateway, or objects in a directory or an object store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from wheelfs.model.shared import News
    from wheelfs.remote.origin import Origin


class Share(Protocol):
    """A place where sealed files are found by their sha256.  ``poll_s``: how often its news are asked for, in seconds."""

    poll_s: float

    @property
    def name(self) -> str: ...

    @property
    def url(self) -> str:
        """The address without credentials."""
        ...

    @property
    def origin(self) -> Origin:
        """Gives the bytes at `file_url`."""
        ...

    def file_url(self, sha256: bytes) -> str: ...

    async def news(self, point: str | None) -> News:
        """Return what is new since ``point`` (None: everything), in portions; raises `OriginError`."""
        ...

    async def aclose(self) -> None: ...
