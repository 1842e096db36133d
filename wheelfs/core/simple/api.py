"""The simple repository API as a client reads it: one door for both formats (PEP 503 and 691)."""

from __future__ import annotations

import codecs
import json
import re
from typing import TYPE_CHECKING, Final

from wheelfs.core.simple.html_parse import parse_html
from wheelfs.core.simple.json_parse import parse_json
from wheelfs.errors import OriginFault

if TYPE_CHECKING:
    from wheelfs.model.links import ProjectPage
    from wheelfs.model.names import ProjectName

ACCEPT: Final = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1"
"""JSON first: only it is sure to tell sizes and upload times (PEP 700)."""

MAX_BODY_BYTES: Final = 64 << 20
"""The largest real pages have 10 MB."""

_VERSIONED = re.compile(r"application/vnd\.pypi\.simple\.(v\d{1,4}|latest)\+(json|html)\Z")
_CHARSET = re.compile(r";\s*charset\s*=\s*[\"']?([A-Za-z0-9._:-]{1,40})", re.IGNORECASE)
_META_CHARSET = re.compile(rb"<meta\s[^>]{0,200}?charset\s*=\s*[\"']?([A-Za-z0-9._:-]{1,40})", re.IGNORECASE)
_OTHER_CHARSET = re.compile(
    r"(?:iso-?8859-\d{1,2}|latin-?\d|windows-125\d|cp\d{3,4}|us-ascii|ascii|utf-?(?:16|32)(?:-?[bl]e)?|"
    r"shift[_-]?jis|euc-?(?:jp|kr)|gbk|gb2312|gb18030|big5|koi8-[ru]|macintosh)\Z",
    re.IGNORECASE,
)
"""Codecs of text that take time linear in it; Python has others (punycode)."""
_LEADING: Final = b"\xef\xbb\xbf \t\r\n\f"


def parse_page(body: bytes, content_type: str | None, page_url: str, project: ProjectName) -> ProjectPage:
    """Return the project page in ``body``, which came from ``page_url`` (after redirects, without credentials).

    Raises `OriginFault` when the body is no simple page of API version 1.x, or beyond the limits.  Links that are unsafe or
    belong to other projects are left out and counted in ``refused``.
    """
    attempted = f"read the page of {project}"
    if len(body) > MAX_BODY_BYTES:
        raise OriginFault(attempted, f"it has more than {MAX_BODY_BYTES >> 20} MiB")
    media_type = (content_type or "").partition(";")[0].strip().lower()
    versioned = _VERSIONED.match(media_type)
    if versioned and versioned[1] not in ("v1", "latest"):
        raise OriginFault(attempted, f"it speaks {versioned[1]} of the repository API, and wheelfs v1", "update wheelfs")
    kind = versioned[2] if versioned else {"text/html": "html", "application/json": "json"}.get(media_type) or _sniff(body)
    if kind == "json":
        return parse_json(as_utf8(body, json.detect_encoding(body)), page_url, project)
    if kind == "html":
        declared = _CHARSET.search(content_type or "")
        return parse_html(as_utf8(body, declared[1] if declared else _of_meta(body)), page_url, project)
    raise OriginFault(attempted, "the answer is neither HTML nor JSON", "check the index's URL (it usually ends in /simple)")


def as_utf8(body: bytes, charset: str | None) -> bytes:
    """Return ``body`` in UTF-8 without a byte order mark, which goes before ``charset``; an unknown charset counts as UTF-8."""
    if body.startswith(codecs.BOM_UTF8):
        return body[len(codecs.BOM_UTF8) :]
    if body.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        charset = "utf-16"
    if charset is None or not _OTHER_CHARSET.match(charset):
        return body
    try:
        return body.decode(charset, "replace").removeprefix("\ufeff").encode("utf-8", "replace")
    except LookupError:
        return body


def _of_meta(body: bytes) -> str | None:
    """Return the charset of a meta tag in the first 1,024 bytes (HTML 13.2.3.2); one of two bytes a character is not meant."""
    declared = _META_CHARSET.search(body[:1024])
    name = declared[1].decode() if declared else None
    return None if name is None or name.lower().startswith("utf") else name


def _sniff(body: bytes) -> str | None:
    """Tell by the first character, for servers that name no type or a generic one."""
    return {b"{": "json", b"<": "html"}.get(body[:1024].lstrip(_LEADING)[:1])
