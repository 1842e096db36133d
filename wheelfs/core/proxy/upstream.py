"""The proxy that the caller's environment names for a connection, as curl and requests read it."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit
from urllib.request import proxy_bypass_environment  # type: ignore[attr-defined]  # documented, but not in typeshed

from wheelfs.core.proxy.hosts import DEFAULT_PORTS, Endpoint

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Upstream:
    """An HTTP proxy; ``is_tls``: it is spoken to in TLS.  ``authorization`` is the Proxy-Authorization header that it wants."""

    endpoint: Endpoint
    is_tls: bool
    authorization: bytes | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class Unusable:
    """The environment names a proxy of a kind that cannot be chained (SOCKS), or none that makes sense."""

    scheme: str


def upstream_of(environ: Mapping[str, str], scheme: str, endpoint: Endpoint) -> Upstream | Unusable | None:
    """Return the proxy for connections to ``endpoint``; None where they go straight."""
    exceptions = environ.get("no_proxy") or environ.get("NO_PROXY") or ""
    if exceptions and proxy_bypass_environment(endpoint.authority, {"no": exceptions}):
        return None
    url = next(
        (environ[name] for name in (f"{scheme}_proxy", f"{scheme}_proxy".upper(), "all_proxy", "ALL_PROXY") if environ.get(name)),
        None,
    )
    if url is None:
        return None
    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        port = parts.port or DEFAULT_PORTS.get(parts.scheme)
    except ValueError:
        return Unusable("?")
    if parts.scheme not in DEFAULT_PORTS or not parts.hostname or port is None:
        return Unusable(parts.scheme)
    authorization = None
    if parts.username is not None:
        login = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        authorization = b"Basic " + base64.b64encode(login.encode())
    return Upstream(Endpoint(parts.hostname.lower(), port), parts.scheme == "https", authorization)
