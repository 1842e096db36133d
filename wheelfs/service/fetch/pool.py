"""The downloads of one process: at most one per content, kept for a while after use."""

from __future__ import annotations

import logging
from collections import OrderedDict
from contextlib import contextmanager, suppress
from itertools import islice
from typing import TYPE_CHECKING, Final

import trio

from wheelfs.errors import StoreDamaged, StoreReadOnly, WheelfsError
from wheelfs.model.content import key_of_sha256
from wheelfs.reports.status import Transfer
from wheelfs.service.fetch.download import Download
from wheelfs.service.fetch.partial_file import PartialFile
from wheelfs.service.fetch.space import SpaceReservations

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wheelfs.model.content import ContentKey
    from wheelfs.service.fetch.context import FetchContext
    from wheelfs.service.file_refs import FileRef
    from wheelfs.store.chunks.sealed_file import SealedFile

log = logging.getLogger(__name__)

MAX_TRANSFERS: Final = 100
"""Transfers that are reported: more than a screen shows; the report stays small while an environment is being filled."""


class DownloadPool:
    """The register of downloads, by content; ``context`` is what all of them share."""

    def __init__(self, context: FetchContext) -> None:
        self.context = context
        self._downloads: OrderedDict[ContentKey, Download] = OrderedDict()
        self._space = SpaceReservations(
            context.store, context.disk, timeout_s=context.progress_timeout_s, forget_idle=self._forget_idle
        )

    @contextmanager
    def using(self, ref: FileRef) -> Iterator[Download]:
        """Hold the `Download` of ``ref`` during the block."""
        download = self.acquire(ref)
        try:
            yield download
        finally:
            self.release(download)

    def acquire(self, ref: FileRef) -> Download:
        """Return the one `Download` of ``ref``, to be given to `release` later; raises `ContentMismatch` if it is quarantined."""
        self.context.facts.check_quarantine(ref)
        download = self._downloads.get(ref.key)
        # One whose content was stored, and removed or quarantined since, stays with those who have it open.
        if download is None or (download.sealed_sha256 is not None and not self.context.store.holds(download.sealed_sha256)):
            partial = PartialFile(ref, self.context)
            download = self._downloads[ref.key] = Download(ref, self.context, partial, self._space, self.tidy)
        if not download.is_busy:
            ruled_out_s = trio.current_time() - download.partial.ruled_out_s
            if ruled_out_s >= self.context.limits.share_again_s:
                download.partial.unusable.clear()
        self._downloads.move_to_end(ref.key)
        download.partial.is_given_up = False
        download.add_name(ref)
        download.users += 1
        return download

    def known(self, ref: FileRef) -> FileRef | None:
        """Return a file as it was acquired last, with its URL; None for one that is not at work and was forgotten."""
        download = self._downloads.get(ref.key)
        return None if download is None else download.ref

    def release(self, download: Download) -> None:
        """Give up one use; an unused download is kept for a while and then forgotten."""
        download.users -= 1
        self.tidy(download)

    def give_up(self, download: Download) -> bool:
        """Let no more come of a file that only the caller holds and that no reader waits for; tell whether that is so.

        What has come is kept.  The next one that acquires it has it fetched on.
        """
        if download.users == 1 and not download.is_read_on and not download.is_fetching_tail:
            download.partial.is_given_up = True
        return download.partial.is_given_up

    def tidy(self, download: Download) -> None:
        """Forget ``download`` when it is idle and stored, and the oldest idle ones beyond `FetchLimits.idle_downloads`."""
        if not download.is_busy and (download.sealed_sha256 is not None or self._downloads.get(download.ref.key) is not download):
            self._forget(download)
        excess = len(self._downloads) - self.context.limits.idle_downloads
        if excess > 0:
            self._forget_idle(excess)

    def _forget_idle(self, most: int | None = None) -> None:
        """Forget idle downloads, the longest unused first; their partial files may then be taken over or deleted."""
        for idle in [download for download in self._downloads.values() if not download.is_busy][:most]:
            self._forget(idle)

    def _forget(self, download: Download) -> None:
        if self._downloads.get(download.ref.key) is download:
            del self._downloads[download.ref.key]
        download.partial.close()

    def in_progress(self, sha256: bytes) -> tuple[FileRef, int] | None:
        """Return a file that is being fetched whole from its index at the moment, and its size; None for any other.

        Not from a share: two nodes that are each other's shares would then wait for each other.
        """
        download = self._downloads.get(key_of_sha256(sha256))
        if download is None or not (download.is_fetching_whole and download.partial.is_from_index):
            return None
        return None if download.partial.size_bytes is None else (download.ref, download.partial.size_bytes)

    def transfers(self) -> tuple[Transfer, ...]:
        """Return the files of which bytes are coming at the moment, those that are used the longest first."""
        coming = (download for download in self._downloads.values() if download.partial.live)
        return tuple(
            Transfer(
                filename=download.ref.filename,
                origin=download.ref.origin,
                size_bytes=download.partial.size_bytes,
                here_bytes=download.partial.spans.total,
            )
            for download in islice(coming, MAX_TRANSFERS)
        )

    @property
    def is_idle(self) -> bool:
        """Whether no file that is not stored is open or being fetched."""
        return not any(download.is_busy for download in self._downloads.values())

    def present_bytes(self, ref: FileRef) -> int | None:
        """Return how many bytes of a file that is not stored are here, or None when there is nothing; never opens anything."""
        download = self._downloads.get(ref.key)
        return download.partial.spans.total if download is not None else self.context.store.spool.state(ref.key)

    async def heal(self, ref: FileRef, sha256: bytes, sealed: SealedFile | None, damage: StoreDamaged) -> None:
        """Quarantine stored content that cannot be read, and fetch it again; raises `StoreDamaged` when that is impossible.

        ``sealed`` is what could not be read, None when not even its recipe could; if another one is stored by now, it has been
        healed already.
        """
        context, attempted = self.context, f"read {ref.filename}"
        happened = f"{damage.attempted}: {damage.happened}"
        if context.store.holds(sha256):
            with suppress(StoreDamaged):
                if context.store.open_sealed(sha256) is not sealed:
                    return
            log.error("%s: %s; it is quarantined and fetched again", attempted, happened)
            with suppress(StoreReadOnly):
                await trio.to_thread.run_sync(context.store.quarantine, sha256, happened, limiter=context.disk)
        try:
            with self.using(ref) as download:
                await download.until_sealed()
        except WheelfsError as error:
            raise StoreDamaged(attempted, f"{happened}; it could not be fetched again: {error}", damage.advice) from error
        if download.sealed_sha256 != sha256:
            raise StoreDamaged(attempted, f"{happened}; its origin has another file now", damage.advice)

    def close(self) -> None:
        """Close all spool files; what they hold stays for the next start."""
        for download in list(self._downloads.values()):
            download.partial.close()
        self._downloads.clear()
