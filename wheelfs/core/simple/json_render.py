"""Pages in JSON: PEP 691 version 1.x, with PEP 592, 658/714, 700, 708, 740, 792; addresses are relative, as in the HTML form."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec
from packaging.version import Version

from wheelfs.core.hashes import is_possible
from wheelfs.core.simple.html_render import REPOSITORY_VERSION, RenderedFile
from wheelfs.core.times import rfc3339
from wheelfs.model.names import versions_of

if TYPE_CHECKING:
    from collections.abc import Iterable

OWN: Final = "_wheelfs"
"""What is only ours: keys that begin with an underscore are for a server's own use, and ignored by clients (PEP 691)."""

WITHOUT_SIZES: Final = "1.0"
"""From 1.1 on every file must state its size (PEP 700): a page that cannot is of the version before."""


def render_project_page(
    project: str,
    entries: Iterable[RenderedFile],
    *,
    status: str | None = None,
    status_reason: str | None = None,
    tracks: Iterable[str] = (),
    alternate_locations: Iterable[str] = (),
    fileless_versions: Iterable[str] = (),
    comments: Iterable[str] = (),
) -> bytes:
    """Return a project's page; the files lie beside it unless their entries say otherwise.

    ``status`` and its reason are PEP 792's; ``tracks`` and ``alternate_locations`` are where else the project says that it is
    (PEP 708, rejected: passed on); ``fileless_versions`` are listed beside those of the files (PEP 700).
    ``comments`` are for people, under a key that PEP 691 leaves to servers.
    """
    entries = list(entries)
    version = REPOSITORY_VERSION if all(entry.link.size_bytes is not None for entry in entries) else WITHOUT_SIZES
    page: dict[str, Any] = {
        "meta": {"api-version": version},
        "name": project,
        "versions": _versions(project, entries, fileless_versions),
        "files": [_file(entry) for entry in entries],
    }
    if status is not None:
        page["project-status"] = {"status": status} | ({} if status_reason is None else {"reason": status_reason})
    if tracks := list(tracks):
        page["meta"]["tracks"] = tracks
    if alternate_locations := list(alternate_locations):
        page["alternate-locations"] = alternate_locations
    if notes := list(comments):
        page[OWN] = {"notes": notes}
    return msgspec.json.encode(page)


def render_project_list(names: Iterable[str]) -> bytes:
    """Return the root page for normalized project names."""
    return msgspec.json.encode({"meta": {"api-version": REPOSITORY_VERSION}, "projects": [{"name": name} for name in names]})


def _versions(project: str, entries: Iterable[RenderedFile], fileless: Iterable[str]) -> list[str]:
    found = set(versions_of((entry.link.filename for entry in entries), project).values())
    return [str(version) for version in sorted(found.union(map(Version, fileless)))]


def _file(entry: RenderedFile) -> dict[str, Any]:
    link = entry.link
    # The sha256 first: pip compares with the first that it knows.  One that no file can have would only make clients stumble.
    hashes = {} if link.sha256 is None else {"sha256": link.sha256.hex()}
    hashes.update((name, value) for name, value in (link.other_hashes or {}).items() if is_possible(name, value))
    file: dict[str, Any] = {"filename": link.filename, "url": entry.href, "hashes": hashes}
    if link.requires_python is not None:
        file["requires-python"] = link.requires_python
    if link.size_bytes is not None:
        file["size"] = link.size_bytes
    if link.upload_time_us is not None:
        file["upload-time"] = rfc3339(link.upload_time_us)
    if link.yanked is not None:
        file["yanked"] = link.yanked or True
    if entry.has_metadata:
        told = True if entry.metadata_sha256 is None else {"sha256": entry.metadata_sha256.hex()}
        file["core-metadata"] = file["dist-info-metadata"] = told
    file.update((one.key, value) for one, value in link.passed_on())
    if entry.comment is not None:
        file[OWN] = {"notes": [entry.comment]}
    return file
