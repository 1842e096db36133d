"""The options: one table from which files, environment, flags and the reference documentation are all read.

An option that does nothing yet is not here: an unknown key is an error, so nobody believes in a setting that has no effect.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

import msgspec

from wheelfs.config.indexes import IndexesKind, IndexSetting, SharesKind
from wheelfs.config.policies import AgeKind, PlatformsKind, PythonsKind
from wheelfs.config.values import ChoiceKind, CountKind, FlagKind, PathKind, PercentKind, SecondsKind, SizeKind, TextKind

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

from wheelfs.config.values import Kind

OfflineShow = Literal["stored", "all"]
Verify = Literal["origin", "strict"]
Delta = Literal["auto", "always", "never"]
Showing = Literal["show", "hide"]
LogLevel = Literal["error", "warning", "info", "debug"]


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """The effective configuration.  ``provenance`` tells for every other field where its value comes from.

    ``indexes`` is empty when none is configured; which index is then used is found out elsewhere (pip's or uv's, else PyPI).
    """

    store: Path
    log_file: Path | None = None
    indexes: tuple[IndexSetting, ...] = ()
    shares: tuple[IndexSetting, ...] = ()
    share_write: bool = False
    offline: bool = False
    offline_show: OfflineShow = "stored"
    verify: Verify = "origin"
    delta: Delta = "auto"
    page_ttl_s: float = 600.0
    lookup_timeout_s: float = 15.0
    open_timeout_s: float = 30.0
    look_ahead: bool = True
    min_age_s: int = 0
    flat_platforms: tuple[str, ...] = ()
    flat_pythons: tuple[str, ...] = ()
    flat_prereleases: Showing = "show"
    flat_yanked: Showing = "show"
    quota_bytes: int | None = None
    low_water: float = 0.8
    min_free_bytes: int = 100_000_000
    allow_other: bool = False
    log_level: LogLevel = "info"
    serve_listen: str = "127.0.0.1:8080"
    serve_workers: int = 1
    serve_token_file: Path | None = None
    serve_tls_certificate: Path | None = None
    serve_tls_key: Path | None = None
    provenance: dict[str, str] = {}


@dataclass(frozen=True, slots=True)
class Option:
    """One option: the field of `Settings`, its place in TOML, its variable, its flag, and what it means."""

    field: str
    toml: tuple[str, ...]
    variable: str
    kind: Kind
    meaning: str
    flag: str | None = None
    default: Callable[[Mapping[str, str]], object] | None = None
    default_text: str = ""


def data_directory(environ: Mapping[str, str]) -> Path:
    """Return where the store is by default."""
    return Path("/var/lib/wheelfs") if os.geteuid() == 0 else _xdg(environ, "XDG_DATA_HOME", ".local/share") / "wheelfs"


def log_directory(environ: Mapping[str, str]) -> Path:
    """Return where daemons log by default: a place that survives a reboot, since that is when the log is wanted."""
    return Path("/var/log/wheelfs") if os.geteuid() == 0 else _xdg(environ, "XDG_STATE_HOME", ".local/state") / "wheelfs"


def user_file(environ: Mapping[str, str]) -> Path:
    """Return where a user's own configuration file is."""
    return _xdg(environ, "XDG_CONFIG_HOME", ".config") / "wheelfs" / "config.toml"


def _xdg(environ: Mapping[str, str], variable: str, below_home: str) -> Path:
    # XDG base directory specification: a relative path in one of these variables is invalid and must be ignored.
    given = Path(environ.get(variable) or "")
    if given.is_absolute():
        return given
    # init systems start mount(8) without HOME.
    return Path(environ.get("HOME") or "/") / below_home


OPTIONS: Final[tuple[Option, ...]] = (
    Option(
        "store",
        ("store",),
        "WHEELFS_STORE",
        PathKind(),
        "The directory of the store. It must be on a local disk.",
        flag="--store",
        default=data_directory,
        default_text="/var/lib/wheelfs for root, else wheelfs in the XDG data directory",
    ),
    Option(
        "indexes",
        ("index",),
        "WHEELFS_INDEX",
        IndexesKind(),
        "The package indexes, in order of priority. In TOML one [[index]] table each, with the keys below; in the environment "
        "separated by spaces, or as a JSON list of tables; the flag is repeated. A bare URL is named after its host, port and "
        "path. Whatever gives indexes replaces the whole list of what it overrides.",
        flag="--index",
        default_text="the index that pip or uv is configured with, else PyPI",
    ),
    Option(
        "shares",
        ("share",),
        "WHEELFS_SHARE",
        SharesKind(),
        "Gateways (wheelfs serve), and what wheelfs push fills (file:///DIRECTORY, s3://BUCKET/PREFIX, gs://, az://), that are "
        "asked for files before any index, in order. In TOML one [[share]] table each, with the keys of an index but for "
        "projects and ttl-s; the flag is repeated. What they store is listed here within seconds.",
        flag="--share",
        default_text="none",
    ),
    Option(
        "share_write",
        ("share-write",),
        "WHEELFS_SHARE_WRITE",
        FlagKind(),
        "Push what mounts and gateways store to the first share that is a directory or a bucket, soon after it is stored, in the "
        "background; not private files, nor what came from there.",
        flag="--share-write",
        default_text="false",
    ),
    Option(
        "offline",
        ("offline", "always"),
        "WHEELFS_OFFLINE",
        FlagKind(),
        "Never use the network.",
        flag="--offline",
        default_text="false",
    ),
    Option(
        "offline_show",
        ("offline", "show"),
        "WHEELFS_OFFLINE_SHOW",
        ChoiceKind(("stored", "all")),
        'What project pages list while their index cannot be asked: "stored" what can be installed now, "all" everything known.',
        default_text='"stored"',
    ),
    Option(
        "verify",
        ("verify",),
        "WHEELFS_VERIFY",
        ChoiceKind(("origin", "strict")),
        'Which bytes of a wheel that is not whole yet may be read: "origin" those that came from the index itself, "strict" none '
        "before the sha256 of the whole file has been checked.",
        default_text='"origin"',
    ),
    Option(
        "delta",
        ("delta",),
        "WHEELFS_DELTA",
        ChoiceKind(("auto", "always", "never")),
        "Whether members of a wheel that are stored already, as parts of others, are taken from there and only the rest is "
        'fetched, by ranges: "auto" when that is faster by what the index has shown of its rate and latency, "always" to fetch '
        'as few bytes as possible, "never" to ask for whole files.',
        flag="--delta",
        default_text='"auto"',
    ),
    Option(
        "page_ttl_s",
        ("network", "page-ttl-s"),
        "WHEELFS_PAGE_TTL_S",
        SecondsKind(0, 31_536_000),
        "How long a project page is served without asking its index whether it has changed.",
        default_text="600",
    ),
    Option(
        "lookup_timeout_s",
        ("network", "lookup-timeout-s"),
        "WHEELFS_LOOKUP_TIMEOUT_S",
        SecondsKind(0.1, 600),
        "How long looking up an unknown project may wait for the network.",
        default_text="15",
    ),
    Option(
        "open_timeout_s",
        ("network", "open-timeout-s"),
        "WHEELFS_OPEN_TIMEOUT_S",
        SecondsKind(0.1, 600),
        "How long opening or reading a file may wait for the network without progress.",
        default_text="30",
    ),
    Option(
        "look_ahead",
        ("network", "look-ahead"),
        "WHEELFS_LOOK_AHEAD",
        FlagKind(),
        "Whether an index is asked for the pages and METADATA of what a wheel depends on as soon as that is known, before the "
        "client that resolves asks for them. Nothing is asked that resolving would not ask, and no file is fetched for it.",
        default_text="true",
    ),
    Option(
        "min_age_s",
        ("policy", "min-age"),
        "WHEELFS_MIN_AGE",
        AgeKind(),
        "Hide files that were uploaded less than this long ago, and those of which the index does not tell when they were; "
        "never files added by hand.",
        flag="--min-age",
        default_text="0",
    ),
    Option(
        "flat_platforms",
        ("flat", "platforms"),
        "WHEELFS_FLAT_PLATFORMS",
        PlatformsKind(),
        'The platforms whose wheels flat directories show: "here" stands for this machine, and a manylinux_X_Y, musllinux_X_Y or '
        "macosx_X_Y tag for all that it can run.",
        default_text="all",
    ),
    Option(
        "flat_pythons",
        ("flat", "pythons"),
        "WHEELFS_FLAT_PYTHONS",
        PythonsKind(),
        "The versions of CPython whose wheels flat directories show.",
        default_text="all",
    ),
    Option(
        "flat_prereleases",
        ("flat", "pre-releases"),
        "WHEELFS_FLAT_PRE_RELEASES",
        ChoiceKind(("show", "hide")),
        "Whether flat directories show wheels of pre-releases.",
        default_text='"show"',
    ),
    Option(
        "flat_yanked",
        ("flat", "yanked"),
        "WHEELFS_FLAT_YANKED",
        ChoiceKind(("show", "hide")),
        "Whether flat directories show wheels that their index has yanked: clients cannot see it there.",
        default_text='"show"',
    ),
    Option(
        "quota_bytes",
        ("cache", "quota"),
        "WHEELFS_QUOTA",
        SizeKind(1_000_000),
        "How large the store may become, partly fetched files included. Partly fetched files that nobody uses make room first, "
        "then the least recently used wheels, never pinned, private or open ones; when those alone fill it, nothing more is "
        "stored.",
        flag="--quota",
        default_text="none",
    ),
    Option(
        "low_water",
        ("cache", "low-water"),
        "WHEELFS_LOW_WATER",
        PercentKind(10, 84),
        "How full of its quota the store is after wheels have made room: the lower, the less often that must be.",
        default_text="80%",
    ),
    Option(
        "min_free_bytes",
        ("cache", "min-free"),
        "WHEELFS_MIN_FREE",
        SizeKind(0),
        "How much disk space is left to others, but never more than 5 % of the disk: wheels make room as for a quota. 0: none.",
        default_text="100MB",
    ),
    Option(
        "allow_other",
        ("mount", "allow-other"),
        "WHEELFS_ALLOW_OTHER",
        FlagKind(),
        "Let other users than the mounting one use the mount (for other users than root, /etc/fuse.conf must allow it).",
        flag="--allow-other",
        default_text="false",
    ),
    Option(
        "log_level",
        ("log", "level"),
        "WHEELFS_LOG_LEVEL",
        ChoiceKind(("error", "warning", "info", "debug")),
        "What a mount writes to its log; -v raises it by one.",
        default_text='"info"',
    ),
    Option(
        "log_file",
        ("log", "file"),
        "WHEELFS_LOG_FILE",
        PathKind(),
        "Where a mount in the background logs.",
        default_text="mount-PATH.log in /var/log/wheelfs for root, else in wheelfs in the XDG state directory",
    ),
    Option(
        "serve_listen",
        ("serve", "listen"),
        "WHEELFS_SERVE_LISTEN",
        TextKind("HOST:PORT"),
        "Where the gateway listens: 0.0.0.0:8080 or [::]:8080 for other machines, port 0 for any free one.",
        flag="--listen",
        default_text='"127.0.0.1:8080"',
    ),
    Option(
        "serve_workers",
        ("serve", "workers"),
        "WHEELFS_SERVE_WORKERS",
        CountKind(1, 64),
        "How many processes answer: with 2 or more, one of their own talks to the indexes for all of them.",
        flag="--workers",
        default_text="1",
    ),
    Option(
        "serve_token_file",
        ("serve", "token-file"),
        "WHEELFS_SERVE_TOKEN_FILE",
        PathKind(),
        "A file with the token that clients of the gateway must give: as bearer token, or as the password of any user.",
        flag="--token-file",
    ),
    Option(
        "serve_tls_certificate",
        ("serve", "tls-certificate"),
        "WHEELFS_SERVE_TLS_CERTIFICATE",
        PathKind(),
        "The certificate chain of the gateway, in PEM: it then serves HTTPS.",
        flag="--tls-certificate",
    ),
    Option(
        "serve_tls_key",
        ("serve", "tls-key"),
        "WHEELFS_SERVE_TLS_KEY",
        PathKind(),
        "The key of that certificate, in PEM.",
        flag="--tls-key",
    ),
)
