"""Values that say what is hidden: ages, platforms, versions of Python."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from pathlib import Path

AGE_SYNTAX: Final = "hours, days or weeks like 36h, 7d or 2w; 0: none"

_AGE = re.compile(r"(?P<number>[0-9]{1,6})(?P<unit>[hdw])", re.ASCII)
_HOUR_S: Final = 3_600
_UNITS_S: Final = {"h": _HOUR_S, "d": 24 * _HOUR_S, "w": 7 * 24 * _HOUR_S}
_MOST_S: Final = 36_500 * 24 * _HOUR_S
_PLATFORM = re.compile(r"[a-z][a-z0-9_]{0,79}", re.ASCII)
_PYTHON = re.compile(r"3\.(0|[1-9][0-9]?)", re.ASCII)
_MAX_WORDS: Final = 64


def age_s(text: str) -> int:
    """Return the seconds that text like ``7d`` stands for; raise ValueError for any other."""
    match = _AGE.fullmatch(text)
    seconds = 0 if text == "0" else int(match["number"]) * _UNITS_S[match["unit"]] if match else -1
    if not 0 <= seconds <= _MOST_S:
        raise ValueError(f"must be {AGE_SYNTAX}")
    return seconds


class AgeKind(msgspec.Struct, frozen=True):
    """A time span in whole hours, days or weeks, as seconds; 0: none."""

    syntax: str = AGE_SYNTAX
    toml_types: tuple[type, ...] = (str, int)

    def parse(self, raw: object, base: Path) -> int:
        return age_s(str(raw).strip() if isinstance(raw, str | int) and not isinstance(raw, bool) else "")

    def as_text(self, value: object) -> str:
        return f"{int(str(value)) // _HOUR_S}h"


class PlatformsKind(msgspec.Struct, frozen=True):
    """Platform tags, or ``here`` for those of this machine; ``all``, which is no tag, stands for no restriction."""

    syntax: str = 'all, here, or platform tags like "manylinux_2_28_x86_64 win_amd64"'
    toml_types: tuple[type, ...] = (str, list)

    def parse(self, raw: object, base: Path) -> tuple[str, ...]:
        words = _words(raw)
        if words == ("all",):
            return ()
        if not words or any(word == "all" or not _PLATFORM.fullmatch(word) for word in words):
            raise ValueError(f"must be {self.syntax}")
        return words

    def as_text(self, value: object) -> str:
        return " ".join(_words(value)) or "all"


class PythonsKind(msgspec.Struct, frozen=True):
    """Versions of CPython 3, major and minor; ``all`` stands for no restriction."""

    syntax: str = 'all, or versions like "3.11 3.12"'
    toml_types: tuple[type, ...] = (str, list)

    def parse(self, raw: object, base: Path) -> tuple[str, ...]:
        words = _words(raw)
        if words == ("all",):
            return ()
        if not words or not all(_PYTHON.fullmatch(word) for word in words):
            raise ValueError(f"must be {self.syntax}")
        return words

    def as_text(self, value: object) -> str:
        return " ".join(_words(value)) or "all"


def _words(raw: object) -> tuple[str, ...]:
    """Return a list's words, or those of text between spaces and commas; none where it is neither, or has too many."""
    words = re.split(r"[\s,]+", raw.strip()) if isinstance(raw, str) else raw
    if not isinstance(words, list | tuple) or not all(isinstance(word, str) for word in words) or len(words) > _MAX_WORDS:
        return ()
    return tuple(dict.fromkeys(words))
