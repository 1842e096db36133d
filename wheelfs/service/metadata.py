"""Core metadata files beside wheels (PEP 658): from the index that offers them, else from the wheel's own tail.

What is served here is sure to match the wheel: either its index vouches for it by a hash that was checked, or it was read out
of the wheel.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import trio

from wheelfs.errors import ContentMismatch, OriginFault

if TYPE_CHECKING:
    from wheelfs.service.files import FileRef
    from wheelfs.service.gate import Gate
    from wheelfs.service.projects import Entry, Projects
    from wheelfs.service.supply import Supply


class Metadata:
    """Finds, keeps and returns the METADATA of wheels."""

    def __init__(self, *, projects: Projects, supply: Supply, gate: Gate, bound_s: float) -> None:
        """``bound_s`` bounds one request for a metadata file."""
        self._projects = projects
        self._supply = supply
        self._gate = gate
        self._bound_s = bound_s

    def known(self, ref: FileRef) -> bytes:
        """Return the metadata that `of` has found before; raises `OriginFault` when it was forgotten since."""
        kept = self._supply.store.catalog.metadata(ref.key)
        if kept is None:
            raise OriginFault(f"open the metadata of {ref.filename}", "it is not known any more", "list the directory again")
        return kept

    async def of(self, entry: Entry) -> bytes:
        """Return the METADATA of a wheel, fetching no more than it needs."""
        ref = entry.ref
        kept = self._supply.store.catalog.metadata(ref.key)
        promised = ref.link.metadata_sha256
        if kept is not None and (promised is None or hashlib.sha256(kept).digest() == promised):
            return kept
        if entry.sealed_sha256 is not None:
            await self._read_out(ref, entry.sealed_sha256)
        else:
            with self._gate.waiting(f"read the metadata of {ref.filename}"):
                if ref.link.has_metadata:
                    await self._ask_index(ref)
                else:
                    with self._supply.using(ref) as content:
                        await content.secure_tail()
        kept = self._supply.store.catalog.metadata(ref.key)
        if kept is None and (sealed := self._projects.sealed(ref)) is not None:
            await self._read_out(ref, sealed)
            kept = self._supply.store.catalog.metadata(ref.key)
        if kept is None:
            raise OriginFault(
                f"read the metadata of {ref.filename}", "the wheel has none that can be read", "its index serves a broken wheel"
            )
        return kept

    async def _ask_index(self, ref: FileRef) -> None:
        attempted = f"fetch the metadata of {ref.filename} from {ref.origin}"
        with self._supply.hosts.asking(attempted, ref.link.url), trio.fail_after(self._bound_s):
            found = await self._supply.origin(ref).fetch_metadata(ref.link.url + ".metadata")
        self._supply.counters.count_fetched(len(found))
        if ref.link.metadata_sha256 is not None and hashlib.sha256(found).digest() != ref.link.metadata_sha256:
            raise ContentMismatch(
                attempted, "it does not have the sha256 that the index promised", "its index serves a broken file"
            )
        await self._supply.keep_metadata(ref, found)

    async def _read_out(self, ref: FileRef, sha256: bytes) -> None:
        found = await trio.to_thread.run_sync(self._supply.store.metadata_of_stored, sha256, limiter=self._supply.disk)
        if found is not None:
            await self._supply.keep_metadata(ref, found)
