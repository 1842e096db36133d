"""Project pages as values, decoded once while they stay the same.  Methods may be called from any thread."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from wheelfs.model.links import ProjectPage
    from wheelfs.model.names import ProjectName
    from wheelfs.store.catalog.catalog import Catalog
    from wheelfs.store.catalog.records import PageHead

CACHED_LINKS: Final = 40_000
"""Decoded links kept in memory, over all pages: about 1 KB each, so that nine large projects fit in 40 MB."""


class PageCache:
    """The pages that were decoded lately."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._pages: OrderedDict[tuple[str, str], tuple[int, ProjectPage]] = OrderedDict()
        self._links = 0
        self._lock = threading.Lock()
        """Lists of a whole catalog are made in threads."""

    def page(self, index: str, project: ProjectName, head: PageHead) -> ProjectPage | None:
        """Return the page that belongs to ``head``; None when there is none (any more)."""
        key = (index, project)
        with self._lock:
            cached = self._pages.get(key)
            if cached is not None and cached[0] == head.changed_at_us:
                self._pages.move_to_end(key)
                return cached[1]
        page = self._catalog.page(index, project)
        with self._lock:
            before = self._pages.pop(key, None)
            self._links -= 0 if before is None else len(before[1].files)
            if page is not None:
                self._pages[key] = head.changed_at_us, page
                self._links += len(page.files)
            while self._links > CACHED_LINKS and len(self._pages) > 1:
                _, (_, oldest) = self._pages.popitem(last=False)
                self._links -= len(oldest.files)
        return page
