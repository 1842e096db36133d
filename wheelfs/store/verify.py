"""Auditing a store: structure, blocks, chunks, recipes, whole files.  What is damaged is quarantined, so that it is never served.

Works beside mounts and collections, and takes no lock: it may last for hours, and a store at its quota must make room meanwhile.
A block or an entry that was deleted since it was listed looks damaged; but nothing leads to it any more, so no wheel is accused.
What a recipe names is kept by a lease while it is read.

Memory does not grow with the store but for what is wrong with it, and for the two bytes a page (4 KiB) that the check of LMDB's
structure takes in a process of its own.
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from wheelfs.errors import NotKnown, StoreDamaged
from wheelfs.model.recipe import Extent, Recipe, RecipeError
from wheelfs.store.catalog.mounted_environments import mend_of
from wheelfs.store.chunks.relocate import places
from wheelfs.store.engine.structure import START_ANEW, problems

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from wheelfs.store.catalog.records import StoredName
    from wheelfs.store.store import Store

_READ_BYTES: Final = 1 << 20
_PUT_OFF_ENTRY: Final = struct.Struct(">QLL32s")
_RELEASE_BYTES: Final = 64 << 20
"""Pages of the map count as this process's memory once touched; they are given back after each this many bytes read."""
_FORGOTTEN: Final = 2_000
"""Entries taken out of the index in one transaction: as many pages written at most."""
_PUT_OFF: Final = 250_000
"""Entries that lead into solid blocks and are put off together, some 25 MB: in order of place, so that each block is made once
for all of them.  In the index's order it would be made for each: minutes for a store of 80 MB."""


@dataclass(frozen=True, slots=True)
class Checked:
    """One content that was checked, with all its names; ``reason`` is None, or what is wrong with it.

    Without a content (``sha256`` is empty) it reports damage to the store itself; ``filename`` is then a path in the store or
    in the mount, or a name that leads nowhere.
    """

    sha256: bytes
    filenames: tuple[str, ...]
    reason: str | None = None


@dataclass(slots=True)
class _Audit:
    store: Store
    quick: bool
    bad_blocks: set[int] = field(default_factory=set)
    read_bytes: int = 0
    checked_below: int = 0
    """Where the index leads to a block of a lower number, its chunk was read: what is newer may be of a collection meanwhile."""

    def count_read(self, size_bytes: int) -> None:
        self.read_bytes += size_bytes
        if self.read_bytes >= _RELEASE_BYTES:
            self.read_bytes = 0
            self.store.release_mapping()


def verify(
    store: Store,
    *,
    quick: bool = False,
    wanted: Callable[[StoredName], bool] | None = None,
    note: Callable[[str], None] = lambda step: None,
) -> Iterator[Checked]:
    """Check everything, or only the contents that have a name which is ``wanted``; yield each content.

    ``quick`` leaves out the sha256 of whole files: every chunk is still checked.  ``note`` gets the step that begins.  Damaged
    contents are quarantined, and damaged chunks forgotten, before they are reported.  Blocks.
    """
    audit = _Audit(store, quick)
    with store.chunks.left_solid():
        if wanted is None:
            note("structure")
            broken = list(_structure(store))
            yield from broken
            if broken:
                return  # LMDB trusts the pages that it follows: walking a broken tree may end the process
            note("chunks")
            _check_blocks(audit)
            _check_index(audit)
            note("names")
            yield from _dangling(store)
            for name, reason in store.mounted.damage():
                yield Checked(b"", (f"env/{name}",), f"{reason}; {mend_of(name)}")
        note("files")
        yield from _contents(audit, wanted)


# --- the store itself ----------------------------------------------------------------------------------------------------


def _structure(store: Store) -> Iterator[Checked]:
    for environment in store.environments:
        with environment.read():
            found = problems(environment.path)
            if found:
                # Once more: the two meta pages may have been read in the middle of a commit.
                found = problems(environment.path)
        if found:
            yield Checked(
                b"", (f"{environment.path.name}/data.mdb",), f"its structure is damaged: {'; '.join(found)}; {START_ANEW}"
            )


def _check_blocks(audit: _Audit) -> None:
    """Find the blocks that are not what was written; those that were deleted since they were listed are among them."""
    for block, length in audit.store.chunks.blocks():
        try:
            audit.store.chunks.read(Extent(block, 0, length))
        except StoreDamaged:
            audit.bad_blocks.add(block)
        audit.count_read(length)


def _check_index(audit: _Audit) -> None:
    """Take every entry out of the index that does not lead to the bytes of its digest."""
    chunks = audit.store.chunks
    below = chunks.next_block()
    put_off: list[bytes] = []
    for batch in chunks.entry_batches():
        solid = chunks.solid_among({place.block for _, place in batch})
        put_off += [_PUT_OFF_ENTRY.pack(*place, digest) for digest, place in batch if place.block in solid]
        _forget_wrong(audit, (entry for entry in batch if entry[1].block not in solid))
        if len(put_off) >= _PUT_OFF:
            _forget_wrong(audit, _in_order_of_place(put_off))
            put_off.clear()
    _forget_wrong(audit, _in_order_of_place(put_off))
    audit.checked_below = below


def _in_order_of_place(put_off: Iterable[bytes]) -> Iterator[tuple[bytes, Extent]]:
    for block, offset, length, digest in map(_PUT_OFF_ENTRY.unpack, sorted(put_off)):
        yield digest, Extent(block, offset, length)


def _forget_wrong(audit: _Audit, entries: Iterable[tuple[bytes, Extent]]) -> None:
    wrong = [(digest, place) for digest, place in entries if not _is_chunk(audit, digest, place)]
    for start in range(0, len(wrong), _FORGOTTEN):
        audit.store.chunks.forget(wrong[start : start + _FORGOTTEN]).result()


def _is_chunk(audit: _Audit, digest: bytes, place: Extent) -> bool:
    audit.count_read(place.length)
    return place.block not in audit.bad_blocks and audit.store.chunks.is_sound(digest, place)


def _dangling(store: Store) -> Iterator[Checked]:
    for name in store.catalog.names(replaced=True):
        if store.catalog.content(name.sha256) is None and _is_still(store, name):
            yield Checked(b"", (name.filename,), "its name is here, its content is not")


def _is_still(store: Store, name: StoredName) -> bool:
    """Tell whether a name is still there: it may have been removed, with its content, since it was read."""
    return any(other.key == name.key for other in store.catalog.stored_names(name.project, replaced=True))


# --- contents ------------------------------------------------------------------------------------------------------------


def _contents(audit: _Audit, wanted: Callable[[StoredName], bool] | None) -> Iterator[Checked]:
    for sha256, _ in audit.store.catalog.contents():
        checked = _content(audit, sha256, wanted)
        if checked is not None:
            yield checked


def _content(audit: _Audit, sha256: bytes, wanted: Callable[[StoredName], bool] | None) -> Checked | None:
    """Check one content; None when it is not asked for, or no longer there."""
    store = audit.store
    names = store.catalog.names_of(sha256)
    if wanted is not None and not any(map(wanted, names)):
        return None
    filenames = tuple(name.filename for name in names) or (sha256.hex(),)
    store.hold(sha256)
    try:
        reason = _damage(audit, sha256)
    except NotKnown:
        return None
    finally:
        store.release(sha256)
    if reason is None and not names:
        reason = "it has no name"
    elif reason is not None:
        store.quarantine(sha256, reason)
    return Checked(sha256, filenames, reason)


def _damage(audit: _Audit, sha256: bytes) -> str | None:
    """Return what is wrong with a content, or None; the caller has `Store.hold` of it.  Raises `NotKnown` when it is gone.

    Chunks whose entry of the index was checked before are not read again.
    """
    store = audit.store
    content = store.catalog.content(sha256)
    encoded = store.catalog.recipe(sha256)
    if content is None or encoded is None:
        if store.catalog.content(sha256) is None:
            raise NotKnown(f"verify {sha256.hex()}", "it is not stored")
        return "its recipe is missing"
    if content.poisoned is not None:
        return content.poisoned
    try:
        recipe = Recipe.decode(encoded)
        if recipe.size_bytes != content.size_bytes:
            return "its recipe is of another size"
        for chunks in (recipe.skeleton, recipe.data):
            for chunk, place in places(chunks):
                was_read = place.block < audit.checked_below and store.chunks.locate(chunk.digest) == place
                if not was_read and not _is_chunk(audit, chunk.digest, place):
                    return f"a chunk in block {place.block} is missing or not what was written"
        sealed = store.open_sealed(sha256)
        if audit.quick:
            sealed.read(0, 1)
            return None
        return None if _sha256_of(sealed.read, sealed.size, store) == sha256 else "its sha256 is wrong"
    except RecipeError as error:
        return f"its recipe is damaged: {error}"
    except StoreDamaged as error:
        return error.happened


def _sha256_of(read: Callable[[int, int], bytes], size_bytes: int, store: Store) -> bytes:
    digest = hashlib.sha256()
    for offset in range(0, size_bytes, _READ_BYTES):
        digest.update(read(offset, _READ_BYTES))
        if offset % _RELEASE_BYTES == 0:
            store.release_mapping()
    return digest.digest()
