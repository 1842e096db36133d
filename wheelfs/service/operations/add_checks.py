"""Which files may be added, and what they say of themselves: every reason for a refusal that needs no store."""

from __future__ import annotations

import os
import stat
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from packaging.metadata import parse_email
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from wheelfs.core.fetch.plan import TAIL_BYTES
from wheelfs.core.wheel import metadata as wheel_metadata
from wheelfs.core.wheel import zip_layout
from wheelfs.errors import InvalidInput
from wheelfs.model.names import ProjectName, WheelName, kind_of, project_and_version
from wheelfs.model.versions import parse_version

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

_CUT_SHORT: Final = "it may have been cut short; get it again"
_CHECK_PATH: Final = "check the path and its permissions"

_MAGIC: Final = {
    ".tar.gz": b"\x1f\x8b",
    ".tgz": b"\x1f\x8b",
    ".zip": b"PK",
    ".tar.bz2": b"BZh",
    ".tar.xz": b"\xfd7zXZ",
    ".tar.Z": b"\x1f\x9d",
}
"""How an archive of each kind begins (a plain tar has no such mark): tells apart what a failed download has left."""


@dataclass(frozen=True, slots=True)
class Source:
    """A file to add: where it lies, under which name, and where that came from (a path or URL, for messages).

    ``repacked``: it was made of unpacked files.
    """

    path: Path
    filename: str
    named: str
    url: str | None = None
    repacked: bool = False

    @property
    def attempted(self) -> str:
        """What adding it is called in messages."""
        return f"add {self.named}"


@dataclass(frozen=True, slots=True)
class Described:
    """What a checked file says of itself.

    An sdist has no ``metadata`` that could be read without building it, and no ``directory``, which is a wheel's own.
    """

    project: ProjectName
    version: Version
    size_bytes: int
    metadata: bytes | None = None
    requires_python: str | None = None
    directory: zip_layout.Directory | None = None


def files_under(path: Path) -> Sequence[Source]:
    """Return the files to add for a path the user named: the file itself, or the wheels directly in a directory, sorted.

    With variant wheels comes the file about them (PEP 825, draft), which has to accompany them.  Like ``--find-links``, a
    directory is not searched below its first level.  Raises `InvalidInput` when there is nothing.
    """
    try:
        if path.is_dir():
            files = sorted(entry for entry in path.iterdir() if _comes_with_directory(entry.name) and not entry.is_dir())
            if not files:
                raise InvalidInput(
                    f"add {path}", "there is no wheel directly in this directory", "name the directory that holds the .whl files"
                )
            return [Source(file, file.name, str(file)) for file in files]
    except OSError as error:
        raise InvalidInput(f"add {path}", error.strerror or str(error), _CHECK_PATH) from None
    return [Source(path, path.name, str(path))]


def _comes_with_directory(name: str) -> bool:
    kind = kind_of(name)
    return kind == "wheel" or (kind == "variants" and project_and_version(name) is not None)


def checked_name(source: Source) -> tuple[ProjectName, Version]:
    """Return project and version as the filename has them; raises `InvalidInput` when it is no wheel's or sdist's."""
    if kind_of(source.filename) == "wheel":
        wheel = WheelName(source.filename)
        return wheel.project, wheel.version
    found = project_and_version(source.filename)
    if found is None:
        raise InvalidInput(
            source.attempted,
            "it is neither a wheel nor an sdist by its name",
            "add .whl files, or sdists called NAME-VERSION.tar.gz",
        )
    return found


@contextmanager
def opened(source: Source) -> Iterator[tuple[int, int]]:
    """Open a source for reading: yields its descriptor and size.  Raises `InvalidInput`, also for what is no regular file."""
    try:
        # A pipe without a writer would block the open without end.
        descriptor = os.open(source.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    except OSError as error:
        # A socket cannot even be opened (ENXIO).
        happened = "it is not a regular file" if _is_special(source.path) else error.strerror or str(error)
        raise InvalidInput(source.attempted, happened, _CHECK_PATH) from None
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise InvalidInput(source.attempted, "it is not a regular file", _CHECK_PATH)
        yield descriptor, status.st_size
    finally:
        os.close(descriptor)


def _is_special(path: Path) -> bool:
    try:
        mode = path.stat().st_mode
    except OSError:
        return False
    return not stat.S_ISREG(mode)


def described(source: Source, descriptor: int, size_bytes: int) -> Described:
    """Check an open file against its name; raises `InvalidInput` when it is cut short or is not what its name says."""
    project, version = checked_name(source)
    if not size_bytes:
        raise InvalidInput(source.attempted, "it is empty", _CUT_SHORT)
    try:
        if kind_of(source.filename) == "wheel":

            def read(offset: int, size: int) -> bytes:
                return os.pread(descriptor, size, offset)

            metadata, directory = wheel_metadata.read_all_from(read, size_bytes, TAIL_BYTES, project)
            requires_python = _agreeing(source, metadata, project, version)
            return Described(project, version, size_bytes, metadata, requires_python, directory)
        magic = next((magic for suffix, magic in _MAGIC.items() if source.filename.endswith(suffix)), b"")
        if os.pread(descriptor, len(magic), 0) != magic:
            raise InvalidInput(source.attempted, "it is not the kind of archive that its name says", _CUT_SHORT)
    except zip_layout.NotAZip as error:
        raise InvalidInput(source.attempted, f"it is no readable wheel: {error}", _CUT_SHORT) from None
    except OSError as error:
        raise InvalidInput(source.attempted, error.strerror or str(error), "check the disk that it is on") from None
    return Described(project, version, size_bytes)


def _agreeing(source: Source, metadata: bytes, project: ProjectName, version: Version) -> str | None:
    """Return the Requires-Python of a METADATA that agrees with the file's name; raises `InvalidInput` for one that does not."""
    said, unread = parse_email(metadata)

    def first(field: str, known: str | None) -> str:
        # As in pip and uv, of a field that is there twice the first one counts; the reader puts both aside.
        return known if known is not None else next(iter(unread.get(field, ())), "")

    name, stated = first("name", said.get("name")), first("version", said.get("version"))
    if str(canonicalize_name(name)) != project:
        raise InvalidInput(
            source.attempted, f"its METADATA says project {name[:80]!r}, its name {project}", "rename it, or build it again"
        )
    try:
        same = parse_version(stated) == version
    except InvalidVersion:
        same = False
    if not same:
        raise InvalidInput(
            source.attempted, f"its METADATA says version {stated[:80]!r}, its name {version}", "rename it, or build it again"
        )
    return first("requires-python", said.get("requires_python")) or None
