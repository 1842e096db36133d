"""Whether a file that was looked up is still what its name means.

Kernels keep what a name meant for as long as half a second after the store has learned better, and installers open files as soon
as they have read a page.  Asked when a file is opened, so it looks at the store alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wheelfs.core.projects.ownership import LOCAL, Owned

if TYPE_CHECKING:
    from wheelfs.service.file_refs import FileRef
    from wheelfs.service.projects.projects import Projects
    from wheelfs.store.catalog.catalog import Catalog


def is_superseded(ref: FileRef, projects: Projects, catalog: Catalog, *, failed: bool) -> bool:
    """Return whether the name of ``ref`` is known to mean another content by now.

    ``failed``: opening it has failed, so the page is looked at as well, which costs milliseconds where it has thousands of links.
    """
    names = [name for name in catalog.stored_names(ref.project, replaced=True) if name.filename == ref.filename]
    if ref.link.sha256 is None:
        return (failed or any(name.replaced is not None for name in names)) and _means_another(ref, projects)
    same = [name for name in names if name.sha256 == ref.link.sha256]
    if any(name.replaced is not None for name in same):
        return True
    if not same and ref.origin == LOCAL and any(name.private for name in names):
        return True
    return failed and _means_another(ref, projects)


def _means_another(ref: FileRef, projects: Projects) -> bool:
    owned = projects.known(ref.project, index=ref.origin if ref.origin in projects.names else None)
    entries = projects.entries(owned, ref.project, filename=ref.filename) if isinstance(owned, Owned) else []
    if not entries:
        return False
    now = entries[0]
    if (now.ref.link.sha256 is None) is (ref.link.sha256 is None):
        return now.ref.inode != ref.inode
    return now.sealed_sha256 is not None and ref.link.sha256 is not None and now.sealed_sha256 != ref.link.sha256
