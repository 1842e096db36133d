"""Reading requirements files, as far as they say which files are wanted.

Source: pip's "Requirements File Format": options, per-requirement hashes, environment markers, paths and URLs.  What only uv
reads (``name @ ./path``, other algorithms of hashes) is read, too.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote, urlsplit

from packaging.markers import InvalidMarker, Marker, UndefinedComparison, UndefinedEnvironmentName
from packaging.requirements import InvalidRequirement

from wheelfs.core.hashes import asked_for
from wheelfs.core.resolve.requirements_lines import logical_lines, words
from wheelfs.errors import InvalidInput
from wheelfs.model.names import ProjectName, parse_project_name, project_and_version
from wheelfs.model.versions import parse_marker, parse_requirement
from wheelfs.model.wanted import LocalPath, Unfetchable, Wanted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

HASH_ALGORITHMS: Final = frozenset({"sha256", "sha384", "sha512", "md5", "blake2b"})
"""Those of ``--hash`` that pip takes (the first three) or uv."""
_ARCHIVE = re.compile(r"\.(whl|zip|tar|tgz|tbz|txz|tlz|tar\.(gz|bz2|xz|lz|lzma))$", re.IGNORECASE)
_SCHEME = re.compile(r"((?:git|hg|svn|bzr)\+[a-z]+|https?|ftp|file|s3):", re.IGNORECASE)
# Possessive where they repeat: what is tried again for each space of a long run takes the square of its length.
_NAMED = re.compile(r"(?P<name>[A-Za-z0-9][\w.-]*+)\s*+(?:\[(?P<extras>[^\]]*+)\])?+\s*+@(?P<rest>.*)", re.DOTALL)
_EDITABLE = re.compile(r"(?:-e|--editable)(?=[\s=./])[\s=]*+(.*?)(?:(?<!\s)\s++(?:-C|--config-settings?)[\s=].*)?", re.DOTALL)
"""Read as a whole: unlike pip, uv heeds a marker after it."""

_WITH_VALUE: Final = {
    "-i": "--index-url",
    "--index-url": "--index-url",
    "--pypi-url": "--index-url",
    "--extra-index-url": "--extra-index-url",
    "-f": "--find-links",
    "--find-links": "--find-links",
    "--trusted-host": "--trusted-host",
    "--use-feature": "--use-feature",
    "-r": "--requirement",
    "--requirement": "--requirement",
    "-c": "--constraint",
    "--constraint": "--constraint",
    "--only-binary": "--only-binary",
    "--no-binary": "--no-binary",
    "--all-releases": "--all-releases",
    "--only-final": "--only-final",
    "--hash": "--hash",
    "-C": "--config-settings",
    "--config-setting": "--config-settings",
    "--config-settings": "--config-settings",
    "--global-option": "--global-option",
    "--install-option": "--install-option",
}
_FLAGS: Final = ("--no-index", "--prefer-binary", "--require-hashes", "--no-require-hashes", "--pre")
_SHORT: Final = frozenset({"-i", "-f"})
"""Written as they are spelled in messages."""

_IS_URL: Final = (
    "it is at an address of its own and not in an index; wheelfs add takes a wheel's URL, and then NAME==VERSION finds it"
)
_IS_REPOSITORY: Final = "it is built from a repository when it is installed, so there is no file to fetch ahead"


@dataclass(frozen=True, slots=True)
class Include:
    """Another file to be read at this place; as ``constraints`` it narrows what is wanted elsewhere, and wants nothing."""

    path: str
    constraints: bool
    line: int = 1


@dataclass(frozen=True, slots=True)
class Option:
    """An option that is said for everything; ``name`` is its long form, ``spelled`` as it stands in the file."""

    name: str
    value: str = ""
    spelled: str = ""
    line: int = 1


@dataclass(frozen=True, slots=True)
class Problem:
    """A line that means nothing; ``line`` counts from 1."""

    line: int
    text: str
    reason: str


Asked = Wanted | LocalPath | Unfetchable
Entry = Asked | Include | Option | Problem


def parse(
    text: str, environment: Mapping[str, str], environ: Mapping[str, str] | None = None, *, where: str = ""
) -> Iterator[Entry]:
    """Yield what the lines say, in order; a requirement whose marker is false in ``environment`` says nothing.

    ``environ`` has the variables that lines may name; ``where`` is what the file is called in what is yielded.  All problems are
    yielded, each with its place, instead of the first being raised.
    """
    for number, line in logical_lines(text, environ or {}):
        if editable := _EDITABLE.fullmatch(line):
            if (entry := _editable(_unquoted(editable[1]), environment, number, where)) is not None:
                yield entry
            continue
        pieces = line.split(" ")
        options = next((place for place, piece in enumerate(pieces) if piece.startswith("-")), len(pieces))
        asked = " ".join(pieces[:options]).strip()
        try:
            said = list(_options(" ".join(pieces[options:])))
        except ValueError as error:
            yield Problem(number, line, str(error))
            continue
        if asked:
            # As in pip: beside a requirement only what belongs to it has an effect.
            hashes = [value for name, value, _ in said if name == "--hash"]
            if (entry := requirement(asked, environment, number, hashes=hashes, where=where)) is not None:
                yield entry
        else:
            yield from _said(said, number)


def requirement(
    text: str, environment: Mapping[str, str], number: int = 1, *, hashes: list[str] | None = None, where: str = ""
) -> Asked | Problem | None:
    """Return what one requirement says; None when its marker is false.  It may be a name, a URL or a path.

    ``hashes`` are the values of its ``--hash`` options.
    """
    for value in sorted(hashes or ()):
        if value.lower().partition(":")[0] not in HASH_ALGORITHMS:
            return Problem(number, text, f"{value!r} is no hash such as sha256:HEX (or {', '.join(sorted(HASH_ALGORITHMS))})")
    try:
        digests = frozenset(map(asked_for, hashes or ()))
    except ValueError as error:
        return Problem(number, text, str(error))
    place = f"{where}, line {number}" if where else ""
    try:
        if _SCHEME.match(text):
            return _of_url(text, environment, digests, place)
        if named := _NAMED.match(text):
            return _of_named(named, text, environment, digests, place)
        bare, marker = _without_marker(text, ";")
        if "/" in bare or bare.startswith(".") or _ARCHIVE.search(_without_extras(bare)[0]):
            return _of_path(bare, environment, marker, digests, place)
        wanted = parse_requirement(text)
        project = parse_project_name(wanted.name)
        if not _holds(wanted.marker, environment):
            return None
    except (InvalidRequirement, InvalidMarker, InvalidInput) as error:
        return Problem(number, text, str(error).splitlines()[0])
    except (UndefinedEnvironmentName, UndefinedComparison) as error:
        return Problem(number, text, f"its marker means nothing here: {error}")
    return Wanted(project, wanted.specifier, digests, frozenset(wanted.extras), places=(place,) if place else ())


def _of_url(text: str, environment: Mapping[str, str], hashes: frozenset[str], place: str) -> LocalPath | Unfetchable | None:
    # In an address a semicolon alone is a character like others.
    url, marker = _without_marker(text, " ;", "; ")
    if not _holds(marker, environment):
        return None
    bare, extras = _without_extras(url)
    return _located(url, bare, None, extras, hashes, place)


def _of_named(
    named: re.Match[str], text: str, environment: Mapping[str, str], hashes: frozenset[str], place: str
) -> LocalPath | Unfetchable | None:
    project = parse_project_name(named["name"])
    location, marker = _without_marker(named["rest"].strip(), " ;", "; ")
    if not location:
        raise InvalidRequirement(f"nothing is named after the @ of {text[:200]!r}")
    if not _holds(marker, environment):
        return None
    extras = frozenset(extra.strip() for extra in (named["extras"] or "").split(",") if extra.strip())
    return _located(f"{named['name']} @ {location}", location, project, extras, hashes, place)


def _located(
    text: str, location: str, project: ProjectName | None, extras: frozenset[str], hashes: frozenset[str], place: str
) -> LocalPath | Unfetchable:
    """Return what stands at an address or path; a fragment such as ``#sha256=…`` names a hash, too."""
    if not _SCHEME.match(location):
        return LocalPath(text, location, project, hashes, extras, place=place)
    try:
        parts = urlsplit(location)
    except ValueError:  # brackets that hold no IPv6 address
        return Unfetchable(text, "its address cannot be read", place=place)
    fragment = dict(pair.partition("=")[::2] for pair in parts.fragment.split("&"))
    hashes |= {f"{name}:{value}".lower() for name, value in fragment.items() if name in HASH_ALGORITHMS}
    if parts.scheme.lower() == "file":
        path = unquote(parts.path if parts.netloc in ("", "localhost") else parts.netloc + parts.path)
        return LocalPath(text, path, project, hashes, extras, place=place)
    filename = unquote(parts.path).rpartition("/")[2]
    told = project_and_version(filename)
    reason = _IS_REPOSITORY if "+" in parts.scheme else _IS_URL
    return Unfetchable(text, reason, project=project or (told[0] if told else None), place=place)


def _of_path(
    bare: str, environment: Mapping[str, str], marker: Marker | None, hashes: frozenset[str], place: str
) -> LocalPath | None:
    if not _holds(marker, environment):
        return None
    path, extras = _without_extras(bare)
    return LocalPath(bare, path, None, hashes, extras, place=place)


def _editable(text: str, environment: Mapping[str, str], number: int, where: str) -> Asked | Problem | None:
    found = requirement(text, environment, number, where=where)
    if isinstance(found, LocalPath):
        return replace(found, hashes=frozenset(), is_editable=True)
    if isinstance(found, Wanted):  # a name alone is a directory here
        bare, _ = _without_marker(text, ";")
        return LocalPath(bare, _without_extras(bare)[0], extras=found.extras, is_editable=True, place="".join(found.places))
    return found


def _unquoted(text: str) -> str:
    is_quoted = len(text) > 1 and text[0] == text[-1] and text[0] in "\"'"
    return text[1:-1] if is_quoted else text


def _without_marker(text: str, *separators: str) -> tuple[str, Marker | None]:
    places = [place for one in separators if (place := text.find(one)) >= 0]
    if not places:
        return text.strip(), None
    bare, _, marker = text[min(places) :].partition(";")
    return (text[: min(places)] + bare).strip(), parse_marker(marker.strip()) if marker.strip() else None


def _without_extras(text: str) -> tuple[str, frozenset[str]]:
    bare = text.removesuffix("]")
    # A path may hold brackets, too: extras begin at the first one after all that are closed.
    begin = bare.find("[", max(1, bare.rfind("]") + 1)) if bare != text else -1
    if begin < 0:
        return text, frozenset()
    return text[:begin], frozenset(extra.strip() for extra in bare[begin + 1 :].split(",") if extra.strip())


def _holds(marker: Marker | None, environment: Mapping[str, str]) -> bool:
    # The context of metadata: there no extra counts as asked for, as pip has it.
    return marker is None or marker.evaluate(dict(environment), context="metadata")


def _options(text: str) -> Iterator[tuple[str, str, str]]:
    """Yield the options of a line: long name, value, and as it is spelled; raises `ValueError` with the reason."""
    try:
        left = iter(words(text))
    except ValueError as error:
        raise ValueError(f"its options cannot be read: {error}") from None
    for word in left:
        spelled, equals, value = (
            word.partition("=") if word.startswith("--") else (word[:2], word[2:], word[2:].removeprefix("="))
        )
        if not word.startswith("-") or word in ("-", "--"):
            raise ValueError(f"{word[:80]!r} is neither an option nor part of one")
        name = _known(spelled)
        if name in _FLAGS:
            if equals:
                raise ValueError(f"{name} takes no value")
            yield name, "", spelled
            continue
        if not equals:
            value = next(left, "")
        if not value:
            raise ValueError(f"{spelled} needs a value")
        yield name, value, spelled


def _known(spelled: str) -> str:
    """Return the long name of an option; like pip's the reader takes a beginning that only one has."""
    if spelled in _WITH_VALUE:
        return _WITH_VALUE[spelled]
    names = {_WITH_VALUE.get(name, name) for name in (*_WITH_VALUE, *_FLAGS) if name.startswith(spelled) and len(spelled) > 2}
    if spelled in _FLAGS or len(names) == 1:
        return spelled if spelled in _FLAGS else names.pop()
    raise ValueError(f"{spelled} is no option of a requirements file that is known here")


def _said(said: list[tuple[str, str, str]], number: int) -> Iterator[Entry]:
    """Yield what a line of options alone says; of includes, as in pip, the first of the line."""
    for wanted in ("--requirement", "--constraint"):
        for name, value, _ in said:
            if name == wanted:
                yield Include(value, constraints=name == "--constraint", line=number)
                return
    for name, value, spelled in said:
        yield Option(name, value, spelled if spelled in _SHORT else name, number)
