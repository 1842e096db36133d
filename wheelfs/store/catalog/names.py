"""Sealed contents and the names they are shown under; what makes a file visible or removes it."""

from __future__ import annotations

import logging
import struct
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import msgspec

from wheelfs.core.projects.identity import replacement
from wheelfs.core.projects.ownership import LOCAL
from wheelfs.errors import StoreDamaged
from wheelfs.model.decoding import DECODE_ERRORS
from wheelfs.model.links import description_of
from wheelfs.store.catalog import compressed
from wheelfs.store.catalog.pages import first_components, unpacked
from wheelfs.store.catalog.records import Change, Counts, NameValue, StoredContent, StoredName
from wheelfs.store.engine.iteration import key_of, rows

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence

    import lmdb

    from wheelfs.model.links import FileLink, ProjectPage, Validators
    from wheelfs.store.catalog.journal import ChangeJournal
    from wheelfs.store.engine.environment import Environment

log = logging.getLogger(__name__)

NAME_DATABASES: Final = ("contents", "recipes", "departed", "names", "names-of", "totals", "used")

MAX_ALSO: Final = 64
"""As many as there may be indexes."""
MAX_VALIDATORS: Final = 8
"""Of one content: servers that share an address may each have their own."""

_RAW_BYTES: Final = b"raw-bytes"
_BLOCKS_BELOW: Final = b"blocks-below"
_REMOVED_BYTES: Final = b"removed-bytes"
_NUMBER: Final = struct.Struct(">Q")
_RETIRED_KEY_BYTES: Final = 40
_encoder: Final = msgspec.msgpack.Encoder()
_content_decoder: Final = msgspec.msgpack.Decoder(StoredContent)
_name_decoder: Final = msgspec.msgpack.Decoder(NameValue)


class NameTable:
    """Invariants: every name's content is there, with its recipe; every content has a name; ``names-of`` mirrors ``names``.

    A recipe that goes is retired (moved to the database ``departed``): its chunks stay until `wheelfs.store.gc.collect` sees that
    no reader uses it any more.
    """

    def __init__(self, environment: Environment, journal: ChangeJournal) -> None:
        self._contents = environment.database("contents")
        self._recipes = environment.database("recipes")
        self._retired = environment.database("departed")
        self._names = environment.database("names")
        self._names_of = environment.database("names-of")
        self._totals = environment.database("totals")
        self._used = environment.database("used")
        self._journal = journal

    # --- reading -------------------------------------------------------------------------------------------------------

    def content(self, transaction: lmdb.Transaction, sha256: bytes) -> StoredContent | None:
        found = transaction.get(sha256, db=self._contents)
        return None if found is None else _decoded_content(sha256, found)[1]

    def recipe(self, transaction: lmdb.Transaction, sha256: bytes) -> bytes | None:
        return compressed.get(transaction, self._recipes, sha256)

    def of_project(
        self, transaction: lmdb.Transaction, project: str, filename: str | None = None, *, replaced: bool = True
    ) -> list[StoredName]:
        """Return a project's names in order of filename; with ``replaced`` those, too, that mean another content by now.

        With ``filename`` only those of that file, which takes no longer where the project has thousands.
        """
        prefix = project.encode() + b"\0"
        if filename is not None:
            if "\0" in filename:  # in a key it would be the filename's end
                return []
            prefix += filename.encode("utf-8", "surrogatepass") + b"\0"
        found = rows(transaction, self._names, _decoded, prefix=prefix) if len(prefix) <= compressed.MAX_KEY_BYTES else []
        return found if replaced else [name for name in found if name.replaced is None]

    def of_content(self, transaction: lmdb.Transaction, sha256: bytes) -> list[StoredName]:
        """Return all names of a content."""
        names: list[StoredName] = []
        for key in self._keys_of(transaction, sha256):
            value = transaction.get(key, db=self._names)
            if value is None:
                raise compressed.damaged(f"a name of {sha256.hex()} is missing")
            names.append(_decoded(key, value))
        return names

    def iterate(self, transaction: lmdb.Transaction, after: bytes | None, limit: int) -> list[StoredName]:
        """Return up to ``limit`` names that follow the key ``after``, in order of project and filename."""
        return rows(transaction, self._names, _decoded, after=after, limit=limit)

    def contents(self, transaction: lmdb.Transaction, after: bytes | None, limit: int) -> list[tuple[bytes, StoredContent]]:
        """Return up to ``limit`` contents that follow the digest ``after``, in order of digest."""
        return rows(transaction, self._contents, _decoded_content, after=after, limit=limit)

    def retired(self, transaction: lmdb.Transaction, after: bytes | None, limit: int) -> list[bytes]:
        """Return up to ``limit`` keys of retired recipes that follow ``after``."""
        # A part's key is the recipe's followed by the part's number; the first part is number 0.
        last_part = None if after is None else after + b"\xff\xff"
        keys = rows(transaction, self._retired, key_of, after=last_part, limit=limit)
        return list(dict.fromkeys(key[:_RETIRED_KEY_BYTES] for key in keys))

    def retired_recipe(self, transaction: lmdb.Transaction, key: bytes) -> bytes | None:
        return compressed.get(transaction, self._retired, key)

    def projects(self, transaction: lmdb.Transaction, after: str | None) -> Generator[str, None, None]:
        """Yield the projects that have names and follow ``after``."""
        return first_components(transaction, self._names, after)

    def counts(self, transaction: lmdb.Transaction) -> Counts:
        return Counts(
            files=transaction.stat(self._contents)["entries"],
            names=transaction.stat(self._names)["entries"],
            raw_bytes=self._total(transaction, _RAW_BYTES),
            removed_bytes=self._total(transaction, _REMOVED_BYTES),
        )

    def blocks_below(self, transaction: lmdb.Transaction) -> int:
        """Return the number below which all blocks are that recipes have ever named."""
        return self._total(transaction, _BLOCKS_BELOW)

    # --- writing -------------------------------------------------------------------------------------------------------

    def rely_on_blocks(self, transaction: lmdb.Transaction, below: int) -> None:
        """Note that the blocks below this number are durable and may be named by recipes."""
        if below > self.blocks_below(transaction):
            transaction.put(_BLOCKS_BELOW, _NUMBER.pack(below), db=self._totals)

    def seal(
        self, transaction: lmdb.Transaction, sha256: bytes, content: StoredContent, recipe: bytes, names: Sequence[StoredName]
    ) -> None:
        """Make a file visible.  What is sealed already keeps its recipe (its extents may be in use), unless it was poisoned."""
        if not names:
            raise ValueError("a content without a name could never be found or removed")
        before = self.content(transaction, sha256)
        if before is None or before.poisoned is not None:
            self._retire(transaction, sha256, before)
            transaction.put(sha256, _encoder.encode(content), db=self._contents)
            compressed.put(transaction, self._recipes, sha256, recipe)
            self._count(transaction, content.size_bytes - (0 if before is None else before.size_bytes))
        for name in names:
            self.add(transaction, msgspec.structs.replace(name, sha256=sha256))

    def add(self, transaction: lmdb.Transaction, name: StoredName) -> bool:
        """Show sealed content under a name; False when that content is not here.

        A name that is there already stays pinned and private if it was, and keeps the time at which it came.  It stays with the
        index that vouched for it first, and belongs to the other one too, unless the user has filed it there by hand.  What an
        index or the user says of it replaces what a share says.
        """
        if self.content(transaction, name.sha256) is None:
            return False
        key = name.key
        compressed.check_key(key)
        before = transaction.get(key, db=self._names)
        if before is not None:
            name = _joined(_decoded(key, before), name)
        transaction.put(key, _encoder.encode(name.value()), db=self._names)
        transaction.put(name.sha256 + key[:-32], b"", db=self._names_of)
        self._report(transaction, name)
        return True

    def describe(
        self, transaction: lmdb.Transaction, index: str, project: str, page: ProjectPage, before: bytes | None
    ) -> list[str]:
        """Note what an index now says of the stored files that it vouches for: it may be asked for the last time.

        ``before`` is the page that it gave last, packed.  A name that means another content there by now is `replace_by`d; the
        filenames of those are returned.
        """
        replaced: list[str] = []
        names = [
            name for name in self.of_project(transaction, project, replaced=False) if index in name.origins and not name.of_share
        ]
        by_name = {link.filename: link for link in page.files} if names else {}
        said: dict[str, FileLink] = {}
        if names and before is not None:
            with suppress(StoreDamaged):
                said = {link.filename: link for link in unpacked(before, project).files}
        for name in names:
            link = by_name.get(name.filename)
            if link is None:
                continue
            before_it = said.get(name.filename)
            if before_it is not None and before_it.sha256 != link.sha256:
                self._report(transaction, name)  # of several contents of one name another one is shown now
            reason = replacement(link, name, said=before_it)
            if reason is not None:
                if self.replace_by(transaction, name.key, index, reason):
                    replaced.append(name.filename)
                continue
            if name.index != index or link.sha256 not in (None, name.sha256):
                continue
            now = description_of(link)
            if now["upload_time_us"] is None:
                now["upload_time_us"] = name.upload_time_us
            now["metadata_sha256"] = now["metadata_sha256"] or name.metadata_sha256
            first_seen_us = name.first_seen_us if link.first_seen_us is None else link.first_seen_us
            renewed = msgspec.structs.replace(name, url=link.url, first_seen_us=first_seen_us, **now)
            if renewed != name:
                transaction.put(name.key, _encoder.encode(renewed.value()), db=self._names)
                self._report(transaction, renewed)
        return replaced

    def replace_by(self, transaction: lmdb.Transaction, key: bytes, index: str, reason: str) -> bool:
        """Note why a name no longer means this content on an index; tell whether it was there.

        With the last index that vouched for it the content is shown no more.  What the user has filed there stays as it is.
        """
        found = transaction.get(key, db=self._names)
        if found is None:
            return False
        name = _decoded(key, found)
        if name.private or name.replaced is not None or index not in name.origins:
            return False
        rest = tuple(origin for origin in name.origins if origin != index)
        now = (
            msgspec.structs.replace(name, index=rest[0], also=rest[1:])
            if rest
            else msgspec.structs.replace(name, replaced=reason)
        )
        log.warning("%s of %s: %s; what is stored of it is no longer shown", name.filename, index, reason)
        transaction.put(key, _encoder.encode(now.value()), db=self._names)
        self._report(transaction, name)
        return True

    def note_known(
        self, transaction: lmdb.Transaction, key: bytes, hashes: Mapping[str, str], validator: Validators | None
    ) -> bool:
        """Keep further hashes that a content was found to have, or validators of an answer; tell whether its name is there."""
        found = transaction.get(key, db=self._names)
        if found is None:
            return False
        name = _decoded(key, found)
        validators = name.validators if validator is None else tuple(dict.fromkeys((validator, *name.validators)))
        known = msgspec.structs.replace(
            name, hashes={**(name.hashes or {}), **hashes} or None, validators=validators[:MAX_VALIDATORS]
        )
        transaction.put(key, _encoder.encode(known.value()), db=self._names)
        if hashes:  # by them it may be shown
            self._report(transaction, known)
        return True

    def note_listed(self, transaction: lmdb.Transaction, index: str, project: str, links: Sequence[FileLink]) -> None:
        """Note that an index has listed stored files that only a share named: they stay its own when it lists them no more."""
        names = [name for name in self.of_project(transaction, project) if name.of_share and index not in name.also]
        listed = {(link.filename, link.sha256) for link in links} if names else set()
        for name in names:
            if (name.filename, name.sha256) in listed:
                known = msgspec.structs.replace(name, also=(*name.also, index)[-MAX_ALSO:])
                transaction.put(name.key, _encoder.encode(known.value()), db=self._names)
                self._report(transaction, known)

    def remove(self, transaction: lmdb.Transaction, key: bytes) -> bool:
        """Remove a name, and its content with the last one (its chunks are then orphans); tell whether it was there."""
        found = transaction.pop(key, db=self._names)
        if found is None:
            return False
        name = _decoded(key, found)
        transaction.delete(name.sha256 + key[:-32], db=self._names_of)
        if not self._keys_of(transaction, name.sha256):
            content = self.content(transaction, name.sha256)
            self._retire(transaction, name.sha256, content)
            transaction.delete(name.sha256, db=self._contents)
            transaction.delete(name.sha256, db=self._used)
            compressed.delete(transaction, self._recipes, name.sha256)
            self._count(transaction, 0 if content is None else -content.size_bytes)
            self.count_removed(transaction, 0 if content is None else content.size_bytes)
        self._report(transaction, name)
        return True

    def set_pinned(self, transaction: lmdb.Transaction, key: bytes, pinned: bool) -> bool:
        """Pin or unpin a name; tell whether it is there."""
        found = transaction.get(key, db=self._names)
        if found is None:
            return False
        name = msgspec.structs.replace(_decoded(key, found), pinned=pinned)
        transaction.put(key, _encoder.encode(name.value()), db=self._names)
        self._report(transaction, name)
        return True

    def poison(self, transaction: lmdb.Transaction, sha256: bytes, reason: str) -> bool:
        """Mark sealed content as not to be served; tell whether it was there."""
        content = self.content(transaction, sha256)
        if content is None:
            return False
        transaction.put(sha256, _encoder.encode(msgspec.structs.replace(content, poisoned=reason)), db=self._contents)
        for name in self.of_content(transaction, sha256):
            self._report(transaction, name)
        return True

    def replace_recipe(self, transaction: lmdb.Transaction, sha256: bytes, old: bytes, new: bytes) -> bool:
        """Put ``new`` in place of the recipe ``old``; False when that is no longer the content's recipe."""
        content = self.content(transaction, sha256)
        if content is None or self.recipe(transaction, sha256) != old:
            return False
        self._retire(transaction, sha256, content)
        compressed.put(transaction, self._recipes, sha256, new)
        # By this a process that keeps the old recipe in memory sees that there is another one.
        moved = msgspec.structs.replace(content, sealed_at_us=max(content.sealed_at_us + 1, time.time_ns() // 1_000))
        transaction.put(sha256, _encoder.encode(moved), db=self._contents)
        return True

    def drop_retired(self, transaction: lmdb.Transaction, key: bytes) -> bool:
        """Forget a recipe that is gone and not in use; tell whether it was there."""
        return compressed.delete(transaction, self._retired, key)

    def note_used(self, transaction: lmdb.Transaction, used_at_us: Mapping[bytes, int]) -> None:
        """Note when contents were last used; those that are gone are left out."""
        for sha256, at_us in used_at_us.items():
            if at_us > self.used_at_us(transaction, sha256) and self.content(transaction, sha256) is not None:
                transaction.put(sha256, _NUMBER.pack(at_us), db=self._used)

    def used_at_us(self, transaction: lmdb.Transaction, sha256: bytes) -> int:
        found = transaction.get(sha256, db=self._used)
        return 0 if found is None else int(_NUMBER.unpack(found)[0])

    def _retire(self, transaction: lmdb.Transaction, sha256: bytes, content: StoredContent | None) -> None:
        recipe = self.recipe(transaction, sha256)
        if content is not None and recipe is not None:
            compressed.put(transaction, self._retired, sha256 + _NUMBER.pack(content.sealed_at_us), recipe)

    def _report(self, transaction: lmdb.Transaction, name: StoredName) -> None:
        for origin in name.origins:
            self._journal.append(transaction, Change("file", name.project, name.filename, name.sha256, origin))

    def _keys_of(self, transaction: lmdb.Transaction, sha256: bytes) -> list[bytes]:
        return [key[32:] + sha256 for key in rows(transaction, self._names_of, key_of, prefix=sha256)]

    def _total(self, transaction: lmdb.Transaction, key: bytes) -> int:
        found = transaction.get(key, db=self._totals)
        return 0 if found is None else int(_NUMBER.unpack(found)[0])

    def count_removed(self, transaction: lmdb.Transaction, more_bytes: int) -> None:
        """Count the sizes of contents that were removed; with a negative number, that they have been collected."""
        removed_bytes = max(0, self._total(transaction, _REMOVED_BYTES) + more_bytes)
        transaction.put(_REMOVED_BYTES, _NUMBER.pack(removed_bytes), db=self._totals)

    def _count(self, transaction: lmdb.Transaction, more_bytes: int) -> None:
        transaction.put(_RAW_BYTES, _NUMBER.pack(self._total(transaction, _RAW_BYTES) + more_bytes), db=self._totals)


def _joined(old: StoredName, name: StoredName) -> StoredName:
    """Return what is known of a stored name, of which ``name`` is said now."""
    if old.of_share or name.of_share:
        word, private = (old, old.private) if name.of_share else (name, name.private)
        origins = dict.fromkeys(word.origins)
    else:
        word, private = name, old.private or name.private
        # What had been replaced is current again by what brings it now, and by nothing that was said of it before.
        origins = dict.fromkeys(name.origins if old.replaced is not None else (*old.origins, *name.origins))
        if old.replaced is None and name.index != old.index and not name.private:
            word = old
        elif name.index != old.index:
            origins.pop(LOCAL, None)
    return msgspec.structs.replace(
        word,
        hashes={**(old.hashes or {}), **(name.hashes or {})} or None,
        validators=tuple(dict.fromkeys((*name.validators, *old.validators)))[:MAX_VALIDATORS],
        also=tuple(origin for origin in origins if origin != word.index)[:MAX_ALSO],
        pinned=old.pinned or name.pinned,
        private=private,
        added_at_us=min(old.added_at_us, name.added_at_us),
    )


def _decoded(key: bytes, value: bytes | memoryview) -> StoredName:
    try:
        return StoredName.from_stored(key, _name_decoder.decode(value))
    except DECODE_ERRORS as error:
        raise compressed.damaged(f"the name {key[:-33]!r} cannot be read ({error})") from error


def _decoded_content(sha256: bytes, value: bytes | memoryview) -> tuple[bytes, StoredContent]:
    try:
        return sha256, _content_decoder.decode(value)
    except DECODE_ERRORS as error:
        raise compressed.damaged(f"the content {sha256.hex()} cannot be read ({error})") from error
