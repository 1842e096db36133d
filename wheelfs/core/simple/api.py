"""The simple repository API as a client reads it: one door for both formats (PEP 503 and 691)."""

from __future__ import annotations

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
_CHARSET = re.compile(r";\s*charset\s*=\s*\"?([A-Za-z0-9._:-]{1,40})", re.IGNORECASE)
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
        return parse_json(body.removeprefix(b"\xef\xbb\xbf"), page_url, project)
    if kind == "html":
        charset = _CHARSET.search(content_type or "")
        return parse_html(body, charset[1] if charset else None, page_url, project)
    raise OriginFault(attempted, "the answer is neither HTML nor JSON", "check the index's URL (it usually ends in /simple)")


def _sniff(body: bytes) -> str | None:
    """Tell by the first character, for servers that name no type or a generic one."""
    return {b"{": "json", b"<": "html"}.get(body[:1024].lstrip(_LEADING)[:1])
