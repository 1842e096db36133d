"""What ``add``, ``ls``, ``show``, ``rm``, ``pin`` and ``unpin`` report of files and projects; fields are added, never renamed."""

from __future__ import annotations

from typing import Literal

import msgspec

FileState = Literal["stored", "partial", "remote", "poisoned"]
AddResult = Literal["added", "present", "refused", "would-add"]


class AddedFile(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one file that was to be added.

    For a refused one ``reason`` says why and ``error_class`` names the class in `wheelfs.errors`; what could not be found out
    of it is None.  ``repacked``: a wheel was made of unpacked files.  ``fetched_bytes``: how much of one whose unpacked files are
    at hand came from its index, or (``would-add``: nothing is stored) would come.
    """

    filename: str
    project: str | None = None
    version: str | None = None
    sha256: str | None = None
    size_bytes: int | None = None
    result: AddResult
    reason: str | None = None
    error_class: str | None = None
    repacked: bool = False
    fetched_bytes: int | None = None


class ListedFile(msgspec.Struct, frozen=True, kw_only=True):
    """One file that is known here.

    ``origin`` is an index's name, or "local" for what was added by hand; ``also`` are further indexes that have the same bytes.
    ``repacked``: it was made of unpacked files (``add --uv-cache``, say), and is not the file that they came from.
    """

    filename: str
    project: str
    version: str | None
    state: FileState
    size_bytes: int | None
    sha256: str | None
    origin: str | None
    pinned: bool = False
    private: bool = False
    also: tuple[str, ...] = ()
    repacked: bool = False


class ShownFile(ListedFile, frozen=True, kw_only=True):
    """All that is known of one file.  ``listed`` is false when its index no longer lists it; times are RFC 3339.

    ``hidden`` tells why no directory shows it, by the user's own policy.  ``odd``: what is unusual in a stored wheel, where one
    file is asked for.  ``hashes`` (by algorithm) are those that its index gives beside a sha256: compared with the stored file,
    or of a kind that cannot be.  ``remarks`` is what the pages say of it.  ``first_seen``: when its page was first read here with
    it, where its index gives no upload times.  ``passed_on``: what else its index says of it, by name.  ``fits``: this machine
    can use it, with some CPython 3.
    """

    stored_bytes: int | None = None
    shared_bytes: int | None = None
    upload_time: str | None = None
    requires_python: str | None = None
    yanked: str | None = None
    listed: bool = True
    hidden: str | None = None
    url: str | None = None
    odd: tuple[str, ...] = ()
    hashes: dict[str, str] | None = None
    remarks: tuple[str, ...] = ()
    first_seen: str | None = None
    passed_on: dict[str, str] = {}
    fits: bool = True


class ShownProject(msgspec.Struct, frozen=True, kw_only=True):
    """All that is known of one project.  ``origin`` is the index that owns it; ``checked`` (RFC 3339): when that was asked.

    ``tracked``: the ranges of versions that are tracked ("" for all), None when none is.
    ``tracks`` and ``alternate_locations`` are where else it is, by its own account.  ``left_out``: how many links of its page
    are not among the files, by reason.
    """

    project: str
    origin: str | None
    versions: tuple[str, ...]
    files: tuple[ShownFile, ...]
    status: str | None = None
    checked: str | None = None
    tracked: tuple[str, ...] | None = None
    tracks: tuple[str, ...] = ()
    alternate_locations: tuple[str, ...] = ()
    left_out: dict[str, int] = {}


def newest_first(shown: ShownProject) -> list[ShownFile]:
    """Return the files of a project, those of its newest version first."""
    place = {version: number for number, version in enumerate(shown.versions)}
    return sorted(shown.files, key=lambda file: (-place.get(file.version or "", -1), file.filename))


def worth_showing(shown: ShownProject, *, rows: int) -> list[ShownFile]:
    """Return the files to show first, at most ``rows``, the newest first: what is here, and what this machine can use.

    What is here takes half of the rows at most; the rest is for whole versions, as many of the newest as there is room for.
    """
    files = newest_first(shown)
    chosen = [file for file in files if file.state != "remote"][: rows // 2]
    usable: dict[str | None, list[ShownFile]] = {}
    for file in files:
        if file.state == "remote" and file.fits:
            usable.setdefault(file.version, []).append(file)
    is_first = True
    for of_version in usable.values():
        room = rows - len(chosen)
        if len(of_version) > room and not is_first:
            break
        chosen += of_version[:room]
        is_first = False
    return [file for file in files if file in chosen]


class KeptFile(msgspec.Struct, frozen=True, kw_only=True):
    """A stored file that was removed, pinned or unpinned."""

    filename: str
    project: str
    sha256: str
    size_bytes: int
    pinned: bool
    private: bool
