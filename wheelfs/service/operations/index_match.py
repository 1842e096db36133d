"""Files at hand that an index lists: recognised by their sha256, they are that index's own and nothing private."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from wheelfs.errors import StoreDamaged
from wheelfs.model.links import description_of
from wheelfs.store.catalog.records import StoredName

if TYPE_CHECKING:
    from wheelfs.core.projects.index_scopes import IndexScopes
    from wheelfs.store.store import Store

log = logging.getLogger(__name__)


def listed_name(store: Store, scopes: IndexScopes, project: str, sha256: bytes, *, filename: str | None) -> StoredName | None:
    """Return the name under which the owner of ``project`` is known to list a content, or None.

    As everywhere the owner is the first index that the name is routed to, in order of priority, that has the project; there is
    no owner while an index before it has never answered, or its answer is damaged.  ``filename``: only under this name.
    """
    for index in scopes.of(project):
        head = store.catalog.page_head(index, project)
        if head is None:
            return None
        if head.absent:
            continue
        try:
            page = store.catalog.page(index, project)
        except StoreDamaged as damage:  # the next look-up of the project fetches it again
            log.warning("%s: %s", index, damage)
            return None
        for link in () if page is None else page.files:
            if link.sha256 == sha256 and filename in (None, link.filename):
                return StoredName(
                    project=project,
                    filename=link.filename,
                    sha256=sha256,
                    index=index,
                    size_bytes=0 if link.size_bytes is None else link.size_bytes,
                    private=False,
                    url=link.url,
                    added_at_us=time.time_ns() // 1_000,
                    first_seen_us=link.first_seen_us,
                    **description_of(link),
                )
        return None
    return None
