"""Which files a user means by a word: a filename, a project, a requirement such as ``numpy>=2``, or a pattern such as ``numpy*``.

Every command reads words here, so the same word selects the same files of the store, of a share and of what is tracked.  Patterns
are for commands that only look: before a command removes, pins or publishes files, each of them has been named, since a pattern
(or a shell that expanded it) may well mean more than its author had in mind.
"""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Final, Protocol, TypeVar, assert_never

from wheelfs.errors import InvalidInput, NotKnown
from wheelfs.model.names import kind_of, parse_project_name, project_and_version

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from packaging.specifiers import SpecifierSet

    from wheelfs.model.names import ProjectName

_SHOWN: Final = 200
"""Characters of a word that are repeated in an error."""


class NamedFile(Protocol):
    """A file that can be selected: of the store, of a share, of an index."""

    @property
    def project(self) -> str: ...

    @property
    def filename(self) -> str: ...


F = TypeVar("F", bound=NamedFile)


@dataclass(frozen=True, slots=True)
class Filename:
    """The wheel or sdist of exactly this name, of the project that the name says."""

    text: str
    project: ProjectName


@dataclass(frozen=True, slots=True)
class Versions:
    """The files of a project: all of them, or those of the versions in ``specifier`` (pre-releases too)."""

    text: str
    project: ProjectName
    specifier: SpecifierSet


@dataclass(frozen=True, slots=True)
class Pattern:
    """The files whose project or filename matches a pattern with ``*``, ``?`` and ``[...]``, as `fnmatch` reads it."""

    text: str


Name = Filename | Versions
Word = Name | Pattern


def parse_word(attempted: str, word: str) -> Word:
    """Return what a word means; raises `InvalidInput`."""
    named = project_and_version(word)
    if named is not None and kind_of(word) != "other" and not _has_wildcard(word):
        return Filename(word, named[0])
    # A tenth of the time of `wheelfs ls`, which is mostly given no word.
    from packaging.requirements import InvalidRequirement

    from wheelfs.model.versions import parse_requirement

    try:
        requirement = parse_requirement(word)
    except InvalidRequirement as error:
        if _has_wildcard(word):  # asked second: numpy==1.* is a requirement
            return Pattern(word)
        reason = str(error).partition("\n")[0]  # the rest points to the place with a second line
        happened = f"it is no filename, project, requirement or pattern ({reason})"
        raise InvalidInput(f"{attempted} {word[:_SHOWN]!r}", happened) from None
    if requirement.url or requirement.extras or requirement.marker:
        advice = "write a project and versions, for example numpy>=2"
        raise InvalidInput(f"{attempted} {word[:_SHOWN]!r}", "a file has no extras, URL or marker to select it by", advice)
    return Versions(word, parse_project_name(requirement.name), requirement.specifier)


def parse_name(attempted: str, word: str) -> Name:
    """Return what a word means where patterns are refused; raises `InvalidInput`."""
    parsed = parse_word(attempted, word)
    if isinstance(parsed, Pattern):
        advice = f"wheelfs ls {word[:_SHOWN]!r} lists the files that it matches; name them, or a project such as numpy>=2"
        raise InvalidInput(f"{attempted} {word[:_SHOWN]!r}", "a pattern is not accepted here", advice)
    return parsed


def matches(word: Word, file: NamedFile) -> bool:
    """Tell whether a word means a file."""
    match word:
        case Pattern(text):
            return fnmatchcase(file.project, text) or fnmatchcase(file.filename, text)
        case Filename(text, project):
            return file.project == project and file.filename == text
        case Versions(_, project, specifier):
            if file.project != project:
                return False
            told = project_and_version(file.filename, project) if specifier else None
            # Without a version in its name a file fits only where any version would.
            return not specifier or (told is not None and specifier.contains(told[1], prereleases=True))
        case _ as unreachable:
            assert_never(unreachable)


def filtered(attempted: str, words: Sequence[str], files: Iterable[F]) -> Iterator[F]:
    """Yield the files that a word or pattern means; all of them without words.  Raises `InvalidInput` before the first."""
    parsed = [parse_word(attempted, word) for word in words]
    return (file for file in files if not parsed or any(matches(word, file) for word in parsed))


def select(
    attempted: str, words: Sequence[str], candidates: Callable[[Name], Iterable[F]], *, happened: str, advice: str
) -> list[F]:
    """Return the files that are named, each once, in the order of the words.

    ``candidates`` returns files among which all that a name may mean are, for instance those of its project.  Raises
    `InvalidInput` for a pattern and for what is no name at all, and `NotKnown` for a name that means no file (with ``happened``
    and ``advice``); nothing is selected then.
    """
    found: dict[F, None] = {}
    for name in [parse_name(attempted, word) for word in words]:
        files = [file for file in candidates(name) if matches(name, file)]
        if not files:
            raise NotKnown(f"{attempted} {name.text}", happened, advice)
        found |= dict.fromkeys(files)
    return list(found)


def _has_wildcard(word: str) -> bool:
    return any(sign in word for sign in "*?[")
