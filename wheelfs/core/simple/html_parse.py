"""Project pages in HTML: PEP 503, with the attributes and meta tags of PEP 592, 629, 658/714, 700, 708, 740 and 792."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import msgspec

from wheelfs.core.simple.html_tokens import End, Link, Start, Text, tokens
from wheelfs.core.simple.links import MAX_FILES, Links, Told, absolute, plain_text, size_bytes, time_us
from wheelfs.errors import OriginFault
from wheelfs.model.links import PASSED_ON, ProjectPage

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wheelfs.model.names import ProjectName

MAX_TOKENS: Final = 10 * MAX_FILES
"""Tags and texts; a link takes one to five.  They cost 3 microseconds each, so a body of nothing else is given up after 6 s."""

_MAX_ANCHOR_TEXT: Final = 1_000
_MAX_SAMPLE: Final = 10_000
_MAX_META: Final = 1_000
_READ_ATTRIBUTES: Final = frozenset({"a", "base", "meta"})
OLDEST_VERSION: Final = "1.0"
"""What a page that states no version is of (PEP 629)."""
_MAJOR = re.compile(r"\s*v?([0-9]{1,9})(?![0-9])", re.IGNORECASE)
_VERSION = re.compile(r"[0-9]{1,9}\.[0-9]{1,9}\Z")
_SIMPLE_TITLE = re.compile(r"(links for|index of|simple index)\b", re.IGNORECASE)


class _Seen(msgspec.Struct):
    """What a page holds that matters.  ``text`` is a sample of what a person would read outside links."""

    anchors: list[tuple[dict[str, str], list[str]]] = msgspec.field(default_factory=list)
    base: str | None = None
    metas: list[tuple[str, str]] = msgspec.field(default_factory=list)
    titles: list[str] = msgspec.field(default_factory=list)
    text: list[str] = msgspec.field(default_factory=list)
    has_form: bool = False
    has_html: bool = False
    _into: list[str] | None = None
    _into_chars: int = 0
    _in_title: bool = False
    _sampled: int = 0

    def link(self, link: Link) -> None:
        self.has_html, self._into = True, None
        if len(self.anchors) < MAX_FILES + 1:
            self.anchors.append((link.attributes, [link.text]))

    def start(self, tag: Start) -> None:
        self.has_html = True
        name, attributes = tag
        if name == "a":
            self._into, self._into_chars = [], 0
            if len(self.anchors) < MAX_FILES + 1:
                self.anchors.append((attributes, self._into))
        elif name in ("title", "h1"):
            self._in_title = True
        elif name in ("form", "input"):
            self.has_form = True
        elif name == "base" and self.base is None:
            self.base = attributes.get("href")
        elif name == "meta" and len(self.metas) < _MAX_META:
            key = attributes.get("name", "")
            if key.startswith("pypi:"):
                self.metas.append((key, attributes.get("content", "")))

    def end(self, name: str) -> None:
        if name == "a":
            self._into = None
        elif name in ("title", "h1"):
            self._in_title = False

    def data(self, text: str) -> None:
        if self._into is not None:
            if self._into_chars < _MAX_ANCHOR_TEXT:
                self._into.append(text)
                self._into_chars += len(text)
        elif self._sampled < _MAX_SAMPLE and not text.isspace():
            self._sampled += len(text)
            (self.titles if self._in_title else self.text).append(text[:_MAX_SAMPLE])


def parse_html(body: bytes, page_url: str, project: ProjectName) -> ProjectPage:
    """Return the page in ``body``, which is UTF-8; raise `OriginFault` when it is not one."""
    attempted = f"read the page of {project}"
    seen = _Seen()
    for number, token in enumerate(tokens(body, attributes_of=_READ_ATTRIBUTES)):
        if number >= MAX_TOKENS:
            raise OriginFault(attempted, f"it has more than {MAX_TOKENS:,} tags and texts")
        match token:
            case Link():
                seen.link(token)
            case Start():
                seen.start(token)
            case End(name):
                seen.end(name)
            case Text(text):
                seen.data(text)
    metas = dict(reversed(seen.metas))
    version = checked_version(metas.get("pypi:repository-version", OLDEST_VERSION), attempted)
    base = absolute(page_url, seen.base) if seen.base is not None else None
    links = Links(base or page_url, project)
    for attributes, texts in seen.anchors:
        href = attributes.get("href")
        if href is not None:
            _add(links, href, attributes, "".join(texts))
    if not links.files and not _is_simple(seen, metas, project):
        raise OriginFault(
            attempted,
            "the answer is HTML, but no simple page",
            "check the index's URL (it usually ends in /simple) and its credentials",
        )
    return ProjectPage(
        project=project,
        files=tuple(links.files),
        api_version=version,
        status=plain_text(metas["pypi:project-status"]) if "pypi:project-status" in metas else None,
        status_reason=plain_text(metas["pypi:project-status-reason"]) if "pypi:project-status-reason" in metas else None,
        tracks=_addresses(seen, "pypi:tracks", page_url),
        alternate_locations=_addresses(seen, "pypi:alternate-locations", page_url),
        refused=links.refused,
        left_out=links.left_out,
    )


def checked_version(told: str, attempted: str) -> str:
    """Return the version of the repository API (PEP 629) that a page states, `OLDEST_VERSION` where that makes no sense.

    Raises `OriginFault` for another major version alone, at which clients must not guess; pip and uv do not even look.
    """
    major = _MAJOR.match(told)
    if major is not None and int(major[1]) != 1:
        raise OriginFault(attempted, f"it speaks version {major[0]} of the repository API, and wheelfs 1.x", "update wheelfs")
    version = told.strip()
    return version if _VERSION.match(version) else OLDEST_VERSION


def _add(links: Links, href: str, attributes: Mapping[str, str], text: str) -> None:
    metadata = attributes.get("data-core-metadata", attributes.get("data-dist-info-metadata"))
    told = Told(
        hashes={},
        size_bytes=size_bytes(attributes.get("data-size")),
        requires_python=attributes.get("data-requires-python"),
        yanked=attributes.get("data-yanked"),
        has_metadata=metadata is not None and metadata != "false",
        metadata_sha256=metadata[len("sha256=") :] if metadata is not None and metadata.startswith("sha256=") else None,
        upload_time_us=time_us(attributes.get("data-upload-time")),
        passed_on={one.field: attributes[one.attribute] for one in PASSED_ON if one.attribute in attributes},
    )
    links.add(href, text, told)


def _is_simple(seen: _Seen, metas: Mapping[str, str], project: ProjectName) -> bool:
    """Whether a page without a single usable link is an empty simple page rather than a login or error page.

    An empty page says "this project is mine and has no files", which hides the project on indexes of lower priority; so it
    takes a positive sign: a repository meta tag, the customary title, or a document with nothing at all to read or fill in.
    """
    if metas:
        return True
    title = " ".join("".join(seen.titles).split())
    if seen.has_form:
        return False
    if _SIMPLE_TITLE.match(title) or title.lower() == project:
        return True
    return seen.has_html and not title and not seen.text and not seen.anchors


def _addresses(seen: _Seen, name: str, page_url: str) -> tuple[str, ...]:
    found = (absolute(page_url, content) for key, content in seen.metas if key == name)
    return tuple(url for url in found if url is not None)
