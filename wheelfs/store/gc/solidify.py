"""Keeping what was not used for long as solid blocks (decision 0080): of each project, what its newest wheel does not have.

A wheel's members are inflated, packed again and compared, and stored as streams.  Then the wheel is read as a whole by its new
recipe: only when that has its sha256 does the recipe come into force, in one transaction.  The blocks that it named before go as
any others that are not in use.  A crash leaves blocks that nothing names, which the next collection deletes.
"""

from __future__ import annotations

import hashlib
import logging
import math
import time
import zlib
from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING, Final, NamedTuple

import blake3
import msgspec
from packaging.utils import InvalidWheelFilename, parse_wheel_filename

from wheelfs.core.solid.arranging import Cut, SolidMember, arranged
from wheelfs.core.solid.choosing import FIRST_READ_BYTES_S, Candidate, affordable
from wheelfs.core.unpacked.encoders import OF_ZLIB, is_the_original, recognised, samples_of
from wheelfs.core.wheel.cutting import BLOCK_BYTES, cut_file
from wheelfs.core.wheel.zip_layout import DEFLATED, LOCAL_HEADER_BYTES, data_offset
from wheelfs.errors import StoreDamaged, StoreError
from wheelfs.model.recipe import ChunkList, Extents, Recipe, RecipeError
from wheelfs.store.chunks.relocate import places
from wheelfs.store.chunks.sealed_file import SealedFile
from wheelfs.store.chunks.solid_blocks import THREADS, packed_stream
from wheelfs.store.coordination.leases import held
from wheelfs.store.gc.collect import Collected, collect, undisturbed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from packaging.version import Version

    from wheelfs.core.wheel.cutting import CutMember, Layout
    from wheelfs.model.recipe import Chunk, Extent
    from wheelfs.store.catalog.records import StoredName
    from wheelfs.store.files import StoreFiles

log = logging.getLogger(__name__)

MEMBER_BYTES: Final = 32 << 20
"""A member with more content is left as it is: its first reader would wait for seconds, and all of it is in memory."""
_DATA_BYTES: Final = 16 << 20
"""So is one with more data than readers keep, `wheelfs.store.chunks.solid_blocks`: each block of it would be all of its work."""
PROJECT_BYTES: Final = 512 << 20
"""How much content and data of one project is looked at in one run, all of it in memory; the oldest wheels come first."""
_PACKED_BYTES_S: Final = 30e6
"""How much content zlib packs in a second, for members that are solid already."""
_OWN: Final = 0.5
"""How much of a member's data must be in no kept wheel: all of its content goes into the stream, whatever is needed of it."""
_WORTH: Final = 0.9
"""A stream that takes more of what its blocks take is not stored."""
_SPARSE: Final = 0.9
"""What is left of a block, when some of it has become solid, is rewritten where that gives back a tenth."""
_READ_BYTES: Final = 1 << 20


class Solidified(msgspec.Struct, frozen=True):
    """What came of it: wheels that got solid members, how many these are, and what the collection after it did.

    ``freed_bytes`` is by how much the store needs less room: what is solid takes some, too.
    """

    wheels: int = 0
    members: int = 0
    freed_bytes: int = 0
    collected: Collected = Collected()


class _Wheel(NamedTuple):
    recipe: Recipe
    sealed: SealedFile
    layout: Layout


class _Found(NamedTuple):
    """A member that may be solid."""

    member: SolidMember
    seconds: float
    wheels: list[int]


def solidify(
    store: StoreFiles, *, unused_s: float, bytes_s: float = FIRST_READ_BYTES_S, most_bytes: int | None = None
) -> Solidified:
    """Make solid what was not used for ``unused_s`` seconds, then collect what that sets free; blocks, for minutes a GB.

    As much is left as it is as a first read of each wheel at ``bytes_s`` needs, on this machine.  It ends when members with
    ``most_bytes`` of content have become solid (None: with the last project).
    Raises `StoreError` where it is not possible here, `StoreLocked` while another process collects or verifies.
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
    for project, names in groupby(store.catalog.names(replaced=True), key=attrgetter("project")):
        listed = list(names)
        with undisturbed(store, attempted), store.chunks.left_solid():
            old = _old(store, listed, before_us)
            state = _state(store, old, bytes_s)
            if not old or store.chunks.looked_at(project) == state:
                continue
            made_wheels, made_members, content_bytes = _of_project(store, listed, old, bytes_s)
            if not made_wheels:
                store.chunks.note_looked_at(project, state).result()
        wheels += made_wheels
        members += made_members
        left_bytes -= content_bytes
        store.release_mapping()
        if left_bytes <= 0:
            break
    collected = collect(store, sparse=_SPARSE) if wheels else Collected()
    return Solidified(wheels, members, max(0, before_bytes - store.used_bytes()), collected)


def _of_project(store: StoreFiles, names: Sequence[StoredName], old: Sequence[bytes], bytes_s: float) -> tuple[int, int, int]:
    """Make one project's old wheels solid; return how many of them, and of their members, and the content of these in bytes."""
    # Of thousands of wheels what they are made of is not in memory together: it is read again for each step.
    sizes = {sha256: wheel.sealed.size for sha256 in old if (wheel := _wheel(store, sha256)) is not None}
    kept = {chunk.digest for sha256 in {name.sha256 for name in names} - sizes.keys() for chunk in _chunks(store, sha256)}
    found, spent_s = _members(store, list(sizes), kept)
    candidates = [Candidate(one.seconds, one.wheels) for one in found]
    chosen = affordable(candidates, list(sizes.values()), spent_s=spent_s, bytes_s=bytes_s)
    new: dict[bytes, Extent] = {}
    members = content_bytes = 0
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
    return sum(_swapped(store, sha256, new) for sha256 in sizes) if new else 0, members, content_bytes


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
    recipe = _recipe(store, sha256)
    return () if recipe is None else recipe.data.extents


def _recipe(store: StoreFiles, sha256: bytes) -> Recipe | None:
    encoded = store.catalog.recipe(sha256)
    try:
        return None if encoded is None else Recipe.decode(encoded)
    except RecipeError:
        return None  # `wheelfs verify` reports it


def _wheel(store: StoreFiles, sha256: bytes) -> _Wheel | None:
    """Return what a wheel is made of; None where it cannot be read, or was cut by other rules."""
    encoded = store.catalog.recipe(sha256)
    if encoded is None:
        return None
    try:
        recipe = Recipe.decode(encoded)
        sealed = SealedFile(recipe, store.chunks)
        layout = cut_file(sealed.outline, sealed.size)
    except (RecipeError, StoreDamaged) as error:
        log.error("content %s is left as it is: %s", sha256.hex(), error)
        return None
    if layout.lengths != recipe.data.lengths or layout.gaps != recipe.gaps:
        return None
    return _Wheel(recipe, sealed, layout)


def _chunks(store: StoreFiles, sha256: bytes) -> Iterable[Chunk]:
    recipe = _recipe(store, sha256)
    return () if recipe is None else recipe.data


# --- which members ---------------------------------------------------------------------------------------------------------


def _members(store: StoreFiles, wheels: Sequence[bytes], kept: set[bytes]) -> tuple[list[_Found], list[float]]:
    """Return the members that are in no ``kept`` chunk and come back bit for bit; and what each wheel's solid ones take, in s."""
    found: dict[bytes, _Found | None] = {}
    spent_s = [0.0] * len(wheels)
    room_bytes = PROJECT_BYTES
    solid: dict[int, bool] = {}
    for number, sha256 in enumerate(wheels):
        if (wheel := _wheel(store, sha256)) is None:
            continue
        fresh: list[tuple[bytes, CutMember, list[Cut], bytes, bytes]] = []
        for cut, parts in _cuts(wheel):
            key = b"".join(chunk.digest for chunk, _ in parts)
            if key in found:
                if (known := found[key]) is not None:
                    known.wheels.append(number)
                continue
            if any(_is_solid(store, place.block, solid) for _, place in parts):
                spent_s[number] += cut.member.size / _PACKED_BYTES_S / THREADS
                continue
            found[key] = None
            own = _own_cuts(cut, parts, kept)
            is_worth_it = _DATA_BYTES >= cut.member.compressed_size < sum(one.length for one in own) / _OWN
            if is_worth_it and cut.member.size <= min(MEMBER_BYTES, room_bytes) and cut.member.method == DEFLATED:
                data, content = _content(wheel, cut)
                if content:
                    room_bytes -= len(content) + len(data)
                    fresh.append((key, cut, own, data, content))
        samples = samples_of(enumerate(len(content) for *_, content in fresh))
        encoder = recognised([(fresh[one][4], len(fresh[one][3])) for one in samples], OF_ZLIB)
        for key, cut, own, data, content in fresh if encoder is not None else ():
            began_s = time.thread_time()
            if encoder is not None and encoder.packed(content) == data:
                seconds = (time.thread_time() - began_s) / (THREADS if len(data) <= BLOCK_BYTES else 1)
                member = SolidMember(cut.member.name, number, content, data, encoder, own)
                found[key] = _Found(member, seconds, [number])
    return [one for one in found.values() if one is not None], spent_s


def _cuts(wheel: _Wheel) -> Iterator[tuple[CutMember, list[tuple[Chunk, Extent]]]]:
    """Yield the members that have chunks, with these and where they lie."""
    lies = places(wheel.recipe.data)
    for cut in wheel.layout.members:
        parts = [next(lies) for _ in range(cut.chunks)]
        if parts:
            yield cut, parts


def _is_solid(store: StoreFiles, block: int, known: dict[int, bool]) -> bool:
    if block not in known:
        known[block] = store.chunks.is_solid(block)
    return known[block]


def _own_cuts(cut: CutMember, parts: Sequence[tuple[Chunk, Extent]], kept: set[bytes]) -> list[Cut]:
    """Return the chunks of a member that no kept wheel has; what lies before its chunks is skeleton."""
    offset = cut.member.compressed_size - sum(chunk.length for chunk, _ in parts)
    own: list[Cut] = []
    for chunk, _ in parts:
        if chunk.digest not in kept:
            own.append(Cut(offset, chunk.length, chunk.digest))
        offset += chunk.length
    return own


def _content(wheel: _Wheel, cut: CutMember) -> tuple[bytes, bytes]:
    """Return a member's data and its content; nothing where it does not inflate to what the directory says."""
    read, member = wheel.sealed.read, cut.member
    inflating = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        data = read(data_offset(member, read(member.header_offset, LOCAL_HEADER_BYTES)), member.compressed_size)
        content = inflating.decompress(data, member.size + 1)
    except StoreDamaged as error:
        log.error("member %s is left as it is: %s", member.name, error)
        return b"", b""
    except zlib.error:
        return b"", b""
    return (data, content) if inflating.eof and not inflating.unused_data and len(content) == member.size else (b"", b"")


# --- the exchange ----------------------------------------------------------------------------------------------------------


def _swapped(store: StoreFiles, sha256: bytes, new: dict[bytes, Extent]) -> bool:
    """Let a wheel's recipe name the solid blocks, once all of it was read by that; tell whether it does."""
    encoded = store.catalog.recipe(sha256)
    if encoded is None:
        return False
    old = Recipe.decode(encoded)
    chunks = old.data
    extents = [(new.get(chunk.digest, place), place) for chunk, place in places(chunks)]
    if all(now == before for now, before in extents):
        return False
    data = ChunkList(chunks.lengths, chunks.digests, Extents.merged(now for now, _ in extents))
    recipe = Recipe(old.size_bytes, old.gaps, data, old.skeleton_bytes, old.skeleton)
    digest = hashlib.sha256()
    sealed = SealedFile(recipe, store.chunks)
    try:
        for offset in range(0, sealed.size, _READ_BYTES):
            digest.update(sealed.read(offset, _READ_BYTES))
    except StoreDamaged as error:
        log.error("content %s is left as it is: %s", sha256.hex(), error)
        return False
    if digest.digest() != sha256:
        log.error("content %s does not come back from solid blocks and is left as it is", sha256.hex())
        return False
    return store.catalog.replace_recipe(sha256, encoded, recipe.encode()).result()
