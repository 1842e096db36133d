"""What a mount does not show because only shares name it: counted, with what would show it.

The count is made in the background, since it looks at every project that is known, and status must answer at once.
"""

from __future__ import annotations

import logging
from collections import Counter
from typing import TYPE_CHECKING, Final, Literal

import trio

from wheelfs.core.formatting import counted
from wheelfs.core.projects.ownership import LOCAL, Owned, Undecided
from wheelfs.errors import StoreDamaged
from wheelfs.reports.status import WithheldFiles, withheld_sentence
from wheelfs.service.tasks import failure

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from wheelfs.core.projects.ownership import Ownership, StoredFile
    from wheelfs.model.names import ProjectName
    from wheelfs.service.hosts.breaker import Hosts
    from wheelfs.service.projects.projects import Projects
    from wheelfs.store.catalog.catalog import Catalog

log = logging.getLogger(__name__)

Reason = Literal["silent", "tied", "owned"]
"""An index in charge has not answered; the name is tied to another; an index has the project and does not list the file."""

POLL_S: Final = 1.0
"""How soon a change is noticed."""

FIRST_S: Final = 3.0
"""When a process counts first: what it was started for comes before (of 50,000 files, a count takes as long as a listing)."""

REST: Final = 20
"""So many times as long as a count takes, none is made after it: it costs a twentieth of one core at most."""


class Withheld:
    """Finds out what is withheld, by what is known without asking an index."""

    def __init__(self, projects: Projects, catalog: Catalog, hosts: Hosts) -> None:
        """Nothing is counted yet."""
        self._projects = projects
        self._catalog = catalog
        self._hosts = hosts
        self._counted = WithheldFiles()
        self._is_reported = False

    def of(self, project: ProjectName, ownership: Ownership, index: str | None = None) -> Counter[Reason]:
        """Count what is withheld of a project by reason."""
        files = self._candidates(project, index)
        return self._withheld(project, files, ownership) if files else Counter()

    def _candidates(self, project: ProjectName, index: str | None = None) -> list[StoredFile]:
        """Return the files of shares, and those of an index that is not configured any more where the name is tied to another."""
        is_tied = self._projects.scopes.tied_to(project) is not None
        return [
            file
            for file in self._projects.files.of(project, index)
            if file.of_share
            or (is_tied and not file.private and file.origin != LOCAL and file.origin not in self._projects.names)
        ]

    def _withheld(self, project: ProjectName, files: Sequence[StoredFile], ownership: Ownership) -> Counter[Reason]:
        owned = ownership if isinstance(ownership, Owned) else None
        links = () if owned is None else (*owned.listed, *owned.kept)
        shown = {(link.filename, link.sha256) for link in links}
        is_tied = self._projects.scopes.tied_to(project) is not None
        found: Counter[Reason] = Counter()
        for file in files:
            if (file.link.filename, file.link.sha256) in shown:
                continue
            if not file.of_share:
                found["tied"] += 1
            elif not file.may_own:  # kept from naming it by [[share]] names, which is no surprise, or by what is tied
                found.update(("tied",) if is_tied else ())
            else:
                found["silent" if isinstance(ownership, Undecided) else "owned"] += 1
        return found

    def explain(self, project: ProjectName, owned: Owned, index: str | None) -> Iterator[str]:
        """Yield a sentence for a project's page that says what is not on it."""
        if count := self.of(project, owned, index).total():
            which = "it" if count == 1 else "them"
            yield (
                f"hidden here: {counted(count, 'file')} that shares have and {owned.owner} does not list; "
                f'projects = ["{project}"] in a [[share]] table would show {which}'
            )

    def count(self) -> WithheldFiles:
        """Count what is withheld of all projects; blocks."""
        reasons: Counter[Reason] = Counter()
        projects = 0
        for project in self._projects.known_names():
            # Who owns a project is the greater part of the work, and of most projects nothing can be withheld.
            try:
                files = self._candidates(project)
                found = self._withheld(project, files, self._projects.known(project)) if files else None
            except StoreDamaged:  # who looks into the project gets the error
                continue
            if found:
                reasons += found
                projects += 1
        return WithheldFiles(
            files=reasons.total(),
            projects=projects,
            silent=reasons["silent"],
            tied=reasons["tied"],
            owned=reasons["owned"],
            remedy=_remedy(reasons),
        )

    def state(self) -> WithheldFiles:
        """Return what was counted last."""
        return self._counted

    async def keep_counted(self) -> None:
        """Count again whenever something has changed; never returns."""
        seen: object = None
        await trio.sleep(FIRST_S)
        while True:
            took_s = 0.0
            try:
                now = self._catalog.last_seq(), self._hosts.epoch
                if now != seen:
                    seen, began_s = now, trio.current_time()
                    self._counted = await trio.to_thread.run_sync(self.count, abandon_on_cancel=True)
                    took_s = trio.current_time() - began_s
                    self._report()
            except Exception as error:  # a task that fails here would end the mount
                log.warning("%s", failure("count what is withheld", error))
            await trio.sleep(max(POLL_S, REST * took_s))

    def _report(self) -> None:
        """Say so once in a process: earlier versions showed these files, so an upgrade may be why they are missed."""
        if self._counted.files and not self._is_reported:
            self._is_reported = True
            log.warning("%s", withheld_sentence(self._counted))


def _remedy(reasons: Counter[Reason]) -> str:
    lines = []
    if reasons["silent"]:
        lines.append("--no-index, or look the project up in simple/ once its index answers")
    if reasons["silent"] or reasons["owned"]:
        lines.append('projects = ["NAME"] in a [[share]] table')
    if reasons["tied"]:
        lines.append("take the name out of the projects that tie it")
    return "; or ".join(lines)
