"""Reading requirements files, as far as they say which files of an index are wanted.

Source: pip's "Requirements File Format": comments, continued lines, options, per-requirement hashes, environment markers.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from packaging.markers import UndefinedComparison, UndefinedEnvironmentName
from packaging.requirements import InvalidRequirement, Requirement

from wheelfs.errors import InvalidInput
from wheelfs.model.names import parse_project_name
from wheelfs.model.wanted import Unfetchable, Wanted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_COMMENT = re.compile(r"(^|\s+)#.*$")
_OPTION = re.compile(r"(?P<name>-[A-Za-z]|--[A-Za-z][\w-]*)\s*=?\s*(?P<value>.*)", re.DOTALL)
_HASH = re.compile(r"--hash(?:=|\s+)(\S+)")
_HASH_VALUE = re.compile(r"[a-z0-9_]+:[0-9a-f]+")
_OWN_OPTIONS = re.compile(r"\s--(?:hash|config-settings?|global-option)(?:[=\s]|$)")

_IGNORED: Final = frozenset(
    {
        *("-i", "--index-url", "--extra-index-url", "--no-index", "-f", "--find-links", "--trusted-host"),
        *("--no-binary", "--only-binary", "--prefer-binary", "--require-hashes", "--use-feature"),
    }
)
"""Options of pip that are understood and do not apply: which indexes there are is a matter of wheelfs' configuration."""


@dataclass(frozen=True, slots=True)
class Include:
    """Another file to be read at this place; as ``constraints`` it narrows what is wanted elsewhere, and wants nothing."""

    path: str
    constraints: bool


@dataclass(frozen=True, slots=True)
class Ignored:
    """An option that has no effect here."""

    option: str


@dataclass(frozen=True, slots=True)
class Prereleases:
    """Pre-releases are as good as other versions, of everything that is wanted."""


@dataclass(frozen=True, slots=True)
class Problem:
    """A line that means nothing; ``line`` counts from 1."""

    line: int
    text: str
    reason: str


Entry = Wanted | Unfetchable | Include | Prereleases | Ignored | Problem


def parse(text: str, environment: Mapping[str, str]) -> Iterator[Entry]:
    """Yield what the lines say, in order; a requirement whose marker is false in ``environment`` says nothing.

    All problems are yielded, each with its place, instead of the first being raised.
    """
    for number, line in _logical_lines(text):
        if line.startswith("-"):
            yield _option(number, line)
        elif (entry := requirement(line, environment, number)) is not None:
            yield entry


def requirement(line: str, environment: Mapping[str, str], number: int = 1) -> Wanted | Unfetchable | Problem | None:
    """Return what one requirement says, with its ``--hash`` options; None when its marker is false."""
    own = _OWN_OPTIONS.search(line)
    text, options = (line, "") if own is None else (line[: own.start()].strip(), line[own.start() :])
    if text.startswith((".", "/", "~")) or re.match(r"[a-z][a-z0-9+.-]*:", text):
        return Unfetchable(text, "it is no file of an index; wheelfs add takes files and URLs")
    try:
        wanted = Requirement(text)
        project = parse_project_name(wanted.name)
    except (InvalidRequirement, InvalidInput) as error:
        return Problem(number, text, str(error).splitlines()[0])
    hashes = frozenset(value.lower() for value in _HASH.findall(options))
    if bad := sorted(value for value in hashes if not _HASH_VALUE.fullmatch(value)):
        return Problem(number, text, f"{bad[0]!r} is no hash such as sha256:HEX")
    try:
        # The context of metadata: there an extra is none of those that are asked for, as pip has it.
        if wanted.marker is not None and not wanted.marker.evaluate(dict(environment), context="metadata"):
            return None
    except (UndefinedEnvironmentName, UndefinedComparison) as error:
        return Problem(number, text, f"its marker means nothing here: {error}")
    if wanted.url:
        return Unfetchable(text, "it is no file of an index; wheelfs add takes files and URLs")
    return Wanted(project, wanted.specifier, hashes, frozenset(wanted.extras))


def _option(number: int, line: str) -> Entry:
    match = _OPTION.match(line)
    if match is None:
        return Problem(number, line, "it is neither an option nor a requirement")
    name, value = match["name"], match["value"].strip().strip("\"'")
    if name in _IGNORED:
        return Ignored(name)
    if name == "--pre":
        return Prereleases()
    if name in ("-e", "--editable"):
        if "://" in value:
            return Unfetchable(value, "it is no file of an index")
        return Unfetchable(value, "it is installed from where it lies, so there is nothing to fetch", is_own_tree=True)
    if name in ("-r", "--requirement", "-c", "--constraint") and value:
        return Include(value, constraints=name in ("-c", "--constraint"))
    return Problem(number, line, f"{name} is no option of a requirements file that is known here")


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield lines that hold something, without comments, continued ones joined, each with the number of its first line.

    As in pip a comment line ends a continued line.
    """
    parts: list[str] = []
    first = 0
    for number, line in enumerate(text.removeprefix("\ufeff").splitlines(), 1):
        if not parts:
            first = number
        is_comment = line.lstrip().startswith("#")
        if line.endswith("\\") and not is_comment:
            parts.append(line[:-1])
            continue
        parts.append("" if is_comment else line)
        joined = _COMMENT.sub("", "".join(parts)).strip()
        parts = []
        if joined:
            yield first, joined
    if joined := _COMMENT.sub("", "".join(parts)).strip():
        yield first, joined
