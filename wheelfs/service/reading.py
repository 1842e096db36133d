"""Open files: generated text, stored files, and files whose bytes are still on their way."""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio

from wheelfs.errors import ContentChanged, StoreDamaged

if TYPE_CHECKING:
    from wheelfs.service.fetching import Content
    from wheelfs.service.gate import Gate
    from wheelfs.service.supply import Supply
    from wheelfs.store.sealed import SealedFile


class OpenText:
    """Generated text as it was when it was opened.

    ``direct_io`` is for pages that may change: the reader then gets this text to its end even where the kernel knows an
    older size.
    """

    def __init__(self, text: bytes, *, direct_io: bool) -> None:
        """Hold ``text`` for one reader."""
        self.direct_io = direct_io
        self._text = text

    async def read(self, offset: int, size: int) -> bytes:
        """Return a slice."""
        return self._text[offset : offset + size]

    def close(self) -> None:
        """Nothing is held."""


class OpenStored:
    """A sealed file: the kernel may cache it and read ahead."""

    direct_io = False

    def __init__(self, sealed: SealedFile, filename: str, limiter: trio.CapacityLimiter) -> None:
        """Read in threads of ``limiter`` what was not touched lately; errors speak of ``filename``."""
        self._sealed = sealed
        self._filename = filename
        self._limiter = limiter

    async def read(self, offset: int, size: int) -> bytes | memoryview:
        """Return stored bytes; raises `StoreDamaged` when they are not what was written."""
        try:
            if self._sealed.is_warm(offset, size):
                return self._sealed.read(offset, size)
            return await trio.to_thread.run_sync(self._sealed.read, offset, size, limiter=self._limiter)
        except StoreDamaged as error:
            raise StoreDamaged(f"read {self._filename}", f"{error.attempted}: {error.happened}", error.advice) from error

    def close(self) -> None:
        """Nothing is held: a sealed file's chunks stay readable by its recipe."""


class OpenPartial:
    """A file that is not stored yet.

    It is opened with ``direct_io``: the kernel's read-ahead around METADATA would otherwise ask for bytes that nobody wants,
    start the fetch of the whole file, and make a failure of those bytes look like a failure of the ones that were asked for.
    """

    direct_io = True

    def __init__(self, content: Content, supply: Supply, gate: Gate, *, strict: bool) -> None:
        """Take over one use of ``content``; ``strict`` withholds every byte until the whole file is verified."""
        self._content = content
        self._supply = supply
        self._gate = gate
        self._strict = strict
        self._generation: int | None = None

    async def read(self, offset: int, size: int) -> bytes | memoryview:
        """Return bytes, fetching what is missing; short where only a part of the tail was asked for.

        Raises `ContentChanged` when what was read before turned out to be of another file: no reader gets half of each.
        """
        data = await self._read(offset, size)
        # Nothing is awaited between the bytes and this.
        generation = self._content.partial.generation
        if self._generation not in (None, generation):
            raise ContentChanged(
                f"read {self._content.ref.filename}", "what was read of it before was of another file", "open it again"
            )
        if data:
            self._generation = generation
        return data

    async def _read(self, offset: int, size: int) -> bytes | memoryview:
        if self._strict and self._content.sealed_sha256 is None:
            with self._gate.waiting(f"read {self._content.ref.filename}"):
                await self._content.until_sealed()
        if self._content.sealed_sha256 is not None or self._content.has(offset, size):
            return await self._content.read(offset, size)
        with self._gate.waiting(f"read {self._content.ref.filename}"):
            return await self._content.read(offset, size)

    def close(self) -> None:
        """Give the content back."""
        self._supply.release(self._content)
