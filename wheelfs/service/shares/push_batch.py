"""Pushing stored files in batches: packs, manifests and records, each durable before the next one begins.

A file is announced last.  A process that is killed in between leaves what no one sees; packs that were written before an attempt
failed are used by the next one of the same process.
"""

from __future__ import annotations

from array import array
from contextlib import suppress
from itertools import groupby
from typing import TYPE_CHECKING, Final, NamedTuple

import blake3

from wheelfs.core.fetch.similar_files import similar_files
from wheelfs.errors import NotKnown, OriginError, OriginFault, StoreDamaged
from wheelfs.model.manifest import Manifest
from wheelfs.model.recipe import Recipe, RecipeError
from wheelfs.model.share_objects import PACK_HEAD, PackPlace
from wheelfs.service.shares.feed import shared_file
from wheelfs.service.shares.limits import SHARE_LIMITS
from wheelfs.service.shares.outcomes import Failed, Pushed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from wheelfs.remote.share.share import WrittenShare
    from wheelfs.service.shares.catalog_cache import RemoteCatalogCache
    from wheelfs.service.shares.condemned_view import CondemnedView
    from wheelfs.service.shares.limits import PushLimits
    from wheelfs.store.catalog.records import StoredName
    from wheelfs.store.store import Store

_MAX_OWN_CHUNKS: Final = 200_000
"""Some 40 MB, kept while files cannot be pushed: chunks of 10 to 50 GB."""


class OwnPacks:
    """Packs that this process has written, and whose files it has not announced: the next attempt uses them.

    Nothing in the share leads to them, so another process cannot know them.  Not for several threads at once.
    """

    def __init__(self) -> None:
        self.places: dict[bytes, PackPlace] = {}
        """By digest, of packs that were there when they had been written."""
        self._unnamed: set[bytes] = set()

    def begin(self, pack: bytes) -> None:
        """Note that a pack is about to be written."""
        self._unnamed.add(pack)

    def done(self, places: Mapping[bytes, PackPlace]) -> None:
        """Note where its chunks lie, now that it is written."""
        self.places |= places
        while len(self.places) > _MAX_OWN_CHUNKS:
            del self.places[next(iter(self.places))]

    def name(self, packs: Iterable[bytes]) -> None:
        """Note that a manifest that names packs is about to be written: from now on it may be there, whatever the answer is."""
        self._unnamed.difference_update(packs)

    def clear(self) -> None:
        """Forget them, now that all files are announced."""
        self.places.clear()
        self._unnamed.clear()

    def withdraw(self, share: WrittenShare) -> None:
        """Delete those that no manifest can name, as far as the share permits that, and forget them: no attempt follows."""
        with suppress(OriginError):
            for pack in self._unnamed:
                share.delete_pack(pack)
        self.clear()


class PushTarget(NamedTuple):
    """A share to push to, what this store knows that it has, what of it is about to be deleted, and what is not announced yet."""

    share: WrittenShare
    cache: RemoteCatalogCache
    condemned: CondemnedView
    own: OwnPacks


class _Wanted(NamedTuple):
    name: StoredName
    recipe: Recipe


def push_names(
    store: Store, target: PushTarget, names: Iterable[StoredName], *, limits: PushLimits = SHARE_LIMITS.push
) -> Iterator[Pushed | Failed]:
    """Push stored files that the share does not have, and yield each once it is published; raises `OriginError`.

    The cache of ``target`` has caught up.
    """
    wanted: list[_Wanted] = []
    chunks = 0
    for name in names:
        try:
            recipe = _recipe(store, name)
        except (StoreDamaged, NotKnown) as error:
            yield Failed(name, error)
            continue
        wanted.append(_Wanted(name, recipe))
        chunks += len(recipe.data)
        if chunks >= limits.chunks_at_once:
            yield from _Batch(store, target, wanted, limits).push()
            wanted, chunks = [], 0
    if wanted:
        yield from _Batch(store, target, wanted, limits).push()


def _recipe(store: Store, name: StoredName) -> Recipe:
    attempted = f"push {name.filename}"
    if not store.holds(name.sha256):
        raise StoreDamaged(attempted, "it is quarantined", "run: wheelfs verify --repair")
    encoded = store.catalog.recipe(name.sha256)
    if encoded is None:
        raise NotKnown(attempted, "it was removed a moment ago")
    try:
        return Recipe.decode(encoded)
    except RecipeError as error:
        raise StoreDamaged(attempted, f"its recipe is damaged: {error}", "run: wheelfs verify --repair") from error


class _Packed(NamedTuple):
    """A file whose chunks all have a place; not in the share's catalog yet."""

    wanted: _Wanted
    manifest: Manifest
    written_bytes: int


class _Batch:
    """Files that are pushed together: small ones share packs."""

    def __init__(self, store: Store, target: PushTarget, wanted: Sequence[_Wanted], limits: PushLimits) -> None:
        self._store = store
        self._share = share = target.share
        self._cache = target.cache
        self._identity = target.cache.identity
        self._condemned = target.condemned
        self._own = target.own
        self._wanted = wanted
        self._limits = limits
        self._places: dict[bytes, PackPlace] = {}
        self._pack = _Pack(share.new_pack_name())
        self._packed: list[_Packed] = []
        self._settled = 0
        """How many of the packed files need no pack that is not written yet."""
        self._again: list[_Wanted] = []
        """Files whose manifests would name packs that are about to be deleted."""

    def push(self) -> Iterator[Pushed | Failed]:
        for _ in range(self._limits.attempts):
            yield from self._push()
            self._wanted, self._again = self._again, []
            if not self._wanted:
                return
        happened = f"packs that it needs were about to be deleted, {self._limits.attempts} times in a row"
        for one in self._wanted:
            yield Failed(one.name, OriginFault(f"push {one.name.filename}", happened, "push it again"))

    def _push(self) -> Iterator[Pushed | Failed]:
        self._condemned.begin()
        wanted = {chunk.digest for one in self._wanted for chunk in one.recipe.data}
        # Own packs may be condemned or gone by now, like any others.
        places = self._share.places(wanted, self._relatives(), self._own.places)
        self._places = {digest: place for digest, place in places.items() if self._condemned.is_reliable(place.pack)}
        for one in self._wanted:
            try:
                manifest, written_bytes = self._pack_up(one)
            except (StoreDamaged, NotKnown) as error:
                yield Failed(one.name, error)
                continue
            self._packed.append(_Packed(one, manifest, written_bytes))
            if not self._pack.chunks:
                self._settled = len(self._packed)
            yield from self._announce()
        self._flush()
        yield from self._announce()

    def _relatives(self) -> Iterator[bytes]:
        """Yield the files in the share that are most like the wanted ones: their packs may have chunks of these.

        Not the indexes of all packs: those of a share of 300,000 files are some gigabytes, and hardly ever have more.
        """
        seen: set[bytes] = set()
        for project, batch in groupby(self._wanted, key=lambda one: one.name.project):
            in_share = {file.filename: file.sha256 for file in self._cache.of_project(project)}
            for one in batch:
                for filename in similar_files(one.name.filename, in_share):
                    if in_share[filename] not in seen:
                        seen.add(in_share[filename])
                        yield in_share[filename]

    def _pack_up(self, one: _Wanted) -> tuple[Manifest, int]:
        """Put those chunks of a file into packs that are in none, and return its manifest."""
        name, recipe = one
        written_bytes = 0
        packs: dict[bytes, int] = {}
        pack_of, offsets = array("I"), array("I")
        with self._store.reading(name.sha256) as sealed:
            skeleton_frame = b"".join(map(self._store.chunks.read, recipe.skeleton.extents))
            at = 0
            for gap, (digest, length) in zip(recipe.gaps, recipe.data, strict=True):
                at += gap
                place = self._places.get(digest)
                if place is None:
                    content = sealed.read(at, length)
                    # The share must hold no wrong byte, whatever the store's own checks let through.
                    if blake3.blake3(content).digest() != digest:
                        raise StoreDamaged(f"push {name.filename}", "a chunk is not what was stored", "run: wheelfs verify")
                    place = self._places[digest] = self._pack.add(digest, content)
                    written_bytes += length
                pack_of.append(packs.setdefault(place.pack, len(packs)))
                offsets.append(place.offset)
                at += length
                if self._pack.size_bytes >= self._limits.pack_bytes:
                    self._flush()
        manifest = Manifest(
            skeleton_bytes=recipe.skeleton_bytes,
            frame=skeleton_frame,
            gaps=recipe.gaps,
            lengths=recipe.data.lengths,
            digests=recipe.data.digests,
            packs=tuple(packs),
            pack_of=pack_of,
            offsets=offsets,
        )
        return manifest, written_bytes

    def _flush(self) -> None:
        full, self._pack = self._pack, _Pack(self._share.new_pack_name())
        if full.chunks:
            self._own.begin(full.name)
            self._share.add_pack(full.name, full.chunks)
            self._own.done(full.places)
        self._settled = len(self._packed)

    def _announce(self) -> Iterator[Pushed | Failed]:
        """Write the manifests of files whose packs are all written, and publish them."""
        settled, self._packed = self._packed[: self._settled], self._packed[self._settled :]
        self._settled = 0
        made: list[_Packed] = []
        for one in settled:
            name = one.wanted.name
            try:
                # A manifest that is there describes the same bytes; a damaged one must not be published.
                is_described = self._share.has_manifest(name.sha256)
                # Only now: a manifest is written right after this check, or a collection may not see that it needs the packs.
                self._condemned.freshen()
                if self._is_safe(one):
                    if not is_described:
                        self._own.name(one.manifest.packs)
                        self._share.add_manifest(name.sha256, one.manifest)
                    made.append(one)
            except OriginError as error:
                yield Failed(name, error)
        yield from self._publish(made)

    def _publish(self, made: list[_Packed]) -> Iterator[Pushed | Failed]:
        """Add files whose manifests are there to the share's catalog, unless something that they need is about to be deleted."""
        left = made
        safe: list[_Packed] = []
        failures: list[tuple[StoredName, OriginError]] = []
        try:
            if made:
                if self._share.catalog.check() != self._identity:
                    happened = "it was replaced by another share meanwhile, so what was pushed is not there"
                    raise OriginFault(f"push to the share {self._share.url}", happened, "push it again")
                self._cache.catch_up()  # so that the end of the log is near
                self._condemned.freshen()
            # Once more: with many files this is long after the first of them was checked.  No I/O happens between this check and
            # the announcement.
            for one in made:
                try:
                    if self._is_safe(one):
                        safe.append(one)
                except OriginFault as error:
                    failures.append((one.wanted.name, error))
            left = safe
            if safe:
                self._cache.announce([shared_file(one.wanted.name) for one in safe], may_announce=self._condemned.is_fresh)
        except OriginError as error:
            failures += ((one.wanted.name, error) for one in left)
            safe = []
        yield from (Pushed(one.wanted.name, one.written_bytes) for one in safe)
        yield from (Failed(name, error) for name, error in failures)

    def _is_safe(self, one: _Packed) -> bool:
        """Tell whether all that a file needs will stay; if not, it is put together again.  Raises `OriginFault`."""
        if not all(map(self._condemned.is_reliable, one.manifest.packs)):
            self._again.append(one.wanted)
            return False
        if self._condemned.is_pending_deletion(one.wanted.name.sha256):
            raise OriginFault(
                f"push {one.wanted.name.filename}",
                f"an older manifest of it in the share {self._share.url} is about to be deleted",
                "wheelfs gc --share ends that; push it again an hour later",
            )
        return True


class _Pack:
    """A pack that is being filled, in memory."""

    def __init__(self, name: bytes) -> None:
        self.name = name
        self.chunks: list[bytes] = []
        self.places: dict[bytes, PackPlace] = {}
        self.size_bytes = len(PACK_HEAD)

    def add(self, digest: bytes, content: bytes) -> PackPlace:
        place = self.places[digest] = PackPlace(self.name, self.size_bytes)
        self.chunks.append(content)
        self.size_bytes += len(content)
        return place
