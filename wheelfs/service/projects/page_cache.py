"""Project pages as values, decoded once while they stay the same.  Methods may be called from any thread."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wheelfs.model.links import ProjectPage
    from wheelfs.model.names import ProjectName
    from wheelfs.service.projects.limits import ProjectLimits
    from wheelfs.store.catalog.catalog import Catalog
    from wheelfs.store.catalog.records import PageHead


class PageCache:
    """The most recently used decoded pages."""

    def __init__(self, catalog: Catalog, limits: ProjectLimits) -> None:
        self._catalog = catalog
        self._limits = limits
        self._pages: OrderedDict[tuple[str, str], tuple[int, ProjectPage]] = OrderedDict()
        self._links = 0
        self._lock = threading.Lock()
        """Listings of a whole catalog are made in threads."""

    def page(self, index: str, project: ProjectName, head: PageHead) -> ProjectPage | None:
        """Return the page that belongs to ``head``; None when there is none, or none any more."""
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
            while self._links > self._limits.cached_links and len(self._pages) > 1:
                _, (_, oldest) = self._pages.popitem(last=False)
                self._links -= len(oldest.files)
        return page
