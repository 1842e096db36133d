"""Keeping what was not used for long as solid blocks (decision 0080): of each project, what its newest wheel does not have.

A wheel's members are inflated, packed again and compared, and stored as streams.  Then the wheel is read as a whole by its new
recipe: only when that has its sha256 does the recipe come into force, in one transaction.  The blocks that it named before go as
any others that are not in use.  A crash leaves blocks that nothing names, which the next collection deletes.

It takes minutes a GB, and others may need room meanwhile: so it keeps other collections out only while it collects itself, for
some seconds at a time.  What it reads, and what it has stored and no recipe names yet, is kept by leases.
"""

from __future__ import annotations

import hashlib
import logging
import math
import time
from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING, Final, NamedTuple

import blake3
import msgspec
from packaging.utils import InvalidWheelFilename, parse_wheel_filename

from wheelfs.core.solid.arranging import arranged
from wheelfs.core.solid.choosing import FIRST_READ_BYTES_S, Candidate, affordable
from wheelfs.core.unpacked.encoders import is_the_original
from wheelfs.errors import StoreDamaged, StoreError, StoreLocked
from wheelfs.model.recipe import ChunkList, Extents, Recipe
from wheelfs.store.chunks.relocate import places
from wheelfs.store.chunks.sealed_file import SealedFile
from wheelfs.store.chunks.solid_blocks import packed_stream
from wheelfs.store.coordination.leases import held
from wheelfs.store.coordination.locks import POLL_S
from wheelfs.store.gc.collect import LOCK_S, Collected, alone, collect, undisturbed
from wheelfs.store.gc.solid_members import found_members, open_wheel, recipe_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from packaging.version import Version

    from wheelfs.model.recipe import Chunk, Extent
    from wheelfs.store.catalog.records import StoredName
    from wheelfs.store.files import StoreFiles

log = logging.getLogger(__name__)

_WORTH: Final = 0.9
"""A stream that takes more of what its blocks take is not stored."""
_SPARSE: Final = 0.9
"""What is left of a block, when some of it has become solid, is rewritten where that gives back a tenth."""
_REWRITTEN_BYTES: Final = 512 << 20
"""At most this much of it in one collection, some seconds: who needs room meanwhile waits for that."""
_ATTEMPTS: Final = 3
"""To exchange a recipe that collections replace meanwhile, which takes them far longer than reading the wheel."""
_READ_BYTES: Final = 1 << 20


class Solidified(msgspec.Struct, frozen=True):
    """What came of it: wheels that got solid members, how many these are, and what the collection after it did.

    ``freed_bytes`` is by how much the store needs less room: what is solid takes some, too.
    """

    wheels: int = 0
    members: int = 0
    freed_bytes: int = 0
    collected: Collected = Collected()


class _Made(NamedTuple):
    """What became solid of a project.  ``is_whole`` tells that all of it was looked at."""

    wheels: int
    members: int
    content_bytes: int
    is_whole: bool


def solidify(
    store: StoreFiles,
    *,
    unused_s: float,
    bytes_s: float = FIRST_READ_BYTES_S,
    most_bytes: int | None = None,
    lock_s: float = LOCK_S,
) -> Solidified:
    """Make solid what was not used for ``unused_s`` seconds, then collect what that sets free; blocks, for minutes a GB.

    As much is left as it is as a first read of each wheel at ``bytes_s`` needs, on this machine.  It ends when members with
    ``most_bytes`` of content have become solid (None: with the last project).
    Raises `StoreError` where it is not possible here, `StoreLocked` while another process does it or collects, and goes on for
    longer than ``lock_s``.
    """
    attempted = f"keep what is not used solid in store {store.path}"
    if not store.directory.format.solid:
        raise StoreError(attempted, "the store was not opened for it", "run: wheelfs gc --solid")
    if not is_the_original():
        raise StoreError(attempted, "this Python has another library in the place of zlib", "use a Python that has zlib")
    before_us = time.time_ns() // 1_000 - int(unused_s * 1e6)
    before_bytes = store.used_bytes()
    left_bytes = math.inf if most_bytes is None else most_bytes
    wheels = members = 0
    with alone(store, "solid.lock", attempted, "another process makes files of this store solid", timeout_s=lock_s):
        with undisturbed(store, attempted, timeout_s=lock_s):
            pass  # what a longer one (an older build's verification takes hours) would keep from being collected is not made
        for project, names in groupby(store.catalog.names(replaced=True), key=attrgetter("project")):
            listed = list(names)
            with store.chunks.left_solid():
                old = _old(store, listed, before_us)
                state = _state(store, old, bytes_s)
                if not old or store.chunks.looked_at(project) == state:
                    continue
                made = _of_project(store, listed, old, bytes_s, left_bytes)
                if made.is_whole and not made.wheels:
                    store.chunks.note_looked_at(project, state).result()
            wheels += made.wheels
            members += made.members
            left_bytes -= made.content_bytes
            store.release_mapping()
            if left_bytes <= 0:
                break
        collected = _collected(store, attempted, lock_s) if wheels else Collected()
    return Solidified(wheels, members, max(0, before_bytes - store.used_bytes()), collected)


def _collected(store: StoreFiles, attempted: str, lock_s: float) -> Collected:
    """Give back what became solid, in several collections, between which others have their turn."""
    blocks = rewritten = freed_bytes = 0
    while True:
        try:
            done = collect(store, lock_s=lock_s, sparse=_SPARSE, rewritten_bytes=_REWRITTEN_BYTES)
        except StoreLocked as error:
            raise StoreLocked(attempted, error.happened, "it is solid, and its room comes back with: wheelfs gc") from error
        blocks, rewritten, freed_bytes = blocks + done.blocks, rewritten + done.rewritten, freed_bytes + done.freed_bytes
        if done.waiting or not (done.rewritten and done.freed_bytes):
            return Collected(blocks, rewritten, freed_bytes, done.waiting)
        time.sleep(2 * POLL_S)  # who waits for the lock looks that often


def _of_project(store: StoreFiles, names: Sequence[StoredName], old: Sequence[bytes], bytes_s: float, most_bytes: float) -> _Made:
    """Make one project's old wheels solid, step by step, until content of ``most_bytes`` has become so."""
    # Of thousands of wheels what they are made of is not in memory together: it is read again for each step.
    sizes: dict[bytes, int] = {}
    for sha256 in old:
        with open_wheel(store, sha256) as wheel:
            if wheel is not None:
                sizes[sha256] = wheel.sealed.size
    kept = {chunk.digest for sha256 in {name.sha256 for name in names} - sizes.keys() for chunk in _chunks(store, sha256)}
    seen: set[bytes] = set()
    swapped: set[bytes] = set()
    members = content_bytes = 0
    is_whole = False
    while content_bytes < most_bytes and not is_whole:
        found, spent_s, is_whole = found_members(store, list(sizes), kept, seen)
        candidates = [Candidate(one.seconds, one.wheels) for one in found]
        chosen = affordable(candidates, list(sizes.values()), spent_s=spent_s, bytes_s=bytes_s)
        # The number first: what is stored from here on has that number or a higher one, and no collection deletes it.
        lease = store.leases.making(store.chunks.next_block())
        try:
            new: dict[bytes, Extent] = {}
            for stream in arranged(found[number].member for number in chosen):
                frame = packed_stream(stream.content)
                if len(frame) > _WORTH * sum(len(block.data) for block in stream.blocks):
                    continue
                content_bytes += len(stream.content)
                members += len({repeat.start for block in stream.blocks for repeat in block.repeats})
                extents = store.chunks.append_solid(stream, frame).result()
                digests = (digest for block in stream.blocks for digest, _ in block.chunks)
                new.update(zip(digests, extents, strict=True))
            store.chunks.sync()
            swapped.update(sha256 for sha256 in sizes if new and _swapped(store, sha256, new))
        finally:
            lease.end()
    return _Made(len(swapped), members, content_bytes, is_whole)


# --- which wheels ----------------------------------------------------------------------------------------------------------


def _old(store: StoreFiles, names: Sequence[StoredName], before_us: int) -> list[bytes]:
    """Return the wheels that were not used since ``before_us``, oldest version first, but for the newest."""
    versions: dict[bytes, tuple[Version, str]] = {}
    used = {*held(store.run_directory).open, *store.mounted.contents()}
    for name in names:
        try:
            versions[name.sha256] = parse_wheel_filename(name.filename)[1], name.filename
        except InvalidWheelFilename:
            used.add(name.sha256)
        if name.pinned or max(name.added_at_us, store.catalog.used_at_us(name.sha256)) >= before_us:
            used.add(name.sha256)
    in_order = sorted(versions, key=versions.__getitem__)
    return [sha256 for sha256 in in_order[:-1] if sha256 not in used and store.holds(sha256)]


def _state(store: StoreFiles, old: Sequence[bytes], bytes_s: float) -> bytes:
    """Return a digest of what decides whether a project's old wheels get solid blocks: which they are, and what is solid of them.

    Where it is the same as after a run that came to nothing, another run would pack all of it once more for the same.
    """
    digest = blake3.blake3(repr(bytes_s).encode())
    for sha256 in old:
        digest.update(sha256)
        for block in sorted(store.chunks.solid_among({place.block for place in _extents(store, sha256)})):
            digest.update(block.to_bytes(8, "big"))
    return digest.digest()


def _extents(store: StoreFiles, sha256: bytes) -> Iterable[Extent]:
    recipe = recipe_of(store, sha256)
    return () if recipe is None else recipe.data.extents


def _chunks(store: StoreFiles, sha256: bytes) -> Iterable[Chunk]:
    recipe = recipe_of(store, sha256)
    return () if recipe is None else recipe.data


# --- the exchange ----------------------------------------------------------------------------------------------------------


def _swapped(store: StoreFiles, sha256: bytes, new: dict[bytes, Extent]) -> bool:
    """Let a wheel's recipe name the solid blocks, once all of it was read by that; tell whether it does."""
    store.leases.hold(sha256)
    try:
        for _ in range(_ATTEMPTS):
            encoded = store.catalog.recipe(sha256)
            recipe = None if encoded is None else _exchanged(store, sha256, Recipe.decode(encoded), new)
            if encoded is None or recipe is None:
                return False
            # A collection that rewrites blocks finds the new ones by the index, and may have let the recipe name them.
            again = recipe.encode()
            if again == encoded or store.catalog.replace_recipe(sha256, encoded, again).result():
                return True
        return False
    finally:
        store.leases.release(sha256)


def _exchanged(store: StoreFiles, sha256: bytes, old: Recipe, new: dict[bytes, Extent]) -> Recipe | None:
    """Return a recipe that names the solid blocks, None where it has none of them or does not give the wheel."""
    chunks = old.data
    if not any(chunk.digest in new for chunk in chunks):
        return None
    extents = Extents.merged(new.get(chunk.digest, place) for chunk, place in places(chunks))
    data = ChunkList(chunks.lengths, chunks.digests, extents)
    recipe = Recipe(old.size_bytes, old.gaps, data, old.skeleton_bytes, old.skeleton)
    digest = hashlib.sha256()
    sealed = SealedFile(recipe, store.chunks)
    try:
        for offset in range(0, sealed.size, _READ_BYTES):
            digest.update(sealed.read(offset, _READ_BYTES))
    except StoreDamaged as error:
        log.error("content %s is left as it is: %s", sha256.hex(), error)
        return None
    if digest.digest() != sha256:
        log.error("content %s does not come back from solid blocks and is left as it is", sha256.hex())
        return None
    return recipe
