"""Open files: generated text, stored files, and files whose bytes are still on their way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import trio

from wheelfs.errors import ContentChanged, StoreDamaged
from wheelfs.service.vfs.clients.sum_of_reads import SumOfReads

if TYPE_CHECKING:
    from wheelfs.service.admission import Admission
    from wheelfs.service.fetch.download import Download
    from wheelfs.service.fetch.pool import DownloadPool
    from wheelfs.service.file_refs import FileRef


_LAST_BYTES: Final = 64 * 1024
"""What is withheld of an unverified file from one who reads all of it: as much as holds the end of a wheel's last member."""


class OpenText:
    """Generated text as it was when it was opened.

    ``direct_io`` is for pages that may change: the reader then gets this text to its end even where the kernel knows an
    older size.
    """

    def __init__(self, text: bytes, *, direct_io: bool) -> None:
        """Hold ``text`` for one reader."""
        self.direct_io = direct_io
        self._text = text

    @property
    def size(self) -> int:
        """The size in bytes."""
        return len(self._text)

    async def read(self, offset: int, size: int) -> bytes:
        """Return a slice."""
        return self._text[offset : offset + size]

    def close(self) -> None:
        """Nothing is held."""


class OpenStored:
    """A sealed file: the kernel may cache it and read ahead.  It stays readable until it is closed, whatever is removed."""

    direct_io = False

    def __init__(self, ref: FileRef, sha256: bytes, downloads: DownloadPool, admission: Admission, *, repairs: int) -> None:
        """Open stored content; raises `NotKnown`, `StoreDamaged`.  ``repairs``: how often a read may fetch it again."""
        self._repairs = repairs
        self._ref = ref
        self._sha256 = sha256
        self._downloads = downloads
        self._store = downloads.context.store
        self._admission = admission
        # Held before it is opened: that order is what keeps its chunks (docs/design/concurrency.md, Collecting).
        self._store.hold(sha256)
        try:
            self._sealed = self._store.open_sealed(sha256)
        except BaseException:
            self._store.release(sha256)
            raise
        self._store.uses.note(sha256)

    @property
    def size(self) -> int:
        """The size in bytes."""
        return self._sealed.size

    async def read(self, offset: int, size: int) -> bytes | memoryview:
        """Return stored bytes; what has rotted is fetched again.  Raises `StoreDamaged` when no origin gives it."""
        repairs = 0
        while True:
            try:
                return await self._read(offset, size)
            except StoreDamaged as damage:
                if repairs == self._repairs:
                    happened = f"{damage.attempted}: {damage.happened}, also after it was fetched again"
                    raise StoreDamaged(f"read {self._ref.filename}", happened, damage.advice) from damage
                repairs += 1
                with self._admission.waiting(f"read {self._ref.filename}"):
                    await self._downloads.heal(self._ref, self._sha256, self._sealed, damage)
            self._sealed = self._store.open_sealed(self._sha256)

    async def _read(self, offset: int, size: int) -> bytes | memoryview:
        if self._sealed.is_warm(offset, size):
            return self._sealed.read(offset, size)
        return await trio.to_thread.run_sync(self._sealed.read, offset, size, limiter=self._downloads.context.disk)

    def close(self) -> None:
        """Let it go, if it was removed meanwhile."""
        self._store.release(self._sha256)


class OpenPartial:
    """A file that is not stored yet.

    It is opened with ``direct_io``: the kernel's read-ahead around METADATA would otherwise ask for bytes that no reader wants,
    start the fetch of the whole file, and make a failure of those bytes look like a failure of the ones that were asked for.
    """

    direct_io = True

    def __init__(
        self,
        download: Download,
        downloads: DownloadPool,
        admission: Admission,
        *,
        strict: bool,
        repairs: int,
        sums_up: bool = False,
    ) -> None:
        """Take over one use of ``download``; ``strict`` withholds every byte until the whole file is verified.

        ``sums_up``: hash what is read in order, so that the last bytes need not wait until the file is stored.
        """
        self._download = download
        self._downloads = downloads
        self._admission = admission
        self._strict = strict
        self._repairs = repairs
        self._generation: int | None = None
        self._reads_all = False
        self._sum = SumOfReads(download) if sums_up and download.ref.link.sha256 is not None else None
        self._stored: OpenStored | None = None

    @property
    def size(self) -> int | None:
        """The size in bytes, as its origin told it last; None while it has told none."""
        return self._download.partial.size_bytes

    async def read(self, offset: int, size: int) -> bytes | memoryview:
        """Return bytes, fetching what is missing; short where only a part of the tail was asked for.

        Raises `ContentChanged` when what was read before turned out to be of another file: no reader gets half of each.
        """
        if self._waits_for_sum(offset, size):
            with self._admission.waiting(f"read {self._download.ref.filename}"):
                if self._sum is None or not await self._sum.is_right_to_the_end(offset):
                    await self._download.until_sealed()
        data = await self._read(offset, size)
        # Nothing is awaited between the bytes and this.
        partial = self._download.partial
        if self._generation is not None and not partial.is_same_as(self._generation) and partial.takes_whole_answers:
            # Another server with an entity tag of its own, perhaps: when all is here, it is known whether it is the same file.
            with self._admission.waiting(f"read {self._download.ref.filename}"):
                await self._download.until_sealed()
            data = await self._read(offset, size)
        generation = partial.generation
        if self._generation is not None and not partial.is_same_as(self._generation):
            raise ContentChanged(
                f"read {self._download.ref.filename}", "what was read of it before was of another file", "open it again"
            )
        if data:
            self._generation = generation
            if self._sum is not None:
                self._sum.add(offset, data)
        return data

    def _waits_for_sum(self, offset: int, size: int) -> bool:
        """Return whether a read is of the last bytes by a reader of the whole file, who must not get wrong bytes to the end.

        Of a file without a hash there is nothing to wait for, and one who reads the tail alone is not held up.
        """
        download, size_bytes = self._download, self._download.partial.size_bytes
        if download.sealed_sha256 is not None or size_bytes is None or not download.ref.is_vouched or offset >= size_bytes:
            return False
        if download.is_fetching_whole and (offset == 0 or not download.is_tail(offset)):
            self._reads_all = True
        return self._reads_all and offset + size > size_bytes - _LAST_BYTES

    async def _read(self, offset: int, size: int) -> bytes | memoryview:
        if self._strict and self._download.sealed_sha256 is None:
            with self._admission.waiting(f"read {self._download.ref.filename}"):
                await self._download.until_sealed()
        if self._download.sealed_sha256 is not None:
            if self._stored is None:
                self._stored = OpenStored(
                    self._download.ref, self._download.sealed_sha256, self._downloads, self._admission, repairs=self._repairs
                )
            return await self._stored.read(offset, size)
        if self._download.has(offset, size):
            return await self._download.read(offset, size)
        with self._admission.waiting(f"read {self._download.ref.filename}"):
            return await self._download.read(offset, size)

    def close(self) -> None:
        """Give the content back."""
        if self._stored is not None:
            self._stored.close()
        self._downloads.release(self._download)
