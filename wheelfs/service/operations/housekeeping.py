"""Housekeeping: removing and pinning stored files, and counting what the store holds."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING

from wheelfs.errors import UsageError
from wheelfs.model.recipe import Recipe, RecipeError
from wheelfs.reports.files import KeptFile
from wheelfs.reports.store import ProjectStats, Stats
from wheelfs.service.stored_files import select_stored

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from wheelfs.reports.status import Counters
    from wheelfs.store.catalog.records import StoredName
    from wheelfs.store.store import Store


def remove(store: Store, words: Sequence[str], *, dry_run: bool) -> Iterator[KeptFile]:
    """Remove files from the store and yield each; its room is given back by the next collection.

    Raises `UsageError` before anything is removed where an environment needs one of them.
    """
    selected = list(select_stored(store.catalog, "remove", words))
    needed = store.mounted.contents()
    for name in selected:
        if (environment := needed.get(name.sha256)) is not None:
            happened = f"the environment {environment} is made of it"
            raise UsageError(f"remove {name.filename}", happened, f"remove that first: wheelfs env rm {environment}")
    for name in selected:
        if dry_run or store.catalog.remove_name(name.key).result():
            yield _kept(name)


def pin(store: Store, words: Sequence[str], *, pinned: bool) -> Iterator[KeptFile]:
    """Pin stored files, so that no quota ever removes them, or unpin them, and yield each."""
    for name in select_stored(store.catalog, "pin" if pinned else "unpin", words):
        if store.catalog.set_pinned(name.key, pinned).result():
            yield _kept(name, pinned=pinned)


def _kept(name: StoredName, *, pinned: bool | None = None) -> KeptFile:
    return KeptFile(
        filename=name.filename,
        project=name.project,
        sha256=name.sha256.hex(),
        size_bytes=name.size_bytes,
        pinned=name.pinned if pinned is None else pinned,
        private=name.private,
    )


def stats(store: Store, counters: Counters) -> Stats:
    """Return what the store holds and takes; ``counters`` are those of the running mounts."""
    counts = store.catalog.counts()
    usage = store.usage()
    used_bytes = store.used_bytes()
    return Stats(
        wheels=counts.files,
        raw_bytes=counts.raw_bytes,
        stored_bytes=used_bytes,
        file_bytes=usage.catalog_bytes + usage.chunks_bytes,
        spool_bytes=usage.spool_bytes,
        ratio=_ratio(used_bytes, counts.raw_bytes),
        fetched_bytes=counters.fetched_bytes,
        saved_bytes=counters.saved_bytes,
        needed_bytes=counters.needed_bytes,
        delta_saved_bytes=counters.delta_saved_bytes,
    )


def stats_by_project(store: Store) -> Iterator[ProjectStats]:
    """Yield the same for each project: chunks count once within a project, and in each project that shares them."""
    project: str | None = None
    contents: dict[bytes, int] = {}
    for name in store.catalog.names(replaced=True):
        if name.project != project and project is not None:
            yield _of_project(store, project, contents)
            contents = {}
        project = name.project
        contents[name.sha256] = name.size_bytes
    if project is not None:
        yield _of_project(store, project, contents)


def _of_project(store: Store, project: str, contents: dict[bytes, int]) -> ProjectStats:
    lengths: dict[int, int] = {}
    for sha256 in contents:
        encoded = store.catalog.recipe(sha256)
        try:
            recipe = None if encoded is None else Recipe.decode(encoded)
        except RecipeError:
            continue  # `wheelfs verify` reports it
        if recipe is not None:
            for chunks in (recipe.data, recipe.skeleton):
                # A quarter of a digest tells any two chunks of one project apart.
                lengths.update(zip(array("Q", chunks.digests)[::4], chunks.lengths, strict=True))
    raw_bytes, stored_bytes = sum(contents.values()), sum(lengths.values())
    return ProjectStats(
        project=project,
        wheels=len(contents),
        raw_bytes=raw_bytes,
        stored_bytes=stored_bytes,
        ratio=_ratio(stored_bytes, raw_bytes),
    )


def _ratio(stored_bytes: int, raw_bytes: int) -> float | None:
    return round(stored_bytes / raw_bytes, 4) if raw_bytes else None
