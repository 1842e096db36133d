"""What is asked for, read from words and files: requirements, requirements files with what they include, lock files."""

from __future__ import annotations

import os
import re
import stat
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Final, assert_never

from wheelfs.core.resolve.allowed_files import OPTIONS, AllowedFiles
from wheelfs.core.resolve.dependency_groups import DEFAULT_GROUPS, default_groups, requirements_of
from wheelfs.core.resolve.lock_files import is_lock_name, lock_and_extras, read_lock
from wheelfs.core.resolve.merge import as_one, narrowed
from wheelfs.core.resolve.requirements_lines import decoded, lines_in_comments
from wheelfs.core.resolve.requirements_txt import Include, Option, Problem, parse, requirement
from wheelfs.core.resolve.uv_lock import AsSynced
from wheelfs.errors import InvalidInput
from wheelfs.model.names import kind_of, project_and_version
from wheelfs.model.wanted import Chosen, LocalPath, Unfetchable, Wanted
from wheelfs.reports.fetch import FetchedFile

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from wheelfs.core.platforms.targets import Target
    from wheelfs.core.resolve.dependency_groups import DefaultGroups
    from wheelfs.core.resolve.requirements_txt import Asked
    from wheelfs.model.names import ProjectName
    from wheelfs.model.wanted import Synced

MAX_FILE_BYTES: Final = 64 * 1024 * 1024
"""A lock of 1,000 packages takes about 5 MB."""
MAX_FILES: Final = 1_000
"""Requirements files that include each other."""
_SHOWN_PROBLEMS: Final = 20

_WORDS: Final = "the command line"
_EDITABLE: Final = "it is installed from where it lies, so there is nothing to fetch ahead"
_BUILT: Final = "it is built from where it lies when it is installed, so there is nothing to fetch ahead"
_BUILT_ARCHIVE: Final = "its name is not that of an sdist, so it is built from where it lies when it is installed"
_ARCHIVE: Final = re.compile(r".*\.(zip|tar|t[gbxl]z|tar\.(gz|bz2|xz|lz|lzma|zst))", re.DOTALL | re.IGNORECASE)
"""How names end of what pip (its ``ARCHIVE_EXTENSIONS``) or uv unpacks to build it."""
_IN_COMMENT: Final = "it is left out as by pip, unlike by uv: the comment before it ends in a backslash, which continues it"
_NO_EFFECT: Final = "files come from the configured indexes"
_ADVICE: Final = {
    "--index-url": "; see wheelfs fetch --index",
    "--extra-index-url": "; see wheelfs fetch --index",
    "--find-links": "; wheelfs add takes the wheels of a directory",
    "--no-index": "; see wheelfs fetch --offline",
}


@dataclass(frozen=True, slots=True)
class LocalFile:
    """A wheel or sdist of the user's that is asked for by its path; of ``project``, for the dependencies of its ``extras``.

    ``is_locked``: by a lock file, which names these itself.
    """

    path: Path
    project: ProjectName
    asked: LocalPath
    is_locked: bool = False


@dataclass(slots=True)
class Wants:
    """All that is asked for, each thing once, and ``notes`` on what has no effect, or another one elsewhere.

    ``wanted`` has each requirement by itself, and `as_one` has them as an installer sees them.  ``locked`` comes from lock files,
    which name dependencies themselves.  ``constraints`` say nothing of what is wanted: they are heeded in ``wanted`` already, and
    hold for its dependencies.  ``trees`` are directories of ``unfetchable`` whose dependencies can be found out.
    """

    wanted: list[Wanted] = field(default_factory=list)
    locked: list[Wanted] = field(default_factory=list)
    constraints: list[Wanted] = field(default_factory=list)
    local: list[LocalFile] = field(default_factory=list)
    trees: list[tuple[Path, LocalPath]] = field(default_factory=list)
    unfetchable: list[Unfetchable] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    allowed: AllowedFiles = field(default_factory=AllowedFiles)
    requires_hashes: bool = False

    @property
    def unlocked(self) -> list[LocalFile]:
        """The local files of which no lock names what they need."""
        return [one for one in self.local if not one.is_locked]

    def as_one(self) -> list[Wanted]:
        """Return one requirement for each project.

        What is given by its path or URL answers the others of its project.  Of words of the command line that pin several
        versions each is a requirement of its own: no installer takes them together, so they can only mean all these files.
        """
        elsewhere = {one.project for one in self.local} | {one.project for one in self.unfetchable}
        wanted = [one for one in self.wanted if one.project not in elsewhere]
        joined = {one.project for one in wanted if one.places != (_WORDS,) or not _is_pin(one)}
        return [*as_one([one for one in wanted if one.project in joined]), *(one for one in wanted if one.project not in joined)]


def read_wants(
    requirements: Sequence[str],
    files: Sequence[Path],
    locks: Sequence[str],
    target: Target,
    *,
    constraints: Sequence[Path] = (),
    chosen: Chosen = Chosen(),  # noqa: B008  # it is frozen
    allowed: AllowedFiles | None = None,
    environ: Mapping[str, str] | None = None,
) -> Wants:
    """Return what is asked for; raises `InvalidInput` with all problems of the words and requirements files.

    ``locks`` may name extras of theirs (``pylock.toml[docs]``), and groups are NAME or FILE:NAME, as pip has both; ``environ``
    has the variables that requirements files may name, ``allowed`` what was said before any file.
    """
    reading = _Reading(target, allowed or AllowedFiles(), environ or {})
    for word in requirements:
        reading.word(word.strip())
    for file in constraints:
        reading.file(file, constraints=True)
    named: dict[str, set[str]] = {}
    for group in chosen.groups:
        path, colon, name = group.rpartition(":")
        named.setdefault(path if colon else "pyproject.toml", set()).add(name)
    for file in files:
        if is_lock_name(lock_and_extras(str(file))[0].rpartition("/")[2]):
            locks = [*locks, str(file)]
        else:
            reading.file(file, constraints=False)
    for lock in locks:
        path, extras = lock_and_extras(lock)
        reading.lock(Path(path), extras, named.pop(path, None), as_synced=chosen.as_synced)
    for path, names in named.items():
        if is_lock_name(path.rpartition("/")[2]):
            reading.lock(Path(path), frozenset(), names, as_synced=chosen.as_synced)
        else:
            reading.groups(Path(path), names)
    return reading.finish()


def at_paths(paths: Iterable[LocalPath], target: Target) -> Wants:
    """Return what lies at paths, where what these need is named by whatever names them."""
    reading = _Reading(target, AllowedFiles(), {})
    for path in paths:
        reading.take(path, Path(), is_locked=True)
    return reading.finish()


class _Reading:
    def __init__(self, target: Target, allowed: AllowedFiles, environ: Mapping[str, str]) -> None:
        self._target = target
        self._environ = environ
        self._wants = Wants(allowed=allowed)
        self._seen: set[tuple[Path, bool]] = set()
        self._problems: list[str] = []
        self._direct_constraints: list[LocalPath | Unfetchable] = []

    def word(self, text: str) -> None:
        """Take a requirement of the command line, with its ``--hash`` options; it is a line as a file has them."""
        for entry in parse(" ".join(text.splitlines()), self._target.environment):
            match entry:
                case Wanted() | LocalPath() | Unfetchable():
                    self.take(_placed(entry, _WORDS), Path())
                case Problem():
                    self._problems.append(f"{_WORDS}: {text[:200]}: {entry.reason}")
                case Include() | Option():
                    self._problems.append(f"{_WORDS}: {text[:200]}: it is an option of requirements files, and no requirement")
                case _ as unreachable:
                    assert_never(unreachable)

    def file(self, path: Path, *, constraints: bool) -> None:
        """Read a file and what it includes, each once: pip lets them include each other, too."""
        attempted = f"read {path}"
        try:
            resolved = path.resolve()
        except (RuntimeError, ValueError):  # links in a circle, or a NUL in it
            raise InvalidInput(attempted, "no file can be called so, or its links lead nowhere") from None
        if (resolved, constraints) in self._seen:
            return
        self._seen.add((resolved, constraints))
        if len(self._seen) > MAX_FILES:
            raise InvalidInput(attempted, f"more than {MAX_FILES} requirements files include each other")
        try:
            text = decoded(_content(path, attempted))
        except ValueError as error:
            raise InvalidInput(attempted, str(error)) from None
        for line in islice(lines_in_comments(text), _SHOWN_PROBLEMS):
            self._wants.notes.append(f"{path}, line {line}: {_IN_COMMENT}")
        for entry in parse(text, self._target.environment, self._environ, where=str(path)):
            match entry:
                case Include():
                    self._include(path, entry, constraints=constraints)
                case Option():
                    self._option(entry, f"{path}, line {entry.line}")
                case Problem(line, said, reason):
                    self._problems.append(f"{path}, line {line}: {said[:200]}: {reason}")
                case Wanted() if constraints:
                    self._wants.constraints.append(entry)
                case LocalPath() | Unfetchable() if constraints:
                    self._direct_constraints.append(entry)
                case Wanted() | LocalPath() | Unfetchable():
                    self.take(entry, Path())
                case _ as unreachable:
                    assert_never(unreachable)

    def _include(self, path: Path, entry: Include, *, constraints: bool) -> None:
        if "://" in entry.path and not entry.path.lower().startswith("file:"):
            happened = f"line {entry.line} includes the URL {entry.path[:200]}"
            raise InvalidInput(f"read {path}", happened, "get that first, and name the file")
        included = path.parent / entry.path.removeprefix("file://")
        self.file(included, constraints=constraints or entry.constraints)

    def lock(self, path: Path, extras: frozenset[str], groups: set[str] | None, *, as_synced: Synced | None) -> None:
        """Read a lock, of which paths count from where it lies."""
        found = read_lock(
            f"read {path}",
            _text(path),
            self._target,
            extras=extras,
            groups=groups,
            allowed=self._wants.allowed,
            as_synced=None if as_synced is None else AsSynced(as_synced, partial(_default_groups, path.parent)),
            where=str(path),
        )
        self._wants.notes += [f"{path}: {note}" for note in found.notes]
        for entry in found.asked:
            if isinstance(entry, Wanted):
                self._wants.locked.append(entry)
            else:
                self.take(entry, path.parent, is_locked=True)

    def groups(self, path: Path, names: set[str]) -> None:
        """Take the dependency groups of a pyproject.toml."""
        text = _text(path)
        for name in sorted(names):
            for word in requirements_of(f"read {path}", text, name):
                entry = requirement(word, self._target.environment)
                if isinstance(entry, Problem):
                    self._problems.append(f"{path}, group {name}: {entry.text[:200]}: {entry.reason}")
                elif entry is not None:
                    place = f"{path}, group {name}"
                    self.take(
                        replace(entry, places=(place,)) if isinstance(entry, Wanted) else replace(entry, place=place), Path()
                    )

    def take(self, entry: Asked, base: Path, *, is_locked: bool = False) -> None:
        """Take what is asked for; a path counts from ``base``."""
        match entry:
            case Wanted():
                self._wants.wanted.append(entry)
            case Unfetchable():
                self._wants.unfetchable.append(entry)
            case LocalPath():
                self._local(entry, base, is_locked=is_locked)
            case _ as unreachable:
                assert_never(unreachable)

    def _local(self, asked: LocalPath, base: Path, *, is_locked: bool) -> None:
        """Take what lies at a path; like pip's and uv's it counts from the working directory, wherever the file lies."""
        path = base / asked.path
        told = project_and_version(path.name)
        is_tree, problem = _looked_at(path)
        if is_tree or asked.is_editable:
            reason = _EDITABLE if asked.is_editable else _BUILT
            self._wants.unfetchable.append(Unfetchable(asked.text, reason, True, asked.project, asked.place))
            if is_tree:  # else it may lie on another machine, for which this is fetched
                self._wants.trees.append((path, asked))
        elif problem:
            reason = f"{problem} (looked for at {os.path.normpath(path.absolute())})"
            self._wants.unfetchable.append(Unfetchable(asked.text, reason, project=asked.project, place=asked.place))
        elif told is None or kind_of(path.name) == "other":
            is_archive = _ARCHIVE.fullmatch(path.name) is not None
            reason = _BUILT_ARCHIVE if is_archive else "by its name it is neither a wheel nor an archive of sources"
            self._wants.unfetchable.append(Unfetchable(asked.text, reason, is_archive, asked.project, asked.place))
        elif asked.project not in (None, told[0]):
            reason = f"the file is one of {told[0]}, and not of {asked.project}"
            self._wants.unfetchable.append(Unfetchable(asked.text, reason, project=asked.project, place=asked.place))
        else:
            self._wants.local.append(LocalFile(path, told[0], asked, is_locked))

    def _option(self, option: Option, place: str) -> None:
        wants = self._wants
        if option.name in OPTIONS:
            wants.allowed = wants.allowed.after(option.name, option.value)
        elif option.name in ("--require-hashes", "--no-require-hashes"):
            wants.requires_hashes = option.name == "--require-hashes"
        elif option.name != "--hash":
            advice = _ADVICE.get(option.name, "")
            wants.notes.append(f"{option.spelled} in a requirements file has no effect: {_NO_EFFECT}{advice} ({place})")

    def finish(self) -> Wants:
        wants = self._wants
        named = {one.project for one in wants.wanted}
        for direct in self._direct_constraints:
            if direct.project in named:
                self.take(direct, Path())
        hashed = [one for one in wants.constraints if one.hashes]
        lacking = [one for one in wants.wanted if not one.hashes and not any(other.project == one.project for other in hashed)]
        if wants.requires_hashes:
            self._problems += [f"{_where(one.places)}{one}: it has no --hash, and --require-hashes is set" for one in lacking]
        elif lacking and any(one.hashes for one in wants.wanted):
            lacks = ", ".join(map(str, lacking[:3])) + (" and others" if len(lacking) > 3 else "")
            wants.notes.append(f"pip, unlike uv, will not install these files: some have a --hash, and {lacks} none")
        self._raise_problems()
        wants.wanted = list(dict.fromkeys(self._constrained(one) for one in wants.wanted))
        wants.locked = list(dict.fromkeys(self._constrained(one) for one in wants.locked))
        wants.unfetchable = list(dict.fromkeys(wants.unfetchable))
        wants.local = list(dict.fromkeys(wants.local))
        wants.notes = list(dict.fromkeys(wants.notes))
        return wants

    def _raise_problems(self) -> None:
        if self._problems:
            more = len(self._problems) - _SHOWN_PROBLEMS
            shown = [*self._problems[:_SHOWN_PROBLEMS], *([f"and {more} more"] if more > 0 else [])]
            raise InvalidInput("read what to fetch", "; ".join(shown))

    def _constrained(self, wanted: Wanted) -> Wanted:
        for other in self._wants.constraints:
            if other.project == wanted.project:
                wanted = narrowed(wanted, replace(other, extras=frozenset()))
        return self._wants.allowed.applied(wanted)


def unfetchable(one: Unfetchable) -> FetchedFile:
    """Return the report of what cannot be had ahead."""
    places = (one.place,) if one.place else ()
    if one.is_own_tree:
        return FetchedFile(wanted=one.text, result="skipped", reason=one.reason, places=places)
    return FetchedFile(wanted=one.text, result="failed", reason=one.reason, error_class="InvalidInput", places=places)


def _placed(asked: Asked, place: str) -> Asked:
    return replace(asked, places=(place,)) if isinstance(asked, Wanted) else replace(asked, place=place)


def _is_pin(wanted: Wanted) -> bool:
    specifiers = list(wanted.specifier)
    return len(specifiers) == 1 and specifiers[0].operator == "==" and "*" not in specifiers[0].version


def _where(places: Sequence[str]) -> str:
    return f"{' and '.join(places)}: " if places else ""


def _looked_at(path: Path) -> tuple[bool, str]:
    """Return whether a directory lies at a path, and why that cannot be said: it is not there, or may not be looked at."""
    try:
        return stat.S_ISDIR(path.stat().st_mode), ""
    except (FileNotFoundError, NotADirectoryError):
        return False, "there is no such file or directory"
    except (OSError, ValueError) as error:  # the latter for a NUL in it
        return False, f"it cannot be looked at: {getattr(error, 'strerror', None) or error}"


def _text(path: Path) -> str:
    attempted = f"read {path}"
    try:
        return _content(path, attempted).decode("utf-8")
    except UnicodeDecodeError:
        raise InvalidInput(attempted, "it is not UTF-8") from None


def _default_groups(beside: Path, tree: str) -> DefaultGroups:
    """Return the groups that a project of a lock has by default, which the lock does not tell; ``tree`` is where it lies."""
    project = beside / tree / "pyproject.toml"
    attempted = f"read {project}"
    try:
        is_there = project.exists()
    except OSError as error:
        raise InvalidInput(attempted, error.strerror or str(error)) from None
    return default_groups(attempted, _text(project)) if is_there else DEFAULT_GROUPS


def _content(path: Path, attempted: str) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
    except (OSError, ValueError) as error:  # the latter for a NUL in its name
        raise InvalidInput(attempted, getattr(error, "strerror", None) or str(error)) from None
    if len(content) > MAX_FILE_BYTES:
        raise InvalidInput(attempted, f"it is larger than {MAX_FILE_BYTES} bytes")
    return content
