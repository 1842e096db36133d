"""Fetching damaged contents again from where they came."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import trio

from wheelfs.errors import StoreDamaged, WheelfsError
from wheelfs.model.names import ProjectName
from wheelfs.reports.store import DamagedFile
from wheelfs.service.file_refs import FileRef, link_of
from wheelfs.service.selection import matches, parse_word
from wheelfs.store.verify import verify

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from wheelfs.reports.progress import Progress
    from wheelfs.service.fetch.pool import DownloadPool
    from wheelfs.store.catalog.records import StoredName
    from wheelfs.store.store import Store
    from wheelfs.store.verify import Checked


def audit(
    store: Store, *, quick: bool, words: Sequence[str], note: Callable[[str], None], progress: Progress
) -> tuple[int, list[Checked]]:
    """Verify everything, or what ``words`` mean, and return how many contents were checked, and what is damaged.

    Raises `InvalidInput` for a word that can mean no file.
    """
    parsed = [parse_word("verify", word) for word in words]
    files = store.catalog.counts().files

    def is_wanted(name: StoredName) -> bool:
        return any(matches(word, name) for word in parsed)

    count = 0
    damaged: list[Checked] = []
    for checked in verify(store, quick=quick, wanted=is_wanted if parsed else None, note=note):
        count += bool(checked.sha256)
        if checked.sha256 and not parsed:  # how many are meant by words is known at the end
            progress.overall(count, files, 0)
        if checked.reason is not None:
            damaged.append(checked)
    return count, damaged


def reported(damaged: Checked, *, repaired: bool = False, obstacle: str | None = None) -> Iterator[DamagedFile]:
    """Yield a report for each name of what is damaged; ``obstacle`` is why it could not be repaired."""
    reason = damaged.reason or ""
    for filename in damaged.filenames:
        yield DamagedFile(filename=filename, reason=reason, repaired=repaired, obstacle=obstacle)


async def repaired(downloads: DownloadPool, damaged: Checked) -> list[DamagedFile]:
    """Fetch one damaged content again from the first of its origins that gives it, and report how that went."""
    obstacle = "it is not a file that could be fetched"
    names = downloads.context.store.catalog.names_of(damaged.sha256) if damaged.sha256 else []
    for ref in (ref for name in names for ref in _origins_of(downloads.context.store, name)):
        try:
            with downloads.using(ref) as download:
                await download.until_sealed()
            content_now = await trio.to_thread.run_sync(downloads.context.store.catalog.content, damaged.sha256)
            if content_now is not None and content_now.poisoned is None:
                return list(reported(damaged, repaired=True))
        except WheelfsError as error:
            obstacle = str(error)
    return list(reported(damaged, obstacle=obstacle))


def _origins_of(store: Store, name: StoredName) -> Iterator[FileRef]:
    """Yield the file as each index that lists it has it: the first one's address was kept, the others' are on their pages."""
    project = ProjectName(name.project)
    yield FileRef(project, name.index, link_of(name))
    for index in name.also:
        with suppress(StoreDamaged):  # of the page: then that index cannot help now
            page = store.catalog.page(index, project)
            links = () if page is None else page.files
            yield from (FileRef(project, index, link) for link in links if link.sha256 == name.sha256)
