"""``wheelfs add``: storing local files, so that they are found by name from then on.

What is refused is refused with a reason and nothing of it is kept; what is taken is durable when this says so.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

import msgspec

from wheelfs.core.projects.ownership import LOCAL
from wheelfs.errors import InvalidInput, NameTaken
from wheelfs.reports.files import AddedFile
from wheelfs.service.operations.add_checks import described, files_under, opened
from wheelfs.service.operations.index_match import listed_name
from wheelfs.store.catalog.records import StoredName

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from concurrent.futures import Future
    from pathlib import Path

    from wheelfs.core.projects.index_scopes import IndexScopes
    from wheelfs.reports.files import AddResult
    from wheelfs.reports.progress import Progress
    from wheelfs.service.operations.add_checks import Described, Source
    from wheelfs.store.store import Store

_HASHED_AT_ONCE_BYTES: Final = 1 << 20

AT_ONCE: Final = 3
"""Files at work at a time: while one is hashed another one is written, and a third waits for the disk to say that it is there.
Each takes up to 16 MiB of memory."""
_AHEAD: Final = 64
"""Upper bound on files in progress or finished but not yet reported: reports keep the order of the input."""


def add_paths(
    store: Store, paths: Iterable[Path], *, index: str | None, scopes: IndexScopes, progress: Progress
) -> Iterator[AddedFile]:
    """Add files, or the wheels directly in directories, and yield in their order what became of each, once it is durable.

    ``index`` files them under an index.  Without it, what the owner of its project is known to list is filed
    there, and is not private.  Raises only what concerns the store as a whole (full, damaged); what is wrong with one file is
    reported as its refusal.
    """
    under_way: deque[tuple[str, Future[AddedFile]]] = deque()
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="add") as threads:
        try:
            for source in _sources(paths):
                # Of two files of one name the first has it, so the second one begins when that is settled.
                while len(under_way) == _AHEAD or any(name == source.filename for name, _ in under_way):
                    yield _first_of(under_way)
                if isinstance(source, AddedFile):
                    future = threads.submit(lambda report: report, source)
                else:
                    future = threads.submit(add_one, store, source, index=index, scopes=scopes, progress=progress)
                under_way.append((source.filename, future))
            while under_way:
                yield _first_of(under_way)
        except KeyboardInterrupt:
            # What has begun is stored before the store is closed, so it is reported too.
            for future in [future for _, future in under_way if not future.cancel()]:
                yield future.result()
            raise
        finally:
            # On the way out of an error or of ctrl-C: what has begun ends before the store is closed, the rest never begins.
            for _, future in under_way:
                future.cancel()


def _first_of(under_way: deque[tuple[str, Future[AddedFile]]]) -> AddedFile:
    report = under_way[0][1].result()
    under_way.popleft()  # only now: an interrupt comes while waiting, and this one is still to be reported then
    return report


def _sources(paths: Iterable[Path]) -> Iterator[Source | AddedFile]:
    """Yield what is to be added, and the refusals of paths at which there is nothing."""
    for path in paths:
        try:
            yield from files_under(path)
        except InvalidInput as error:
            yield refused(path.name or str(path), error)


def add_one(store: Store, source: Source, *, index: str | None, scopes: IndexScopes, progress: Progress) -> AddedFile:
    """Add one file and say what became of it."""
    progress.begin(source.filename, None)
    try:
        with opened(source) as (descriptor, size_bytes):
            about = described(source, descriptor, size_bytes)
            sha256, result = _taken(store, source, descriptor, about, index, scopes)
    except InvalidInput as error:
        return refused(source.filename, error)
    finally:
        progress.end(source.filename)
    return AddedFile(
        filename=source.filename,
        project=about.project,
        version=str(about.version),
        sha256=sha256.hex(),
        size_bytes=size_bytes,
        result=result,
    )


def refused(filename: str, error: InvalidInput) -> AddedFile:
    """Return the report of a file that is not taken."""
    reason = f"{error.happened} ({error.advice})" if error.advice else error.happened
    return AddedFile(filename=filename, result="refused", reason=reason, error_class=type(error).__name__)


def _taken(
    store: Store, source: Source, descriptor: int, about: Described, index: str | None, scopes: IndexScopes
) -> tuple[bytes, AddResult]:
    """Store a checked file under its name; raises `NameTaken` when that name has other content."""
    namesakes = _of_filename(store.catalog.stored_names(about.project), source)
    if namesakes:
        # Only now worth reading it for: what is here already, or is refused, then leaves nothing in the chunks.
        sha256 = _sha256(descriptor, about.size_bytes)
        _refuse_other_content(source, namesakes, sha256, index)
        same = next((name for name in namesakes if name.sha256 == sha256), None)
        content = store.catalog.content(sha256)
        if same is not None and content is not None and content.poisoned is None:
            # Fetched before: from now on it is here on the user's word, and stays; unless its index lists it, which has it again.
            origin = (LOCAL if same.of_share else same.index) if index is None else index
            kept = msgspec.structs.replace(same, private=True, of_share=False, index=origin)
            if kept != same and _listed(store, source, about, sha256, index, scopes) is None:
                store.catalog.add_name(kept).result()
            return sha256, "present"
    ingested = store.ingest(descriptor, about.size_bytes, expected_sha256=None, directory=about.directory, name=source.filename)
    name = _listed(store, source, about, ingested.sha256, index, scopes) or StoredName(
        project=about.project,
        filename=source.filename,
        sha256=ingested.sha256,
        index=LOCAL if index is None else index,
        size_bytes=about.size_bytes,
        private=True,
        url=source.url,
        requires_python=about.requires_python,
        metadata_sha256=None if about.metadata is None else hashlib.sha256(about.metadata).digest(),
        added_at_us=time.time_ns() // 1_000,
        repacked=source.repacked,
    )
    # Checked again inside the transaction: another process may have added the name while this one was reading.
    store.seal(
        ingested,
        [name],
        metadata=about.metadata or b"",
        check=lambda now: _refuse_other_content(source, _of_filename(now, source), ingested.sha256, index),
    )
    return ingested.sha256, "added"


def _listed(
    store: Store, source: Source, about: Described, sha256: bytes, index: str | None, scopes: IndexScopes
) -> StoredName | None:
    if index is not None:
        return None
    name = listed_name(store, scopes, about.project, sha256, filename=source.filename)
    return None if name is None else msgspec.structs.replace(name, size_bytes=about.size_bytes)


def _of_filename(names: Sequence[StoredName], source: Source) -> list[StoredName]:
    return [name for name in names if name.filename == source.filename]


def _refuse_other_content(source: Source, namesakes: Sequence[StoredName], sha256: bytes, index: str | None) -> None:
    """Raise `NameTaken` when the name stands for other content.

    Filed under an index it only has to differ from nothing of that index, since indexes are kept apart; a local file is shown
    beside all of them, and a name that was served once must not change its bytes.
    """
    for name in namesakes:
        if name.sha256 != sha256 and (index is None or index in name.origins):
            raise NameTaken(
                source.attempted,
                f"a file of this name is stored with other content (sha256 {name.sha256.hex()[:12]}… from {name.index}, "
                f"not {sha256.hex()[:12]}…)",
                "a file never changes once it was served: give the new one another version or build tag",
            )


def _sha256(descriptor: int, size_bytes: int) -> bytes:
    digest = hashlib.sha256()
    for offset in range(0, size_bytes, _HASHED_AT_ONCE_BYTES):
        digest.update(os.pread(descriptor, _HASHED_AT_ONCE_BYTES, offset))
    return digest.digest()
