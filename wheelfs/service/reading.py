"""Open files: generated text, stored files, and files whose bytes are still on their way."""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio

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

    def __init__(self, sealed: SealedFile, limiter: trio.CapacityLimiter) -> None:
        """Read in threads of ``limiter`` what was not touched lately."""
        self._sealed = sealed
        self._limiter = limiter

    async def read(self, offset: int, size: int) -> bytes | memoryview:
        """Return stored bytes; raises `StoreDamaged` when they are not what was written."""
        if self._sealed.is_warm(offset, size):
            return self._sealed.read(offset, size)
        return await trio.to_thread.run_sync(self._sealed.read, offset, size, limiter=self._limiter)

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

    async def read(self, offset: int, size: int) -> bytes | memoryview:
        """Return bytes, fetching what is missing; short where only a part of the tail was asked for."""
        if self._content.sealed_sha256 is not None:
            return await self._supply.read_sealed(self._content.sealed_sha256, offset, size)
        if self._strict:
            with self._gate.waiting(f"read {self._content.ref.filename}"):
                await self._content.until_sealed()
            return await self.read(offset, size)
        if self._content.has(offset, size):
            return await self._content.read(offset, size)
        with self._gate.waiting(f"read {self._content.ref.filename}"):
            return await self._content.read(offset, size)

    def close(self) -> None:
        """Give the content back."""
        self._supply.release(self._content)
