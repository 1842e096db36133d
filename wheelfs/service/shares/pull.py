"""``wheelfs pull``: what a share of objects has, and taking it from there, only the chunks that are not here.

Nothing that the share says is believed: each chunk is compared with its digest, the whole file with its sha256, and only then it
is stored like any other.
"""

from __future__ import annotations

import tempfile
import time
from itertools import islice
from typing import TYPE_CHECKING, Final

from wheelfs.core.projects.ownership import LOCAL
from wheelfs.core.resolve.closure import fits, needed
from wheelfs.errors import InvalidInput, NameTaken, OriginError, OriginFault, StoreFull
from wheelfs.file_io import write_all
from wheelfs.model.links import description_of
from wheelfs.model.recipe import Chunk
from wheelfs.reports.left_out import UNOBSERVED, CopyObserver
from wheelfs.reports.shares import PulledFile, PullResult
from wheelfs.service.needed_files import left_out, requirements_of_stored
from wheelfs.service.shares.known_end import known_end, refuse_less
from wheelfs.service.shares.shared_files import select_shared
from wheelfs.store.catalog.records import StoredName
from wheelfs.store.chunks.lookup import locate, read_verified
from wheelfs.store.engine.environment import store_error

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from wheelfs.core.resolve.closure import Needed
    from wheelfs.errors import WheelfsError
    from wheelfs.model.manifest import Manifest, Placed
    from wheelfs.model.recipe import Extent
    from wheelfs.model.shared import SharedFile
    from wheelfs.remote.share.share import ObjectShare
    from wheelfs.service.shares.shared_files import Meant
    from wheelfs.store.store import Store

_AT_ONCE: Final = 4_096


def pull(
    store: Store,
    share: ObjectShare,
    words: Meant,
    *,
    contents: bool,
    with_deps: bool = False,
    observer: CopyObserver = UNOBSERVED,
) -> Iterator[PulledFile]:
    """Yield what the share has, or what of it ``words`` mean; with ``contents`` take that which is not here.

    A word is a filename, a project, or a requirement.  ``with_deps`` takes what named files need along with them; ``observer``
    gets what they need and is not stored then.  Raises `InvalidInput` and `NotKnown` for words that mean nothing, and
    `OriginError` where the share cannot be used, and `StoreFull` where the store has no room for all; what is wrong with one file
    is reported as its failure.
    """
    known = known_end(store, share.catalog.check())
    files = share.catalog.files()
    refuse_less(f"list the files of the share {share.url}", share.catalog.end, known)
    chosen = select_shared(files, "pull", words, share.url) if words else files
    observer.total(len(chosen))
    here: list[SharedFile] = []
    yield from _taken(store, share, chosen, here, contents=contents)
    if not (words and contents):
        return
    by_project: dict[str, list[SharedFile]] = {}
    for file in files:
        by_project.setdefault(file.project, []).append(file)
    while True:  # what a file needs is known when it is here
        found = _needed(store, chosen, by_project)
        more = [file for one in found for file in one.files if with_deps and file not in chosen]
        if not more:
            break
        chosen = [*chosen, *dict.fromkeys(more)]
        observer.total(len(chosen))
        yield from _taken(store, share, dict.fromkeys(more), here, contents=True)
    for one in left_out(found, lambda _: with_deps):
        observer.left_out(one)


def _taken(
    store: Store, share: ObjectShare, files: Iterable[SharedFile], here: list[SharedFile], *, contents: bool
) -> Iterator[PulledFile]:
    """Yield what became of each file; those that are stored then are added to ``here``, and so they have to stay."""
    for file in sorted(files, key=lambda one: (one.project, one.filename, one.sha256)):
        if _is_here(store, file):
            here.append(file)
            yield _reported(file, "present")
            continue
        if not contents:
            yield _reported(file, "missing")
            continue
        try:
            read_bytes = _take(store, share, file)
        except (OriginError, InvalidInput) as error:
            yield _reported(file, "failed", error=error)
            continue
        here.append(file)
        yield _reported(file, "pulled", read_bytes)
        _refuse_evicted(store, here[:1])  # what was stored first goes first; to look for all each time would take too long
    if contents:
        _refuse_evicted(store, here)


def _refuse_evicted(store: Store, files: Iterable[SharedFile]) -> None:
    """Raise `StoreFull` where a file has made room for others, all of which are wanted."""
    for file in files:
        if not _is_here(store, file):
            happened = f"{file.filename} was evicted for other files of it: they do not fit into the quota together"
            raise StoreFull("pull the files of a share", happened, "raise the quota ([cache] quota), or name fewer files")


def _needed(
    store: Store, chosen: Sequence[SharedFile], by_project: Mapping[str, Sequence[SharedFile]]
) -> list[Needed[SharedFile]]:
    return needed(
        chosen,
        lambda project: by_project.get(project, ()),
        lambda file, extras: requirements_of_stored(store, file.filename, file.sha256, extras),
        is_there=lambda wanted: any(fits(wanted, name.filename) for name in store.catalog.stored_names(wanted.project)),
    )


def _is_here(store: Store, file: SharedFile) -> bool:
    names = store.catalog.names_of(file.sha256) if store.holds(file.sha256) else []
    return any((name.project, name.filename) == (file.project, file.filename) for name in names)


def _take(store: Store, share: ObjectShare, file: SharedFile) -> int:
    """Store a file of the share, and return how many bytes came from there."""
    attempted = f"pull {file.filename}"
    _refuse_other_content(store.catalog.stored_names(file.project), file)
    manifest = share.manifest(file.sha256)
    if manifest.size_bytes != file.size_bytes:
        raise OriginFault(attempted, f"its manifest in the share {share.url} is of another size than its entry")
    # Before any of it is written; what the share says of the size is only a word.
    if store.disk_space()[1] < file.size_bytes:
        raise StoreFull(attempted, "the disk has less room than it needs", "make room and run it again")
    try:
        # Without a name: it goes with the process, however that ends.
        with tempfile.TemporaryFile(dir=store.path, buffering=0) as assembled:
            descriptor = assembled.fileno()
            read_bytes = _assemble(store, share, manifest, descriptor)
            ingested = store.ingest(descriptor, file.size_bytes, expected_sha256=file.sha256, name=file.filename)
    except OSError as error:
        raise store_error(attempted, error) from error
    store.seal(ingested, [_stored_name(file)], check=lambda now: _refuse_other_content(now, file))
    return read_bytes


def _assemble(store: Store, share: ObjectShare, manifest: Manifest, descriptor: int) -> int:
    """Write the whole file, and return how many bytes of it came from the share."""
    skeleton, at = share.composition(manifest).skeleton, 0
    for offset, length in manifest.skeleton_ranges():
        write_all(descriptor, skeleton[at : at + length], offset)
        at += length
    placed = manifest.placed()
    read_bytes = 0
    while some := list(islice(placed, _AT_ONCE)):
        places = locate(store.chunks, [Chunk(chunk.digest, chunk.length) for chunk in some])
        missing = [
            chunk for chunk, place in zip(some, places, strict=True) if not _write_from_here(store, chunk, place, descriptor)
        ]
        for chunk, content in share.chunks(missing):
            write_all(descriptor, content, chunk.offset)
            read_bytes += len(content)
    return read_bytes


def _write_from_here(store: Store, chunk: Placed, place: Extent | None, descriptor: int) -> bool:
    """Write a chunk that another stored file has, and tell whether there is one."""
    content = None if place is None else read_verified(store.chunks, Chunk(chunk.digest, chunk.length), place)
    if content is not None:
        write_all(descriptor, content, chunk.offset)
    return content is not None


def _stored_name(file: SharedFile) -> StoredName:
    return StoredName(
        project=file.project,
        filename=file.filename,
        index=file.index,
        size_bytes=file.size_bytes,
        added_at_us=time.time_ns() // 1_000,
        private=file.private,
        of_share=True,
        url=file.url,
        repacked=file.repacked,
        **description_of(file),
    )


def _refuse_other_content(names: Sequence[StoredName], file: SharedFile) -> None:
    """Raise `NameTaken` when the name stands for other content of the same index, or of a local file, already."""
    for name in names:
        if name.filename == file.filename and name.sha256 != file.sha256 and (file.index == LOCAL or file.index in name.origins):
            raise NameTaken(
                f"pull {file.filename}",
                f"a file of this name is stored with other content (sha256 {name.sha256.hex()[:12]}… from {name.index})",
                "a file never changes once it was served; remove that one first if the share's is right",
            )


def _reported(file: SharedFile, result: PullResult, read_bytes: int = 0, error: WheelfsError | None = None) -> PulledFile:
    return PulledFile(
        filename=file.filename,
        project=file.project,
        sha256=file.sha256.hex(),
        size_bytes=file.size_bytes,
        private=file.private,
        result=result,
        read_bytes=read_bytes,
        reason=None if error is None else str(error),
        error_class=None if error is None else type(error).__name__,
    )
