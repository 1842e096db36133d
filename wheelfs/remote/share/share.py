"""A share of objects: which files it has, how they are made, and the chunks they are made of.

Everything here is read with suspicion: what is torn, missing or foreign is left out where the rest goes on without it, and is an
`OriginFault` where it was asked for by name.
"""

from __future__ import annotations

import logging
import secrets
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import blake3

from wheelfs.core.share_gc_plan import CLOCK_PREFIX
from wheelfs.errors import OriginDenied, OriginError, OriginFault, OriginMissing
from wheelfs.model.condemned import CONDEMNED, decode_condemned
from wheelfs.model.framing import NewerFormatError, ShareFormatError
from wheelfs.model.manifest import MAX_PACK_BYTES, PACK_NAME_BYTES, Manifest
from wheelfs.model.share_objects import PACK_HEAD, PackPlace, is_object_name, manifest_key, pack_key
from wheelfs.model.shared_environment import (
    MAX_ANNOUNCEMENT_BYTES,
    MAX_ANNOUNCEMENTS,
    MAX_OBJECT_BYTES,
    announcement_key,
    decode_announcement,
    decode_object,
    encode_announcement,
    encode_object,
    object_key,
)
from wheelfs.remote.limits import SHARE_LIMITS
from wheelfs.remote.share.log import ShareCatalog
from wheelfs.remote.share.log_writer import WrittenShareCatalog
from wheelfs.remote.share.manifests import composition_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

    from wheelfs.core.fetch.composition import Composition
    from wheelfs.model.condemned import Condemned
    from wheelfs.model.manifest import Placed
    from wheelfs.model.shared_environment import SharedEnvironment
    from wheelfs.remote.limits import ShareLimits
    from wheelfs.remote.share.objects import Objects, ReadObjects

log = logging.getLogger(__name__)

MAX_MANIFEST_BYTES: Final = 512 << 20
MAX_LIST_BYTES: Final = 64 << 20


class ObjectShare:
    """A share that is read.  All methods block, may be called from any thread, and raise `OriginError`."""

    def __init__(self, objects: ReadObjects, limits: ShareLimits = SHARE_LIMITS) -> None:
        """``objects`` need no listing."""
        self._objects = objects
        self.limits = limits
        self.url = objects.url
        self.catalog = ShareCatalog(objects, limits)

    # --- manifests and chunks ------------------------------------------------------------------------------------------

    def manifest(self, sha256: bytes) -> Manifest:
        """Return how a file is made; raises `OriginMissing` and `OriginFault`."""
        key = manifest_key(sha256)
        attempted = f"read {key} in the share {self.url}"
        try:
            encoded = self._objects.read(key, limit_bytes=MAX_MANIFEST_BYTES)
            if encoded is None:
                raise OriginMissing(attempted, "it is not there (yet)")
            manifest = Manifest.decode(encoded)
            if manifest.lengths and not manifest.packs:
                raise ShareFormatError("it does not tell where its chunks lie")
        except ShareFormatError as error:
            raise OriginFault(attempted, str(error), "delete that object and push the file again") from None
        return manifest

    # --- environments --------------------------------------------------------------------------------------------------

    def environments(self) -> dict[str, SharedEnvironment]:
        """Return the environments that were announced, the latest of each name."""
        found: dict[str, SharedEnvironment] = {}
        for number in range(MAX_ANNOUNCEMENTS):
            key = announcement_key(number)
            try:
                encoded = self._objects.read(key, limit_bytes=MAX_ANNOUNCEMENT_BYTES)
                if encoded is None:
                    break
                announced = decode_announcement(encoded)
            except ShareFormatError as error:
                self.catalog.refuse_pages()
                log.warning("left out %s of the share %s: %s", key, self.url, error)
                continue
            found[announced.name] = announced
        return {name: one for name, one in found.items() if one.tree}

    def environment_object(self, sha256: bytes) -> bytes:
        """Return an object of an environment, compared with its sha256; raises `OriginMissing` and `OriginFault`."""
        key = object_key(sha256)
        attempted = f"read {key} in the share {self.url}"
        try:
            encoded = self._objects.read(key, limit_bytes=MAX_OBJECT_BYTES)
            if encoded is None:
                raise OriginMissing(attempted, "it is not there (yet)")
            return decode_object(sha256, encoded)
        except ShareFormatError as error:
            raise OriginFault(attempted, str(error), "delete that object and push the environment again") from None

    def lacks(self, sha256: bytes) -> bool:
        """Tell whether the share is there, and the file's manifest or a pack of it is not; raises `OriginError`."""
        self.catalog.check()
        try:
            packs = self.manifest(sha256).packs
        except OriginMissing:
            packs = None
        lacking = packs is None or any(not self._has_pack(pack) for pack in packs)
        if lacking:
            self.catalog.check()  # it may have gone away as a whole, meanwhile
        return lacking

    def _has_pack(self, pack: bytes) -> bool:
        return self._objects.read_range(pack_key(pack), 0, len(PACK_HEAD)) == PACK_HEAD

    def composition(self, manifest: Manifest) -> Composition:
        """Return how a file is made with its skeleton unpacked; raises `OriginFault`."""
        return composition_of(manifest, attempted=f"read a file of the share {self.url}")

    def chunks(self, wanted: Sequence[Placed]) -> Iterator[tuple[Placed, bytes]]:
        """Yield chunks with their bytes, which have their digest, in order of place; raises `OriginMissing` and `OriginFault`."""
        for run in _runs(sorted(wanted, key=lambda chunk: (chunk.pack, chunk.pack_offset)), self.limits):
            start = run[0].pack_offset
            content = self._read_pack(run[0].pack, start, max(chunk.pack_offset + chunk.length for chunk in run))
            for chunk in run:
                at = chunk.pack_offset - start
                piece = content[at : at + chunk.length]
                if blake3.blake3(piece).digest() != chunk.digest:
                    attempted = f"read {pack_key(chunk.pack)} in the share {self.url}"
                    raise OriginFault(attempted, "a chunk in it does not have its digest", "the share is damaged there")
                yield chunk, piece

    def _read_pack(self, pack: bytes, start: int, end: int) -> bytes:
        """Return bytes ``[start, end)`` of a pack, all of them; raises `OriginMissing` and `OriginFault`."""
        attempted = f"read {pack_key(pack)} in the share {self.url}"
        content = self._objects.read_range(pack_key(pack), start, end)
        if content is None:
            raise OriginMissing(attempted, "it is not there (yet)")
        if len(content) != end - start:
            raise OriginFault(attempted, f"truncated: {len(content)} bytes came of {end - start}")
        return content


class WrittenShare(ObjectShare):
    """A share that is written to as well."""

    def __init__(self, objects: Objects, limits: ShareLimits = SHARE_LIMITS) -> None:
        """Many may write at once, here and elsewhere."""
        super().__init__(objects, limits)
        self._written = objects
        self.catalog: WrittenShareCatalog = WrittenShareCatalog(objects, limits)
        self._damaged: set[str] = set()

    def has_manifest(self, sha256: bytes) -> bool:
        """Tell whether it is known how a file is made; raises `OriginFault` where that is damaged, or a pack of it is missing."""
        try:
            packs = self.manifest(sha256).packs
        except OriginMissing:
            return False
        for pack in packs:
            if not self._has_pack(pack):
                key = manifest_key(sha256)
                raise OriginFault(
                    f"use {key} in the share {self.url}",
                    f"{pack_key(pack)}, which it names, is not there (yet)",
                    "if it stays away, delete that object in manifests/, and push the file again by its name",
                )
        return True

    def places(self, wanted: Collection[bytes], of: Iterable[bytes], own: Mapping[bytes, PackPlace]) -> dict[bytes, PackPlace]:
        """Return where wanted chunks lie that the files ``of`` (each a sha256) are made of, in packs that are there.

        ``own``, by digest: where chunks lie that are known without a manifest.
        """
        chosen = {digest: own[digest] for digest in wanted if digest in own}
        packs = {pack: self._may_use_pack(pack) for pack in {place.pack for place in chosen.values()}}
        found = {digest: place for digest, place in chosen.items() if packs[place.pack]}
        for sha256 in of:
            try:
                manifest = self.manifest(sha256)
            except OriginMissing:
                continue
            except (OriginFault, OriginDenied) as error:
                log.warning("left out: %s", error)
                continue
            for chunk in manifest.placed():
                if chunk.digest in wanted and chunk.digest not in found:
                    if chunk.pack not in packs:
                        packs[chunk.pack] = self._may_use_pack(chunk.pack)
                    if packs[chunk.pack]:
                        found[chunk.digest] = PackPlace(chunk.pack, chunk.pack_offset)
        return found

    def _may_use_pack(self, pack: bytes) -> bool:
        """Tell whether a pack is there, and can be read: its chunks are else written once more."""
        try:
            return self._has_pack(pack)
        except (OriginFault, OriginDenied) as error:
            log.warning("left out: %s", error)
            return False

    def condemned(self, known: Mapping[str, Condemned]) -> dict[str, Condemned]:
        """Return the lists of what is to be deleted, by name, the known ones unread.

        Raises `OriginFault` for one of another version's form.  A damaged one is left out: no collection goes by it either.
        """
        found: dict[str, Condemned] = {}
        for name in (one.key.rpartition("/")[2] for one in self._written.found(CONDEMNED)):
            if not is_object_name(name):
                continue
            if name in known:
                found[name] = known[name]
                continue
            key = f"{CONDEMNED}/{name}"
            try:
                encoded = self._objects.read(key, limit_bytes=MAX_LIST_BYTES)
                if encoded is not None:
                    found[name] = decode_condemned(encoded)
            except NewerFormatError as error:
                raise OriginFault(f"read {key} in the share {self.url}", str(error), "update wheelfs, or delete it") from None
            except ShareFormatError as error:
                if key not in self._damaged:
                    self._damaged.add(key)
                    log.warning("left out %s of the share %s: %s; delete it", key, self.url, error)
        return found

    def clock_s(self) -> float:
        """Return what time it is where the share is, in seconds of the epoch; raises `OriginError`."""
        return clock_s(self._written)

    def add_environment_object(self, content: bytes) -> bytes:
        """Write an object of an environment, and return its sha256."""
        sha256, encoded = encode_object(content)
        self._written.create(object_key(sha256), encoded)
        return sha256

    def announce_environment(self, environment: SharedEnvironment, check: Callable[[], None] = lambda: None) -> None:
        """Announce an environment whose objects are there, after all that were announced before.

        ``check`` is called just before, and raises where one of these may be about to be deleted.
        """
        encoded = encode_announcement(environment)
        for number in range(MAX_ANNOUNCEMENTS):
            if self._objects.read_range(announcement_key(number), 0, 1) is None:
                check()
                if self._written.create(announcement_key(number), encoded):
                    return
        raise OriginFault(f"announce an environment in the share {self.url}", f"there are {MAX_ANNOUNCEMENTS:,} already")

    def new_pack_name(self) -> bytes:
        """Return a name that no other writer gives to a pack."""
        return secrets.token_bytes(PACK_NAME_BYTES)

    def add_pack(self, pack: bytes, chunks: Sequence[bytes]) -> None:
        """Write a pack."""
        content = b"".join((PACK_HEAD, *chunks))
        assert len(content) <= MAX_PACK_BYTES
        # Where there is one of this name already it is this one: an answer was lost, and the request made again.
        self._written.create(pack_key(pack), content)

    def delete_pack(self, pack: bytes) -> None:
        """Delete a pack that its writer alone knows: no manifest that may be there names it."""
        self._written.delete(pack_key(pack))

    def add_manifest(self, sha256: bytes, manifest: Manifest) -> None:
        """Write down how a file is made; its chunks are there."""
        self._written.create(manifest_key(sha256), manifest.encode())


def clock_s(objects: Objects) -> float:
    """Return what time it is where the objects are, in seconds of the epoch: their ages are by that clock."""
    key = f"{CONDEMNED}/{CLOCK_PREFIX}{secrets.token_hex(16)}"
    objects.create(key, b"")
    try:
        for found in objects.found(CONDEMNED):
            if found.key == key:
                return found.modified_s
    finally:
        with suppress(OriginError):  # pushing does not require permission to delete; a collection deletes what is left
            objects.delete(key)
    raise OriginFault(
        f"ask the share {objects.url} for its time", "an object that was written is not listed", "run it again in a minute"
    )


def _runs(chunks: Sequence[Placed], limits: ShareLimits) -> Iterator[list[Placed]]:
    """Group chunks, sorted by place, into those that one request brings."""
    run: list[Placed] = []
    for chunk in chunks:
        if run:
            last = run[-1]
            apart = chunk.pack != last.pack or chunk.pack_offset - (last.pack_offset + last.length) > limits.gap_bytes
            if apart or chunk.pack_offset + chunk.length - run[0].pack_offset > limits.run_bytes:
                yield run
                run = []
        run.append(chunk)
    if run:
        yield run
