"""``wheelfs ls`` and ``wheelfs show``: what is known here, read from the store alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from wheelfs.core.projects.ownership import Owned
from wheelfs.core.times import rfc3339_seconds
from wheelfs.core.views.view import View
from wheelfs.core.wheel.oddities import oddities
from wheelfs.errors import InvalidInput, NotKnown
from wheelfs.model.content import key_of_sha256
from wheelfs.model.names import ProjectName, parse_project_name, version_of, versions_of
from wheelfs.reports.files import ListedFile, ShownFile, ShownProject
from wheelfs.service.file_refs import FileRef, link_of
from wheelfs.service.projects.file_state import state_of
from wheelfs.service.projects.index import Entry
from wheelfs.service.selection import Filename, Versions, filtered, matches, parse_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from packaging.version import Version

    from wheelfs.core.views.visibility import ExclusionReason
    from wheelfs.service.fetch.pool import DownloadPool
    from wheelfs.service.projects.projects import Projects
    from wheelfs.service.projects.visible_files import Views
    from wheelfs.store.catalog.records import StoredName
    from wheelfs.store.store import Store


def list_files(store: Store, *, words: Sequence[str]) -> Iterator[ListedFile]:
    """Yield the stored files, by project and filename; with ``words`` those that a word or pattern means."""
    return (_listed(store, name) for name in filtered("list", words, store.catalog.names()))


def _listed(store: Store, name: StoredName) -> ListedFile:
    content = store.catalog.content(name.sha256)
    poisoned = content is not None and content.poisoned is not None
    return ListedFile(
        filename=name.filename,
        project=name.project,
        version=version_of(name.filename, name.project),
        state="poisoned" if poisoned else "stored",
        size_bytes=name.size_bytes,
        sha256=name.sha256.hex(),
        origin=name.index,
        pinned=name.pinned,
        private=name.private,
        also=name.also,
        repacked=name.repacked,
    )


def listed_ref(downloads: DownloadPool, ref: FileRef, sealed: bytes | None) -> ListedFile:
    """Return a file, stored (``sealed`` is its sha256) or not, as `list_files` has it."""
    state, _ = state_of(downloads, ref, sealed)
    names = (
        [name for name in downloads.context.store.catalog.stored_names(ref.project) if name.filename == ref.filename]
        if sealed
        else []
    )
    digest = sealed or ref.link.sha256
    return ListedFile(
        filename=ref.filename,
        project=ref.project,
        version=version_of(ref.filename, ref.project),
        state=state,
        size_bytes=downloads.context.facts.size_of(ref),
        sha256=None if digest is None else digest.hex(),
        origin=ref.origin,
        pinned=any(name.pinned for name in names),
        private=any(name.private for name in names),
        repacked=any(name.repacked for name in names),
    )


def show(projects: Projects, views: Views, downloads: DownloadPool, word: str) -> ShownProject | ShownFile:
    """Return what is known of a file, of a project, or of some versions of it; raises `InvalidInput` and `NotKnown`."""
    name = parse_name("show", word)
    project = _shown(projects, views, downloads, name.project)
    if project is None:
        raise not_known(word)
    if isinstance(name, Versions) and not name.specifier:
        return project
    files = tuple(file for file in project.files if matches(name, file))
    if not files:
        raise not_known(word)
    if isinstance(name, Filename):
        return msgspec.structs.replace(files[0], odd=_odd(downloads.context.store, files[0]))
    versions = {file.version for file in files}
    return msgspec.structs.replace(project, files=files, versions=tuple(one for one in project.versions if one in versions))


def _odd(store: Store, file: ShownFile) -> tuple[str, ...]:
    """Return what is odd in a stored wheel; a file that is not here whole, or is damaged, is not looked at."""
    if file.state != "stored" or not file.filename.endswith(".whl"):
        return ()
    names = [name for name in store.catalog.stored_names(file.project) if name.filename == file.filename]
    name = next((name for name in names if file.sha256 in (None, name.sha256.hex())), None)
    if name is None or not store.holds(name.sha256):
        return ()
    metadata = store.catalog.metadata(key_of_sha256(name.sha256))
    with store.reading(name.sha256) as sealed:
        return oddities(lambda offset, size: bytes(sealed.read(offset, size)), sealed.size, metadata)


def project_of(projects: Projects, views: Views, downloads: DownloadPool, name: str) -> ShownProject | None:
    """Return what is known of a project, however its name is spelled; None when there is nothing."""
    try:
        return _shown(projects, views, downloads, parse_project_name(name))
    except InvalidInput:
        return None


def not_known(name: str) -> NotKnown:
    """Return the error for a name that means nothing here."""
    return NotKnown(
        f"show {name}",
        "nothing of this name is known here",
        "see `wheelfs ls`; an index's project is known once it was looked up through a mount",
    )


def shown_names(projects: Projects, store: Store, project: ProjectName) -> list[StoredName]:
    """Return the stored names of a project that are shown: those of its owner, or, with no owner now, of indexes in charge."""
    ownership = projects.known(project)
    names = [name for name in store.catalog.stored_names(project) if _may_show(projects, name)]
    return [name for name in names if name.private or ownership.owner in name.origins] if isinstance(ownership, Owned) else names


def _may_show(projects: Projects, name: StoredName) -> bool:
    return not name.of_share and any(projects.scopes.may_show(name.project, origin) for origin in name.origins)


def _shown(projects: Projects, views: Views, downloads: DownloadPool, project: ProjectName) -> ShownProject | None:
    ownership = projects.known(project)
    tracked = downloads.context.store.catalog.tracked(project)
    ranges = None if tracked is None else tracked.ranges
    names = downloads.context.store.catalog.stored_names(project)
    stored = {(name.filename, name.sha256): name for name in names}
    if isinstance(ownership, Owned):
        entries = projects.entries(ownership, project)
    elif (own := [name for name in names if _may_show(projects, name)]) or ranges is not None:
        # It has no owner now (an index before theirs is silent, say), so only the view of their own index shows them.
        entries = [Entry(FileRef(project, name.index, link_of(name)), name.sha256) for name in own]
    else:
        return None
    owned = ownership if isinstance(ownership, Owned) else None
    page = None if owned is None else owned.page
    version_by_name = versions_of((entry.ref.filename for entry in entries), project)
    versions = sorted(set(version_by_name.values()))
    place: dict[Version | None, int] = {version: number for number, version in enumerate(versions)}
    files = []
    # The newest last, where it stays in sight: indexes list them by name, or as they please.
    for entry in sorted(entries, key=lambda one: (place.get(version_by_name.get(one.ref.filename), -1), one.ref.filename)):
        name = stored.get((entry.ref.filename, entry.sealed_sha256 or b""))
        version = version_by_name.get(entry.ref.filename)
        file = _shown_file(downloads, entry, name, version, views.hidden(View(), entry))
        files.append(msgspec.structs.replace(file, fits=views.fits(entry.ref.filename)))
    head = None if owned is None else downloads.context.store.catalog.page_head(owned.owner, project)
    return ShownProject(
        project=project,
        origin=None if owned is None else owned.owner,
        versions=tuple(map(str, versions)),
        files=tuple(files),
        status=None if page is None else page.status,
        checked=None if head is None else rfc3339_seconds(head.fetched_at_us),
        tracked=ranges,
        tracks=() if page is None else page.tracks,
        alternate_locations=() if page is None else page.alternate_locations,
        left_out={} if page is None else page.left_out,
    )


def _shown_file(
    downloads: DownloadPool, entry: Entry, name: StoredName | None, version: Version | None, hidden: ExclusionReason | None
) -> ShownFile:
    ref = entry.ref
    state, stored_bytes = state_of(downloads, ref, entry.sealed_sha256)
    link = ref.link
    seen_us = link.first_seen_us if link.upload_time_us is None else None
    return ShownFile(
        filename=link.filename,
        project=ref.project,
        version=None if version is None else str(version),
        state=state,
        size_bytes=downloads.context.facts.size_of(ref),
        sha256=None if link.sha256 is None else link.sha256.hex(),
        origin=ref.origin,
        pinned=name is not None and name.pinned,
        private=name is not None and name.private,
        repacked=name is not None and name.repacked,
        also=() if name is None else tuple(origin for origin in name.origins if origin != ref.origin),
        stored_bytes=stored_bytes,
        upload_time=None if link.upload_time_us is None else rfc3339_seconds(link.upload_time_us),
        requires_python=link.requires_python,
        yanked=link.yanked,
        listed=entry.is_listed,
        hidden=None if hidden is None else hidden.value,
        url=link.url or None,
        hashes=None if name is None else name.hashes,
        remarks=tuple(entry.remarks()),
        passed_on={one.field: value for one, value in link.passed_on()},
        first_seen=None if seen_us is None else rfc3339_seconds(seen_us),
    )
