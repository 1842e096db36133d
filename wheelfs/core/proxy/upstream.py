"""The proxy that the caller's environment names for a connection, as curl and requests read it."""

from __future__ import annotations

import base64
import re
from contextlib import suppress
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import msgspec

from wheelfs.core.proxy.hosts import DEFAULT_PORTS, Endpoint
from wheelfs.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Upstream:
    """An HTTP proxy; ``is_tls``: it is spoken to in TLS.  ``authorization`` is the Proxy-Authorization header that it wants."""

    endpoint: Endpoint
    is_tls: bool
    authorization: bytes | None = field(repr=False)


class Unusable(msgspec.Struct, frozen=True):
    """The environment names a proxy of a kind that cannot be used (SOCKS); or none that makes sense: then ``scheme`` is empty."""

    scheme: str


def upstream_of(environ: Mapping[str, str], scheme: str, endpoint: Endpoint) -> Upstream | Unusable | None:
    """Return the proxy for connections to ``endpoint``; None where they go straight."""
    exceptions = environ.get("no_proxy") or environ.get("NO_PROXY") or ""
    if exceptions:
        # Here, since it brings a client of HTTP with it.
        from urllib.request import proxy_bypass_environment  # type: ignore[attr-defined]  # documented, but not in typeshed

        if proxy_bypass_environment(endpoint.authority, {"no": exceptions}) or _is_excepted_address(endpoint.host, exceptions):
            return None
    name = _variable(environ, scheme) or _variable(environ, "all")
    return None if name is None else _understood(environ[name])


def _is_excepted_address(host: str, exceptions: str) -> bool:
    """Tell whether ``host`` is an address that is excepted, or in a network that is (``10.0.0.0/8``), as curl and uv have it.

    Of IPv6 urllib knows only those in brackets, and requests only those without.
    """
    try:
        address = ip_address(host)
    except ValueError:
        return False
    for exception in exceptions.split(","):
        with suppress(ValueError):  # a name
            if address in ip_network(exception.strip(), strict=False):
                return True
    return False


def check_proxies(environ: Mapping[str, str]) -> None:
    """Raise `UsageError`, without the address, for a proxy in the environment that cannot be used, whatever it is named for.

    The HTTP client takes them all when it is made, ``ALL_PROXY`` also where each scheme has one of its own.
    """
    if "*" in re.split(r"[\s,]+", environ.get("no_proxy") or environ.get("NO_PROXY") or ""):
        return
    for scheme in ("https", "http", "all"):
        name = _variable(environ, scheme)
        found = None if name is None else _understood(environ[name])
        if isinstance(found, Unusable):
            kind = f"proxies of the kind {found.scheme}:// cannot be used" if found.scheme else "its address is invalid"
            raise UsageError(
                f"use the proxy that {name} names", kind, f"give http://HOST:PORT or https://HOST:PORT, or unset {name}"
            )


def _variable(environ: Mapping[str, str], scheme: str) -> str | None:
    """Return the variable that names the proxy for a scheme (or ``all``); one in lower case goes first, also when it is empty."""
    name = f"{scheme}_proxy"
    name = name if name in environ else name.upper()
    return name if environ.get(name) else None


def _understood(url: str) -> Upstream | Unusable:
    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        port = parts.port or DEFAULT_PORTS.get(parts.scheme)
    except ValueError:
        return Unusable("")
    if parts.scheme not in DEFAULT_PORTS:
        return Unusable(parts.scheme)
    if not parts.hostname or port is None or re.search(r"[\s\x00-\x1f\x7f]", url):
        return Unusable("")
    authorization = None
    if parts.username is not None:
        login = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        authorization = b"Basic " + base64.b64encode(login.encode())
    return Upstream(Endpoint(parts.hostname.lower(), port), parts.scheme == "https", authorization)
