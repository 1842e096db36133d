"""What the service asks of a share, whatever it is made of: a gateway, or objects in a directory or an object store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from wheelfs.core.fetch.composition import Composition
    from wheelfs.model.shared import FeedPage
    from wheelfs.remote.origin import Origin


class Share(Protocol):
    """A place where sealed files are found by their sha256."""

    @property
    def poll_s(self) -> float:
        """How often it is asked for changes, in seconds."""
        ...

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

    def part_url(self, sha256: bytes, project: str, filename: str) -> str:
        """Return where parts of a file are asked for that may not be sealed there; `file_url` where that makes no difference."""
        ...

    async def composition(self, sha256: bytes) -> Composition | None:
        """Return how the file is made, or None where the share does not tell that of files; raises `OriginError`."""
        ...

    def checked(self, composition: Composition) -> Origin:
        """Return what gives the bytes at that file's `file_url`, none of which has not been compared with its digest."""
        ...

    async def lacks(self, sha256: bytes) -> bool:
        """Tell whether it is certain that the share is there and has no such file (any more); raises `OriginError`.

        Only of shares whose catalog may say otherwise: what a gateway lacks it tells itself.
        """
        ...

    async def events(self, cursor: str | None) -> FeedPage:
        """Return what is new since ``cursor`` (None: everything), in portions; raises `OriginError`."""
        ...

    async def aclose(self) -> None: ...
