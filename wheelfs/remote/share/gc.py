"""All that a share of objects consists of, as input to the decision what of it may go.

Read strictly: what cannot be read here may be what needs the rest, so nothing is left out as it is for readers.
"""

from __future__ import annotations

import secrets
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Final, TypeVar

from wheelfs.core.share_gc_plan import CLOCK_PREFIX
from wheelfs.errors import OriginError, OriginFault, OriginMissing, OriginUnreachable
from wheelfs.model.condemned import CONDEMNED, decode_condemned, encode_condemned
from wheelfs.model.framing import ShareFormatError
from wheelfs.model.manifest import Manifest
from wheelfs.model.share_catalog import LOG, ROOTS, SNAPSHOTS, number_of, root_key
from wheelfs.model.share_objects import MANIFESTS, PACKS, is_object_name, manifest_key, pack_key
from wheelfs.model.shared_environment import (
    ENVIRONMENT_OBJECTS,
    ENVIRONMENTS,
    MAX_ANNOUNCEMENT_BYTES,
    MAX_ANNOUNCEMENTS,
    announcement_key,
    decode_announcement,
    keys_in_force,
)
from wheelfs.remote.limits import SHARE_LIMITS
from wheelfs.remote.share.log_writer import WrittenShareCatalog
from wheelfs.remote.share.share import MAX_LIST_BYTES, MAX_MANIFEST_BYTES, clock_s

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from wheelfs.model.condemned import Condemned
    from wheelfs.model.share_objects import FoundObject
    from wheelfs.model.shared_environment import SharedEnvironment
    from wheelfs.remote.limits import ShareLimits
    from wheelfs.remote.share.log import Unseen
    from wheelfs.remote.share.objects import Objects

T = TypeVar("T")

_PREFIXES: Final = (LOG, ROOTS, SNAPSHOTS, PACKS, MANIFESTS, CONDEMNED, ENVIRONMENTS, ENVIRONMENT_OBJECTS)
_UNREADABLE: Final = "while it cannot be read it is not known what it needs"
_AWAY: Final = "nothing was deleted or condemned; if a server of its file system is away, run it again when all of it is there"
_PUSH_FILES: Final = "push its files again by name, or take them out with wheelfs rm --share"
_ADVICE: Final = "update wheelfs; if it is damaged, delete that object, and push its files again"


class ShareGarbage:
    """A share as a whole.  All methods block, and raise `OriginError`."""

    def __init__(self, objects: Objects, limits: ShareLimits = SHARE_LIMITS) -> None:
        self._objects = objects
        self._limits = limits
        self._catalog = _WholeCatalog(objects, limits)
        self.url = objects.url

    def check(self) -> str:
        """Return the share's identity; raises `OriginMissing` where there is no share, `OriginFault` for another version's."""
        return self._catalog.check()

    def clock_s(self) -> float:
        """Return what time it is where the objects are, in seconds of the epoch: their ages are by that clock."""
        return clock_s(self._objects)

    def probe(self) -> None:
        """Raise `OriginUnreachable` where not every name can be made: then not every object may be seen either.

        On a cluster's file system what lies on a server that is away is missing without an error, and may be all that names
        the end of the log; but nothing can be made there.
        """
        names = [f"{CONDEMNED}/{CLOCK_PREFIX}{secrets.token_hex(16)}" for _ in range(self._limits.probes)]
        try:
            with ThreadPoolExecutor(self._limits.collect_at_once) as threads:
                for _ in threads.map(lambda key: self._objects.create(key, b""), names):
                    pass
        except (OriginFault, OriginUnreachable) as error:
            happened = f"not every name can be made in it ({error.happened})"
            raise OriginUnreachable(f"collect the garbage of {self.url}", happened, _AWAY) from None
        finally:
            for key in names:
                with suppress(OriginError):  # a later collection deletes what is left
                    self._objects.delete(key)

    def objects(self) -> dict[str, FoundObject]:
        """Return all objects by key."""
        return {found.key: found for prefix in _PREFIXES for found in self._objects.found(prefix)}

    def needed(self, there: Mapping[str, FoundObject], known_end: int) -> tuple[set[bytes], int]:
        """Return the sha256 of all live files, and the end of the log: how many records it has had.

        ``there`` are all objects, ``known_end`` is how far the log went when it was seen before.  Raises `OriginMissing` where
        less is seen now: a run that does not see all of a share takes for unneeded what the rest of it needs.
        """
        needed = {file.sha256 for file in self._catalog.files()}
        end = min(self._catalog.missing)
        attempted = f"read {end} in the share {self.url}"
        if any(key > end and number_of(key.rpartition("/")[2]) is not None for key in there if key.startswith(f"{LOG}/")):
            raise OriginMissing(
                attempted,
                f"it is not there, and later records are; {_UNREADABLE}",
                "run it again; if it is lost, push something from a store that is new to the share, which takes its place",
            )
        number = number_of(end.rpartition("/")[2]) or 0
        roots = (number_of(key.rpartition("/")[2]) for key in there if key.startswith(f"{ROOTS}/"))
        if number < (known := max((known_end, *((root or 0) * self._limits.span for root in roots)))):
            happened = f"it is not there, and the log has had {known:,} records; {_UNREADABLE}"
            raise OriginMissing(attempted, happened, _AWAY)
        self._check(there, map(manifest_key, needed))
        return needed, number

    def announced(self, there: Mapping[str, FoundObject], known: int) -> tuple[set[str], int]:
        """Return the keys of the objects of all environments, and how many announcements there have been.

        ``known`` is how many were seen before; raises `OriginMissing` where fewer are seen now, and `OriginFault` for one that
        cannot be read.
        """
        found: list[SharedEnvironment] = []
        for number in range(MAX_ANNOUNCEMENTS):
            [(_, one)] = self._read_all([(announcement_key(number), MAX_ANNOUNCEMENT_BYTES)], decode_announcement)
            if one is None:
                break
            found.append(one)
        listed = [number_of(key.rpartition("/")[2]) for key in there if key.startswith(f"{ENVIRONMENTS}/")]
        if len(found) < max(known, *(number + 1 for number in listed if number is not None), 0):
            happened = f"it is not there, and there have been later ones; {_UNREADABLE}"
            raise OriginMissing(f"read {announcement_key(len(found))} in the share {self.url}", happened, _AWAY)
        keys = keys_in_force(found)
        self._check(there, keys, "push the environment again, or take it out with wheelfs env rm --share")
        return keys, len(found)

    def check_packs(self, there: Mapping[str, FoundObject], packs: Iterable[str]) -> None:
        """Raise `OriginMissing` where a pack that listed files need is not there: then others that are needed may not be, too."""
        self._check(there, packs)

    def _check(self, there: Mapping[str, FoundObject], needed: Iterable[str], advice: str = _PUSH_FILES) -> None:
        missing = sorted(key for key in needed if key not in there)
        for key in missing:
            if self._objects.read_range(key, 0, 1) is None:  # else it was written after the others were listed
                happened = f"it is not there, and of {len(missing) - 1:,} others that are needed none is listed; {_UNREADABLE}"
                raise OriginMissing(f"read {key} in the share {self.url}", happened, f"{_AWAY}; if it is lost, {advice}")

    def superseded(self) -> set[str]:
        """Return the keys of what the catalog needs no more."""
        return {found.key for found in self._catalog.superseded()}

    def lists(self) -> dict[str, Condemned]:
        """Return all lists of what is condemned, by name."""
        names = [found.key.rpartition("/")[2] for found in self._objects.found(CONDEMNED)]
        names = [name for name in names if is_object_name(name)]
        read = self._read_all(((f"{CONDEMNED}/{name}", MAX_LIST_BYTES) for name in names), decode_condemned)
        return {key.rpartition("/")[2]: one for key, one in read if one is not None}

    def uses(self, manifests: Iterable[str], needed: Callable[[str], bool]) -> dict[str, tuple[str, ...]]:
        """Return for the key of each manifest the keys of its packs; none for one that is gone or damaged and not needed."""

        def packs_of(encoded: bytes) -> tuple[str, ...]:
            return tuple(map(pack_key, Manifest.decode(encoded).packs))

        def packs_if_any(encoded: bytes) -> tuple[str, ...]:
            try:
                return packs_of(encoded)
            except ShareFormatError:
                return ()

        keys = list(manifests)
        uses: dict[str, tuple[str, ...]] = {}
        for key, packs in self._read_all(((key, MAX_MANIFEST_BYTES) for key in keys if needed(key)), packs_of):
            if packs is None:
                raise OriginMissing(f"read {key} in the share {self.url}", "files need it, and it is gone", "run it again")
            uses[key] = packs
        for key, packs in self._read_all(((key, MAX_MANIFEST_BYTES) for key in keys if not needed(key)), packs_if_any):
            uses[key] = packs or ()
        return uses

    def condemn(self, condemned: Condemned) -> None:
        """Write a list of what is condemned."""
        self._objects.create(f"{CONDEMNED}/{secrets.token_hex(16)}", encode_condemned(condemned))

    def delete(self, keys: Iterable[str]) -> None:
        """Delete objects, which may be gone already, in no order."""
        with ThreadPoolExecutor(self._limits.collect_at_once) as threads:
            for _ in threads.map(self._objects.delete, keys):
                pass

    def _read_all(self, wanted: Iterable[tuple[str, int]], decode: Callable[[bytes], T]) -> Iterator[tuple[str, T | None]]:
        """Yield objects by key; None for one that is gone.  Raises `OriginFault` for one that is not what it should be."""

        def read(one: tuple[str, int]) -> tuple[str, T | None]:
            key, limit_bytes = one
            try:
                encoded = self._objects.read(key, limit_bytes=limit_bytes)
                return key, None if encoded is None else decode(encoded)
            except ShareFormatError as error:
                raise self._damaged(key, str(error)) from None

        with ThreadPoolExecutor(self._limits.collect_at_once) as threads:
            yield from threads.map(read, wanted)

    def _damaged(self, key: str, happened: str) -> OriginFault:
        return OriginFault(
            f"read {key} in the share {self.url}",
            f"{happened}; {_UNREADABLE}",
            _ADVICE,
        )


class _WholeCatalog(WrittenShareCatalog):
    """The catalog, nothing of it left out."""

    def __init__(self, objects: Objects, limits: ShareLimits = SHARE_LIMITS) -> None:
        super().__init__(objects, limits)
        self.missing: set[str] = set()
        """Keys of records that were asked for and are not there: the first one is the end of the log."""

    def _object(self, key: str, limit_bytes: int, decode: Callable[[bytes], T]) -> T | Unseen:
        found = super()._object(key, limit_bytes, decode)
        attempted = f"read {key} in the share {self._objects.url}"
        if found in ("damaged", "unread"):
            raise OriginFault(attempted, _UNREADABLE, _ADVICE)
        if found == "missing" and key.startswith(f"{LOG}/"):
            self.missing.add(key)
        elif found == "missing" and key != root_key(0):
            raise OriginMissing(attempted, "it was deleted meanwhile, or is not visible yet", "run it again")
        return found
