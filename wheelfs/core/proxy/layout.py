"""The layout ``HOST[:PORT]/PATH`` of a gateway: URLs of indexes and of their files below its own, so that they can be told back.

Without a port it is HTTPS on 443, and ``:80`` is HTTP; another port has the scheme of the index there, else HTTPS.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import unquote, urlsplit

from wheelfs.core.proxy.hosts import DEFAULT_PORTS, endpoint_of_authority, endpoint_of_url

if TYPE_CHECKING:
    from collections.abc import Iterable

_SECURE: Final = "https"


def place_of(url: str) -> str | None:
    """Return where an http(s) URL is in the layout, its query included; None for any other."""
    endpoint = endpoint_of_url(url)
    if endpoint is None:
        return None
    parts = urlsplit(url)
    host = endpoint.origin(_SECURE).removeprefix(f"{_SECURE}://")
    return f"{host}{parts.path or '/'}" + (f"?{parts.query}" if parts.query else "")


def url_of(place: str, indexes: Iterable[str]) -> str | None:
    """Return the URL that a place in the layout means; None where it means none.  ``indexes`` are URLs that tell schemes."""
    host, _, path = place.partition("/")
    host = unquote(host)  # pip writes the colon of a port as %3A
    endpoint = endpoint_of_authority(host) or endpoint_of_authority(f"{host}:{DEFAULT_PORTS[_SECURE]}")
    if endpoint is None:
        return None
    is_plain = any(url.startswith("http://") and endpoint_of_url(url) == endpoint for url in indexes)
    scheme = "http" if is_plain or endpoint.port == DEFAULT_PORTS["http"] else _SECURE
    return f"{endpoint.origin(scheme)}/{path}"


def way_from_page(index: str, url: str) -> str | None:
    """Return the address of ``url`` relative to a project's page of ``index``, both in the layout; None as for `place_of`."""
    place = place_of(url)
    depth = len([part for part in urlsplit(index).path.split("/") if part]) + 2  # the project, the index's path, its host
    return None if place is None else "../" * depth + place
