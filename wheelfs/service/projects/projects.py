"""What is known of a project: asks the indexes in order of priority, keeps their answers, and says whose project it is.

A lower index is asked only when every higher one has said no: that is the ownership rule, and it also keeps the names of private
projects from indexes that have no business with them.
"""

from __future__ import annotations

import logging
import time
from contextlib import suppress
from dataclasses import dataclass
from heapq import merge
from itertools import groupby
from typing import TYPE_CHECKING, Final

import msgspec
import trio

from wheelfs.core.fetch import freshness
from wheelfs.core.projects import ownership
from wheelfs.core.projects.index_scopes import Charges
from wheelfs.core.projects.ownership import Has, HasNot, Silent, StoredFile
from wheelfs.errors import OriginUnreachable, StoreDamaged
from wheelfs.model.names import ProjectName
from wheelfs.service.file_refs import FileRef, link_of
from wheelfs.service.projects.page_cache import PageCache
from wheelfs.service.projects.page_requests import Questions

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from wheelfs.core.projects.ownership import Answer, Owned, Ownership
    from wheelfs.core.views.view import View
    from wheelfs.errors import WheelfsError
    from wheelfs.model.links import FileLink
    from wheelfs.remote.origin import Origin
    from wheelfs.service.hosts.breaker import Hosts
    from wheelfs.service.shares.follower import Sharing
    from wheelfs.store.catalog.records import PageHead, StoredName
    from wheelfs.store.store import Store

log = logging.getLogger(__name__)

ABSENT_TTL_S: Final = 60.0
"""How long an index's "no such project" is believed: short, since a project that was just published is asked for again soon."""

FAILED_TTL_S: Final = 1.0
"""How long a failure is repeated instead of asking again: looking a page up and opening it are one question to a user."""

RENEW_AFTER_S: Final = 1.0
"""How old a page must be to be asked for again because of an address on it: one that is refused for ever costs no more."""

STALE_RETRY_S: Final = 10.0
"""How long a stale page is served without asking again after its index failed: one resolution looks a page up many times."""

NOT_ASKED: Final = "it was not asked yet"


@dataclass(frozen=True, slots=True)
class Index:
    """One configured index.

    ``ttl_s`` is how long its pages count as fresh, ``projects`` the patterns of the names that it is tied to (none: all others).
    """

    name: str
    url: str
    client: Origin
    ttl_s: float
    projects: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Entry:
    """A file of a project as a directory may show it; ``sealed_sha256`` is set when it is stored."""

    ref: FileRef
    sealed_sha256: bytes | None
    is_listed: bool = True
    """False for a stored file that its index no longer lists."""
    is_private: bool = False
    """True for a stored file that was added by hand."""


@dataclass(frozen=True, slots=True)
class Away:
    """An index that cannot be asked now, ``since_s`` seconds of the epoch (None: as long as wheelfs is told to be offline)."""

    index: str
    since_s: float | None
    hidden: int


class Projects:
    """The projects of all configured indexes and of the store."""

    def __init__(
        self,
        *,
        store: Store,
        indexes: Sequence[Index],
        hosts: Hosts,
        sharing: Sharing,
        nursery: trio.Nursery,
        bound_s: float,
        show_all: bool,
    ) -> None:
        """``bound_s`` is how long an index that is asked may be silent; ``show_all`` lists what cannot be fetched now as well."""
        self.indexes = tuple(indexes)
        self.names = tuple(index.name for index in self.indexes)
        self.charges = Charges({index.name: index.projects for index in self.indexes})
        self._ranks = {ownership.LOCAL: -1, **{name: rank for rank, name in enumerate(self.names)}}
        self._by_name = {index.name: index for index in self.indexes}
        self._store = store
        self._hosts = hosts
        self._questions = Questions(catalog=store.catalog, hosts=hosts, nursery=nursery, bound_s=bound_s)
        self._show_all = show_all
        self._pages = PageCache(store.catalog)
        self._sharing = sharing

    # --- ownership ------------------------------------------------------------------------------------------------

    async def find(self, project: ProjectName, *, index: str | None = None) -> Ownership:
        """Say whose project it is, asking indexes that have not answered yet (bounded) and stale ones (hardly waiting)."""
        answers: list[Answer] = []
        for one in self._in_charge(project, index):
            answer = await self._ask(one, project)
            answers.append(answer)
            if not isinstance(answer, HasNot):
                break
        return self._decide(answers, project, index)

    def at_once(self, project: ProjectName, *, index: str | None = None, stale: bool = False) -> Ownership | None:
        """Do what `find` does where nothing has to be waited for; return None where something has.

        ``stale``: a page that is too old will do; it is asked for again behind.
        """
        answers: list[Answer] = []
        for one in self._in_charge(project, index):
            head = self._store.catalog.page_head(one.name, project)
            match self._decision(one, project, head):
                case freshness.Fetch():
                    return None
                case freshness.Revalidate(wait_s):
                    if wait_s > 0 and not (stale and head is not None and not head.absent):
                        return None
                    self._questions.begin(one, project, head)
                case freshness.Serve():
                    pass
            answers.append(self._recorded(one, project))
            if ownership.is_rotten(answers[-1]):
                return None
            if not isinstance(answers[-1], HasNot):
                break
        return self._decide(answers, project, index)

    def known(self, project: ProjectName, *, index: str | None = None) -> Ownership:
        """Say whose project it is by what was answered before; never uses the network."""
        answers: list[Answer] = []
        for one in self._in_charge(project, index):
            answers.append(self._recorded(one, project))
            if not isinstance(answers[-1], HasNot):
                break  # like `find`: what lower indexes once said must not make another answer of it
        return self._decide(answers, project, index)

    def entries(self, owned: Owned, project: ProjectName, *, filename: str | None = None) -> list[Entry]:
        """Return the owner's files, in its page's order and then those it no longer lists; with ``filename`` only that one.

        While what is not stored cannot be fetched, such files are left out (``[offline] show = "stored"``); one that is asked for
        by name is there all the same, since opening it is how to learn why it cannot be had.
        """
        stored = self._store.catalog.stored_names(project)
        digests = {name.sha256: name for name in stored}
        shared = {file.sha256: file.private for file in self._sharing.of(project)}
        private = {name.sha256 for name in stored if name.private}
        private.update(digest for digest, is_private in shared.items() if is_private)
        by_name = {name.filename: name.sha256 for name in stored if owned.owner in name.origins}
        entries: list[Entry] = []
        taken: set[str] = set()
        for link in owned.listed:
            if filename is not None and link.filename != filename:
                continue
            sealed = by_name.get(link.filename) if link.sha256 is None else link.sha256 if link.sha256 in digests else None
            is_at_hand = sealed is not None or link.sha256 in shared or self.lists_remote(owned)
            if is_at_hand:
                taken.add(link.filename)
            elif filename is None:
                continue
            entries.append(
                Entry(
                    FileRef(project, owned.owner, _as_stored(link, digests.get(sealed or b""))), sealed, True, sealed in private
                )
            )
        is_listed = owned.page is None or owned.owner == ownership.LOCAL
        kept: list[Entry] = []
        for link in owned.kept:
            # Never beside another file of its name: both links of a page would lead to the same bytes.
            if filename in (None, link.filename) and link.filename not in taken:
                taken.add(link.filename)
                sealed = link.sha256 if link.sha256 in digests else None
                kept.append(Entry(FileRef(project, owned.owner, link), sealed, is_listed, link.sha256 in private))
        # By name, what is kept goes before what its index lists and cannot give now.
        return [*entries, *kept] if filename is None else [*kept, *entries]

    def lists_remote(self, owned: Owned) -> bool:
        """Return whether files that are not stored are listed now; see `entries`."""
        return owned.reachable or self._show_all

    def fresh_for_s(self, owned: Owned, project: ProjectName) -> float:
        """Return for how many seconds the owner's page still counts as fresh; zero or less when it does not."""
        head = self._store.catalog.page_head(owned.owner, project)
        index = next((one for one in self.indexes if one.name == owned.owner), None)
        if head is None or index is None:
            return 0.0
        return head.fetched_at_us / 1e6 + freshness.lifetime_s(index.ttl_s, head.max_age_s) - time.time()

    async def renewed(self, ref: FileRef) -> FileRef | None:
        """Return a file whose address was refused with the address that it has now; None where that is the same one.

        Some indexes write addresses with a signature on their pages, which expires before our page does.
        """
        index = self._by_name.get(ref.origin)
        head = self._store.catalog.page_head(ref.origin, ref.project)
        if index is None or head is None or time.time() - head.fetched_at_us / 1e6 < RENEW_AFTER_S:
            return None
        await self._questions.begin(index, ref.project, head).done.wait()
        page = None
        with suppress(StoreDamaged):  # whoever reads the page itself has it asked for again
            page = self._store.catalog.page(index.name, ref.project)
        for link in () if page is None else page.files:
            if link.filename == ref.filename and link.sha256 in (None, ref.link.sha256) and link.url != ref.link.url:
                return FileRef(ref.project, ref.origin, link)
        return None

    def sealed(self, ref: FileRef) -> bytes | None:
        """Return the sha256 under which a file is stored and may be served, or None when it is not (or is quarantined)."""
        if ref.link.sha256 is not None:
            return ref.link.sha256 if self._store.holds(ref.link.sha256) else None
        names = self._store.catalog.stored_names(ref.project)
        found = (name.sha256 for name in names if name.filename == ref.filename and ref.origin in name.origins)
        return next((sha256 for sha256 in found if self._store.holds(sha256)), None)

    def is_listed(self, project: ProjectName, view: View) -> bool:
        """Return whether ``simple/`` of a view lists the project, by what is known; decodes no page: there may be thousands."""
        names = self._store.catalog.stored_names(project)
        origins = [origin for name in names for origin in name.origins]
        origins += [] if view.stored else [file.index for file in self._sharing.of(project)]
        if any(view.index in (None, origin) and self.may_show(project, origin) for origin in origins):
            return True
        heads = [self._store.catalog.page_head(index.name, project) for index in self._in_charge(project, view.index)]
        return not view.stored and any(head is not None and not head.absent for head in heads)

    def stamp(self, project: ProjectName, *, index: str | None = None) -> object:
        """Return a value that differs whenever what is shown of a project may differ; cheap enough for every look-up."""
        heads = [
            (self._store.catalog.page_head(one.name, project), self._hosts.standing(one.url))
            for one in self._in_charge(project, index)
        ]
        shown = tuple((None if head is None else head.changed_at_us, asked) for head, asked in heads)
        names = self._store.catalog.stored_names(project)
        shared = tuple((file.filename, file.index, file.sha256) for file in self._sharing.of(project))
        return shown, tuple((name.filename, name.origins, name.sha256, name.private) for name in names), shared

    def known_names(self, after: str | None = None) -> Iterator[ProjectName]:
        """Yield the projects that follow ``after`` and of which anything is known, in order."""
        shared = map(ProjectName, self._sharing.projects(after))
        return (project for project, _ in groupby(merge(self._store.catalog.projects(after), shared)))

    def may_show(self, project: str, origin: str) -> bool:
        """Return False for files of a configured index that is not in charge of the project: its name is tied to others."""
        return origin not in self._by_name or origin in self.charges.of(project)

    def may_list(self, project: str, origin: str) -> bool:
        """Do what `may_show` does for a share's file, which must also not stand beside a project of an index before its own."""
        if origin in self._by_name:
            for name in self.charges.of(project):
                if name == origin:
                    return True
                head = self._store.catalog.page_head(name, project)
                if head is not None and not head.absent:
                    return False
        return self.may_show(project, origin)

    def rank(self, origin: str) -> tuple[int, str]:
        """Return the sort key of an origin: files added by hand, then indexes by priority, then origins no longer configured."""
        return self._ranks.get(origin, len(self.indexes)), origin

    def away(self, owned: Owned, project: ProjectName) -> Away | None:
        """Return since when the owner cannot be asked, and how many of its files are hidden for that; None while it can."""
        index = self._by_name.get(owned.owner)
        if index is None or self._hosts.may_ask(index.url):
            return None
        hidden = len(owned.listed) + len(owned.kept) - len(self.entries(owned, project))
        return Away(index.name, self._hosts.state(index.url)[1], hidden)

    def unreachable(self, owned: Owned, project: ProjectName) -> OriginUnreachable:
        """Return the error of a project of which nothing can be installed now."""
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
                question = self._questions.begin(index, project, head)
                with trio.move_on_after(wait_s):
                    await question.done.wait()
            case freshness.Fetch():
                error = await self._fetch(index, project, head)
                if error is not None and head is None:
                    return Silent(index.name, error)
        answer = self._recorded(index, project)
        if not ownership.is_rotten(answer):
            return answer
        error = await self._fetch(index, project, None)
        return self._recorded(index, project) if error is None else Silent(index.name, error)

    async def _fetch(self, index: Index, project: ProjectName, head: PageHead | None) -> WheelfsError | None:
        """Ask and wait for the answer; return why there is none.  A failure of a moment ago is not tried again."""
        failed = self._questions.failed_lately(index, project, FAILED_TTL_S)
        if failed is not None:
            return failed
        question = self._questions.begin(index, project, head)
        await question.done.wait()
        return question.error

    def _decision(self, index: Index, project: ProjectName, head: PageHead | None) -> freshness.Decision:
        if head is not None and head.index_url != index.url and self._hosts.may_ask(index.url):
            # The index has another address now: what the old one said holds only where the new one cannot be asked.
            return freshness.Fetch()
        if head is None:
            return freshness.Fetch()
        return freshness.decide(
            age_s=time.time() - head.fetched_at_us / 1e6,
            ttl_s=freshness.lifetime_s(ABSENT_TTL_S if head.absent else index.ttl_s, head.max_age_s),
            may_ask=self._hosts.may_ask(index.url) and self._questions.failed_lately(index, project, STALE_RETRY_S) is None,
            prompt=self._hosts.is_prompt(index.url),
        )

    def _recorded(self, index: Index, project: ProjectName) -> Answer:
        head = self._store.catalog.page_head(index.name, project)
        if head is None:
            return Silent(index.name, OriginUnreachable(f"look up {project} on {index.name}", NOT_ASKED))
        try:
            page = None if head.absent else self._pages.page(index.name, project, head)
        except StoreDamaged as damage:
            log.error("%s: %s; it is asked for again", index.name, damage)
            if not self._store.directory.readonly:
                self._store.catalog.forget_page(index.name, project)
            return Silent(index.name, damage)
        return HasNot(index.name) if page is None else Has(index.name, page, reachable=self._hosts.may_ask(index.url))

    def _decide(self, answers: list[Answer], project: ProjectName, index: str | None) -> Ownership:
        names = self._store.catalog.stored_names(project)
        stored = [StoredFile(name.index, link_of(name), private=name.private) for name in names]
        stored += [StoredFile(origin, link_of(name)) for name in names for origin in name.also]
        here = {(name.filename, name.sha256) for name in names}
        stored += [
            StoredFile(file.index, link_of(file), private=file.private)
            for file in self._sharing.of(project)
            if (file.filename, file.sha256) not in here
        ]
        if index is not None:
            stored = [file for file in stored if file.origin == index]
        return ownership.decide(answers, stored, configured=self.names)

    def _in_charge(self, project: ProjectName, index: str | None) -> tuple[Index, ...]:
        return tuple(self._by_name[name] for name in self.charges.of(project) if index in (None, name))


def _as_stored(link: FileLink, name: StoredName | None) -> FileLink:
    """Return the link with the digests of what is stored, where the index gives none."""
    if name is None or (link.sha256 is not None and (link.metadata_sha256 is not None or name.metadata_sha256 is None)):
        return link
    return msgspec.structs.replace(link, sha256=name.sha256, metadata_sha256=link.metadata_sha256 or name.metadata_sha256)
