"""What a URL on the host of an index means: a page of it, or a file that one of its pages links to.

Frozen installs ask for files by the URLs in their lock and never read a page.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote, urlsplit

import msgspec
from packaging.version import InvalidVersion, Version

from wheelfs.core.projects.ownership import LOCAL, Owned, Undecided
from wheelfs.core.proxy.hosts import canonical, endpoint_of_url, endpoints_of
from wheelfs.errors import InvalidInput
from wheelfs.model.links import FileLink
from wheelfs.model.names import DOWNLOAD, ProjectName, parse_project_name, project_and_version
from wheelfs.service.file_refs import FileRef, link_of

if TYPE_CHECKING:
    from wheelfs.core.projects.ownership import Ownership
    from wheelfs.core.proxy.hosts import Endpoint
    from wheelfs.service.projects.index import Index
    from wheelfs.service.projects.projects import Projects
    from wheelfs.store.catalog.catalog import Catalog

METADATA_SUFFIX: Final = ".metadata"

KNOWN_PAGES: Final = 3

_RELEASE: Final = re.compile(r"/pypi/([^/]+)/([^/]+)/json/?")

SAMPLE: Final = ProjectName("pip")
"""A project that any general index has."""


class ListOfProjects(msgspec.Struct, frozen=True):
    """The root of an index."""

    index: str


class PageOf(msgspec.Struct, frozen=True):
    """The page of a project on an index; ``is_canonical`` unless the URL spells the project's name another way."""

    index: str
    project: ProjectName
    is_canonical: bool


class ReleaseOf(msgspec.Struct, frozen=True):
    """What an index says of a version as JSON (`wheelfs.core.simple.release_json`): it is asked first, and may know more."""

    index: str
    project: ProjectName
    version: Version


class FileAt(msgspec.Struct, frozen=True):
    """A file that is listed or stored; ``path`` is where the tree has it (the core metadata beside it, if that was asked for)."""

    path: tuple[str, ...]


class StoredAt(msgspec.Struct, frozen=True):
    """A stored file that was fetched from this URL, listed or not."""

    ref: FileRef


class Unlisted(msgspec.Struct, frozen=True):
    """A wheel or sdist that no index lists at this URL; ``ref`` is of the origin `DOWNLOAD`."""

    ref: FileRef


class Elsewhere(msgspec.Struct, frozen=True):
    """Anything else; only the host itself can answer."""


Meaning = ListOfProjects | PageOf | ReleaseOf | FileAt | StoredAt | Unlisted | Elsewhere


class Urls:
    """Recognises URLs of the configured indexes and of their files."""

    def __init__(self, projects: Projects, catalog: Catalog) -> None:
        self._projects = projects
        self._catalog = catalog
        # The longest first: one index may lie below another.
        urls = {index.name: canonical(index.url) for index in projects.indexes}
        self.indexes = dict(sorted(urls.items(), key=lambda item: -len(item[1])))
        """The URLs of the indexes (`canonical`), without a slash at the end, by name."""

    async def meaning(self, url: str) -> Meaning:
        """Return what ``url`` means; may ask an index whose page could list it.

        Raises `WheelfsError` when whether an index lists it cannot be found out.
        """
        plain, _, query = url.partition("#")[0].partition("?")
        plain = canonical(plain)
        for index, index_url in self.indexes.items():
            rest = plain.removeprefix(index_url)
            if rest != plain and (not rest or rest.startswith("/")):
                page = _page_below(index, rest)
                if page is not None:
                    return page
            release = _release_beside(index, index_url, plain)
            if release is not None:
                return release
        if query.endswith(METADATA_SUFFIX) and not plain.endswith(METADATA_SUFFIX):
            plain += METADATA_SUFFIX  # pip appends it to the whole address, other clients to the path
        return await self._file(plain, url.partition("#")[0])

    async def _file(self, plain: str, url: str) -> Meaning:
        name = unquote(plain.rpartition("/")[2])
        filename, plain = name.removesuffix(METADATA_SUFFIX), plain.removesuffix(METADATA_SUFFIX)
        parsed = project_and_version(filename)
        if parsed is None:
            return Elsewhere()
        project = parsed[0]
        indexes = self._by_likelihood(plain, project)
        for index in indexes:
            if _lists(self._projects.known(project, index=index.name), plain, filename):
                return FileAt(("index", index.name, "simple", project, name))
        if self._is_private(project, plain, filename):
            return FileAt(("simple", project, name))
        for stored in self._catalog.stored_names(project) if name == filename else ():
            if stored.filename == filename and stored.url and _same(stored.url, plain):
                return StoredAt(FileRef(project, stored.index, link_of(stored)))
        for index in indexes:
            found = await self._projects.find(project, index=index.name)
            if _lists(found, plain, filename):
                return FileAt(("index", index.name, "simple", project, name))
            if isinstance(found, Undecided):
                raise found.error.with_traceback(None)  # many callers share it
        if name != filename:
            return Elsewhere()
        return Unlisted(FileRef(project, DOWNLOAD, FileLink(filename, url)))

    def _is_private(self, project: ProjectName, plain: str, filename: str) -> bool:
        """Return whether a URL is where pages say that a file added by hand is: next to the page (`OriginalPages`)."""
        owned = self._projects.known(project)
        is_owned = isinstance(owned, Owned) and owned.owner == LOCAL and any(link.filename == filename for link in owned.kept)
        first = self._projects.indexes[:1]
        return is_owned and any(plain == f"{self.indexes[index.name]}/{project}/{filename}" for index in first)

    def _by_likelihood(self, plain: str, project: ProjectName) -> list[Index]:
        """Return the indexes that a project's name is routed to, the one whose own host the URL is on first."""
        endpoint = endpoint_of_url(plain)
        routed = self._projects.scopes.of(project)
        indexes = [index for index in self._projects.indexes if index.name in routed]
        return sorted(indexes, key=lambda index: endpoint_of_url(index.url) != endpoint)


def known_hosts(projects: Projects, index: str) -> set[Endpoint]:
    """Return the hosts that an index links files to, by a few of its pages that are here: they hardly ever differ in that."""
    found: set[Endpoint] = set()
    looked_at = 0
    for project in projects.known_names():
        known = projects.known(project, index=index)
        if isinstance(known, Owned) and known.listed:
            found |= endpoints_of(link.url for link in known.listed)
            looked_at += 1
            if looked_at == KNOWN_PAGES:
                break
    return found


async def learned_hosts(projects: Projects, index: str) -> set[Endpoint]:
    """Return the hosts that an index links files to, by what it says of one project; none where it does not answer."""
    found = await projects.find(SAMPLE, index=index)
    return endpoints_of(link.url for link in found.listed) if isinstance(found, Owned) else set()


def _page_below(index: str, rest: str) -> ListOfProjects | PageOf | None:
    """Return the page that a path below an index is; None for a file, or anything else."""
    parts = rest.strip("/").split("/")
    if parts == [""]:
        return ListOfProjects(index)
    name = unquote(parts[0])
    if len(parts) != 1 or (not rest.endswith("/") and project_and_version(name.removesuffix(METADATA_SUFFIX)) is not None):
        return None
    try:
        project = parse_project_name(name)
    except InvalidInput:
        return None
    return PageOf(index, project, rest == f"/{project}/")


def _release_beside(index: str, index_url: str, plain: str) -> ReleaseOf | None:
    """Return the version that ``/pypi/NAME/VERSION/json`` is of, beside an index at ``/simple``; None for any other URL."""
    base = index_url.removesuffix("/simple")
    found = _RELEASE.fullmatch(plain.removeprefix(base)) if base != index_url and plain.startswith(base) else None
    if found is None:
        return None
    try:
        return ReleaseOf(index, parse_project_name(unquote(found[1])), Version(unquote(found[2])))
    except (InvalidInput, InvalidVersion):
        return None


def _lists(ownership: Ownership, plain: str, filename: str) -> bool:
    if not isinstance(ownership, Owned):
        return False
    links = (*ownership.listed, *ownership.kept)
    return any(link.filename == filename and _same(link.url, plain) for link in links)


def _same(known: str, plain: str) -> bool:
    """Return whether two URLs differ at most in their query, which may hold a signature, and in spelling."""
    return endpoint_of_url(known) == endpoint_of_url(plain) and unquote(urlsplit(known).path) == unquote(urlsplit(plain).path)
