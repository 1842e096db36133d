"""What a wheel's METADATA says for readers: what it is, its licence, what it needs."""

from __future__ import annotations

import re
from typing import Final

import msgspec
from packaging.metadata import parse_email

MOST_CHARACTERS: Final = 300
"""Of a text that is to be a line: some write a whole licence, or a page, into the field."""
MOST_REQUIREMENTS: Final = 200

_SUMMARY: Final = re.compile(rb"^Summary:[ \t]*(.*?)\r?$", re.MULTILINE | re.IGNORECASE)
_END_OF_HEADERS: Final = re.compile(rb"\r?\n\r?\n")


class About(msgspec.Struct, frozen=True, kw_only=True):
    """Lines for readers; empty where METADATA does not say.  ``requires``: what is needed without any extra, with markers."""

    summary: str = ""
    licence: str = ""
    requires: tuple[str, ...] = ()


def about(metadata: bytes) -> About:
    """Return what METADATA says; a field that cannot be read is left out."""
    raw, _ = parse_email(metadata)
    classifiers = [one.rpartition(" :: ")[2] for one in raw.get("classifiers", ()) if one.startswith("License ::")]
    licence = raw.get("license_expression") or _line(raw.get("license", "")) or ", ".join(classifiers)
    requires = [one for one in raw.get("requires_dist", ()) if not re.search(r"\bextra\s*==", one)]
    return About(summary=summary_of(metadata), licence=_line(licence), requires=tuple(map(_line, requires[:MOST_REQUIREMENTS])))


def summary_of(metadata: bytes) -> str:
    """Return the summary alone, fast enough for a search through all that is stored."""
    found = _SUMMARY.search(_END_OF_HEADERS.split(metadata, maxsplit=1)[0])
    return "" if found is None else _line(found[1].decode("utf-8", "replace"))


def _line(text: str) -> str:
    first = text.strip().partition("\n")[0].strip()
    return first if len(first) <= MOST_CHARACTERS else f"{first[:MOST_CHARACTERS]}…"
