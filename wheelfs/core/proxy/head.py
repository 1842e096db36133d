"""The first request on a connection to the proxy: what is asked of it, and how it is passed on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import msgspec

from wheelfs.core.proxy.hosts import Endpoint, endpoint_of_authority, endpoint_of_url

if TYPE_CHECKING:
    from collections.abc import Sequence

Header = tuple[bytes, bytes]

HOP_BY_HOP: Final = frozenset(
    {b"connection", b"keep-alive", b"proxy-connection", b"proxy-authorization", b"te", b"trailer", b"upgrade"}
)
"""What concerns one connection only (RFC 9110, 7.6.1); ``transfer-encoding`` describes the body, which is passed on as it is."""


class Connect(msgspec.Struct, frozen=True):
    """A tunnel is wanted (RFC 9110, 9.3.6)."""

    endpoint: Endpoint


class Plain(msgspec.Struct, frozen=True):
    """A request for an ``http://`` address."""

    endpoint: Endpoint
    path: bytes


class Nonsense(msgspec.Struct, frozen=True):
    """No request that a proxy is asked."""


Asked = Connect | Plain | Nonsense


def asked_of(method: bytes, target: bytes) -> Asked:
    """Return what a request line asks a proxy for."""
    try:
        text = target.decode("ascii")
    except UnicodeDecodeError:
        return Nonsense()
    if method == b"CONNECT":
        endpoint = endpoint_of_authority(text)
        return Nonsense() if endpoint is None else Connect(endpoint)
    endpoint = endpoint_of_url(text)
    if endpoint is None or not text.lower().startswith("http://"):
        return Nonsense()
    parts = urlsplit(text)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Plain(endpoint, path.encode())


def passed_on(method: bytes, target: bytes, headers: Sequence[Header], *, authorization: bytes | None = None) -> bytes:
    """Return the head of a request as the next hop gets it: one request a connection, so that its answer ends with that.

    ``authorization`` is what the next hop wants as a proxy.
    """
    lines = [b"%s %s HTTP/1.1" % (method, target)]
    lines += [b"%s: %s" % (name, value) for name, value in headers if name.lower() not in HOP_BY_HOP]
    if authorization is not None:
        lines.append(b"Proxy-Authorization: " + authorization)
    lines.append(b"Connection: close")
    return b"\r\n".join(lines) + b"\r\n\r\n"
