"""``wheelfs check``: which of the files that a lock or a requirements file wants are stored, for an install without any index."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from wheelfs.core.projects.ownership import LOCAL, Owned
from wheelfs.core.resolve.candidates import NothingFits, choose, link_has_one_of, why_an_sdist
from wheelfs.model.links import FileLink
from wheelfs.model.names import project_and_version
from wheelfs.reports.check import CheckedFile, CheckSummary
from wheelfs.service.file_refs import link_of
from wheelfs.service.vfs.original_pages import OriginalPages

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from wheelfs.core.platforms.targets import Target
    from wheelfs.model.names import ProjectName
    from wheelfs.model.wanted import Wanted
    from wheelfs.reports.check import CheckResult
    from wheelfs.service.operations.requirements import Wants
    from wheelfs.service.running import Running
    from wheelfs.store.catalog.records import StoredName

NOT_STORED: Final = "it is not stored"
NOT_KNOWN: Final = "nothing is known of the project here"
OTHER_HASH: Final = "what is stored under this name has another hash"
NO_ADDRESS: Final = "it is stored, but nothing here says that its index has it, so its URL means nothing (fetch asks the index)"
OWN_FILE: Final = "it is a file of yours"


class Check:
    """What an install finds that asks no index, as under ``wheelfs run --offline``; ``node`` has to be offline."""

    def __init__(self, node: Running, target: Target) -> None:
        self._node = node
        self._target = target
        self._pages = OriginalPages(node.projects, node.views)

    def files(self, wants: Wants) -> Iterator[CheckedFile]:
        """Yield a report of each file that is wanted."""
        for own in wants.local:
            yield CheckedFile(wanted=own.asked.text, result="skipped", reason=OWN_FILE, places=_places(own.asked.place))
        for one in wants.unfetchable:
            result: CheckResult = "skipped" if one.is_own_tree else "missing"
            yield CheckedFile(wanted=one.text, result=result, reason=one.reason, places=_places(one.place))
        for wanted in (*wants.as_one(), *wants.locked):
            yield self._of_lock(wanted) if wanted.filenames else self._of_pages(wanted)

    def _of_lock(self, wanted: Wanted) -> CheckedFile:
        """Report on what a lock wants: it names the files of the version itself, so no page is needed to choose among them."""
        # That the one for the target has the lock's hash shows when it is stored.
        links = [FileLink(name, "") for name in sorted(wanted.filenames)]
        chosen = choose(replace(wanted, hashes=frozenset()), links, self._target)
        if isinstance(chosen, NothingFits):
            return _missing(wanted, None, chosen.reason)
        names = self._node.store.catalog.stored_names(wanted.project)
        named = [one for one in names if one.filename == chosen.filename and self._node.store.holds(one.sha256)]
        right = [one for one in named if link_has_one_of(link_of(one), wanted.hashes) is not False]
        for one in right:
            if self._has_address(wanted.project, one):
                return _present(wanted, one, why_an_sdist(chosen, wanted, links))
        return _missing(wanted, chosen.filename, NO_ADDRESS if right else OTHER_HASH if named else NOT_STORED)

    def _has_address(self, project: ProjectName, name: StoredName) -> bool:
        """Return whether the URL of a file of an index leads to what is stored here: a page lists it, or it was fetched there."""
        if name.url:
            return True
        known = (self._node.projects.known(project, index=index) for index in self._node.projects.names)
        return any(isinstance(one, Owned) and any(link.filename == name.filename for link in one.listed) for one in known)

    def _of_pages(self, wanted: Wanted) -> CheckedFile:
        """Report on what is chosen from a page, which shows whole versions as long as no index is asked."""
        owned = self._node.projects.known(wanted.project)
        if not isinstance(owned, Owned):
            return _missing(wanted, None, NOT_KNOWN)
        index = owned.owner if owned.owner != LOCAL else None
        shown = {entry.ref.filename: entry for entry in self._pages.shown(owned, wanted.project, index)}
        links = [entry.ref.link for entry in shown.values()]
        chosen = choose(wanted, links, self._target)
        if isinstance(chosen, NothingFits):
            return _missing(wanted, None, chosen.reason if shown else NOT_STORED)
        sealed = shown[chosen.filename].sealed_sha256
        for one in self._node.store.catalog.stored_names(wanted.project):
            if sealed is not None and one.sha256 == sealed:
                return _present(wanted, one, why_an_sdist(chosen, wanted, links))
        return _missing(wanted, chosen.filename, NOT_STORED)


def summed_up(files: Sequence[CheckedFile]) -> CheckSummary:
    """Return how many files are there and how many are not."""
    results = Counter(file.result for file in files)
    present_bytes = sum(file.size_bytes or 0 for file in files)
    return CheckSummary(
        present=results["present"], missing=results["missing"], skipped=results["skipped"], present_bytes=present_bytes
    )


def _present(wanted: Wanted, name: StoredName, notice: str | None) -> CheckedFile:
    told = project_and_version(name.filename, name.project)
    return CheckedFile(
        wanted=str(wanted),
        filename=name.filename,
        project=name.project,
        version=None if told is None else str(told[1]),
        sha256=name.sha256.hex(),
        size_bytes=name.size_bytes,
        result="present",
        origin=name.index,
        places=wanted.places,
        notice=notice,
    )


def _missing(wanted: Wanted, filename: str | None, reason: str) -> CheckedFile:
    told = None if filename is None else project_and_version(filename, wanted.project)
    return CheckedFile(
        wanted=str(wanted),
        filename=filename,
        project=wanted.project,
        version=None if told is None else str(told[1]),
        result="missing",
        reason=reason,
        places=wanted.places,
    )


def _places(place: str) -> tuple[str, ...]:
    return (place,) if place else ()
