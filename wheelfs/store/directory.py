"""The store's directory: its layout, its ``format`` file, and who may open it."""

from __future__ import annotations

import logging
import os
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

import msgspec

from wheelfs.errors import StoreDamaged, StoreError, StoreFormat, StoreLocked
from wheelfs.file_io import sync_directory
from wheelfs.model.decoding import DECODE_ERRORS
from wheelfs.private_files import OWNER_ALONE, Readers, is_as_wanted, is_open_to_others, restrict_open, restrict_tree
from wheelfs.store.coordination.locks import lock_within
from wheelfs.store.engine.environment import Durability, Environment, is_open, open_environment, store_error
from wheelfs.store.engine.network_fs import refuse_network
from wheelfs.store.engine.process_number import ensure_own_number
from wheelfs.store.engine.structure import START_ANEW, is_unborn
from wheelfs.store.limits import TUNING
from wheelfs.store.upgrades import FORMAT_VERSION, is_in_use, refuse_unknown, upgraded

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from wheelfs.store.upgrades import Fields

log = logging.getLogger(__name__)

CHUNKS_MAP_BYTES: Final = 16 << 40
"""Address space only, taken by every process.  The size of the largest ext4 file; an eighth of what x86-64 gives a process."""
CATALOG_MAP_BYTES: Final = 256 << 30

_DURABILITY: Final[dict[str, Durability]] = {"chunks": "no-metasync", "catalog": "full"}
_OWN_NAMES: Final = frozenset({"lock", "format.new", "lost+found"})
"""What an otherwise empty directory may hold: the traces of a creation that was cut short, and a fresh file system's root."""
_FORMAT_BYTES_MAX: Final = 4096


class Format(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The ``format`` file: written once at creation, JSON."""

    wheelfs_store: int
    chunks_map_bytes: int
    catalog_map_bytes: int
    created: str
    solid: bool = False
    """Whether there may be solid blocks: builds that do not know them do not know this field, and refuse the store."""


class StoreDirectory:
    """An open store directory; `close` closes the environments that were opened through it."""

    def __init__(self, path: Path, format_: Format, *, readonly: bool, lock_timeout_s: float, readers: Readers) -> None:
        self.path = path
        self.readers = readers
        self.format = format_
        self.readonly = readonly
        self.spool = path / "spool"
        self.run = path / "run"
        self._lock_timeout_s = lock_timeout_s
        self._environments: list[Environment] = []

    @classmethod
    def open(
        cls,
        path: Path,
        *,
        create: bool,
        readonly: bool = False,
        lock_timeout_s: float = 10.0,
        readers: Readers = OWNER_ALONE,
    ) -> StoreDirectory:
        """Open the store at ``path``, or make one where ``create`` allows it and the directory is missing or empty.

        One of an older format is upgraded, and one that others than ``readers`` may read is closed to them.
        Raises `StoreOnNetwork`, `StoreFormat` (foreign or newer), `StoreLocked`, `StoreReadOnly`, `StoreFull`, `StoreError`.
        """
        attempted = f"open store {path}"
        path = Path(os.path.abspath(path))  # noqa: PTH100 - resolve() would follow links that the user may re-point later
        _refuse_other_than_utf8(path, attempted)
        refuse_network(path)
        create = create and not readonly
        try:
            if create:
                path.mkdir(parents=True, exist_ok=True, mode=0o700)
            elif not path.is_dir():
                raise StoreError(attempted, "there is no such directory", "wheelfs mount or wheelfs add make a store")
            _refuse_foreign(path, attempted)
            if not create and not (path / "format").exists():
                raise StoreError(attempted, "there is no store in this directory", "wheelfs mount or wheelfs add make a store")
            with _locked(path, lock_timeout_s, readonly=readonly):
                is_new = not (path / "format").exists()
                if is_new:
                    _sync_names_above(path)
                    _write_format(path, _new_fields(), readers)
                for fields in upgraded(path, _read_fields(path, attempted), attempted, readonly=readonly):
                    _write_format(path, fields, readers)
                format_ = _checked_format(_read_fields(path, attempted), attempted)
                if not readonly:
                    (path / "spool").mkdir(exist_ok=True, mode=0o700)
                    (path / "run").mkdir(exist_ok=True, mode=0o700)
                    _close_to_others(path, readers, is_new=is_new)
        except OSError as error:
            raise store_error(attempted, error) from error
        return cls(path, format_, readonly=readonly, lock_timeout_s=lock_timeout_s, readers=readers)

    def open_environment(
        self, name: Literal["chunks", "catalog"], databases: Sequence[str], *, writer_lock_s: float = TUNING.writer_lock_s
    ) -> Environment:
        """Open one of the two environments, with the map size and durability that belong to it.

        The caller may be a child of itself afterwards, see `wheelfs.store.engine.process_number`.
        """
        map_size_bytes = self.format.chunks_map_bytes if name == "chunks" else self.format.catalog_map_bytes
        try:
            with _locked(self.path, self._lock_timeout_s, readonly=self.readonly):
                if name == "catalog":
                    self._refuse_without_catalog()
                    # The catalog is opened first; a process that has our number in one of the two has it in both.
                    if not is_open(self.path / name):
                        ensure_own_number(self.path, _DURABILITY)
                environment = open_environment(
                    self.path / name,
                    map_size_bytes=map_size_bytes,
                    databases=databases,
                    durability=_DURABILITY[name],
                    readonly=self.readonly,
                    writer_lock_s=writer_lock_s,
                )
                if not (self.readonly or is_as_wanted((self.path / name / "data.mdb").stat(), self.readers)):
                    restrict_tree(self.path / name, self.readers)  # made just now
        except OSError as error:
            raise store_error(f"open store {self.path}", error) from error
        self._environments.append(environment)
        return environment

    def _refuse_without_catalog(self) -> None:
        """Raise `StoreDamaged` when there are chunks but no catalog: it is made first, so it was there."""
        if is_unborn(self.path / "catalog" / "data.mdb") and not is_unborn(self.path / "chunks" / "data.mdb"):
            raise StoreDamaged(f"open store {self.path}", "its catalog is missing (catalog/data.mdb)", START_ANEW)

    def close(self) -> None:
        """Close every environment (writers and readers must have ended before).  Safe to call twice."""
        if not self._environments:
            return
        with _locked(self.path, self._lock_timeout_s, readonly=self.readonly):
            while self._environments:
                self._environments.pop().close()


def _sync_names_above(path: Path) -> None:
    """Return when the name of a new store is on the disk, with those of directories that were made for it, where that can be."""
    for directory in path.parents:
        with suppress(OSError):  # it may be another's, or on a file system that knows no such thing; then it was there before
            sync_directory(directory)


def _close_to_others(path: Path, readers: Readers, *, is_new: bool) -> None:
    """Let only ``readers`` into a store, which holds private wheels; that an older one was open is said, once."""
    status = path.stat()
    if is_as_wanted(status, readers):
        return
    restrict_tree(path, readers)
    if is_open_to_others(status, readers) and not is_new:
        who = "its owner" if readers.group is None else "its owner and that group"
        log.warning("the store %s could be read by others: from now on only by %s (store-group names a group)", path, who)


def _refuse_other_than_utf8(path: Path, attempted: str) -> None:
    try:
        str(path).encode()
    except UnicodeEncodeError:
        happened = "its name is not UTF-8, and LMDB opens no other"
        raise StoreError(attempted, happened, "name another directory: --store, WHEELFS_STORE") from None


def _refuse_foreign(path: Path, attempted: str) -> None:
    if (path / "format").exists():
        return
    strangers = sorted(entry.name for entry in path.iterdir() if entry.name not in _OWN_NAMES)
    # Another process may be creating the store at this moment, and writes the format first.
    if strangers and not (path / "format").exists():
        raise StoreFormat(
            attempted,
            f"the directory is not empty and holds no store ({strangers[0]!r} is in it)",
            "name an empty or new directory",
        )


def _new_fields() -> Fields:
    format_ = Format(
        wheelfs_store=FORMAT_VERSION,
        chunks_map_bytes=CHUNKS_MAP_BYTES,
        catalog_map_bytes=CATALOG_MAP_BYTES,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    fields = msgspec.structs.asdict(format_)
    del fields["solid"]  # only from the first solid block on
    return fields


def allow_solid(path: Path, readers: Readers = OWNER_ALONE, *, lock_timeout_s: float = 10.0) -> None:
    """Note in a store's ``format`` that it may have solid blocks from now on, so that builds that do not know them refuse it.

    This process must not have it open.  Raises `StoreLocked` when, the first time, another one has: it may be such a build; and
    what `StoreDirectory.open` does.
    """
    attempted = f"allow solid blocks in store {path}"
    path = StoreDirectory.open(path, create=False, readers=readers).path
    try:
        with _locked(path, lock_timeout_s, readonly=False):
            fields = _read_fields(path, attempted)
            if fields.get("solid"):
                return
            if is_in_use(path):
                advice = "end the mounts and commands that use it, this once: they may be of a wheelfs that knows no such blocks"
                raise StoreLocked(attempted, "it is in use", advice)
            _write_format(path, fields | {"solid": True}, readers)
    except OSError as error:
        raise store_error(attempted, error) from error


def _write_format(path: Path, fields: Fields, readers: Readers) -> None:
    """Write ``format`` in one step; before anything else, so that a creation cut short leaves a directory that can be used."""
    new = path / "format.new"
    with new.open("wb") as file:
        restrict_open(file.fileno(), readers)
        file.write(msgspec.json.encode(fields) + b"\n")
        file.flush()
        os.fsync(file.fileno())
    new.replace(path / "format")
    sync_directory(path)


def _read_fields(path: Path, attempted: str) -> Fields:
    """Read ``format`` as far as it is the same in every version; raises `StoreFormat`."""
    with (path / "format").open("rb") as file:
        text = file.read(_FORMAT_BYTES_MAX)
    try:
        fields = msgspec.json.decode(text, type=dict)
        version = fields["wheelfs_store"]
    except (*DECODE_ERRORS, KeyError) as error:
        raise _senseless(attempted, str(error)) from error
    refuse_unknown(version, attempted)
    return fields


def _checked_format(fields: Fields, attempted: str) -> Format:
    newer = sorted(map(str, set(fields) - set(Format.__struct_fields__)))
    if newer:  # a field is how a build keeps others from a store that they would misread
        raise StoreFormat(
            attempted,
            f"a newer wheelfs has given it what this one does not know ({', '.join(newer)})",
            "use a newer wheelfs, or name another directory with --store",
        )
    try:
        format_ = msgspec.convert(fields, Format)
    except DECODE_ERRORS as error:
        raise _senseless(attempted, str(error)) from error
    page = 4096
    if any(size < page or size % page or size > 1 << 46 for size in (format_.chunks_map_bytes, format_.catalog_map_bytes)):
        raise StoreFormat(attempted, "its format file gives impossible map sizes", "name another directory with --store")
    return format_


def _senseless(attempted: str, why: str) -> StoreFormat:
    return StoreFormat(attempted, f"its format file makes no sense ({why})", "name another directory with --store")


@contextmanager
def _locked(path: Path, timeout_s: float, *, readonly: bool) -> Iterator[None]:
    """Hold the store's ``lock`` (flock, released by the kernel when the holder dies) while opening or closing."""
    flags = os.O_RDONLY if readonly else os.O_RDWR | os.O_CREAT
    try:
        descriptor = os.open(path / "lock", flags | os.O_CLOEXEC, 0o600)
    except FileNotFoundError:
        # A read-only copy without its lock file: no process can be creating it.
        yield
        return
    try:
        if not lock_within(descriptor, timeout_s):
            raise StoreLocked(
                f"open store {path}",
                f"another process has held {path / 'lock'} for {timeout_s:g} s",
                "is one hanging while it opens or closes the store?",
            )
        yield
    finally:
        os.close(descriptor)
