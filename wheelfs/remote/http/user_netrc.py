"""The user's netrc file (``NETRC``, else ``~/.netrc``): the user name and password of each host, whatever its scheme and port.

As pip and uv have it, an entry is for all that is on its host, and is sent there with the first request.  It is read again when
what it says is refused, since tokens expire while a mount lives, and not for each request: a home may be on a slow server.
"""

from __future__ import annotations

import base64
import logging
import netrc
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import trio

if TYPE_CHECKING:
    from collections.abc import Mapping

log = logging.getLogger(__name__)


class Netrc:
    """What the file says, as it was last read."""

    def __init__(self, environ: Mapping[str, str], *, renew_after_s: float) -> None:
        """Read it, if there is one; it is read again after ``renew_after_s`` at the soonest."""
        place = environ.get("NETRC") or (f"{environ['HOME']}/.netrc" if environ.get("HOME") else None)
        self._path = None if place is None else Path(place)
        self._renew_after_s = renew_after_s
        self._read_at_s: float | None = None
        self._lock = trio.Lock()
        self._hosts: Mapping[str, tuple[str, str]] = {}
        self._hosts = self._read()

    def of(self, host: str, username: str | None = None, *, default: bool = False) -> tuple[str, str] | None:
        """Return a host's user name and password; None where there are none, or only another user's than ``username``.

        ``default``: the entry of this name is taken where the host has none.
        """
        found = self._hosts.get(host) or (self._hosts.get("default") if default else None)
        return None if found is None or username not in (None, found[0]) else found

    async def renewed_of(self, host: str, username: str | None = None, *, default: bool = False) -> tuple[str, str] | None:
        """Return what `of` does, of the file as it is now."""
        async with self._lock:  # one reading for all who wait
            if self._read_at_s is None or trio.current_time() - self._read_at_s > self._renew_after_s:
                self._hosts = await trio.to_thread.run_sync(self._read, abandon_on_cancel=True)
                self._read_at_s = trio.current_time()
        return self.of(host, username, default=default)

    async def header_for(self, url: str) -> dict[str, str]:
        """Return the Authorization header for ``url``, by its host's own entry alone."""
        return authorization(self.of(_host_of(url)))

    async def renewed(self, url: str) -> dict[str, str]:
        """Return the header for ``url`` where it was refused: another one when the file says another one by now."""
        return authorization(await self.renewed_of(_host_of(url)))

    def _read(self) -> Mapping[str, tuple[str, str]]:
        try:
            if self._path is None or not self._path.is_file():
                return {}
            hosts = netrc.netrc(self._path).hosts
        except (OSError, netrc.NetrcParseError, UnicodeDecodeError):
            # The parser's message quotes the line, which may hold a password.
            log.warning("the netrc file %s cannot be read and is not used", self._path)
            return self._hosts  # it may be half written
        return {host: (login, password or "") for host, (login, _, password) in hosts.items()}


def authorization(user: tuple[str, str] | None) -> dict[str, str]:
    """Return the Authorization header (RFC 7617) of a user name and password; an empty mapping when there are none."""
    if user is None:
        return {}
    return {"Authorization": f"Basic {base64.b64encode(':'.join(user).encode()).decode()}"}


def _host_of(url: str) -> str:
    return (urlsplit(url).hostname or "").lower()
