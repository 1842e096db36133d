"""Pages that pip and uv read: PEP 503 HTML with the attributes of PEP 592, 658/714, 700 (in HTML by custom), 708, 740, 792.

Everything that is written here may come from strangers: attributes and text are escaped, addresses percent-encoded, comments
freed of what could end them.
"""

from __future__ import annotations

import re
from html import escape
from itertools import islice
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import quote

from wheelfs.core.hashes import is_possible
from wheelfs.core.times import rfc3339

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from wheelfs.model.links import FileLink

REPOSITORY_VERSION: Final = "1.4"
"""1.4 is the version that brought the project status (PEP 792)."""

_FRAGMENT_HASHES: Final = ("sha512", "sha384", "md5")
"""What may stand in the one fragment (PEP 503) beside sha256: uv refuses a whole page for a hash that it does not know."""

_PLAIN = re.compile(r"[A-Za-z0-9._ ,:;=/+~!%()*@-]*\Z")
PLAIN_NAME = re.compile(r"[A-Za-z0-9._-]+\Z")
_UNWRITABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")


class RenderedFile(NamedTuple):
    """A file on a page.

    ``has_metadata``: ``FILENAME.metadata`` is sure to be served beside it, and to match ``metadata_sha256``.
    ``comment`` is for people ("not listed by its index").  ``base`` is the relative address of the file's directory (ending with
    a slash) where the file does not lie beside the page.  ``url`` is where it lies instead, in full.
    """

    link: FileLink
    has_metadata: bool = False
    metadata_sha256: bytes | None = None
    comment: str | None = None
    base: str = ""
    url: str | None = None

    @property
    def href(self) -> str:
        """The file's URL as a page has it, relative to the page unless ``url`` is given; without fragment."""
        name = self.link.filename
        return self.url or self.base + (name if PLAIN_NAME.match(name) else quote(name, safe=""))

    @classmethod
    def of(cls, link: FileLink, *, metadata: bool, comment: str | None = None) -> RenderedFile:
        """Return the entry of a link; ``metadata`` says whether its METADATA is served here (whatever its index says)."""
        return cls(link, metadata, link.metadata_sha256 if metadata else None, comment)


def render_project_page(
    project: str,
    entries: Iterable[RenderedFile],
    *,
    repository_version: str = REPOSITORY_VERSION,
    status: str | None = None,
    status_reason: str | None = None,
    tracks: Iterable[str] = (),
    alternate_locations: Iterable[str] = (),
    comments: Iterable[str] = (),
) -> bytes:
    """Return a project's page; hrefs are relative, the files lie beside the page unless their entries say otherwise.

    ``tracks`` and ``alternate_locations`` are where else the project says that it is (PEP 708, rejected: passed on).
    """
    metas = [("pypi:repository-version", repository_version)]
    if status is not None:
        metas.append(("pypi:project-status", status))
    if status_reason is not None:
        metas.append(("pypi:project-status-reason", status_reason))
    metas += [("pypi:tracks", url) for url in tracks] + [("pypi:alternate-locations", url) for url in alternate_locations]
    return _document(f"Links for {project}", metas, [_comment(text) for text in comments] + [_anchor(entry) for entry in entries])


def render_project_list(names: Iterable[str]) -> bytes:
    """Return the root page (``simple/index.html``) for normalized project names."""
    lines = [f'<a href="{quote(name, safe="")}/">{_escaped(name)}</a><br>' for name in names]
    return _document("Simple index", [("pypi:repository-version", REPOSITORY_VERSION)], lines)


def render_links_page(files: Iterable[RenderedFile], *, comments: Iterable[str] = ()) -> bytes:
    """Return a page for ``--find-links``: the files of many projects, lying beside the page."""
    return _document("Links for all projects", [], [_comment(text) for text in comments] + [_anchor(file) for file in files])


def _document(title: str, metas: list[tuple[str, str]], lines: list[str]) -> bytes:
    tags = "".join(f'<meta name="{name}" content="{_escaped(content)}">\n' for name, content in metas)
    title = _escaped(title)
    head = f'<!DOCTYPE html>\n<html>\n<head>\n<meta charset="utf-8">\n{tags}<title>{title}</title>\n</head>\n'
    body = "\n".join(lines)
    return f"{head}<body>\n<h1>{title}</h1>\n{body}\n</body>\n</html>\n".encode()


def _anchor(entry: RenderedFile) -> str:
    link, has_metadata, metadata_sha256, comment = entry.link, entry.has_metadata, entry.metadata_sha256, entry.comment
    parts = [f'<a href="{_escaped(entry.href)}']
    if link.sha256 is not None:
        parts.append(f"#sha256={link.sha256.hex()}")
    elif link.other_hashes:
        parts.append(_fragment(link.other_hashes))
    parts.append('"')
    if link.requires_python is not None:
        parts.append(f' data-requires-python="{_escaped(link.requires_python)}"')
    if link.yanked is not None:
        parts.append(f' data-yanked="{_escaped(link.yanked)}"')
    if has_metadata:
        told = "true" if metadata_sha256 is None else f"sha256={metadata_sha256.hex()}"
        parts.append(f' data-core-metadata="{told}" data-dist-info-metadata="{told}"')
    if link.upload_time_us is not None:
        parts.append(f' data-upload-time="{rfc3339(link.upload_time_us)}"')
    if link.size_bytes is not None:
        parts.append(f' data-size="{link.size_bytes}"')
    parts += [f' {one.attribute}="{_escaped(value)}"' for one, value in link.passed_on()]
    parts.append(f">{_escaped(link.filename)}</a><br>")
    if comment is not None:
        parts.append(_comment(comment))
    return "".join(parts)


def _fragment(hashes: Mapping[str, str]) -> str:
    """Return what vouches for a file without a sha256: a hash that installers check.

    Others are left out: uv reads no page that has them, and pip passes them over.  What can be checked is checked here before the
    last byte is given; what cannot be is told in a comment, and stands in the JSON form.
    """
    told = (name for name in _FRAGMENT_HASHES if name in hashes and is_possible(name, hashes[name]))
    return "".join(f"#{name}={quote(hashes[name], safe='')}" for name in islice(told, 1))


def _escaped(text: str) -> str:
    return text if _PLAIN.match(text) else escape(_UNWRITABLE.sub(" ", text))


def _comment(text: str) -> str:
    """Return an HTML comment; angle brackets and double dashes could end it, in one parser or another."""
    inner = re.sub(r"-{2,}", "-", _UNWRITABLE.sub(" ", text)).replace("<", "(").replace(">", ")").strip(" -!")
    return f"<!-- {inner} -->"
