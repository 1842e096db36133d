"""The effective configuration, and the directories that it starts from."""

from __future__ import annotations

import os
import pwd
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import msgspec

from wheelfs.config.indexes import IndexSetting  # noqa: TC001  # msgspec evaluates the annotations of its structs

if TYPE_CHECKING:
    from collections.abc import Mapping

OfflineShow = Literal["stored", "all"]
Verify = Literal["origin", "strict"]
Delta = Literal["auto", "always", "never"]
Showing = Literal["show", "hide"]
AccessLog = Literal["off", "on", "json"]
LogLevel = Literal["error", "warning", "info", "debug"]


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """The effective configuration.  ``provenance`` says for every other field where its value comes from.

    ``warnings`` are about the files that it was read from.

    ``indexes`` is empty when none is configured; `wheelfs.app.indexes` then takes pip's or uv's, else PyPI.  With ``no_index``
    no index is used, whatever ``indexes`` says.
    """

    store: Path
    store_group: str | None = None
    log_file: Path | None = None
    indexes: tuple[IndexSetting, ...] = ()
    no_index: bool = False
    shares: tuple[IndexSetting, ...] = ()
    share_write: bool = False
    offline: bool = False
    offline_show: OfflineShow = "stored"
    verify: Verify = "origin"
    delta: Delta = "auto"
    delta_sources: tuple[Path, ...] = ()
    page_ttl_s: float = 600.0
    lookup_timeout_s: float = 15.0
    open_timeout_s: float = 30.0
    look_ahead: bool = True
    private_addresses: bool | None = None
    min_age_s: int = 0
    first_seen: bool = False
    flat_platforms: tuple[str, ...] = ()
    flat_pythons: tuple[str, ...] = ()
    flat_prereleases: Showing = "show"
    flat_yanked: Showing = "show"
    quota_bytes: int | None = None
    low_water: float = 0.8
    min_free_bytes: int = 100_000_000
    solid_unused_s: int = 0
    allow_other: bool = False
    log_level: LogLevel = "info"
    serve_listen: str = "127.0.0.1:8080"
    serve_workers: int = 1
    serve_access_log: AccessLog = "off"
    serve_token_file: Path | None = None
    serve_tls_certificate: Path | None = None
    serve_tls_key: Path | None = None
    provenance: dict[str, str] = {}
    warnings: tuple[str, ...] = ()


def data_directory(environ: Mapping[str, str]) -> Path:
    """Return where the store is by default."""
    return Path("/var/lib/wheelfs") if os.geteuid() == 0 else _xdg(environ, "XDG_DATA_HOME", ".local/share") / "wheelfs"


def log_directory(environ: Mapping[str, str]) -> Path:
    """Return where daemons log by default: a place that survives a reboot, since that is when the log is wanted."""
    return Path("/var/log/wheelfs") if os.geteuid() == 0 else _xdg(environ, "XDG_STATE_HOME", ".local/state") / "wheelfs"


def user_file(environ: Mapping[str, str]) -> Path:
    """Return where a user's own configuration file is."""
    return _xdg(environ, "XDG_CONFIG_HOME", ".config") / "wheelfs" / "config.toml"


def home_directory(environ: Mapping[str, str]) -> Path:
    """Return the home directory: ``HOME``, else the one in the password database, else ``/``.

    init systems and mount(8) start programs without ``HOME``; a container's user may have no entry in the database either.
    """
    if given := environ.get("HOME"):
        return Path(given)
    try:
        return Path(pwd.getpwuid(os.getuid()).pw_dir or "/")
    except KeyError:
        return Path("/")


def client_cache(client: Literal["pip", "uv"], environ: Mapping[str, str]) -> Path:
    """Return where a client keeps its cache when it is not told otherwise on its command line or in its configuration files."""
    if given := environ.get(f"{client.upper()}_CACHE_DIR"):
        return Path(os.path.expanduser(given))  # noqa: PTH111 - which would raise for ~unknown
    base = environ.get("XDG_CACHE_HOME") or Path(environ.get("HOME") or "/") / ".cache"
    return Path(base) / client


def _xdg(environ: Mapping[str, str], variable: str, below_home: str) -> Path:
    # XDG base directory specification: a relative path in one of these variables is invalid and must be ignored.
    given = Path(environ.get(variable) or "")
    return given if given.is_absolute() else home_directory(environ) / below_home
