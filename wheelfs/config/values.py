"""What a single value may look like, from a TOML file or as text from a flag or the environment.

Every kind turns a raw value into the final one or raises ValueError with a sentence that fits behind "PLACE: ".  Such a
sentence never quotes a value that could hold a credential.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol
from urllib.parse import urlsplit

import msgspec

from wheelfs.config.suggestions import unknown_key

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_INDEX_NAME: Final = 64
"""Index names become directory names (``index/NAME``) and keys in the catalog."""
MAX_INDEXES: Final = 64
"""A look-up may ask every index once; more than this is a mistake in a template."""
RESERVED_NAMES: Final = frozenset({"local", "stored"})
"""``local`` is the origin of files that were added by hand, ``stored`` a directory of the mount."""

_INDEX_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*\Z")
_NAMED_INDEX = re.compile(r"(?P<name>[^=:/?#\s]*)=(?P<url>.*)\Z", re.DOTALL)
_SIZE = re.compile(r"(?P<number>[0-9]{1,20}(\.[0-9]{1,9})?) ?(?P<unit>|B|[kKMGT]B?|[kKMGT]iB?)\Z")
_SIZE_UNITS: Final = {"": 1, "b": 1} | {
    letter + ending: base**power
    for power, letter in enumerate("kmgt", 1)
    for base, endings in ((1000, ("", "b")), (1024, ("i", "ib")))
    for ending in endings
}
_SIZE_MAX_BYTES: Final = 1 << 60
_TRUE: Final = frozenset({"1", "true", "yes", "on"})
_FALSE: Final = frozenset({"0", "false", "no", "off", ""})


class IndexSetting(msgspec.Struct, frozen=True):
    """A package index.  ``url`` may hold credentials: show it only through `wheelfs.config.redact`."""

    name: str
    url: str


class Kind(Protocol):
    """A sort of value.  ``base`` is the directory that relative paths start from.

    ``toml_types``: TOML has types of its own, and a quoted number in a file is more likely a mistake than a wish.
    """

    @property
    def syntax(self) -> str:
        """How a value is written, for the reference."""
        ...

    @property
    def toml_types(self) -> tuple[type, ...]: ...

    def parse(self, raw: object, base: Path) -> object: ...

    def as_text(self, value: object) -> str:
        """Return the text from which `parse` makes ``value`` again (for the environment of a spawned process)."""
        ...


@dataclass(frozen=True, slots=True)
class PathKind:
    """A path; ``~`` is expanded, a relative one starts at the file that names it, or at the working directory."""

    syntax: str = "path"
    toml_types: tuple[type, ...] = (str,)

    def parse(self, raw: object, base: Path) -> Path:
        if not isinstance(raw, str | Path) or not str(raw):
            raise ValueError("must be a path")
        if "\0" in str(raw):
            raise ValueError("must be a path without NUL characters")
        try:
            path = Path(raw).expanduser()
        except RuntimeError:
            raise ValueError("the home directory for ~ cannot be found out") from None
        return base / path

    def as_text(self, value: object) -> str:
        return str(value)


@dataclass(frozen=True, slots=True)
class TextKind:
    """A word; whoever uses it says what is wrong with it."""

    syntax: str
    toml_types: tuple[type, ...] = (str,)

    def parse(self, raw: object, base: Path) -> str:
        if not isinstance(raw, str) or not raw.strip() or not raw.isprintable():
            raise ValueError(f"must be {self.syntax}")
        return raw.strip()

    def as_text(self, value: object) -> str:
        return str(value)


@dataclass(frozen=True, slots=True)
class FlagKind:
    """True or false; as text 1/true/yes/on or 0/false/no/off."""

    syntax: str = "true or false"
    toml_types: tuple[type, ...] = (bool,)

    def parse(self, raw: object, base: Path) -> bool:
        if isinstance(raw, bool):
            return raw
        if isinstance(raw, str) and raw.strip().lower() in _TRUE | _FALSE:
            return raw.strip().lower() in _TRUE
        raise ValueError("must be true or false")

    def as_text(self, value: object) -> str:
        return "1" if value else "0"


@dataclass(frozen=True, slots=True)
class SecondsKind:
    """A number of seconds between two bounds."""

    least_s: float
    most_s: float
    toml_types: tuple[type, ...] = (int, float)

    @property
    def syntax(self) -> str:
        return f"seconds, {self.least_s:.10g} to {self.most_s:.10g}"

    def parse(self, raw: object, base: Path) -> float:
        sentence = f"must be a number of seconds between {self.least_s:.10g} and {self.most_s:.10g}"
        if isinstance(raw, bool) or not isinstance(raw, int | float | str):
            raise ValueError(sentence)
        try:
            number = float(raw)
        except (ValueError, OverflowError):
            raise ValueError(sentence) from None
        if not math.isfinite(number) or not self.least_s <= number <= self.most_s:
            raise ValueError(sentence)
        return number

    def as_text(self, value: object) -> str:
        return str(value)


@dataclass(frozen=True, slots=True)
class SizeKind:
    """A number of bytes: a whole number, or as text with a unit, decimal (``100MB``) or binary (``200GiB``)."""

    least_bytes: int
    toml_types: tuple[type, ...] = (int, str)

    @property
    def syntax(self) -> str:
        least = f", at least {self.as_text(self.least_bytes)}" if self.least_bytes else ""
        return f"size like 100MB or 200GiB{least}"

    def parse(self, raw: object, base: Path) -> int:
        match = _SIZE.match(str(raw).strip()) if isinstance(raw, int | str) and not isinstance(raw, bool) else None
        if match is None:
            raise ValueError(f"must be a {self.syntax}")
        size_bytes = int(float(match["number"]) * _SIZE_UNITS[match["unit"].lower()])
        if not self.least_bytes <= size_bytes <= _SIZE_MAX_BYTES:
            raise ValueError(f"must be a {self.syntax}")
        return size_bytes

    def as_text(self, value: object) -> str:
        size_bytes = int(str(value))
        for unit in ("TB", "GB", "MB", "kB"):
            if size_bytes and size_bytes % _SIZE_UNITS[unit.lower()] == 0:
                return f"{size_bytes // _SIZE_UNITS[unit.lower()]}{unit}"
        return str(size_bytes)


@dataclass(frozen=True, slots=True)
class ChoiceKind:
    """One of a few words."""

    choices: tuple[str, ...]
    toml_types: tuple[type, ...] = (str,)

    @property
    def syntax(self) -> str:
        return " or ".join(f'"{choice}"' for choice in self.choices)

    def parse(self, raw: object, base: Path) -> str:
        if isinstance(raw, str) and raw in self.choices:
            return raw
        raise ValueError(f"must be {self.syntax}")

    def as_text(self, value: object) -> str:
        return str(value)


@dataclass(frozen=True, slots=True)
class IndexesKind:
    """Indexes in order of priority: tables in TOML, ``NAME=URL`` or a bare URL as text."""

    syntax: str = "NAME=URL or URL"
    toml_types: tuple[type, ...] = (list,)

    def parse(self, raw: object, base: Path) -> tuple[IndexSetting, ...]:
        items: Sequence[object] = raw.split() if isinstance(raw, str) else raw if isinstance(raw, list | tuple) else [raw]
        if len(items) > MAX_INDEXES:
            raise ValueError(f"more than {MAX_INDEXES} indexes")
        indexes: list[IndexSetting] = []
        problems: list[str] = []
        for number, item in enumerate(items, 1):
            prefix = f"index {number}: " if len(items) > 1 else ""
            try:
                index = _index_of_table(item) if isinstance(item, dict) else _index_of_text(item)
                if any(index.name == other.name for other in indexes):
                    raise ValueError(f"the name {index.name!r} is given twice")
                indexes.append(index)
            except ValueError as error:
                problems += [prefix + line for line in str(error).splitlines()]
        if problems:
            raise ValueError("\n".join(problems))
        return tuple(indexes)

    def as_text(self, value: object) -> str:
        indexes: tuple[IndexSetting, ...] = value  # type: ignore[assignment]
        return " ".join(f"{index.name}={index.url}" for index in indexes)


def _index_of_text(item: object) -> IndexSetting:
    if not isinstance(item, str):
        raise ValueError("must be NAME=URL or a table with name and url")
    match = _NAMED_INDEX.match(item)
    if match is None:
        return _checked(None, item)
    return _checked(match["name"], match["url"])


def _index_of_table(table: dict[str, object]) -> IndexSetting:
    url, name = table.get("url"), table.get("name")
    problems = [unknown_key(key, ("name", "url")) for key in table if key not in ("name", "url")]
    if not isinstance(url, str):
        problems.append("url is missing, or is not text")
    if not isinstance(name, str | None):
        problems.append("name must be text")
    if not isinstance(url, str) or not isinstance(name, str | None):
        raise ValueError("\n".join(problems))
    return _checked(name, url, problems)


def _checked(name: str | None, url: str, problems: Sequence[str] = ()) -> IndexSetting:
    """Return the index (named after its URL if need be), or raise with all that is wrong."""
    found = list(problems)
    for check, value in ((check_index_name, name), (check_url, url)):
        try:
            if value is not None:
                check(value)
        except ValueError as error:
            found.append(str(error))
    if found:
        raise ValueError("\n".join(found))
    return IndexSetting(name=name_from_url(url) if name is None else name, url=url)


def check_index_name(name: str) -> str:
    """Return ``name`` when an index may be called so; raise ValueError otherwise."""
    if not _INDEX_NAME.match(name):
        raise ValueError(f"the name {name[:80]!r} is not letters, digits and . _ - (beginning with a letter or digit)")
    if len(name) > MAX_INDEX_NAME:
        raise ValueError(f"the name {name[:80]!r} is longer than {MAX_INDEX_NAME} characters")
    if name in RESERVED_NAMES:
        raise ValueError(f"the name {name!r} is reserved")
    return name


def check_url(url: str) -> str:
    """Return ``url`` when it can be the address of an index over HTTP; raise ValueError, never quoting it, otherwise."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ValueError("the URL cannot be parsed") from None
    if parts.scheme not in ("http", "https"):
        raise ValueError("the URL must begin with http:// or https://")
    if not parts.hostname or port == 0:
        raise ValueError("the URL names no host")
    if re.search(r"[\s\x00-\x1f\x7f]", url):
        raise ValueError("the URL contains white space or control characters")
    if parts.query or parts.fragment:
        raise ValueError("the URL of an index has neither a query nor a fragment")
    return url


def name_from_url(url: str) -> str:
    """Derive the name of an index given as a bare URL: host, port and path, without a final ``simple``.

    Not "main" or a number: what is stored is filed under the index's name, and two different indexes given bare at different
    times must not be taken for one another.
    """
    parts = urlsplit(url)
    steps = [step for step in parts.path.split("/") if step]
    if steps and steps[-1] in ("simple", "+simple"):
        steps.pop()
    text = "-".join([parts.hostname or "", *([str(parts.port)] if parts.port else []), *steps])
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-._")[:MAX_INDEX_NAME] or "index"
    return f"{name}-index"[:MAX_INDEX_NAME] if name in RESERVED_NAMES else name
