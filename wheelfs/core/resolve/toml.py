"""TOML that others wrote, through one door: ``tomllib``, after a bound on what it takes the square of the length for.

``tomllib`` copies what it has read of a dotted key with every further part of it: one of 32,000 parts, 64 KiB, takes two seconds
in a table's header, and minutes and gigabytes before an equals sign.
"""

from __future__ import annotations

import re
import tomllib
from typing import Any, Final

MAX_KEY_PARTS: Final = 100
"""Tools write keys of two or three parts."""

_QUOTED = re.compile(
    r'"""(?:[^"\\]++|\\.|"(?!""))*+(?:""")?'
    r"|'''.*?(?:'''|\Z)"
    r'|"(?:[^"\\\n]++|\\.)*+"?'
    r"|'[^'\n]*+'?"
    r"|#[^\n]*+",
    re.DOTALL,
)
"""Strings and comments, as far as they go where they are not closed: there ``tomllib`` ends, too."""
_BETWEEN_KEYS = re.compile(r"[\n=,{}\[\]]")


def loads(text: str) -> dict[str, Any]:
    """Return a document; raises ValueError for what is no TOML, or has a key of more than `MAX_KEY_PARTS` parts."""
    if text.count(".") >= MAX_KEY_PARTS:
        for part in _BETWEEN_KEYS.split(_QUOTED.sub("", text)):
            if part.count(".") >= MAX_KEY_PARTS:
                raise ValueError(f"a key in it has more than {MAX_KEY_PARTS} parts")
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
