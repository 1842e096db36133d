"""Where an index may lead: a gateway that follows its links and redirects must not fetch for it what only this network can see.

An index on a public address leads to public ones; one on a private address also to private ones, one on this machine anywhere.
"""

from __future__ import annotations

import ipaddress
import socket
from typing import TYPE_CHECKING, Final, Literal
from urllib.parse import urlsplit

import trio

from wheelfs.errors import OriginFault

if TYPE_CHECKING:
    from collections.abc import Callable

Reach = Literal["public", "private", "own"]
_ORDER: Final[dict[Reach, int]] = {"public": 0, "private": 1, "own": 2}
_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")
_COMPATIBLE: Final = ipaddress.IPv6Network("::/96")


def reach_of(address: str) -> Reach:
    """Return who can reach an IP address: this machine (also link-local: a cloud's metadata), its network, or everybody.

    Raises ValueError for what is no address.
    """
    ip = _ipv4_inside(ipaddress.ip_address(address.partition("%")[0]))
    if ip.is_loopback or ip.is_link_local or ip.is_unspecified:
        return "own"
    return "public" if ip.is_global and not ip.is_multicast else "private"


def _ipv4_inside(ip: ipaddress.IPv4Address | ipaddress.IPv6Address) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """Return the IPv4 address that an IPv6 address leads to (mapped, 6to4, NAT64, compatible), else the address itself."""
    if isinstance(ip, ipaddress.IPv4Address):
        return ip
    if ip in _NAT64 or (ip in _COMPATIBLE and int(ip) > 1):  # ::1 is itself
        return ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip.ipv4_mapped or ip.sixtofour or ip


def _reach_as_spelled(host: str) -> Reach | None:
    """Return the reach of an address as any program may spell it (``127.1``, ``0x7f000001``), or of this machine's name."""
    host = host.rstrip(".")
    try:
        return reach_of(host)
    except ValueError:
        pass
    try:
        return reach_of(socket.inet_ntoa(socket.inet_aton(host)))
    except (OSError, UnicodeError):
        return "own" if host == "localhost" or host.endswith(".localhost") else None


class AddressGuard:
    """Refuses addresses that are nearer than that of the index itself."""

    def __init__(self, index_host: str, is_proxied: Callable[[str], bool]) -> None:
        """``is_proxied`` says whether a proxy is asked for a URL.

        There names are resolved by the proxy: only addresses that stand in a URL are judged then.
        """
        self._index_host = index_host
        self._is_proxied = is_proxied

    async def check(self, url: str, attempted: str) -> None:
        """Raise `OriginFault` where the host of ``url`` is, by any of its addresses, nearer than the index is."""
        host = urlsplit(url).hostname or ""
        if host == self._index_host:
            return
        is_proxied = self._is_proxied(url)
        reach = await _reach(host, is_proxied=is_proxied)
        if _ORDER[reach] > 0 and _ORDER[reach] > _ORDER[await _reach(self._index_host, is_proxied=is_proxied)]:
            raise _refused(attempted, reach)

    async def check_peer(self, url: str, address: str, attempted: str) -> None:
        """Raise `OriginFault` where what was connected is such an address: a name may have got another one since `check`."""
        if self._is_proxied(url) or urlsplit(url).hostname == self._index_host:
            return
        reach = reach_of(address)
        if _ORDER[reach] > 0 and _ORDER[reach] > _ORDER[await _reach(self._index_host, is_proxied=False)]:
            raise _refused(attempted, reach)


async def _reach(host: str, *, is_proxied: bool) -> Reach:
    spelled = _reach_as_spelled(host)
    if spelled is not None or is_proxied:
        return spelled or "public"
    try:
        found = await trio.socket.getaddrinfo(host, None)
    except OSError:
        return "public"  # connecting says why
    return max((reach_of(str(where[0])) for *_, where in found), key=_ORDER.__getitem__, default="public")


def _refused(attempted: str, reach: Reach) -> OriginFault:
    what = "this machine's own" if reach == "own" else "a private"
    return OriginFault(
        attempted,
        f"it leads to {what} address, which the index itself is not on",
        "if that is meant, set [network] private-addresses = true",
    )
