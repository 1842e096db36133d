"""What a mount is given, and what mounts and gateways report when they begin to answer; fields may be added, never renamed."""

from __future__ import annotations

import msgspec


class MountArguments(msgspec.Struct, frozen=True, kw_only=True):
    """What a mount is given besides the configuration.

    ``nonempty``: mount over a directory that has entries.  ``source``: what the list of mounts shows as its source, None: the
    program's name.  ``log``: the file that it logs to, None: its stderr.
    """

    nonempty: bool = False
    source: str | None = None
    log: str | None = None


class MountReady(msgspec.Struct, frozen=True, kw_only=True):
    """A mount that has answered its first request."""

    path: str
    pid: int
    store: str


class GatewayReady(msgspec.Struct, frozen=True, kw_only=True):
    """A gateway that accepts connections.  ``open``: it serves requests without a token."""

    urls: tuple[str, ...]
    pid: int
    store: str
    open: bool
