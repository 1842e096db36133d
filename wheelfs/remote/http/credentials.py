"""User names and passwords: where they come from, and where they may go.

They belong to one origin (scheme, host and port: RFC 6454) and are sent to no other, whatever a page links to or a redirect says;
other hosts have what the user's netrc file says of them (`wheelfs.remote.http.user_netrc`).  Nothing here can be printed with a
secret in it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote, urlsplit, urlunsplit

import trio

from wheelfs.errors import UsageError
from wheelfs.remote.http.keyring import password_of
from wheelfs.remote.http.user_netrc import authorization
from wheelfs.remote.limits import HTTP_LIMITS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from wheelfs.remote.http.user_netrc import Netrc

OwnOrigin = tuple[str, str, int | None]
"""Scheme, host and port (RFC 6454)."""

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


@dataclass(slots=True)
class Credentials:
    """A user name and password, good for one origin.

    ``keyring`` is asked for the password when it is first needed, and again when that is refused: tokens expire while a mount
    lives.  ``netrc`` is asked then, too, and returns a user name and password where there are any.
    """

    origin: OwnOrigin
    username: str = field(repr=False)
    password: str = field(repr=False)
    keyring: Callable[[], Awaitable[str | None]] | None = field(default=None, repr=False)
    renew_after_s: float = HTTP_LIMITS.keyring_renew_s
    netrc: Callable[[], Awaitable[tuple[str, str] | None]] | None = field(default=None, repr=False)
    _asked_at_s: float | None = field(default=None, init=False)
    _lock: trio.Lock = field(default_factory=trio.Lock, init=False, repr=False)

    async def header_for(self, url: str) -> dict[str, str]:
        """Return the Authorization header (RFC 7617) for ``url``: an empty mapping when that is another origin."""
        if origin_of(url) != self.origin:
            return {}
        if self._asked_at_s is None:
            await self._ask()
        return authorization((self.username, self.password))

    async def renewed(self, url: str) -> dict[str, str]:
        """Return the header for ``url`` where it was refused: another one when keyring or netrc have another password by now."""
        if origin_of(url) == self.origin:
            await self._ask()
            if self.netrc is not None and (found := await self.netrc()) is not None:
                self.username, self.password = found
        return await self.header_for(url)

    async def _ask(self) -> None:
        if self.keyring is None:
            return
        async with self._lock:  # one question for all who wait
            if self._asked_at_s is None or trio.current_time() - self._asked_at_s > self.renew_after_s:
                found = await self.keyring()
                self._asked_at_s = trio.current_time()
                self.password = self.password if found is None else found


@dataclass(frozen=True, slots=True)
class Lent:
    """The Authorization header that a client of ours sends to an origin; of any scheme, and not ours to look into."""

    origin: OwnOrigin
    authorization: str = field(repr=False)

    async def header_for(self, url: str) -> dict[str, str]:
        """As `Credentials.header_for`."""
        return {"Authorization": self.authorization} if origin_of(url) == self.origin else {}

    async def renewed(self, url: str) -> dict[str, str]:
        """As `Credentials.renewed`: only the client has another one."""
        return await self.header_for(url)


def origin_of(url: str) -> OwnOrigin:
    """Return scheme, host and port of ``url``; raise ValueError when its port is invalid."""
    parts = urlsplit(url)
    return parts.scheme.lower(), (parts.hostname or "").lower(), parts.port or _DEFAULT_PORTS.get(parts.scheme.lower())


def split_userinfo(url: str) -> tuple[str, str | None, str | None]:
    """Return ``url`` without its userinfo and fragment, and the user name and password that were in it, percent-decoded."""
    parts = urlsplit(url)
    userinfo, at, host = parts.netloc.rpartition("@")
    clean = urlunsplit((parts.scheme, host, parts.path, parts.query, ""))
    if not at:
        return clean, None, None
    username, colon, password = userinfo.partition(":")
    return clean, unquote(username), unquote(password) if colon else None


def credentials_for(
    name: str,
    url: str,
    environ: Mapping[str, str],
    netrc: Netrc,
    *,
    account: str | None = None,
    renew_after_s: float = HTTP_LIMITS.keyring_renew_s,
) -> tuple[str, Credentials | None]:
    """Return an index's address without userinfo, and its credentials.

    The environment (``WHEELFS_INDEX_<NAME>_USERNAME`` and ``_PASSWORD``, the name in upper case with ``_`` for what is no letter
    or digit) comes before the URL's own, so that a password can be changed without touching a file; then ``netrc``, whose
    entry for the URL's user is taken when the URL names one.  ``account`` is a user whose password the keyring is asked for when
    it is nowhere else; not so one in the URL, which may be a token, and the keyring's command line can be read by every user.
    Raises `UsageError` for an invalid URL.
    """
    try:
        clean, username, password = split_userinfo(url)
        origin = origin_of(clean)
    except ValueError:
        raise UsageError(f"use the index {name}", "its URL is no valid address", "write NAME=https://HOST/simple") from None
    prefix = "WHEELFS_INDEX_" + re.sub(r"[^A-Z0-9]", "_", name.upper())
    username = environ.get(f"{prefix}_USERNAME", username if account is None else account)
    password = environ.get(f"{prefix}_PASSWORD", password)
    again: Callable[[], Awaitable[tuple[str, str] | None]] | None = None
    if password is None:
        again = partial(netrc.renewed_of, origin[1], username, default=True)
        username, password = netrc.of(origin[1], username, default=True) or (username, password)
    if username is None and password is None:
        return clean, None
    # A token often comes as a user name with no password, or the other way round.
    keyring = partial(password_of, account, clean, environ) if password is None and username == account and account else None
    return clean, Credentials(origin, username or "", password or "", keyring, renew_after_s, again)
