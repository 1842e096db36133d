"""Which hosts a run answers from the store: those of the configured indexes, and those that their pages link files to."""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable

DEFAULT_PORTS: Final = {"http": 80, "https": 443}

_AUTHORITY: Final = re.compile(r"(?P<host>\[[0-9A-Fa-f:.%]+\]|[A-Za-z0-9._~-]+):(?P<port>\d{1,5})\Z")

_NAME: Final = re.compile(r"(?:(?!-)[a-z0-9_-]{1,63}(?<!-)\.)*(?!-|\d+\Z)[a-z0-9_-]{1,63}(?<!-)\Z")
MAX_NAME: Final = 253
"""Characters of a name (RFC 1035, 2.3.4)."""


class Endpoint(msgspec.Struct, frozen=True, order=True):
    """A place that connections go to; ``host`` in lower case, an IPv6 address without brackets."""

    host: str
    port: int

    @property
    def authority(self) -> str:
        """``HOST:PORT``, as ``CONNECT`` spells it (RFC 9110, 9.3.6)."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def origin(self, scheme: str) -> str:
        """Return ``SCHEME://HOST[:PORT]``, the port left out where it is the scheme's own."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{scheme}://{host}" if DEFAULT_PORTS.get(scheme) == self.port else f"{scheme}://{host}:{self.port}"


def endpoint_of_authority(text: str) -> Endpoint | None:
    """Return the target of a ``CONNECT`` (RFC 9110, 9.3.6); None when it is not ``HOST:PORT``."""
    found = _AUTHORITY.match(text)
    if found is None or not 0 < int(found["port"]) <= 65_535:
        return None
    return Endpoint(found["host"].strip("[]").lower(), int(found["port"]))


def endpoint_of_url(url: str) -> Endpoint | None:
    """Return where an http(s) address leads, an international name as clients ask for it; None for any other address."""
    try:
        parts = urlsplit(url)
        port = parts.port or DEFAULT_PORTS.get(parts.scheme)
        host = (parts.hostname or "").lower()
        if not host.isascii():
            host = host[: MAX_NAME + 1].encode("idna").decode()
    except ValueError:
        return None
    if port is None or not host or parts.scheme not in DEFAULT_PORTS:
        return None
    return Endpoint(host, port)


def canonical(url: str) -> str:
    """Return an http(s) address without its query, its host and port as in `Endpoint.origin`; any other as it is."""
    endpoint = endpoint_of_url(url)
    if endpoint is None:
        return url
    parts = urlsplit(url)
    return endpoint.origin(parts.scheme) + parts.path


def endpoints_of(urls: Iterable[str]) -> set[Endpoint]:
    """Return where http(s) addresses lead; others are left out, and hosts that no certificate can be of (``${HOST}``, ``...``).

    To clients by rustls (uv), one malformed name spoils what vouches for it together with all others.
    """
    found = {endpoint for endpoint in map(endpoint_of_url, urls) if endpoint is not None}
    return {endpoint for endpoint in found if _is_host(endpoint.host)}


def _is_host(host: str) -> bool:
    """Return whether certificates can name a host: an address, or a name of letters, digits, hyphens and underscores."""
    try:
        return not getattr(ip_address(host), "scope_id", None)
    except ValueError:
        return len(host) <= MAX_NAME and _NAME.match(host) is not None
