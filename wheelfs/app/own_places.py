"""Where wheelfs itself answers: an address that leads there is no index, since nothing new could come from it."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

import msgspec

from wheelfs.core.proxy.hosts import Endpoint, endpoint_of_url
from wheelfs.frontends.fuse.kernel.mountinfo import canonical, mounts_now, place_on_way


class OwnPlaces(msgspec.Struct, frozen=True):
    """Where this process answers, or is about to: at ``mountpoint``, or at the IP address and port of ``listening``."""

    mountpoint: Path | None = None
    listening: Endpoint | None = None

    def holds(self, url: str) -> str | None:
        """Return where in this very process ``url`` leads, for people; None where it leads elsewhere."""
        if self.mountpoint is not None and (path := _path_of(url)) is not None:
            place = place_on_way(path, {canonical(self.mountpoint)})
            return None if place is None else f"the mount point itself, {place}"
        endpoint = endpoint_of_url(url)
        if self.listening is not None and endpoint is not None and _is_same(endpoint, self.listening):
            return f"the gateway itself, at {self.listening.authority}"
        return None

    def leads_back(self, url: str) -> str | None:
        """As `holds`, and for what is below any mount of wheelfs; no mount is touched."""
        if (held := self.holds(url)) is not None or (path := _path_of(url)) is None:
            return held
        place = place_on_way(path, {entry.mountpoint for entry in mounts_now() if entry.is_wheelfs})
        return None if place is None else f"the wheelfs mount at {place}"


def at_socket(listening: socket.socket) -> OwnPlaces:
    """Return the places of a gateway that listens there."""
    host, port = listening.getsockname()[:2]
    return OwnPlaces(listening=Endpoint(host, port))


NOWHERE: Final = OwnPlaces()
"""Of a command that does not answer requests."""


def _path_of(url: str) -> Path | None:
    """Return the path of a ``file:`` address or of a plain path; None for any other address."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    if parts.scheme == "file" and parts.netloc in ("", "localhost") and parts.path.startswith("/"):
        return Path(unquote(parts.path))
    return Path(url) if not parts.scheme and url.startswith("/") else None


def _is_same(asked: Endpoint, listening: Endpoint) -> bool:
    """Return whether a connection to ``asked`` comes to ``listening``, which a name and, for the wildcard, any own address do."""
    if asked.port != listening.port:  # most indexes: their names are not looked up
        return False
    try:
        found = socket.getaddrinfo(asked.host, asked.port, type=socket.SOCK_STREAM)
    except OSError:
        return False
    is_wildcard = listening.host in ("0.0.0.0", "::")
    return any(where[0] == listening.host or (is_wildcard and _is_local(family, where)) for family, _, _, _, where in found)


def _is_local(family: int, where: tuple[object, ...]) -> bool:
    """Return whether an address is one of this machine: only those can be bound."""
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.bind((where[0], 0, *where[2:]))
    except OSError:
        return False
    return True
