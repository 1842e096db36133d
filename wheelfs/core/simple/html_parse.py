"""Project pages in HTML: PEP 503, with the attributes and meta tags of PEP 592, 629, 658/714, 708, 740 and 792.

lxml feeds start tags, end tags and text to a target, so that no tree is built: memory stays near the links, and time
linear in the body whatever the body holds (docs/design/decisions/0003-html-parser.md).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, cast

from lxml import etree

from wheelfs.core.simple.links import MAX_FILES, Links, Told, absolute, plain_text, size_bytes, time_us
from wheelfs.errors import OriginFault
from wheelfs.model.links import ProjectPage

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wheelfs.model.names import ProjectName

_MAX_ANCHOR_TEXT: Final = 1_000
_MAX_SAMPLE: Final = 10_000
_MAX_META: Final = 1_000
_SIMPLE_TITLE = re.compile(r"(links for|index of|simple index)\b", re.IGNORECASE)
_OTHER_CHARSET = re.compile(r"(?:iso-?8859-\d{1,2}|latin-?1|windows-125\d|cp125\d|us-ascii|ascii)\Z", re.IGNORECASE)


@dataclass(slots=True)
class _Target:
    """What lxml reports to.  ``text`` is a sample of what a person would read outside links."""

    anchors: list[tuple[dict[str, str], list[str]]] = field(default_factory=list)
    base: str | None = None
    metas: list[tuple[str, str]] = field(default_factory=list)
    titles: list[str] = field(default_factory=list)
    text: list[str] = field(default_factory=list)
    has_form: bool = False
    has_html: bool = False
    _into: list[str] | None = None
    _into_chars: int = 0
    _in_title: bool = False
    _sampled: int = 0
    _silent: int = 0

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        self.has_html = True
        if tag == "a":
            if len(self.anchors) < MAX_FILES + 1:
                self._into, self._into_chars = [], 0
                self.anchors.append((dict(attributes), self._into))
        elif tag in ("title", "h1"):
            self._in_title = True
        elif tag in ("script", "style"):
            self._silent += 1
        elif tag in ("form", "input"):
            self.has_form = True
        elif tag == "base" and self.base is None:
            self.base = attributes.get("href")
        elif tag == "meta" and len(self.metas) < _MAX_META:
            name = attributes.get("name", "")
            if name.startswith("pypi:"):
                self.metas.append((name, attributes.get("content", "")))

    def end(self, tag: str) -> None:
        if tag == "a":
            self._into = None
        elif tag in ("title", "h1"):
            self._in_title = False
        elif tag in ("script", "style") and self._silent:
            self._silent -= 1

    def data(self, text: str) -> None:
        if self._into is not None:
            if self._into_chars < _MAX_ANCHOR_TEXT:
                self._into.append(text)
                self._into_chars += len(text)
        elif self._sampled < _MAX_SAMPLE and not self._silent and not text.isspace():
            self._sampled += len(text)
            (self.titles if self._in_title else self.text).append(text)

    def close(self) -> None:
        """Nothing is left to do; lxml calls it."""


def parse_html(body: bytes, charset: str | None, page_url: str, project: ProjectName) -> ProjectPage:
    """Return the page; raise `OriginFault` when it is not one.  ``charset`` is the content type's; else UTF-8."""
    attempted = f"read the page of {project}"
    if charset is not None and _OTHER_CHARSET.match(charset):
        body = body.decode(charset, "replace").encode()
    target = _Target()
    # lxml's stubs want a target that takes bytes as well; Python 3 never sees any.
    parser = etree.HTMLParser(target=cast("Any", target), encoding="utf-8", huge_tree=True)
    try:
        parser.feed(body)
        parser.close()
    except etree.LxmlError as error:
        raise OriginFault(attempted, f"it is no HTML: {plain_text(str(error))[:200]}") from None
    metas = dict(reversed(target.metas))
    version = metas.get("pypi:repository-version", "1.0").strip()
    check_version(version, attempted)
    base = absolute(page_url, target.base) if target.base is not None else None
    links = Links(base or page_url, project)
    for attributes, text in target.anchors:
        href = attributes.get("href")
        if href is not None:
            _add(links, href, attributes, "".join(text))
    if not links.files and not _is_simple(target, metas, project):
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
        tracks=_addresses(target, "pypi:tracks", page_url),
        alternate_locations=_addresses(target, "pypi:alternate-locations", page_url),
        refused=links.refused,
    )


def check_version(version: str, attempted: str) -> None:
    """Raise `OriginFault` for a repository API that is not 1.x: clients must not guess at another major version (PEP 629)."""
    major, dot, minor = version.partition(".")
    if not (dot and major.isascii() and major.isdigit() and minor.isascii() and minor.isdigit() and len(version) <= 16):
        raise OriginFault(attempted, "it names no repository API version that makes sense")
    if int(major) != 1:
        raise OriginFault(attempted, f"it speaks version {version} of the repository API, and wheelfs 1.x", "update wheelfs")


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
        provenance=attributes.get("data-provenance"),
    )
    links.add(href, text, told)


def _is_simple(target: _Target, metas: Mapping[str, str], project: ProjectName) -> bool:
    """Whether a page without a single usable link is an empty simple page rather than a login or error page.

    An empty page says "this project is mine and has no files", which hides the project on indexes of lower priority; so it
    takes a positive sign: a repository meta tag, the customary title, or a document with nothing at all to read or fill in.
    """
    if metas:
        return True
    title = " ".join("".join(target.titles).split())
    if target.has_form:
        return False
    if _SIMPLE_TITLE.match(title) or title.lower() == project:
        return True
    return target.has_html and not title and not target.text and not target.anchors


def _addresses(target: _Target, name: str, page_url: str) -> tuple[str, ...]:
    found = (absolute(page_url, content) for key, content in target.metas if key == name)
    return tuple(url for url in found if url is not None)
