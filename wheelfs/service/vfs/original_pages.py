"""Pages as an index itself would give them: its own file URLs, and nothing about a file that it does not say.

``wheelfs run`` answers with these, so that a lock made from them is byte for byte the lock made from the index.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio

from wheelfs.core.projects.ownership import LOCAL, NoSuchProject, Owned, Undecided
from wheelfs.core.proxy.hosts import endpoint_of_url
from wheelfs.core.simple.html_render import RenderedFile
from wheelfs.core.simple.release_json import render_release
from wheelfs.core.simple.render import render_project_page
from wheelfs.core.views.view import View
from wheelfs.model.links import ProjectPage
from wheelfs.model.names import versions_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from packaging.version import Version

    from wheelfs.core.projects.ownership import Ownership
    from wheelfs.core.proxy.hosts import Endpoint
    from wheelfs.core.views.paths import Form
    from wheelfs.model.links import FileLink
    from wheelfs.model.names import ProjectName
    from wheelfs.service.projects.index import Entry
    from wheelfs.service.projects.projects import Projects
    from wheelfs.service.projects.visible_files import Views


class OriginalPages:
    """Renders the pages of configured indexes."""

    def __init__(
        self,
        projects: Projects,
        views: Views,
        answered: Collection[Endpoint] | None = None,
        way: Callable[[str, str], str | None] | None = None,
    ) -> None:
        """``answered`` are the hosts that clients reach through us (None: all).

        ``way`` returns the address for a page of an index (a URL) of a file (a URL), in place of the file's own.
        """
        self._projects = projects
        self._views = views
        self._answered = answered
        self._way = way
        self._urls = {index.name: index.url for index in projects.indexes}

    async def project(self, index: str, project: ProjectName, form: Form) -> bytes | None:
        """Return a project's page, or None where the index has no such project; raises why it cannot be said."""
        found = await self._found(index, project)
        if found is None:
            return None
        return await trio.to_thread.run_sync(self._rendered, found[0], project, self._urls[index], found[1], form)

    async def release(self, index: str, project: ProjectName, version: Version) -> bytes | None:
        """Return what is known of a version (`render_release`), None where the index has none such; raises as `project`."""
        found = await self._found(index, project)
        if found is None:
            return None
        owned, entries = found
        versions = versions_of((entry.ref.filename for entry in entries), project)
        of_it = [entry for entry in entries if versions.get(entry.ref.filename) == version]
        if not of_it and not owned.reachable:
            raise self._projects.unreachable(owned, project)
        files = self._files(owned, self._urls[index], of_it)
        return render_release(project, version, list(files)) if of_it else None

    async def _found(self, index: str, project: ProjectName) -> tuple[Owned, list[Entry]] | None:
        ownership = await self._ownership(index, project)
        if isinstance(ownership, NoSuchProject):
            return None
        if isinstance(ownership, Undecided):
            raise ownership.error.with_traceback(None)  # many callers share it
        entries = list(self.shown(ownership, project, index))
        if not entries and ownership.listed and not ownership.reachable:
            raise self._projects.unreachable(ownership, project)
        return ownership, entries

    async def _ownership(self, index: str, project: ProjectName) -> Ownership:
        """Return what the index has; files that were added by hand and own their name are shown on the first index."""
        if self._projects.names[:1] == (index,):
            private = self._projects.known(project)
            if isinstance(private, Owned) and private.owner == LOCAL:
                return private
        return await self._projects.find(project, index=index)

    def shown(self, owned: Owned, project: ProjectName, index: str | None) -> Iterator[Entry]:
        """Yield the files of the page in its order, as far as policies let them through.

        While what is not stored cannot be fetched, whole versions are left out: a resolver takes what can be installed, and of
        each version that it sees it sees all files, so that its lock is the same as ever.
        """
        view = View(index=index)
        entries = self._projects.entries(owned, project, everything=True)
        versions = versions_of((entry.ref.filename for entry in entries), project)
        remote = self._projects.lists_remote(owned)
        stored = {versions.get(entry.ref.filename) for entry in entries if entry.sealed_sha256 is not None}
        for entry in entries:
            if not entry.is_listed and owned.page is not None:
                continue  # found by its URL all the same; a lock made today must not name it
            if (remote or versions.get(entry.ref.filename) in stored) and self._views.hidden(view, entry) is None:
                yield entry

    def _rendered(self, owned: Owned, project: ProjectName, index_url: str, entries: list[Entry], form: Form) -> bytes:
        """Render a page; may be called in any thread."""
        files = self._files(owned, index_url, entries)
        page = owned.page or ProjectPage(project, ())
        return render_project_page(form, page, files, fileless_versions=page.fileless_versions)

    def _files(self, owned: Owned, index_url: str, entries: list[Entry]) -> Iterator[RenderedFile]:
        told = {link.filename: link for link in owned.listed}  # entries know more of a file than its index tells
        return (self._file(index_url, entry, told.get(entry.ref.filename, entry.ref.link)) for entry in entries)

    def _file(self, index_url: str, entry: Entry, link: FileLink) -> RenderedFile:
        is_answered = not link.url or self._answered is None or endpoint_of_url(link.url) in self._answered
        has_metadata = link.has_metadata or (is_answered and entry.ref.kind == "wheel")
        digest = link.metadata_sha256 if has_metadata else None
        url = link.url if self._way is None or not link.url else self._way(index_url, link.url)
        return RenderedFile(link, has_metadata, digest, url=url or None)
