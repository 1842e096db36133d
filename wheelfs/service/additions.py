"""``wheelfs add``: taking in files that are at hand, so that they are found by name for ever after.

What is refused is refused with a reason and nothing of it is kept; what is taken is durable when this says so.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from packaging.metadata import parse_email
from packaging.version import InvalidVersion, Version

from wheelfs.core import wheel_metadata, zip_layout
from wheelfs.core.ownership import LOCAL
from wheelfs.errors import InvalidInput, NameTaken
from wheelfs.model.content import key_of_sha256
from wheelfs.model.names import ProjectName, WheelName, kind_of, project_and_version
from wheelfs.service.fetching import TAIL_BYTES
from wheelfs.service.reports import AddedFile
from wheelfs.store.records import StoredName

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from wheelfs.service.reports import Progress
    from wheelfs.store.local import Store


@dataclass(frozen=True, slots=True)
class Source:
    """A file to add: where it lies, under which name, and where that came from (a path or URL, for messages)."""

    path: Path
    filename: str
    named: str
    url: str | None = None


def files_under(path: Path) -> Sequence[Source]:
    """Return the wheels to add for a path the user named: the file itself, or the wheels directly in a directory, sorted.

    Like ``--find-links``, a directory is not searched below its first level.  Raises `InvalidInput` when there is nothing.
    """
    try:
        if path.is_dir():
            wheels = sorted(entry for entry in path.iterdir() if entry.name.endswith(".whl") and entry.is_file())
            if not wheels:
                raise InvalidInput(
                    f"add {path}", "there is no wheel directly in this directory", "name the directory that holds the .whl files"
                )
            return [Source(wheel, wheel.name, str(wheel)) for wheel in wheels]
        if not path.exists():
            raise InvalidInput(f"add {path}", "there is no such file", "check the path")
    except OSError as error:
        raise InvalidInput(f"add {path}", error.strerror or str(error), "check the path and its permissions") from None
    return [Source(path, path.name, str(path))]


def add_path(store: Store, path: Path, *, index: str | None, progress: Progress) -> Iterator[AddedFile]:
    """Add a file, or the wheels directly in a directory; yields what became of each; ``index`` files them under an index.

    Raises only what concerns the store as a whole (full, damaged); what is wrong with one file is reported as its refusal.
    """
    try:
        sources = files_under(path)
    except InvalidInput as error:
        yield _refused(path.name or str(path), error)
        return
    for source in sources:
        yield add_one(store, source, index=index, progress=progress)


def add_one(store: Store, source: Source, *, index: str | None, progress: Progress) -> AddedFile:
    """Add one file and say what became of it."""
    progress.begin(source.filename, None)
    try:
        return _taken(store, source, index=index)
    except InvalidInput as error:
        return _refused(source.filename, error)
    finally:
        progress.end(source.filename)


def _refused(filename: str, error: InvalidInput) -> AddedFile:
    reason = f"{error.happened} ({error.advice})" if error.advice else error.happened
    return AddedFile(filename=filename, result="refused", reason=reason, error_class=type(error).__name__)


def _taken(store: Store, source: Source, *, index: str | None) -> AddedFile:
    attempted = f"add {source.named}"
    project, version = _checked_name(source)
    try:
        descriptor = os.open(source.path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise InvalidInput(attempted, error.strerror or str(error), "check the path and its permissions") from None
    try:
        size_bytes = os.fstat(descriptor).st_size
        metadata = (
            _checked_wheel(descriptor, size_bytes, source, project, version) if kind_of(source.filename) == "wheel" else None
        )
        ingested = store.ingest(descriptor, size_bytes, expected_sha256=None)
    finally:
        os.close(descriptor)
    sha256 = ingested.sha256
    origin = LOCAL if index is None else index
    earlier = [name for name in store.catalog.stored_names(project) if name.filename == source.filename]
    taken = next((name for name in earlier if name.index == origin and name.sha256 != sha256), None)
    if taken is not None:
        raise NameTaken(
            attempted,
            f"a file of this name is stored with other content (sha256 {taken.sha256.hex()[:12]}…, not {sha256.hex()[:12]}…)",
            "a file never changes once it was served: give the new one another version or build tag",
        )
    present = any(name.sha256 == sha256 for name in earlier)
    if not present:
        name = StoredName(
            project=project,
            filename=source.filename,
            sha256=sha256,
            index=origin,
            size_bytes=size_bytes,
            private=True,
            url=source.url,
            requires_python=None if metadata is None else _requires_python(metadata),
            added_at_us=time.time_ns() // 1_000,
        )
        store.seal(ingested, [name])
        if metadata is not None:
            store.catalog.put_metadata(key_of_sha256(sha256), metadata).result()
    return AddedFile(
        filename=source.filename,
        project=project,
        version=str(version),
        sha256=sha256.hex(),
        size_bytes=size_bytes,
        result="present" if present else "added",
    )


def _checked_name(source: Source) -> tuple[ProjectName, Version]:
    if kind_of(source.filename) == "wheel":
        wheel = WheelName(source.filename)
        return wheel.project, wheel.version
    found = project_and_version(source.filename)
    if found is None:
        raise InvalidInput(
            f"add {source.named}",
            "it is neither a wheel nor an sdist by its name",
            "add .whl files, or sdists called NAME-VERSION.tar.gz",
        )
    return found


def _checked_wheel(descriptor: int, size_bytes: int, source: Source, project: ProjectName, version: Version) -> bytes:
    """Return the wheel's METADATA; raises `InvalidInput` when it is no wheel, is cut short, or is not what its name says."""
    attempted = f"add {source.named}"
    try:
        metadata = wheel_metadata.read_from(
            lambda offset, size: os.pread(descriptor, size, offset), size_bytes, TAIL_BYTES, project
        )
    except zip_layout.NotAZip as error:
        raise InvalidInput(attempted, f"it is no readable wheel: {error}", "it may have been cut short; get it again") from None
    said, _ = parse_email(metadata)
    try:
        same = Version(said.get("version", "")) == version
    except InvalidVersion:
        same = False
    if not same:
        raise InvalidInput(
            attempted, f"its METADATA says version {said.get('version')!r}, its name {version}", "rename it, or build it again"
        )
    return metadata


def _requires_python(metadata: bytes) -> str | None:
    said, _ = parse_email(metadata)
    return said.get("requires_python")
