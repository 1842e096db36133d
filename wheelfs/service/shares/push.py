"""``wheelfs push``: giving stored files to a share of objects, their chunks only where it does not have them.

A file is told of last of all: pack, manifest, record in the log, each durable before the next one begins.  Whoever is
killed in between leaves what nobody sees, and what the next one to push the same chunks uses.
"""

from __future__ import annotations

from array import array
from itertools import groupby
from typing import TYPE_CHECKING, Final, NamedTuple

import blake3

from wheelfs.core.fetch.similar_files import most_alike
from wheelfs.errors import NotKnown, OriginError, OriginFault, StoreDamaged
from wheelfs.model.manifest import Manifest
from wheelfs.model.recipe import Recipe, RecipeError
from wheelfs.model.share_objects import PACK_HEAD, Place
from wheelfs.reports.shares import PushedFile, PushResult
from wheelfs.service.shares.condemned_view import Reliance
from wheelfs.service.shares.feed import shared_file
from wheelfs.service.shares.memory import Followed
from wheelfs.service.stored_files import select_stored

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from wheelfs.errors import WheelfsError
    from wheelfs.remote.share.share import WrittenShare
    from wheelfs.store.catalog.records import StoredName
    from wheelfs.store.store import Store

PACK_BYTES: Final = 32 << 20
"""A pack is written when it has so much; with the chunk that came last it stays far below the greatest size."""

AT_ONCE_CHUNKS: Final = 1_000_000
"""Files are taken together up to so many chunks, so that small ones share packs: some 200 MB of digests."""

ATTEMPTS: Final = 3
"""How often a file is put together anew when packs that it needs are about to be deleted."""


class _Wanted(NamedTuple):
    name: StoredName
    recipe: Recipe


def push(
    store: Store, share: WrittenShare, words: Sequence[str], *, private: bool, share_name: str | None = None
) -> Iterator[PushedFile]:
    """Push the stored files that ``words`` mean, or all, and yield each once everybody can see it.

    Private files are pushed when they are named, or with ``private``.  Of those that are named it is seen whether their manifests
    and packs are there, too; of all others what the share has told is believed.  ``share_name`` is what the configuration calls
    the share.  Raises `NotKnown` where a word means nothing, and `OriginError` where the share cannot be used at all; what is
    wrong with one file is reported as its failure.
    """
    if words:
        names = select_stored(store.catalog, "push", words)
    else:
        names = [name for name in store.catalog.names() if private or not name.private]
    share.catalog.prepare()
    followed = Followed(store, share, share_name)
    followed.catch_up()
    missing: list[StoredName] = []
    for name in names:
        try:
            is_there = followed.has(shared_file(name)) and (not words or share.has_manifest(name.sha256))
        except OriginFault as error:
            yield _failed(name, error)
            continue
        if is_there:
            yield _told(name, "present")
        else:
            missing.append(name)
    if missing:
        yield from push_names(store, share, followed, Reliance(share), missing)
        followed.catch_up()


def push_names(
    store: Store, share: WrittenShare, followed: Followed, reliance: Reliance, names: Iterable[StoredName]
) -> Iterator[PushedFile]:
    """Push stored files that the share does not have, and yield each once everybody can see it; raises `OriginError`.

    ``followed`` has caught up.
    """
    wanted: list[_Wanted] = []
    chunks = 0
    for name in names:
        try:
            recipe = _recipe(store, name)
        except (StoreDamaged, NotKnown) as error:
            yield _failed(name, error)
            continue
        wanted.append(_Wanted(name, recipe))
        chunks += len(recipe.data)
        if chunks >= AT_ONCE_CHUNKS:
            yield from _Lot(store, share, followed, reliance, wanted).push()
            wanted, chunks = [], 0
    if wanted:
        yield from _Lot(store, share, followed, reliance, wanted).push()


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
    wanted: _Wanted
    manifest: Manifest
    written_bytes: int


class _Lot:
    """Files that are pushed together: small ones share packs."""

    def __init__(
        self, store: Store, share: WrittenShare, followed: Followed, reliance: Reliance, wanted: Sequence[_Wanted]
    ) -> None:
        self._store = store
        self._share = share
        self._followed = followed
        self._identity = followed.identity
        self._reliance = reliance
        self._wanted = wanted
        self._places: dict[bytes, Place] = {}
        self._pack = _Pack(share.new_pack_name())
        self._packed: list[_Packed] = []
        self._settled = 0
        """How many of the packed files need no pack that is not written yet."""
        self._again: list[_Wanted] = []
        """Files whose manifests would name packs that are about to be deleted."""

    def push(self) -> Iterator[PushedFile]:
        for _ in range(ATTEMPTS):
            yield from self._push()
            self._wanted, self._again = self._again, []
            if not self._wanted:
                return
        happened = f"packs that it needs were about to be deleted, {ATTEMPTS} times in a row"
        for one in self._wanted:
            yield _failed(one.name, OriginFault(f"push {one.name.filename}", happened, "push it again"))

    def _push(self) -> Iterator[PushedFile]:
        self._reliance.begin()
        places = self._share.places({chunk.digest for one in self._wanted for chunk in one.recipe.data}, self._relatives())
        self._places = {digest: place for digest, place in places.items() if self._reliance.is_reliable(place.pack)}
        for one in self._wanted:
            try:
                manifest, written_bytes = self._pack_up(one)
            except (StoreDamaged, NotKnown) as error:
                yield _failed(one.name, error)
                continue
            self._packed.append(_Packed(one, manifest, written_bytes))
            if not self._pack.chunks:
                self._settled = len(self._packed)
            yield from self._announce()
        self._flush()
        yield from self._announce()

    def _relatives(self) -> Iterator[bytes]:
        """Yield the files in the share that are most like the wanted ones: where chunks of theirs may lie already.

        Not the indexes of all packs: those of a share of 300,000 files are some gigabytes, and hardly ever have more.
        """
        seen: set[bytes] = set()
        for project, some in groupby(self._wanted, key=lambda one: one.name.project):
            there = {file.filename: file.sha256 for file in self._followed.of_project(project)}
            for one in some:
                for filename in most_alike(one.name.filename, there):
                    if there[filename] not in seen:
                        seen.add(there[filename])
                        yield there[filename]

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
                    # The share is to hold no wrong byte, whatever the store's own checks let through.
                    if blake3.blake3(content).digest() != digest:
                        raise StoreDamaged(f"push {name.filename}", "a chunk is not what was stored", "run: wheelfs verify")
                    place = self._places[digest] = self._pack.add(content)
                    written_bytes += length
                pack_of.append(packs.setdefault(place.pack, len(packs)))
                offsets.append(place.offset)
                at += length
                if self._pack.size_bytes >= PACK_BYTES:
                    self._flush()
        manifest = Manifest(
            size_bytes=recipe.size_bytes,
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
            self._share.add_pack(full.name, full.chunks)
        self._settled = len(self._packed)

    def _announce(self) -> Iterator[PushedFile]:
        """Let everybody see the files whose packs are all written."""
        settled, self._packed = self._packed[: self._settled], self._packed[self._settled :]
        self._settled = 0
        made: list[_Packed] = []
        for one in settled:
            name = one.wanted.name
            try:
                # Who came first has described the same bytes; a damaged description must not be made known.
                is_described = self._share.has_manifest(name.sha256)
                # Only now: a manifest is written at once after looking, or whoever deletes packs may not see that it needs them.
                self._reliance.freshen()
                if self._may_tell(one):
                    if not is_described:
                        self._share.add_manifest(name.sha256, one.manifest)
                    made.append(one)
            except OriginError as error:
                yield _failed(name, error)
        yield from self._tell(made)

    def _tell(self, made: list[_Packed]) -> Iterator[PushedFile]:
        """Let everybody see files whose manifests are there, unless something of them is about to go."""
        left = made
        sure: list[_Packed] = []
        failures: list[tuple[StoredName, OriginError]] = []
        try:
            if made:
                if self._share.catalog.check() != self._identity:
                    happened = "it was begun anew meanwhile, so what was pushed is not there"
                    raise OriginFault(f"push to the share {self._share.url}", happened, "push it again")
                self._followed.catch_up()  # so that the end of the log is near
                self._reliance.freshen()
            # Once more: with many files this is long after the first of them was looked at.  Nobody else is waited for between
            # this and telling.
            for one in made:
                try:
                    if self._may_tell(one):
                        sure.append(one)
                except OriginFault as error:
                    failures.append((one.wanted.name, error))
            left = sure
            if sure:
                self._followed.tell([shared_file(one.wanted.name) for one in sure], may_tell=self._reliance.is_fresh)
        except OriginError as error:
            failures += ((one.wanted.name, error) for one in left)
            sure = []
        yield from (_told(one.wanted.name, "pushed", one.written_bytes) for one in sure)
        yield from (_failed(name, error) for name, error in failures)

    def _may_tell(self, one: _Packed) -> bool:
        """Tell whether all that a file needs will stay; if not, it is put together again.  Raises `OriginFault`."""
        if not all(map(self._reliance.is_reliable, one.manifest.packs)):
            self._again.append(one.wanted)
            return False
        if self._reliance.is_doomed(one.wanted.name.sha256):
            raise OriginFault(
                f"push {one.wanted.name.filename}",
                f"an older description of it in the share {self._share.url} is about to be deleted",
                "wheelfs gc --share ends that; push it again an hour later",
            )
        return True


class _Pack:
    """A pack that is being filled, in memory."""

    def __init__(self, name: bytes) -> None:
        self.name = name
        self.chunks: list[bytes] = []
        self.size_bytes = len(PACK_HEAD)

    def add(self, content: bytes) -> Place:
        place = Place(self.name, self.size_bytes)
        self.chunks.append(content)
        self.size_bytes += len(content)
        return place


def _told(name: StoredName, result: PushResult, written_bytes: int = 0, error: WheelfsError | None = None) -> PushedFile:
    return PushedFile(
        filename=name.filename,
        project=name.project,
        sha256=name.sha256.hex(),
        size_bytes=name.size_bytes,
        private=name.private,
        result=result,
        written_bytes=written_bytes,
        reason=None if error is None else str(error),
        error_class=None if error is None else type(error).__name__,
    )


def _failed(name: StoredName, error: WheelfsError) -> PushedFile:
    return _told(name, "failed", error=error)
