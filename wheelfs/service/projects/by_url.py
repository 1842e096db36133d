"""What an address on the host of an index means: a page of it, or a file that one of its pages links to.

Frozen installs ask for files by the addresses in their lock and never read a page.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from wheelfs.core.projects.ownership import Owned
from wheelfs.core.proxy.hosts import endpoint_of_url
from wheelfs.errors import InvalidInput
from wheelfs.model.links import FileLink
from wheelfs.model.names import check_filename, parse_project_name, project_and_version
from wheelfs.service.file_refs import FileRef

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wheelfs.core.proxy.hosts import Endpoint
    from wheelfs.model.names import ProjectName
    from wheelfs.service.projects.projects import Index, Projects

METADATA_SUFFIX = ".metadata"


@dataclass(frozen=True, slots=True)
class ListOfProjects:
    """The root of an index."""

    index: str


@dataclass(frozen=True, slots=True)
class PageOf:
    """The page of a project on an index."""

    index: str
    project: ProjectName


@dataclass(frozen=True, slots=True)
class FileAt:
    """A file that an index lists, or that is stored as of this address; ``metadata``: the core metadata beside it (PEP 658)."""

    ref: FileRef
    metadata: bool


@dataclass(frozen=True, slots=True)
class Unlisted:
    """A wheel or sdist that no index is known to list at this address."""

    project: ProjectName
    link: FileLink


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """Anything else: its host knows."""


Meaning = ListOfProjects | PageOf | FileAt | Unlisted | Elsewhere


class Addresses:
    """Recognises addresses below the configured indexes, and of files."""

    def __init__(self, projects: Projects) -> None:
        self._projects = projects
        # The longest first: one index may lie below another.
        self._indexes = sorted(projects.indexes, key=lambda index: -len(index.url))

    async def meaning(self, url: str) -> Meaning:
        """Say what ``url`` means; may ask the index whose page would list it.  Raises `WheelfsError` where that cannot answer."""
        plain = url.partition("#")[0].partition("?")[0]
        for index in self._indexes:
            rest = plain.removeprefix(index.url)
            if rest != plain and (not rest or rest.startswith("/")):
                inside = _inside(index.name, rest)
                if inside is not None:
                    return inside
        return await self._file(plain, url)

    async def _file(self, plain: str, url: str) -> Meaning:
        name = unquote(plain.rpartition("/")[2])
        filename = name.removesuffix(METADATA_SUFFIX)
        found = project_and_version(filename)
        if found is None:
            return Elsewhere()
        project, _ = found
        for ref in self._known(project):
            if ref.filename == filename and _same(ref.link.url, plain):
                return FileAt(ref, metadata=name != filename)
        for index in self._may_list(plain, project):
            owned = await self._projects.find(project, index=index.name)
            if isinstance(owned, Owned):
                for link in owned.listed:
                    if link.filename == filename and _same(link.url, plain):
                        return FileAt(FileRef(project, index.name, link), metadata=name != filename)
        if name != filename:
            return Elsewhere()
        return Unlisted(project, FileLink(check_filename(filename), url.partition("#")[0]))

    def _known(self, project: ProjectName) -> Iterator[FileRef]:
        """Yield the files of a project by what is known of the indexes in charge, asking none."""
        for index in self._projects.in_charge(project):
            owned = self._projects.known(project, index=index.name)
            if isinstance(owned, Owned):
                for entry in self._projects.entries(owned, project):
                    yield entry.ref

    def _may_list(self, plain: str, project: ProjectName) -> Iterator[Index]:
        """Yield the indexes in charge that an address may be of, those on its own host first."""
        endpoint = endpoint_of_url(plain)
        in_charge = self._projects.in_charge(project)
        yield from sorted(in_charge, key=lambda index: endpoint_of_url(index.url) != endpoint)


def _inside(index: str, rest: str) -> ListOfProjects | PageOf | None:
    """Return the page that a path below an index is; None for a file, or anything else."""
    parts = rest.strip("/").split("/")
    if parts == [""]:
        return ListOfProjects(index)
    if len(parts) != 1 or (not rest.endswith("/") and project_and_version(unquote(parts[0])) is not None):
        return None
    try:
        return PageOf(index, parse_project_name(unquote(parts[0])))
    except InvalidInput:
        return None


def _same(known: str, plain: str) -> bool:
    """Return whether an address is the known one but for its query, which may hold a signature, and its spelling."""
    one, other = urlsplit(known), urlsplit(plain)
    return endpoint_of_url(known) == endpoint_of_url(plain) and unquote(one.path) == unquote(other.path)


def file_hosts(links: Iterator[FileLink]) -> set[Endpoint]:
    """Return the hosts that files are linked to."""
    return {endpoint for endpoint in (endpoint_of_url(link.url) for link in links) if endpoint is not None}
