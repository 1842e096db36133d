"""The HTTP library: connections as wheelfs wants them.

Imported by the first request, and not before: that takes a tenth of the time in which a run or a mount starts, and one that finds
everything stored never asks.
"""

from __future__ import annotations

import os
import re
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import TYPE_CHECKING, Final

import httpcore2
import httpx2
import trio

from wheelfs import __version__

if TYPE_CHECKING:
    import ssl

    from wheelfs.remote.limits import HttpLimits

READ_BYTES: Final = 512 * 1024
"""Taken out of a socket at a time where that much is there; the library's own 64 KiB mean eight times the turns of the loop.
Larger ones no longer fit the processor's cache, through which each byte passes four times on its way."""
TLS_READ_BYTES: Final = 256 * 1024
"""The same under TLS, which holds what it reads three times over, in each of the connections that bring a file at once."""

# For the whole process: the library has no option for it, and its connections are made deep inside of it.
httpcore2.AsyncHTTP11Connection.READ_NUM_BYTES = READ_BYTES
# What TLS takes out of its socket, since it is not told how much its caller would take.
trio._highlevel_socket.DEFAULT_RECEIVE_SIZE = TLS_READ_BYTES

_DOMAIN: Final = re.compile(r"\.[A-Za-z0-9][A-Za-z0-9.-]*+\Z")
_LOOPBACK: Final = ("all://localhost", "all://127.0.0.1", "all://[::1]")


def connections(trusted: ssl.SSLContext, proxy: str | None, limits: HttpLimits) -> httpx2.AsyncClient:
    """Return a client that keeps no cookies; ``proxy`` None: what the environment says, which `check_proxies` has found good."""
    return httpx2.AsyncClient(
        verify=trusted,
        proxy=proxy,
        headers={"User-Agent": f"wheelfs/{__version__}", "Accept-Encoding": "gzip, deflate"},
        timeout=httpx2.Timeout(connect=limits.connect_timeout_s, read=limits.read_timeout_s, write=10.0, pool=None),
        limits=httpx2.Limits(
            max_connections=limits.max_connections, max_keepalive_connections=limits.max_connections, keepalive_expiry=30.0
        ),
        # The environment's proxy can do nothing for loopback: its localhost is another one.
        mounts=dict.fromkeys((*_LOOPBACK, *_excepted_domains())) if proxy is None else None,
        # No cookies: an index need not recognise its readers.
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
    )


def _excepted_domains() -> list[str]:
    """Return patterns of the domains that NO_PROXY names with a dot before them (``.lab.example``).

    To pip, uv and curl these mean the host ``lab.example`` as well, to the library all hosts below it only.
    """
    names = (os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or "").split(",")
    return [f"all://{name[1:]}" for name in map(str.strip, names) if _DOMAIN.match(name)]


def is_proxied(client: httpx2.AsyncClient, url: str) -> bool:
    """Tell whether a proxy is asked for an address: one that NO_PROXY names is not, even where there is one for others."""
    # Only the library knows how it reads the environment, and it has no public word for it.
    return client._transport_for_url(httpx2.URL(url)) is not client._transport
