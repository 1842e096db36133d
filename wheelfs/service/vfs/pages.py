"""Generated pages: rendered once, kept while what they are made of stays the same, never larger in memory than a bound."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final, NamedTuple

import trio
from msgspec.structs import replace

from wheelfs.core.bounded_cache import BoundedCache
from wheelfs.core.formatting import counted
from wheelfs.core.projects.ownership import Owned, Undecided
from wheelfs.core.simple import html_render, json_render
from wheelfs.core.simple.html_render import RenderedFile
from wheelfs.core.simple.render import render_project_page
from wheelfs.core.times import rfc3339
from wheelfs.core.views.paths import JSON_PAGE, PAGE
from wheelfs.errors import NotKnown
from wheelfs.model.links import ProjectPage
from wheelfs.service.file_refs import UNKNOWN_TIME_NS
from wheelfs.service.vfs.nodes import PageNode

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    from wheelfs.core.projects.ownership import Ownership
    from wheelfs.core.views.paths import Directory, Form
    from wheelfs.core.views.view import View
    from wheelfs.core.views.visibility import ExclusionReason
    from wheelfs.model.names import ProjectName
    from wheelfs.service.fetch.context import FetchContext
    from wheelfs.service.file_refs import FileRef
    from wheelfs.service.process.withheld import Withheld
    from wheelfs.service.projects.index import Entry
    from wheelfs.service.projects.projects import Projects
    from wheelfs.service.projects.visible_files import Views
    from wheelfs.service.vfs.flat_files import FlatFiles
    from wheelfs.service.vfs.limits import VfsLimits

NAMES: Final[dict[Form, str]] = {"html": PAGE, "json": JSON_PAGE}


class _Facts(NamedTuple):
    """What is known of METADATA beside wheels: its digest, and of which content keys there is none to be served."""

    digest_of: Callable[[FileRef], bytes | None]
    unreadable: Collection[bytes]


class Pages:
    """Renders the pages of all views."""

    def __init__(
        self,
        *,
        projects: Projects,
        views: Views,
        flat: FlatFiles,
        withheld: Withheld,
        context: FetchContext,
        limits: VfsLimits,
    ) -> None:
        """Begin with none rendered."""
        self._withheld = withheld
        self._projects = projects
        self._views = views
        self._flat = flat
        self._context = context
        self._rendered: BoundedCache[str, tuple[object, bytes]] = BoundedCache(limits.rendered_bytes, weight=_text_bytes)
        self._large_files = limits.large_page_files

    # --- pages of one project -------------------------------------------------------------------------------------

    async def looked_up(self, place: Directory, ownership: Ownership, form: Form) -> PageNode:
        """Do what `project_node` does, and let others be answered while a large page is rendered."""
        await self._make_if_large(_node_in(place, form), ownership)
        return self.project_node(place, ownership, form)

    async def opened(self, node: PageNode, ownership: Ownership) -> bytes:
        """Do what `text` does, and let others be answered while a large page is rendered."""
        await self._make_if_large(node, ownership)
        return self.text(node, ownership)

    def project_node(self, place: Directory, ownership: Ownership, form: Form = "html") -> PageNode:
        """Return the node of a project's page; one that cannot be made now has no size, and opening it says why."""
        node = _node_in(place, form)
        text = self._text_if_any(node, ownership)
        return replace(node, size_bytes=len(text), mtime_ns=self._changed_ns(node))

    def text(self, node: PageNode, ownership: Ownership) -> bytes:
        """Return a project's page; raises why it cannot be made."""
        assert node.project is not None
        if isinstance(ownership, Undecided):
            raise ownership.error.with_traceback(None)  # many callers share it
        if not isinstance(ownership, Owned):
            raise NotKnown(f"open the page of {node.project}", "no index has such a project", "check the name")
        if not self._is_listable(ownership, node.project):
            raise self._projects.unreachable(ownership, node.project)
        return self._render(node, ownership)

    def refreshed(self, node: PageNode) -> PageNode:
        """Return the node with the size it has now; from what is known, without the network."""
        if node.project is None:
            return node
        text = self._kept(node.path, self._stamp(node.project, node.view))
        if text is None:  # the page is looked at before it is read, again and again: most often it is the same as last time
            ownership = self._projects.known(node.project, index=node.view.index)
            text = self._text_if_any(node, ownership)
        return replace(node, size_bytes=len(text), mtime_ns=self._changed_ns(node))

    def _changed_ns(self, node: PageNode) -> int:
        """Return when a project's page last became another one: the same after a restart."""
        assert node.project is not None
        changed_us = self._projects.changed_at_us(node.project, index=node.view.index)
        return UNKNOWN_TIME_NS if changed_us is None else changed_us * 1_000

    def _is_listable(self, ownership: Ownership, project: ProjectName) -> bool:
        """Return whether there is anything true to list: not while the owner is away and nothing of it is stored."""
        if not isinstance(ownership, Owned):
            return False
        return ownership.reachable or not ownership.listed or bool(self._projects.entries(ownership, project))

    def _text_if_any(self, node: PageNode, ownership: Ownership) -> bytes:
        """Return a project's page, or nothing where there is none to be made."""
        assert node.project is not None
        return self._render(node, ownership) if self._is_listable(ownership, node.project) else b""

    def _render(self, node: PageNode, ownership: Ownership) -> bytes:
        path, project, view = node.path, node.project, node.view
        assert project is not None
        stamp = self._stamp(project, view)
        kept = self._kept(path, stamp)
        if kept is not None:
            return kept
        assert isinstance(ownership, Owned)
        seen = self._views.entries(ownership, project, view)
        comments = [*self._comments(ownership, project, view), *seen.hidden]
        text = _project_page(node, ownership, seen.entries, comments, self._facts_for(ownership, project))
        self._keep(path, stamp, text)
        return text

    def _facts_for(self, owned: Owned, project: ProjectName) -> _Facts:
        facts = self._context.facts
        return _Facts(facts.served_metadata_sha256, facts.unreadable(owned.owner, project))

    async def _make_if_large(self, node: PageNode, ownership: Ownership) -> None:
        """Render a large page in a thread, so that the next request for it finds it."""
        assert node.project is not None
        if not isinstance(ownership, Owned) or len(ownership.listed) <= self._large_files:
            return
        stamp = self._stamp(node.project, node.view)
        if self._kept(node.path, stamp) is None and self._is_listable(ownership, node.project):
            seen = self._views.entries(ownership, node.project, node.view)
            comments = [*self._comments(ownership, node.project, node.view), *seen.hidden]
            facts = self._facts_for(ownership, node.project)
            text = await trio.to_thread.run_sync(
                _project_page, node, ownership, seen.entries, comments, facts, limiter=self._context.disk
            )
            self._keep(node.path, stamp, text)

    def _stamp(self, project: ProjectName, view: View) -> object:
        # A hash: the stamp of a project with 400 stored files has 140 kB, and each instant below asof/ has a page of its own.
        known = hash(self._projects.stamp(project, index=view.index))
        return known, self._views.view_filter(view), self._context.facts.unreadable_seen

    # --- lists ----------------------------------------------------------------------------------------------------

    async def projects(self, view: View, form: Form = "html") -> PageNode:
        """Return the page of all projects known here (PEP 503, root)."""
        path = f"{view.path}/simple/{NAMES[form]}".lstrip("/")
        node = PageNode("simple", path, view, None, 0, UNKNOWN_TIME_NS, form)
        return replace(node, size_bytes=len(await self.text_of_list(node)))

    async def links(self, view: View) -> PageNode:
        """Return the find-links page of a flat directory."""
        node = PageNode("links", f"{view.path}/{NAMES['html']}".lstrip("/"), view, None, 0, UNKNOWN_TIME_NS)
        return replace(node, size_bytes=len(await self.text_of_list(node)))

    async def text_of_list(self, node: PageNode) -> bytes:
        """Return a list's page as it is now."""
        # The epoch: while an index is away, what is only tracked of it is not listed.
        stamp = self._context.store.catalog.last_seq(), self._context.hosts.epoch, self._views.view_filter(node.view, flat=True)
        kept = self._kept(node.path, stamp)
        if kept is not None:
            return kept
        # In a thread: it reads the whole catalog, which only the request for this page should wait for.
        text = await trio.to_thread.run_sync(
            self._render_projects if node.kind == "simple" else self._render_links, node, limiter=self._context.disk
        )
        self._keep(node.path, stamp, text)
        return text

    def _render_projects(self, node: PageNode) -> bytes:
        render = json_render.render_project_list if node.form == "json" else html_render.render_project_list
        return render(project for project in self._projects.known_names() if self._projects.is_listed(project, node.view))

    def _render_links(self, node: PageNode) -> bytes:
        hidden: Counter[ExclusionReason] = Counter()
        files = [RenderedFile(file.ref.link) for file in self._flat.all(node.view, hidden)]
        return html_render.render_links_page(files, comments=self._views.view_filter(node.view, flat=True).explain(hidden))

    def _comments(self, owned: Owned, project: ProjectName, view: View) -> Iterator[str]:
        yield f"from {owned.owner}"
        yield from self._withheld.explain(project, owned, view.index)
        if owned.page is not None and (left_out := owned.page.explain_left_out()) is not None:
            yield left_out
        away = self._projects.away(owned, project)
        if away is not None:
            since = "wheelfs is told to be offline" if away.since_s is None else f"since {rfc3339(round(away.since_s * 1e6))}"
            which = "that is not stored is hidden" if away.hidden == 1 else "that are not stored are hidden"
            hidden = f"{counted(away.hidden, 'file')} {which}" if away.hidden else "nothing is hidden for that"
            yield f"offline: {away.index} cannot be asked ({since}); this page may be old; {hidden}"

    def _kept(self, path: str, stamp: object) -> bytes | None:
        """Return the page that was rendered last, if what it was made of is still the same."""
        kept = self._rendered.get(path)
        return None if kept is None or kept[0] != stamp else kept[1]

    def _keep(self, path: str, stamp: object, text: bytes) -> None:
        self._rendered.put(path, (stamp, text))


def _text_bytes(kept: tuple[object, bytes]) -> int:
    return len(kept[1])


def _node_in(place: Directory, form: Form) -> PageNode:
    assert place.project is not None
    return PageNode("project", f"{place.path}/{NAMES[form]}", place.view, place.project, 0, UNKNOWN_TIME_NS, form)


def _project_page(node: PageNode, owned: Owned, entries: Sequence[Entry], comments: Sequence[str], facts: _Facts) -> bytes:
    """Render a project's page; may be called in any thread."""
    assert node.project is not None
    files = (_rendered_file(one, offers_metadata(one, owned, node.view), facts) for one in entries)
    page = owned.page or ProjectPage(node.project, ())
    # Nothing tells when versions without files came to be, and nothing of them can be stored.
    fileless = () if node.view.stored or node.view.asof is not None else page.fileless_versions
    return render_project_page(node.form, page, files, fileless_versions=fileless, comments=comments)


def offers_metadata(entry: Entry, ownership: Ownership, view: View) -> bool:
    """Return whether METADATA is served beside a file.

    For every wheel: from the index where it offers it, else out of the wheel itself, so it surely matches.  Else while an index
    that offers it can be asked (PEP 714 speaks of any distribution).
    """
    if entry.ref.kind == "wheel":
        return True
    return entry.ref.link.has_metadata and not view.stored and isinstance(ownership, Owned) and ownership.reachable


def _rendered_file(entry: Entry, has_metadata: bool, facts: _Facts) -> RenderedFile:
    link = entry.ref.link
    comment = "; ".join(entry.remarks()) or None
    # What was found to be unreadable is no longer promised: installers then read the wheel, and say what is wrong with it.
    if not has_metadata or (facts.unreadable and entry.ref.key in facts.unreadable):
        return RenderedFile(link, comment=comment)
    if entry.ref.kind != "wheel":
        return RenderedFile(link, True, link.metadata_sha256, comment)
    # Not what the index announces: where that is wrong, the wheel's own METADATA is served, and pip must not refuse it.
    return RenderedFile(link, True, None if entry.sealed_sha256 is None else facts.digest_of(entry.ref), comment)
