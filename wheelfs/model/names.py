"""Names of projects and distribution files, checked once at the door.

Sources: PEP 503 and the "Names and normalization" specification; "Binary distribution format" (PEP 427) and "Source
distribution file name" specifications; ``packaging.utils`` does the parsing.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, Literal, NewType

from packaging.utils import (
    InvalidName,
    InvalidSdistFilename,
    InvalidWheelFilename,
    canonicalize_name,
    parse_sdist_filename,
    parse_wheel_filename,
)
from packaging.version import InvalidVersion, Version

from wheelfs.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Iterable

    from packaging.tags import Tag

ProjectName = NewType("ProjectName", str)
"""A project name in its normalized form (PEP 503): lower case, runs of ``-_.`` folded to one ``-``."""

Kind = Literal["wheel", "sdist", "variants", "other"]
"""``variants`` is the JSON file that describes a version's variant wheels (PEP 825, draft)."""

MAX_NAME_BYTES: Final = 255
"""NAME_MAX of every file system that a wheel is likely to be copied to."""

DOWNLOAD: Final = "download"
"""The origin of files that were fetched by their URL alone; no index may be called so."""

_UNSAFE = re.compile(r"[\x00-\x1f\x7f/\\]")
_VARIANTS_SUFFIX: Final = "-variants.json"
_VARIANT_LABEL = re.compile(r"[0-9a-z._]{1,64}\Z")
_SDIST_SUFFIXES: Final = (".tar.gz", ".zip", ".tar.bz2", ".tgz", ".tar.xz", ".tar.Z", ".tar")


def parse_project_name(text: str) -> ProjectName:
    """Return the normalized name; raise `InvalidInput` when ``text`` is no valid project name."""
    try:
        if len(text) > MAX_NAME_BYTES:
            raise InvalidName(text)
        return ProjectName(canonicalize_name(text, validate=True))
    except InvalidName:
        raise InvalidInput(
            f"read project name {text[:80]!r}",
            "it is not a valid project name",
            f"at most {MAX_NAME_BYTES} letters and digits, with . _ - inside",
        ) from None


def check_filename(text: str) -> str:
    """Return ``text`` when it is safe as one path component; raise `InvalidInput` for traversal, control characters, length."""
    attempted = f"read file name {text[:80]!r}"
    if text in ("", ".", "..") or _UNSAFE.search(text):
        raise InvalidInput(attempted, "it is not safe as a file name (separator, control character, or a dot name)")
    try:
        encoded = text.encode()
    except UnicodeEncodeError:
        raise InvalidInput(attempted, "it is not valid Unicode") from None
    if len(encoded) > MAX_NAME_BYTES:
        raise InvalidInput(attempted, f"it is longer than {MAX_NAME_BYTES} bytes")
    return text


def kind_of(filename: str) -> Kind:
    """Tell by its ending alone what a file claims to be."""
    if filename.endswith(".whl"):
        return "wheel"
    if filename.endswith(_SDIST_SUFFIXES):
        return "sdist"
    return "variants" if filename.endswith(_VARIANTS_SUFFIX) else "other"


class WheelName:
    """A parsed wheel filename; ``tags`` has every compressed tag spelled out, ``variant`` is a label (PEP 825, draft) or None."""

    __slots__ = ("build", "filename", "project", "tags", "variant", "version")

    def __init__(self, filename: str) -> None:
        """Parse; raise `InvalidInput` with the reason when it is not a wheel filename."""
        check_filename(filename)
        plain, variant = _without_variant(filename)
        try:
            name, version, build, tags = parse_wheel_filename(plain)
        except (InvalidWheelFilename, InvalidVersion) as error:
            raise InvalidInput(
                f"read wheel filename {filename[:120]!r}",
                str(error),
                "a wheel is called NAME-VERSION(-BUILD)-PYTHON-ABI-PLATFORM(-VARIANT).whl",
            ) from None
        self.filename = filename
        self.project = ProjectName(name)
        self.version: Version = version
        self.build = build
        self.tags: frozenset[Tag] = tags
        self.variant = variant

    def __repr__(self) -> str:
        return f"WheelName({self.filename!r})"


def variant_of(filename: str) -> str | None:
    """Return a wheel's variant label (PEP 825, draft), or None."""
    return _without_variant(filename)[1]


def wheel_tags(filename: str) -> tuple[str, str, str] | None:
    """Return a wheel's Python, ABI and platform tags, each a dot-separated set (PEP 427), unparsed; None for what is no wheel."""
    if not filename.endswith(".whl"):
        return None
    parts = _without_variant(filename)[0].removesuffix(".whl").rsplit("-", 3)
    return (parts[1], parts[2], parts[3]) if len(parts) == 4 else None


def _without_variant(filename: str) -> tuple[str, str | None]:
    """Return a wheel's filename without its variant label, and the label.

    Name, version, three tags, and a build number, which begins with a digit, unlike a Python tag: what comes after is the label.
    """
    parts = filename.removesuffix(".whl").split("-")
    has_build = len(parts) > 2 and parts[2][:1].isdigit()
    if len(parts) != 6 + has_build or not filename.endswith(".whl") or not _VARIANT_LABEL.match(parts[-1]):
        return filename, None
    return "-".join(parts[:-1]) + ".whl", parts[-1]


def versions_of(filenames: Iterable[str], project: str | None = None) -> dict[str, Version]:
    """Return the version of each of a project's files; what is neither wheel nor sdist tells none.

    ``project`` is that of `project_and_version`.
    """
    # Parsing names is the dearest part of a large page, and a version has dozens of wheels: one of them is enough.
    parsed: dict[str, Version] = {}
    found = {}
    for filename in filenames:
        spelled = _spelled(filename)
        if spelled not in parsed:
            known = project_and_version(filename, project)
            if known is None:
                continue  # of a variant (PEP 825) and the plain wheel beside it only the latter has a name that is read
            parsed[spelled] = known[1]
        found[filename] = parsed[spelled]
    return found


def _spelled(filename: str) -> str:
    """Return what is the same for all wheels of one version (name and version as they are spelled), else the whole name."""
    return "-".join(filename.split("-", 2)[:2]) if filename.endswith(".whl") else filename


def project_and_version(filename: str, project: str | None = None) -> tuple[ProjectName, Version] | None:
    """Return what the filename of a wheel, an sdist or a file about variants says, or None for any other file.

    With ``project``, where it is known whose file it is, None for a file of another.  Of sdists that are older than their
    specification, and have dashes in their versions (``a-1.0-alpha1.tar.gz``), only that tells where the version begins.
    """
    try:
        if filename.endswith(".whl"):
            wheel = WheelName(filename)
            found = wheel.project, wheel.version
        else:
            stem = filename.removesuffix(_VARIANTS_SUFFIX)
            name, version = _of_sdist(check_filename(filename if stem == filename else f"{stem}.tar.gz"), project)
            # Unlike its sibling for wheels, ``packaging`` takes any characters for a name of an sdist.
            found = parse_project_name(name), version
    except (InvalidInput, InvalidSdistFilename, InvalidVersion):
        return None
    return found if project is None or found[0] == project else None


def _of_sdist(filename: str, project: str | None) -> tuple[str, Version]:
    """Return the parts of an sdist's name: as pip has it, what comes after the first dash before which the project stands."""
    stem = filename.removesuffix(".zip" if filename.endswith(".zip") else ".tar.gz")
    if project is not None and stem != filename:
        for place, letter in enumerate(stem):
            if letter == "-" and canonicalize_name(stem[:place]) == project:
                return project, Version(stem[place + 1 :])
    return parse_sdist_filename(filename)


def version_of(filename: str, project: str | None = None) -> str | None:
    """Return the version that a wheel's or sdist's filename tells, as text; None for any other file, as `project_and_version`."""
    found = project_and_version(filename, project)
    return None if found is None else str(found[1])
