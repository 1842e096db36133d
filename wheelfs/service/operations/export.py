"""``wheelfs export``: stored files as plain ones, with static pages, for machines with nothing of ours installed.

Wheels lie in the directory itself, where ``--find-links`` looks, sdists beside their project's page in ``simple/``.  What is
exported is what ``stored/`` shows: the rule of ownership holds for installs from the copy, too.  Pages say what is in the
directory: files that an earlier run wrote (from another store, even) stay on them as long as they are there.
"""

from __future__ import annotations

import hashlib
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING, Final

from wheelfs.core.projects.ownership import Owned, Undecided
from wheelfs.core.simple.html_parse import parse_html
from wheelfs.core.simple.html_render import RenderedFile, render_links_page, render_project_list, render_project_page
from wheelfs.core.views.view import View
from wheelfs.errors import DestinationError, InvalidInput, NotKnown, OriginFault, StoreError
from wheelfs.model.links import ProjectPage
from wheelfs.model.names import MAX_NAME_BYTES, ProjectName, kind_of, parse_project_name, project_and_version
from wheelfs.reports.export import Exported, ExportedFile
from wheelfs.service.needed_files import left_out, needed_of_stored
from wheelfs.service.selection import matches, parse_word

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from wheelfs.reports.export import ExportResult
    from wheelfs.reports.left_out import LeftOut
    from wheelfs.reports.progress import Progress
    from wheelfs.service.operations.export_directory import Destination
    from wheelfs.service.projects.index import Entry
    from wheelfs.service.running import Running
    from wheelfs.store.catalog.records import StoredName
    from wheelfs.store.store import Store

PAGE: Final = "index.html"
STORED: Final = View(stored=True)

_READ_BYTES: Final = 1 << 20
_FROM_PROJECT_PAGE: Final = "../../"


@dataclass(slots=True)
class Export:
    """One run; blocks, and nothing else is served meanwhile."""

    node: Running
    store: Store
    destination: Destination
    report: Callable[[ExportedFile], None]
    progress: Progress
    with_deps: bool = False
    _counts: dict[str, int] = field(default_factory=lambda: {"written": 0, "present": 0, "refused": 0})
    _written_bytes: int = 0
    _files: int = 0

    def run(self, words: Sequence[str]) -> Exported:
        """Export the stored files that a word or pattern means (none: all) and return what was done.

        Of those that are meant by a word, ``with_deps`` takes what they need along, as far as it is stored.
        Raises `InvalidInput` for a word that can mean no file, `NotKnown` where no file is meant, `DestinationError` where the
        directory fails, and `StoreError`.
        """
        matched: set[str] = set()
        chosen, missing = self._with_needed(list(self._chosen(words, matched))) if words else (self._chosen(words, matched), [])
        self._files = len(chosen) if isinstance(chosen, list) else self.store.catalog.counts().files
        for project, names in groupby(chosen, key=lambda name: name.project):
            self._project(ProjectName(project), list(names))
        if not any(self._counts.values()):
            what = " ".join(words) or "the stored files"
            raise NotKnown(f"export {what[:200]}", "no stored file matches", "wheelfs ls lists what is stored")
        self._lists()
        self.destination.sync()
        return Exported(
            directory=str(self.destination.path),
            written=self._counts["written"],
            present=self._counts["present"],
            refused=self._counts["refused"],
            written_bytes=self._written_bytes,
            unmatched=tuple(one for one in dict.fromkeys(words) if one not in matched),
            left_out=tuple(missing),
        )

    def _with_needed(self, chosen: list[StoredName]) -> tuple[list[StoredName], list[LeftOut]]:
        """Return what is to be exported, by project, and what that needs and will not be there."""
        found = needed_of_stored(
            self.store,
            chosen,
            lambda project: (file.link.filename for file in self._on_page(ProjectName(project))),
        )
        if self.with_deps:
            chosen = sorted({*chosen, *(name for one in found for name in one.files)}, key=lambda name: name.key)
        return chosen, left_out(found, lambda _: self.with_deps)

    def _chosen(self, words: Sequence[str], matched: set[str]) -> Iterator[StoredName]:
        parsed = [parse_word("export", word) for word in words]
        for name in self.store.catalog.names():
            found = [word.text for word in parsed if matches(word, name)]
            matched.update(found)
            if found or not parsed:
                yield name

    # --- one project ----------------------------------------------------------------------------------------------

    def _project(self, project: ProjectName, names: list[StoredName]) -> None:
        ownership = self.node.projects.known(project)
        entries: dict[tuple[str, bytes], Entry] = {}
        if isinstance(ownership, Owned):
            found = self.node.projects.entries(ownership, project)
            entries = {(one.ref.filename, one.sealed_sha256): one for one in found if one.sealed_sha256 is not None}
        exported: dict[str, RenderedFile] = {}
        for name in names:
            entry = entries.get((name.filename, name.sha256))
            reason = self._refusal(name, entry) if entry else _not_shown(ownership, name)
            if reason is None and name.filename in exported:
                reason = "another file of this name is exported"
            if reason is not None or entry is None:
                self._tell(name, "refused", reason)
                continue
            try:
                exported[name.filename] = self._exported(name, entry)
            except DestinationError:
                raise
            except (StoreError, NotKnown) as error:  # damaged, or removed a moment ago: the others are exported
                self._tell(name, "refused", str(error))
        if exported:
            page = ownership.page if isinstance(ownership, Owned) else None
            self._page(project, page or ProjectPage(project, ()), exported)

    def _refusal(self, name: StoredName, entry: Entry) -> str | None:
        hidden = self.node.views.hidden(STORED, entry)
        if hidden is not None:
            return f"hidden by the configuration: {hidden.value}"
        named = project_and_version(name.filename)
        if named is not None and project_and_version(name.filename, name.project) is None:
            return f"its name is one of {named[0]}"
        return None

    def _exported(self, name: StoredName, entry: Entry) -> RenderedFile:
        path = _path(name.project, name.filename)
        with self.store.reading(name.sha256) as sealed:
            if self.destination.has(path, sealed.size, name.sha256):
                result: ExportResult = "present"
            else:
                self.progress.begin(name.filename, sealed.size)
                try:
                    pieces = (self._advanced(name, sealed.read(at, _READ_BYTES)) for at in range(0, sealed.size, _READ_BYTES))
                    self.destination.write(path, pieces, sha256=name.sha256, mtime_ns=entry.ref.mtime_ns)
                finally:
                    self.progress.end(name.filename)
                result = "written"
                self._written_bytes += sealed.size
        metadata_sha256 = self._metadata(name, path)
        self._tell(name, result)
        base = "" if path.startswith("simple/") else _FROM_PROJECT_PAGE
        return RenderedFile(entry.ref.link, metadata_sha256 is not None, metadata_sha256, base=base)

    def _advanced(self, name: StoredName, piece: bytes) -> bytes:
        self.progress.advance(name.filename, len(piece))
        return piece

    def _metadata(self, name: StoredName, path: str) -> bytes | None:
        """Write the wheel's own METADATA beside it and return its sha256; None where it has none."""
        if kind_of(name.filename) != "wheel" or len(f"{name.filename}.metadata".encode()) > MAX_NAME_BYTES:
            return None
        metadata = self.store.metadata_of_stored(name.sha256)
        if metadata is None:
            return None
        self.destination.write_text(f"{path}.metadata", metadata)
        return hashlib.sha256(metadata).digest()

    def _page(self, project: ProjectName, page: ProjectPage, exported: dict[str, RenderedFile]) -> None:
        files = {entry.link.filename: entry for entry in self._on_page(project)} | exported
        text = render_project_page(
            project,
            [files[filename] for filename in sorted(files)],
            status=page.status,
            status_reason=page.status_reason,
            tracks=page.tracks,
            alternate_locations=page.alternate_locations,
        )
        self.destination.write_text(f"simple/{project}/{PAGE}", text)

    def _tell(self, name: StoredName, result: ExportResult, reason: str | None = None) -> None:
        self._counts[result] += 1
        self.progress.overall(sum(self._counts.values()), self._files, 0)
        self.report(
            ExportedFile(
                filename=name.filename,
                project=name.project,
                sha256=name.sha256.hex(),
                size_bytes=name.size_bytes,
                result=result,
                reason=reason,
            )
        )

    # --- what is in the directory ---------------------------------------------------------------------------------

    def _on_page(self, project: ProjectName) -> Iterator[RenderedFile]:
        """Yield what a page in the directory lists, as far as it is still there; nothing of a page that cannot be read."""
        path = f"simple/{project}/{PAGE}"
        text = self.destination.read(path)
        if text is None:
            return
        with suppress(OriginFault):
            for link in parse_html(text, (self.destination.path / path).as_uri(), project).files:
                place = _path(project, link.filename)
                if self.destination.holds(place, link.size_bytes):
                    has_metadata = link.has_metadata and self.destination.holds(f"{place}.metadata", None)
                    base = "" if place.startswith("simple/") else _FROM_PROJECT_PAGE
                    yield RenderedFile(link, has_metadata, link.metadata_sha256 if has_metadata else None, base=base)

    def _lists(self) -> None:
        """Write the two lists, from the projects' pages that are there."""
        projects: list[str] = []
        wheels: list[RenderedFile] = []
        for name in self.destination.directories("simple"):
            with suppress(InvalidInput):
                if parse_project_name(name) == name and self.destination.holds(f"simple/{name}/{PAGE}", None):
                    projects.append(name)
                    files = self._on_page(ProjectName(name))
                    wheels += [file._replace(base="") for file in files if kind_of(file.link.filename) == "wheel"]
        self.destination.write_text(f"simple/{PAGE}", render_project_list(projects))
        self.destination.write_text(PAGE, render_links_page(wheels))


def _path(project: str, filename: str) -> str:
    return filename if kind_of(filename) == "wheel" else f"simple/{project}/{filename}"


def _not_shown(ownership: object, name: StoredName) -> str:
    """Return why a stored file is on no page of its project."""
    if isinstance(ownership, Owned):
        return f"it is from {name.index}, and the project is that of {ownership.owner}"
    if isinstance(ownership, Undecided):
        return f"whose project it is cannot be told: {ownership.error}"
    return "no index has such a project"
