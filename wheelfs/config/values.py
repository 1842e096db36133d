"""What a single value may look like, from a TOML file or as text from a flag or the environment.

Every kind turns a raw value into the final one or raises ValueError with a sentence that fits after "PLACE: ".  Such a
sentence never quotes a value that could hold a credential.
"""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Final, Protocol

import msgspec

_SIZE = re.compile(r"(?P<number>[0-9]{1,20}(\.[0-9]{1,9})?) ?(?P<unit>|B|[kKMGT]B?|[kKMGT]iB?)\Z")
_PERCENT = re.compile(r"(?P<number>[0-9]{1,3}) ?%?\Z")
_SIZE_UNITS: Final = {"": 1, "b": 1} | {
    letter + ending: base**power
    for power, letter in enumerate("kmgt", 1)
    for base, endings in ((1000, ("", "b")), (1024, ("i", "ib")))
    for ending in endings
}
_SIZE_MAX_BYTES: Final = 1 << 60
_TRUE: Final = frozenset({"1", "true", "yes", "on"})
_FALSE: Final = frozenset({"0", "false", "no", "off", ""})


class Kind(Protocol):
    """A sort of value.  ``base`` is the directory that relative paths start from.

    ``toml_types``: TOML has types of its own, and a quoted number in a file is more likely a mistake than intended.
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


class PathKind(msgspec.Struct, frozen=True):
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
            raise ValueError("the home directory for ~ cannot be determined") from None
        return base / path

    def as_text(self, value: object) -> str:
        return str(value)


class PathsKind(msgspec.Struct, frozen=True):
    """Several paths, each as `PathKind` has it: a list in TOML, separated by colons elsewhere."""

    syntax: str = "paths"
    toml_types: tuple[type, ...] = (list,)

    def parse(self, raw: object, base: Path) -> tuple[Path, ...]:
        listed = [one for one in raw.split(":") if one] if isinstance(raw, str) else raw
        if not isinstance(listed, list):
            raise ValueError("must be paths")
        return tuple(PathKind().parse(one, base) for one in listed)

    def as_text(self, value: object) -> str:
        return ":".join(map(str, value)) if isinstance(value, tuple) else str(value)


class TextKind(msgspec.Struct, frozen=True):
    """A word; its user says what is wrong with it."""

    syntax: str
    toml_types: tuple[type, ...] = (str,)

    def parse(self, raw: object, base: Path) -> str:
        if not isinstance(raw, str) or not raw.strip() or not raw.isprintable():
            raise ValueError(f"must be {self.syntax}")
        return raw.strip()

    def as_text(self, value: object) -> str:
        return str(value)


class FlagKind(msgspec.Struct, frozen=True):
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


class SecondsKind(msgspec.Struct, frozen=True):
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
        return str(value).removesuffix(".0")


class CountKind(msgspec.Struct, frozen=True):
    """A whole number between two bounds."""

    least: int
    most: int
    toml_types: tuple[type, ...] = (int,)

    @property
    def syntax(self) -> str:
        return f"a number, {self.least} to {self.most}"

    def parse(self, raw: object, base: Path) -> int:
        text = str(raw).strip()
        is_number = isinstance(raw, int | str) and not isinstance(raw, bool) and text.isascii() and text.isdigit()
        if not is_number or len(text) > 9 or not self.least <= int(text) <= self.most:
            raise ValueError(f"must be {self.syntax}")
        return int(text)

    def as_text(self, value: object) -> str:
        return str(value)


class SizeKind(msgspec.Struct, frozen=True):
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


class PercentKind(msgspec.Struct, frozen=True):
    """A part of a whole, written as a percentage (``80%``, in TOML a number will do) and kept as a fraction."""

    least: int
    most: int
    toml_types: tuple[type, ...] = (int, str)

    @property
    def syntax(self) -> str:
        return f"percentage, {self.least}% to {self.most}%"

    def parse(self, raw: object, base: Path) -> float:
        match = _PERCENT.match(str(raw).strip()) if isinstance(raw, int | str) and not isinstance(raw, bool) else None
        if match is None or not self.least <= int(match["number"]) <= self.most:
            raise ValueError(f"must be a {self.syntax}")
        return int(match["number"]) / 100

    def as_text(self, value: object) -> str:
        return f"{float(str(value)) * 100:.0f}%"


class ChoiceKind(msgspec.Struct, frozen=True):
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
