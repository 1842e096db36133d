"""Where an index may lead: a gateway that follows its links and redirects must not fetch for it what only this network can see.

An index on a public address leads to public ones; one on a private address also to private ones, one on this machine anywhere.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Final, Literal
from urllib.parse import urlsplit

import trio

from wheelfs.errors import OriginFault

if TYPE_CHECKING:
    from collections.abc import Mapping

Reach = Literal["public", "private", "own"]
_ORDER: Final[dict[Reach, int]] = {"public": 0, "private": 1, "own": 2}
_PROXIES: Final = ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")


def reach_of(address: str) -> Reach:
    """Return who can reach an IP address: this machine (also link-local: a cloud's metadata), its network, or everybody."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    mapped = ip.ipv4_mapped if isinstance(ip, ipaddress.IPv6Address) else None
    ip = mapped or ip
    if ip.is_loopback or ip.is_link_local or ip.is_unspecified:
        return "own"
    return "public" if ip.is_global and not ip.is_multicast else "private"


class AddressGuard:
    """Refuses addresses that are nearer than that of the index itself."""

    def __init__(self, index_host: str, proxy: str | None, environ: Mapping[str, str]) -> None:
        """Through a proxy names are resolved there: only addresses that stand in a URL are judged then."""
        self._index_host = index_host
        self._is_proxied = proxy is not None or any(environ.get(name) for name in _PROXIES)

    async def check(self, url: str, attempted: str) -> None:
        """Raise `OriginFault` where the host of ``url`` is, by any of its addresses, nearer than the index is."""
        host = urlsplit(url).hostname or ""
        if host == self._index_host:
            return
        reach = await self._reach(host)
        if _ORDER[reach] > 0 and _ORDER[reach] > _ORDER[await self._reach(self._index_host)]:
            raise self._refused(attempted, reach)

    async def check_peer(self, url: str, address: str, attempted: str) -> None:
        """Raise `OriginFault` where what was connected is such an address: a name may have got another one since `check`."""
        if self._is_proxied or urlsplit(url).hostname == self._index_host:
            return
        reach = reach_of(address)
        if _ORDER[reach] > 0 and _ORDER[reach] > _ORDER[await self._reach(self._index_host)]:
            raise self._refused(attempted, reach)

    async def _reach(self, host: str) -> Reach:
        try:
            return reach_of(host)
        except ValueError:
            pass  # a name
        if host == "localhost" or host.endswith(".localhost"):
            return "own"
        if self._is_proxied:
            return "public"
        try:
            found = await trio.socket.getaddrinfo(host, None)
        except OSError:
            return "public"  # connecting says why
        return max((reach_of(str(where[0])) for *_, where in found), key=_ORDER.__getitem__, default="public")

    def _refused(self, attempted: str, reach: Reach) -> OriginFault:
        what = "this machine's own" if reach == "own" else "a private"
        return OriginFault(
            attempted,
            f"it leads to {what} address, which the index itself is not on",
            "if that is meant, set [network] private-addresses = true",
        )
