"""Which form of a simple page a client wants: content negotiation as PEP 691 and RFC 9110 (12.5.1) say.

Only the forms that exist are weighed, so a header of any length costs one pass, and what cannot be read counts for nothing.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from wheelfs.core.views.paths import Form

JSON_TYPE: Final = "application/vnd.pypi.simple.v1+json"
HTML_TYPE: Final = "application/vnd.pypi.simple.v1+html"
PLAIN_TYPE: Final = "text/html"

_OFFERED: Final[dict[str, tuple[Form, str]]] = {
    # In the order of our preference, which decides between equal weights: HTML first, since what says "anything" may be a person.
    PLAIN_TYPE: ("html", PLAIN_TYPE),
    HTML_TYPE: ("html", HTML_TYPE),
    "application/vnd.pypi.simple.latest+html": ("html", HTML_TYPE),
    JSON_TYPE: ("json", JSON_TYPE),
    "application/vnd.pypi.simple.latest+json": ("json", JSON_TYPE),
}
_WEIGHT: Final = re.compile(r"(?:0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)\Z")


def choose_form(accept: str | None, asked_format: str | None = None) -> tuple[Form, str] | None:
    """Return the form and the content type to answer with, or None when the client takes none of ours (406).

    ``accept`` is the header (None: absent, so anything goes), ``asked_format`` the value of the query parameter ``format``, which
    goes before it (PEP 691, "URL parameter").
    """
    if asked_format is not None:
        # An unescaped plus sign has become a space.
        return _OFFERED.get(asked_format.strip().lower().replace(" ", "+"))
    if accept is None or not accept.strip():
        return _OFFERED[PLAIN_TYPE]
    ranges = [parsed for parsed in map(_media_range, accept.split(",")) if parsed is not None]
    best: tuple[float, tuple[Form, str]] | None = None
    for media_type, offered in _OFFERED.items():
        weight = _weight_of(media_type, ranges)
        if weight > 0 and (best is None or weight > best[0]):
            best = weight, offered
    return None if best is None else best[1]


def _media_range(text: str) -> tuple[str, float] | None:
    name, *parameters = (part.strip().lower() for part in text.split(";"))
    if not name:
        return None
    for parameter in parameters:
        key, _, value = parameter.partition("=")
        if key.strip() == "q":
            value = value.strip()
            return (name, float(value)) if _WEIGHT.match(value) else None
    return name, 1.0


def _weight_of(media_type: str, ranges: list[tuple[str, float]]) -> float:
    """Return the weight that the most specific matching range gives."""
    for wanted in (media_type, media_type.partition("/")[0] + "/*", "*/*"):
        weights = [weight for name, weight in ranges if name == wanted]
        if weights:
            return max(weights)
    return 0.0
