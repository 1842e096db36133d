"""What is known about a project: asks the indexes in order of priority, saves their answers, and decides who owns it.

A lower index is asked only when every higher one has answered that it lacks the project.  That is the ownership rule, and it also
keeps the names of private projects from indexes that must not see them.
"""

from __future__ import annotations

import logging
import time
from contextlib import suppress
from heapq import merge
from itertools import groupby
from typing import TYPE_CHECKING, Final

import trio
from msgspec.structs import replace

from wheelfs.core.fetch import freshness
from wheelfs.core.projects import ownership
from wheelfs.core.projects.index_scopes import IndexScopes
from wheelfs.core.projects.ownership import Has, HasNot, NoAnswer, Owned
from wheelfs.errors import OriginUnreachable, StoreDamaged
from wheelfs.model.names import ProjectName
from wheelfs.model.share_catalog import file_key
from wheelfs.service.file_refs import FileRef
from wheelfs.service.projects.hash_comparison import HashComparison
from wheelfs.service.projects.index import Away, Entry
from wheelfs.service.projects.known_files import KnownFiles
from wheelfs.service.projects.limits import PROJECT_LIMITS
from wheelfs.service.projects.page_cache import PageCache
from wheelfs.service.projects.page_requests import PageRequests
from wheelfs.service.projects.replacements import Replacements
from wheelfs.service.projects.stored_links import stored_as, with_stored_digests

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator, Sequence

    from wheelfs.core.projects.ownership import Answer, Ownership
    from wheelfs.core.views.view import View
    from wheelfs.errors import WheelfsError
    from wheelfs.model.links import FileLink
    from wheelfs.service.hosts.breaker import Hosts
    from wheelfs.service.projects.index import Index
    from wheelfs.service.projects.limits import ProjectLimits
    from wheelfs.service.shares.follower import ShareFollower
    from wheelfs.store.catalog.records import PageHead, StoredName
    from wheelfs.store.store import Store

log = logging.getLogger(__name__)

NOT_ASKED: Final = "it was not asked yet"


class Projects:
    """The projects of all configured indexes and of the store."""

    def __init__(
        self,
        *,
        store: Store,
        indexes: Sequence[Index],
        hosts: Hosts,
        follower: ShareFollower,
        nursery: trio.Nursery,
        timeout_s: float,
        show_all: bool,
        limits: ProjectLimits = PROJECT_LIMITS,
    ) -> None:
        """``timeout_s`` is how long an index that is asked may be silent; ``show_all`` also lists what cannot be fetched now."""
        self.indexes = tuple(indexes)
        self.names = tuple(index.name for index in self.indexes)
        self.scopes = IndexScopes({index.name: index.projects for index in self.indexes}, follower.scopes)
        self._ranks = {ownership.LOCAL: -1, **{name: rank for rank, name in enumerate(self.names)}}
        self._by_name = {index.name: index for index in self.indexes}
        self._store = store
        self._hosts = hosts
        self._limits = limits
        self._comparison = HashComparison(store, nursery, limits)
        replacements = Replacements(catalog=store.catalog, hosts=hosts, timeout_s=timeout_s, limits=limits)
        self.requests = PageRequests(
            catalog=store.catalog, hosts=hosts, nursery=nursery, timeout_s=timeout_s, limits=limits, replacements=replacements
        )
        self._show_all = show_all
        self._pages = PageCache(store.catalog, limits)
        self._follower = follower
        self.files = KnownFiles(catalog=store.catalog, follower=follower, scopes=self.scopes)

    # --- ownership ------------------------------------------------------------------------------------------------

    async def find(self, project: ProjectName, *, index: str | None = None) -> Ownership:
        """Decide who owns a project: asks indexes that have not answered yet (bounded), and stale ones with a short wait."""
        consulting = self._consulted(project, index)
        try:
            asked = next(consulting)
            while True:
                asked = consulting.send(await self._ask(asked, project))
        except StopIteration as done:
            found: Ownership = done.value
            await self.compared(found, project)
            return found

    async def compared(self, found: Ownership, project: ProjectName) -> None:
        """Compare stored files with hashes that are new to this store, before anything is shown of them; waits a little."""
        if isinstance(found, Owned) and self._comparison.is_due(found, project):
            await self._comparison.compare(found, project)

    def at_once(self, project: ProjectName, *, index: str | None = None, stale: bool = False) -> Ownership | None:
        """Do what `find` does if that needs no wait; return None otherwise.

        ``stale``: a page that is too old will do; it is revalidated in the background.
        """
        found = self._decided(project, index, lambda asked: self._answer_at_once(asked, project, stale=stale))
        return None if isinstance(found, Owned) and self._comparison.is_due(found, project) else found

    def known(self, project: ProjectName, *, index: str | None = None) -> Ownership:
        """Decide who owns a project by earlier answers alone; never uses the network."""
        found = self._decided(project, index, lambda asked: self._recorded(asked, project))
        assert found is not None, "every index has a recorded answer, silence included"
        return found

    def _decided(self, project: ProjectName, index: str | None, answer_of: Callable[[Index], Answer | None]) -> Ownership | None:
        """Decide by what ``answer_of`` returns for each index; None as soon as it returns None."""
        consulting = self._consulted(project, index)
        try:
            asked = next(consulting)
            while (answer := answer_of(asked)) is not None:
                asked = consulting.send(answer)
        except StopIteration as done:
            found: Ownership = done.value
            return found
        return None

    def _consulted(self, project: ProjectName, index: str | None) -> Generator[Index, Answer, Ownership]:
        """Yield the index to ask next, to be sent its answer, until one has decided; return who owns the project.

        The indexes below that one are not consulted, since nothing they once said may change the result.
        """
        answers: list[Answer] = []
        for asked in self._in_charge(project, index):
            answers.append((yield asked))
            if not isinstance(answers[-1], HasNot):
                break
        return self._decide(answers, project, index)

    def entries(
        self, owned: Owned, project: ProjectName, *, filename: str | None = None, everything: bool = False
    ) -> list[Entry]:
        """Return the owner's files, in its page's order and then those it no longer lists; with ``filename`` only that one.

        While files that are not stored cannot be fetched they are left out (``[offline] show = "stored"``) unless ``everything``
        is wanted, and except one asked for by name: opening it is how a user learns why it cannot be fetched.
        """
        stored, before = self._stored_names(project, owned.owner)
        digests = {name.sha256: name for name in stored}
        shared = {name.file.sha256 for name in self._follower.of(project)}
        private = {name.sha256 for name in stored if name.private and not name.of_share}
        by_name = {name.filename: name for name in stored if owned.owner in name.origins and not name.of_share}
        entries: list[Entry] = []
        taken: set[str] = set()
        for link in owned.listed:
            if filename is not None and link.filename != filename:
                continue
            sealed = stored_as(link, by_name) if link.sha256 is None else link.sha256 if link.sha256 in digests else None
            is_at_hand = sealed is not None or link.sha256 in shared or self.lists_remote(owned)
            if is_at_hand:
                taken.add(link.filename)
            elif filename is None and not everything:
                continue
            name = digests.get(sealed or b"")
            came_us = None if name is None else name.added_at_us
            ref = FileRef(project, owned.owner, with_stored_digests(link, name), came_us, before.get(link.filename, b""))
            entries.append(Entry(ref, sealed, True, sealed in private, name is not None and name.repacked))
        is_listed = owned.page is None or owned.owner == ownership.LOCAL
        kept: list[Entry] = []
        for link in owned.kept:
            # Never next to another file of its name: both links of a page would lead to the same bytes.
            if filename in (None, link.filename) and link.filename not in taken:
                taken.add(link.filename)
                sealed = link.sha256 if link.sha256 in digests else None
                name = digests.get(sealed or b"")
                ref = FileRef(project, owned.owner, link, None if name is None else name.added_at_us)
                is_repacked = name is not None and name.repacked
                kept.append(Entry(ref, sealed, is_listed, link.sha256 in private, is_repacked))
        # By name, a stored file goes before one that its index lists and cannot serve now.
        return [*entries, *kept] if filename is None else [*kept, *entries]

    def refs(self, owned: Owned, project: ProjectName, links: Iterable[FileLink]) -> list[FileRef]:
        """Return files of the owner's page as `entries` has them while they are not stored."""
        _, before = self._stored_names(project, owned.owner)
        return [FileRef(project, owned.owner, link, None, before.get(link.filename, b"")) for link in links]

    def _stored_names(self, project: ProjectName, owner: str) -> tuple[list[StoredName], dict[str, bytes]]:
        """Return the names that are shown, and the digests of what the owner had before under names of its page."""
        current: list[StoredName] = []
        before: dict[str, bytes] = {}
        for name in self._store.catalog.stored_names(project, replaced=True):
            if name.replaced is None:
                current.append(name)
            elif name.index == owner:
                before[name.filename] = before.get(name.filename, b"") + name.sha256
        return current, before

    def lists_remote(self, owned: Owned) -> bool:
        """Return whether files that are not stored are listed now; see `entries`."""
        return owned.reachable or self._show_all

    def fresh_for_s(self, owned: Owned, project: ProjectName) -> float:
        """Return for how many seconds the owner's page still counts as fresh; zero or less when it does not."""
        head = self._store.catalog.page_head(owned.owner, project)
        index = self._by_name.get(owned.owner)
        if head is None or index is None:
            return 0.0
        return head.fetched_at_us / 1e6 + freshness.lifetime_s(index.ttl_s, head.max_age_s) - time.time()

    async def renewed(self, ref: FileRef) -> FileRef | None:
        """Return a file whose URL was refused with its current URL; None if that has not changed.

        Some indexes put signed URLs on their pages, which expire before our copy of the page does.
        """
        if not await self.asked_again(ref.origin, ref.project):
            return None
        page = None
        with suppress(StoreDamaged):  # the next reader of the page itself has it fetched again
            page = self._store.catalog.page(ref.origin, ref.project)
        for link in () if page is None else page.files:
            if link.filename == ref.filename and link.sha256 in (None, ref.link.sha256) and link.url != ref.link.url:
                return replace(ref, link=link)
        return None

    async def asked_again(self, origin: str, project: ProjectName) -> bool:
        """Ask an index for a page that it has given, unless it did a moment ago or is away; return whether it was asked."""
        index = self._by_name.get(origin)
        head = self._store.catalog.page_head(origin, project)
        if index is None or head is None or not self._hosts.may_ask(index.url):
            return False
        if time.time() - head.fetched_at_us / 1e6 < self._limits.renew_after_s:
            return False
        await self._fetch(index, project, head)
        return True

    def sealed(self, ref: FileRef) -> bytes | None:
        """Return the sha256 under which a file is stored and may be served, or None when it is not (or is quarantined)."""
        if ref.link.sha256 is not None:
            return ref.link.sha256 if self._store.holds(ref.link.sha256) else None
        names = self._store.catalog.stored_names(ref.project, ref.filename)
        by_name = {name.filename: name for name in names if _is_named(name, ref)}
        sha256 = stored_as(ref.link, by_name)
        return sha256 if sha256 is not None and self._store.holds(sha256) else None

    def is_listed(self, project: ProjectName, view: View) -> bool:
        """Return whether ``simple/`` of a view lists the project, by what is stored; decodes no page: there may be thousands."""
        names = self._store.catalog.stored_names(project)
        origins = [origin for name in names if not name.of_share for origin in name.origins]
        if any(view.index in (None, origin) and self.scopes.may_show(project, origin) for origin in origins):
            return True
        heads = [self._store.catalog.page_head(index.name, project) for index in self._in_charge(project, view.index)]
        if not view.stored and any(head is not None and not head.absent for head in heads):
            return True
        if not names and (view.stored or not self._follower.of(project)):
            return False
        found = self.known(project, index=view.index)
        entries = self.entries(found, project) if isinstance(found, Owned) else []
        return any(entry.sealed_sha256 is not None for entry in entries) if view.stored else bool(entries)

    def stamp(self, project: ProjectName, *, index: str | None = None) -> object:
        """Return a value that changes whenever what is shown of a project may change; cheap enough for every look-up."""
        heads = [
            (self._store.catalog.page_head(asked.name, project), self._hosts.availability(asked.url))
            for asked in self._in_charge(project, index)
        ]
        shown = tuple((None if head is None else head.changed_at_us, availability) for head, availability in heads)
        names = self._store.catalog.stored_names(project, replaced=True)
        shared = tuple((name.share, *file_key(name.file), name.listed_by) for name in self._follower.of(project))
        stored = tuple(
            (one.filename, one.origins, one.sha256, one.private, one.of_share, one.replaced, str(one.hashes)) for one in names
        )
        return shown, stored, shared

    def changed_at_us(self, project: ProjectName, *, index: str | None = None) -> int | None:
        """Return when an index's answer about a project last changed, or a file of it came here, whichever is later."""
        heads = (self._store.catalog.page_head(asked.name, project) for asked in self._in_charge(project, index))
        times = [head.changed_at_us for head in heads if head is not None]
        times += [name.added_at_us for name in self._store.catalog.stored_names(project)]
        return max(times, default=None)

    def known_names(self, after: str | None = None) -> Iterator[ProjectName]:
        """Yield the projects that follow ``after`` and of which anything is known, in order."""
        shared = map(ProjectName, self._follower.projects(after))
        return (project for project, _ in groupby(merge(self._store.catalog.projects(after), shared)))

    def rank(self, origin: str) -> tuple[int, str]:
        """Return the sort key of an origin: files added by hand, then indexes by priority, then origins no longer configured."""
        return self._ranks.get(origin, len(self.indexes)), origin

    def away(self, owned: Owned, project: ProjectName) -> Away | None:
        """Return since when the owner cannot be asked, and how many of its files are hidden meanwhile; None while it can."""
        index = self._by_name.get(owned.owner)
        if index is None or self._hosts.may_ask(index.url):
            return None
        hidden = len(owned.listed) + len(owned.kept) - len(self.entries(owned, project))
        return Away(index.name, self._hosts.state(index.url)[1], hidden)

    def unreachable(self, owned: Owned, project: ProjectName) -> OriginUnreachable:
        """Return the error for a project none of whose files can be installed now."""
        return OriginUnreachable(
            f"list {project} of {owned.owner}",
            "its index cannot be reached now, and none of its files is stored",
            "see `wheelfs status`; once fetched, files stay available without any index",
        )

    # --- one index's answer ---------------------------------------------------------------------------------------

    async def _ask(self, index: Index, project: ProjectName) -> Answer:
        head = self._store.catalog.page_head(index.name, project)
        match self._decision(index, project, head):
            case freshness.Serve():
                pass
            case freshness.Revalidate(wait_s):
                request = self.requests.begin(index, project, head)
                with trio.move_on_after(wait_s):
                    await request.done.wait()
                if request.is_saved:  # the index is well: what it says without hashes may still have to be asked about
                    await request.done.wait()
            case freshness.Fetch():
                error = await self._fetch(index, project, head)
                if error is not None and head is None:
                    return NoAnswer(index.name, error)
        answer = self._recorded(index, project)
        if not ownership.is_rotten(answer):
            return answer
        error = await self._fetch(index, project, None)
        return self._recorded(index, project) if error is None else NoAnswer(index.name, error)

    async def _fetch(self, index: Index, project: ProjectName, head: PageHead | None) -> WheelfsError | None:
        """Ask and wait for the answer; return why there is none.  A request that has just failed is not repeated."""
        failed = self.requests.recent_failure(index, project, self._limits.failed_ttl_s)
        if failed is not None:
            return failed
        request = self.requests.begin(index, project, head)
        return await self.requests.ended(request, f"look up {project} on {index.name}")

    def _answer_at_once(self, index: Index, project: ProjectName, *, stale: bool) -> Answer | None:
        head = self._store.catalog.page_head(index.name, project)
        match self._decision(index, project, head):
            case freshness.Fetch():
                return None
            case freshness.Revalidate(wait_s):
                if wait_s > 0 and not (stale and head is not None and not head.absent):
                    return None
                self.requests.begin(index, project, head)
            case freshness.Serve():
                pass
        answer = self._recorded(index, project)
        return None if ownership.is_rotten(answer) else answer

    def _decision(self, index: Index, project: ProjectName, head: PageHead | None) -> freshness.Decision:
        may_ask = self._hosts.may_ask(index.url)
        age_s, lifetime_s = None, 0.0
        # After a change of the index's URL, an answer of the old URL counts only while the new one cannot be asked.
        if head is not None and (head.index_url == index.url or not may_ask):
            age_s = time.time() - head.fetched_at_us / 1e6
            ttl_s = min(self._limits.absent_ttl_s, index.ttl_s) if head.absent else index.ttl_s
            lifetime_s = freshness.lifetime_s(ttl_s, head.max_age_s)
        return freshness.decide(
            age_s=age_s,
            ttl_s=lifetime_s,
            may_ask=may_ask and self.requests.recent_failure(index, project, self._limits.stale_retry_s) is None,
            prompt=self._hosts.is_responsive(index.url),
        )

    def _recorded(self, index: Index, project: ProjectName) -> Answer:
        head = self._store.catalog.page_head(index.name, project)
        if head is None:
            return NoAnswer(index.name, OriginUnreachable(f"look up {project} on {index.name}", NOT_ASKED))
        try:
            page = None if head.absent else self._pages.page(index.name, project, head)
        except StoreDamaged as damage:
            log.error("%s: %s; it is fetched again", index.name, damage)
            if not self._store.directory.readonly:
                self._store.catalog.forget_page(index.name, project)
            return NoAnswer(index.name, damage)
        return HasNot(index.name) if page is None else Has(index.name, page, reachable=self._hosts.may_ask(index.url))

    def _decide(self, answers: list[Answer], project: ProjectName, index: str | None) -> Ownership:
        files = self.files.of(project, index)
        if index is None and not any(file.of_share and file.may_own for file in files):
            silence = self.files.silence_of_shares(project)
            answers = answers if silence is None else [*answers, silence]
        return ownership.decide(answers, files, configured=self.names, tied_to=self.scopes.tied_to(project))

    def _in_charge(self, project: ProjectName, index: str | None) -> tuple[Index, ...]:
        return tuple(self._by_name[name] for name in self.scopes.of(project) if index in (None, name))


def _is_named(name: StoredName, ref: FileRef) -> bool:
    return name.filename == ref.filename and ref.origin in name.origins and not name.of_share
