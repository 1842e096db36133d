"""HTML as tokens: tags with their attributes, and text; in time linear in the body, whatever the body holds.

Source: HTML Living Standard, 13.2.5 (tokenization), without its tree construction, whose handling of end tags makes parsers
that build or simulate a tree quadratic in nested elements (docs/design/decisions/0003-html-parser.md).  Works on UTF-8 bytes:
markup is ASCII, so no second copy of a large body is made.  Each expression is possessive where it repeats: none backtracks.
"""

from __future__ import annotations

import re
from functools import lru_cache
from html import unescape
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

_MARKUP = re.compile(
    # An "a" element as almost all pages write it, and what stands between it and the next one: a quarter of the cost.
    rb"<(?:a(?P<pairs>(?:[\t\n\f\r ]++[a-z-]++=\"[^\"]*+\")++)[\t\n\f\r ]*+>(?P<text>[^<]*+)</a>"
    rb"(?:[\t\n\f\r ]++|</?(?:br|div|li|p|pre|span|td|tr)(?: ?/)?+>){0,8}+"
    rb"|(?P<end>/?)(?P<name>[a-zA-Z][^\t\n\f\r />]*+)|(?P<comment>!--)|[!?/])"
)
_PAIR = re.compile(r"([a-z-]++)=\"([^\"]*+)\"")
_REST_OF_TAG = re.compile(rb"(?:[^=>]++|=[\t\n\f\r ]*+(?:\"[^\"]*+\"|'[^']*+')?+)*+>")
_ATTRIBUTE = re.compile(
    rb"[\t\n\f\r /]*+(?P<name>[^\t\n\f\r />][^\t\n\f\r />=]*+)"
    rb"(?:[\t\n\f\r ]*+=[\t\n\f\r ]*+(?P<value>\"[^\"]*+\"|'[^']*+'|[^\t\n\f\r >\"'][^\t\n\f\r >]*+)?+)?+"
)
_END_OF_TAG = re.compile(rb"[\t\n\f\r /]*+>")
_REFERENCE = re.compile(r"&(?:#[0-9]{1,7}+|#[xX][0-9a-fA-F]{1,6}+|[a-zA-Z][a-zA-Z0-9]{0,31}+)(?:;|(?![=a-zA-Z0-9]))")
_RAW_TEXT: Final = frozenset({"script", "style", "xmp", "iframe", "noembed", "noframes", "textarea", "title"})
"""Elements in which no tag is one, up to their own end tag."""
_MAX_ATTRIBUTES: Final = 1_000


class Link(NamedTuple):
    """An ``a`` element with nothing but text in it: start tag, text (which may be empty) and end tag in one."""

    attributes: dict[str, str]
    text: str


class Start(NamedTuple):
    """A start tag.  ``attributes`` (the first of each name) only where they were asked for."""

    name: str
    attributes: dict[str, str]


class End(NamedTuple):
    """An end tag."""

    name: str


class Text(NamedTuple):
    """Text between two tags, references resolved."""

    text: str


def tokens(body: bytes, *, attributes_of: Collection[str]) -> Iterator[Link | Start | End | Text]:
    """Yield the tokens of a document in UTF-8.  What ends inside a tag or comment is dropped from there, as browsers do.

    A link that is written plainly comes as one token; white space and tags of layout that follow it are left out then.
    """
    position, unclosed = 0, set[str]()
    while (found := _MARKUP.search(body, position)) is not None:
        if found.start() > position:
            yield Text(resolved(body[position : found.start()]))
        if found["pairs"] is not None:
            position = found.end()
            yield Link(_attributes(found["pairs"]), resolved(found["text"]))
            continue
        if found["name"] is None:
            # "<!-->" and "<!--->" are whole comments.
            close = body.find(b"-->", found.start() + 2) if found["comment"] else body.find(b">", found.end() - 1)
            if close < 0:
                return
            position = close + (3 if found["comment"] else 1)
            continue
        name = found["name"].decode("utf-8", "replace").lower()
        attributes: dict[str, str] = {}
        if not found["end"] and name in attributes_of:
            end = _read_attributes(body, found.end(), attributes)
        else:
            rest = _REST_OF_TAG.match(body, found.end())
            end = None if rest is None else rest.end()
        if end is None:
            return
        position = end
        yield End(name) if found["end"] else Start(name, attributes)
        if not found["end"] and name in _RAW_TEXT and name not in unclosed:
            close_tag = re.compile(rb"</" + name.encode() + rb"(?=[\t\n\f\r />])", re.IGNORECASE).search(body, position)
            if close_tag is None:
                unclosed.add(name)  # looked for once: a thousand of them would otherwise be quadratic
            else:
                if name in ("title", "textarea"):
                    yield Text(resolved(body[position : close_tag.start()]))
                position = close_tag.start()
    if position < len(body):
        yield Text(resolved(body[position:]))


def resolved(raw: bytes) -> str:
    """Return text with its character references resolved; one without a semicolon before a letter, digit or ``=`` does not count.

    That is the standard's rule for attributes (``?a=1&copy=2`` is an address), and does no harm in text.
    """
    text = raw.decode("utf-8", "replace")
    return _with_references(text) if "&" in text else text


def _with_references(text: str) -> str:
    return _REFERENCE.sub(lambda match: _meaning(match[0]), text)


@lru_cache(maxsize=1_000)
def _meaning(reference: str) -> str:
    """Return what a character reference, of at most 34 characters, stands for; links of one page share theirs."""
    return unescape(reference)


def _attributes(pairs: bytes) -> dict[str, str]:
    """Return the attributes of a link that is written plainly, the first of each name."""
    attributes: dict[str, str] = {}
    for name, value in _PAIR.findall(pairs.decode("utf-8", "replace")):
        if name not in attributes and len(attributes) < _MAX_ATTRIBUTES:
            attributes[name] = _with_references(value) if "&" in value else value
    return attributes


def _read_attributes(body: bytes, position: int, attributes: dict[str, str]) -> int | None:
    """Fill in the attributes of a tag whose name ends at ``position``; return where it ends, None when it does not."""
    while (end := _END_OF_TAG.match(body, position)) is None:
        found = _ATTRIBUTE.match(body, position)
        if found is None:
            return None
        value = found["value"] or b""
        if not value and body[found.end() : found.end() + 1] in (b'"', b"'") and b"=" in found[0][-64:]:
            return None  # a quote that is never closed
        if len(attributes) < _MAX_ATTRIBUTES:
            name = found["name"].decode("utf-8", "replace").lower()
            attributes.setdefault(name, resolved(value[1:-1] if value[:1] in (b'"', b"'") else value))
        position = found.end()
    return end.end()
