"""Which members of a project's wheels may be solid, and what they are: those that are in no kept wheel and come back bit for bit.

They are read and packed again in steps, as many as are in memory together.
"""

from __future__ import annotations

import logging
import time
import zlib
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, NamedTuple

from wheelfs.core.solid.arranging import Cut, SolidMember
from wheelfs.core.unpacked.encoders import OF_ZLIB, recognised, samples_of
from wheelfs.core.wheel.cutting import BLOCK_BYTES, cut_file
from wheelfs.core.wheel.unpacking import DEFLATED
from wheelfs.core.wheel.zip_layout import LOCAL_HEADER_BYTES, data_offset
from wheelfs.errors import StoreDamaged
from wheelfs.model.recipe import Recipe, RecipeError
from wheelfs.store.chunks.relocate import places
from wheelfs.store.chunks.sealed_file import SealedFile
from wheelfs.store.chunks.solid_blocks import THREADS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from wheelfs.core.wheel.cutting import CutMember, Layout
    from wheelfs.model.recipe import Chunk, Extent
    from wheelfs.store.files import StoreFiles

log = logging.getLogger(__name__)

MEMBER_BYTES: Final = 32 << 20
"""A member with more content is left as it is: its first reader would wait for seconds, and all of it is in memory."""
_DATA_BYTES: Final = 16 << 20
"""So is one with more data than readers keep, `wheelfs.store.chunks.solid_blocks`: each block of it would be all of its work."""
STEP_BYTES: Final = 512 << 20
"""How much content and data of one project is looked at together, all of it in memory; the oldest wheels come first."""
_PACKED_BYTES_S: Final = 30e6
"""How much content zlib packs in a second, for members that are solid already."""
_OWN: Final = 0.5
"""How much of a member's data must be in no kept wheel: all of its content goes into the stream, whatever is needed of it."""


class OpenWheel(NamedTuple):
    """A wheel that can be read, and how its members were cut."""

    recipe: Recipe
    sealed: SealedFile
    layout: Layout


class _Fresh(NamedTuple):
    """A member that was not looked at before: its chunks' digests, what the wheel has of it, and what is to be solid."""

    key: bytes
    cut: CutMember
    own: list[Cut]
    data: bytes
    content: bytes


class FoundMember(NamedTuple):
    """A member that may be solid."""

    member: SolidMember
    seconds: float
    wheels: list[int]


@contextmanager
def open_wheel(store: StoreFiles, sha256: bytes) -> Iterator[OpenWheel | None]:
    """Lend a wheel, which no collection takes away meanwhile; None where it cannot be read, or was cut by other rules."""
    store.leases.hold(sha256)
    try:
        yield _opened(store, sha256)
    finally:
        store.leases.release(sha256)


def _opened(store: StoreFiles, sha256: bytes) -> OpenWheel | None:
    if (recipe := recipe_of(store, sha256)) is None:
        return None
    try:
        sealed = SealedFile(recipe, store.chunks)
        layout = cut_file(sealed.outline, sealed.size)
    except StoreDamaged as error:
        log.error("content %s is left as it is: %s", sha256.hex(), error)
        return None
    is_cut_so = layout.lengths == recipe.data.lengths and layout.gaps == recipe.gaps
    return OpenWheel(recipe, sealed, layout) if is_cut_so else None


def recipe_of(store: StoreFiles, sha256: bytes) -> Recipe | None:
    """Return a content's recipe; None where it is gone, or damaged, which `wheelfs verify` reports."""
    encoded = store.catalog.recipe(sha256)
    try:
        return None if encoded is None else Recipe.decode(encoded)
    except RecipeError:
        return None


def found_members(
    store: StoreFiles, wheels: Sequence[bytes], kept: set[bytes], seen: set[bytes]
) -> tuple[list[FoundMember], list[float], bool]:
    """Return the members that are in no ``kept`` chunk and come back bit for bit, and what each wheel's solid ones take, in s.

    Those that were ``seen`` are left out, and as many as are in memory together are added there; the last value tells whether
    these were all.
    """
    found: dict[bytes, FoundMember | None] = {}
    spent_s = [0.0] * len(wheels)
    room_bytes = STEP_BYTES
    is_whole = True
    solid: dict[int, bool] = {}
    for number, sha256 in enumerate(wheels):
        with open_wheel(store, sha256) as wheel:
            fresh: list[_Fresh] = []
            for cut, parts in () if wheel is None else _cuts(wheel):
                key = b"".join(chunk.digest for chunk, _ in parts)
                if key in found:
                    if (known := found[key]) is not None:
                        known.wheels.append(number)
                    continue
                if any(_is_solid(store, place.block, solid) for _, place in parts):
                    spent_s[number] += cut.member.size / _PACKED_BYTES_S / THREADS
                    continue
                if key in seen or not is_whole:
                    continue
                own = _own_cuts(cut, parts, kept)
                if wheel is not None and _is_worth_it(cut, own):
                    if cut.member.size + cut.member.compressed_size > room_bytes < STEP_BYTES:
                        is_whole = False
                        continue
                    data, content = _content(wheel, cut)
                    room_bytes -= len(content) + len(data)
                    if content:
                        fresh.append(_Fresh(key, cut, own, data, content))
                found[key] = None
        found.update(_recognised(fresh, number))
    seen.update(found)
    return [one for one in found.values() if one is not None], spent_s, is_whole


def _is_worth_it(cut: CutMember, own: Sequence[Cut]) -> bool:
    """Tell whether a member is to be looked at: it is deflated, not too large, and most of it is in no kept wheel."""
    member = cut.member
    is_own = member.compressed_size < sum(one.length for one in own) / _OWN
    return member.method == DEFLATED and is_own and member.compressed_size <= _DATA_BYTES and member.size <= MEMBER_BYTES


def _recognised(fresh: Sequence[_Fresh], number: int) -> Iterator[tuple[bytes, FoundMember]]:
    """Yield those of a wheel's members that zlib gives back."""
    samples = samples_of(enumerate(len(one.content) for one in fresh))
    encoder = recognised([(fresh[sample].content, len(fresh[sample].data)) for sample in samples], OF_ZLIB)
    for key, cut, own, data, content in fresh if encoder is not None else ():
        began_s = time.thread_time()
        if encoder is not None and encoder.packed(content) == data:
            seconds = (time.thread_time() - began_s) / (THREADS if len(data) <= BLOCK_BYTES else 1)
            yield key, FoundMember(SolidMember(cut.member.name, number, content, data, encoder, own), seconds, [number])


def _cuts(wheel: OpenWheel) -> Iterator[tuple[CutMember, list[tuple[Chunk, Extent]]]]:
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


def _content(wheel: OpenWheel, cut: CutMember) -> tuple[bytes, bytes]:
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
