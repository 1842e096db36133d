"""The options: one table from which files, environment, flags, ``mount -o``, help, completion and the reference are all made.

A new option is an entry here, a field of `wheelfs.config.settings.Settings`, and its use.  An option that does nothing yet is
not here: an unknown key is an error, so that no setting is believed to have an effect that it has not.
"""

from __future__ import annotations

from typing import Final

from wheelfs.config.indexes import IndexesKind, SharesKind
from wheelfs.config.option import ASKING, EVERY, FETCHING, REMOTE, RUNNING, STORING, Option
from wheelfs.config.policies import AgeKind, PlatformsKind, PythonsKind
from wheelfs.config.settings import data_directory
from wheelfs.config.values import (
    ChoiceKind,
    CountKind,
    FlagKind,
    PathKind,
    PathsKind,
    PercentKind,
    SecondsKind,
    SizeKind,
    TextKind,
)

OPTIONS: Final[tuple[Option, ...]] = (
    Option(
        field="store",
        toml=("store",),
        variable="WHEELFS_STORE",
        kind=PathKind(),
        meaning="The directory of the store. It must be on a local disk.",
        flag="--store",
        commands=EVERY,
        metavar="DIR",
        default=data_directory,
        default_text="/var/lib/wheelfs for root, else wheelfs in the XDG data directory",
    ),
    Option(
        field="store_group",
        toml=("store-group",),
        variable="WHEELFS_STORE_GROUP",
        kind=TextKind("a group's name"),
        meaning="The group whose members may read the store and the logs. Without one only their owner may; what others could "
        "read is closed to them when it is opened next.",
        metavar="GROUP",
        default_text="none",
    ),
    Option(
        field="indexes",
        toml=("index",),
        variable="WHEELFS_INDEX",
        kind=IndexesKind(),
        meaning="A package index; several are asked in order of priority. In TOML one [[index]] table each, with the keys below; "
        "in the environment separated by spaces, or as a JSON list of tables; the flag is repeated. A bare URL is named after "
        "its host, port and path. A source that gives indexes replaces the whole list of the sources that it overrides.",
        flag="--index",
        commands=ASKING,
        metavar="NAME=URL",
        default_text="the index that pip or uv is configured with, else PyPI",
    ),
    Option(
        field="no_index",
        toml=("no-index",),
        variable="WHEELFS_NO_INDEX",
        kind=FlagKind(),
        meaning="Use no index at all, only the store and the shares. Indexes that are configured, here or for pip and uv, are "
        "ignored.",
        flag="--no-index",
        commands=ASKING,
        default_text="false",
    ),
    Option(
        field="shares",
        toml=("share",),
        variable="WHEELFS_SHARE",
        kind=SharesKind(),
        meaning="Where to ask for files before any index, in order: a gateway (wheelfs serve), or what wheelfs push fills "
        "(file:///DIRECTORY, s3://BUCKET/PREFIX, gs://, az://). In TOML one [[share]] table each, with the keys of an index "
        "except projects and ttl-s; the flag is repeated. What a share stores is listed here within seconds.",
        flag="--share",
        commands=ASKING,
        metavar="URL",
        default_text="none",
    ),
    Option(
        field="share_write",
        toml=("share-write",),
        variable="WHEELFS_SHARE_WRITE",
        kind=FlagKind(),
        meaning="Push what is stored to the first share that is a directory or a bucket, in the background. This happens soon "
        "after a file is stored; private files are not pushed, nor those that came from that share.",
        flag="--share-write",
        commands=RUNNING,
        default_text="false",
    ),
    Option(
        field="offline",
        toml=("offline", "always"),
        variable="WHEELFS_OFFLINE",
        kind=FlagKind(),
        meaning="Never use the network.",
        flag="--offline",
        commands=REMOTE,
        default_text="false",
    ),
    Option(
        field="offline_show",
        toml=("offline", "show"),
        variable="WHEELFS_OFFLINE_SHOW",
        kind=ChoiceKind(("stored", "all")),
        meaning='What project pages list while their index cannot be asked: "stored" what can be installed now, "all" everything '
        "known.",
        default_text='"stored"',
    ),
    Option(
        field="verify",
        toml=("verify",),
        variable="WHEELFS_VERIFY",
        kind=ChoiceKind(("origin", "strict")),
        meaning='Which bytes of a partly fetched wheel may be read: "origin" those that came from the index itself, "strict" '
        "none before the sha256 of the whole file has been checked.",
        default_text='"origin"',
    ),
    Option(
        field="delta",
        toml=("delta",),
        variable="WHEELFS_DELTA",
        kind=ChoiceKind(("auto", "always", "never")),
        meaning="Whether to fetch only what other stored wheels do not have, by ranges. Members of a wheel that are stored "
        'already, as parts of others, are then taken from the store: with "auto" when wheels of its project are stored and that '
        'is faster by what the index has shown of its rate and latency, with "always" to fetch as few bytes as possible; '
        '"never" asks for whole files.',
        flag="--delta",
        commands=FETCHING,
        default_text='"auto"',
    ),
    Option(
        field="delta_sources",
        toml=("delta-sources",),
        variable="WHEELFS_DELTA_SOURCES",
        kind=PathsKind(),
        meaning="Caches of uv and environments whose unpacked files are used like stored wheels for fetching only the rest. "
        "Their members are packed again, which takes about a second of one processor for 8 MB; what comes of it counts when the "
        "whole wheel has its index's sha256. They are only read.",
        default_text="none",
    ),
    Option(
        field="page_ttl_s",
        toml=("network", "page-ttl-s"),
        variable="WHEELFS_PAGE_TTL_S",
        kind=SecondsKind(0, 31_536_000),
        meaning="How long a project page is served without asking its index whether it has changed.",
        metavar="SECONDS",
        default_text="600",
    ),
    Option(
        field="lookup_timeout_s",
        toml=("network", "lookup-timeout-s"),
        variable="WHEELFS_LOOKUP_TIMEOUT_S",
        kind=SecondsKind(0.1, 600),
        meaning="How long looking up an unknown project may wait for the network.",
        metavar="SECONDS",
        default_text="15",
    ),
    Option(
        field="open_timeout_s",
        toml=("network", "open-timeout-s"),
        variable="WHEELFS_OPEN_TIMEOUT_S",
        kind=SecondsKind(0.1, 600),
        meaning="How long opening or reading a file may wait for the network without progress.",
        metavar="SECONDS",
        default_text="30",
    ),
    Option(
        field="look_ahead",
        toml=("network", "look-ahead"),
        variable="WHEELFS_LOOK_AHEAD",
        kind=FlagKind(),
        meaning="Whether the pages and METADATA of a wheel's dependencies are asked for before the client that resolves asks for "
        "them, as soon as the dependencies are known; nothing is asked that resolving would not ask. Wheels that an installer "
        "(pip install, uv pip install, uv sync and the like, by its command line) has opened are then fetched whole while it "
        "still resolves; for one that only resolves no file is fetched.",
        default_text="true",
    ),
    Option(
        field="private_addresses",
        toml=("network", "private-addresses"),
        variable="WHEELFS_PRIVATE_ADDRESSES",
        kind=FlagKind(),
        meaning="Whether files and redirects may lead to addresses of this machine or of a private network where the index "
        "itself is not on one. A gateway would fetch there what its clients may not reach.",
        default_text="false for serve, else true",
    ),
    Option(
        field="min_age_s",
        toml=("policy", "min-age"),
        variable="WHEELFS_MIN_AGE",
        kind=AgeKind(),
        meaning="Hide files uploaded less than this long ago, such as 7d, and those whose upload time is unknown. Files added by "
        "hand are never hidden.",
        flag="--min-age",
        commands=FETCHING,
        metavar="AGE",
        default_text="0",
    ),
    Option(
        field="first_seen",
        toml=("policy", "first-seen"),
        variable="WHEELFS_FIRST_SEEN",
        kind=FlagKind(),
        meaning="Whether, for files of an index that gives no upload times, min-age and asof/ go by the time at which this store "
        "first saw them on their page. What was there when a page was first read has that reading's time.",
        default_text="false",
    ),
    Option(
        field="flat_platforms",
        toml=("flat", "platforms"),
        variable="WHEELFS_FLAT_PLATFORMS",
        kind=PlatformsKind(),
        meaning='The platforms whose wheels flat directories show: "here" stands for this machine, and a manylinux_X_Y, '
        "musllinux_X_Y or macosx_X_Y tag for all that it can run.",
        metavar="TAGS",
        default_text="all",
    ),
    Option(
        field="flat_pythons",
        toml=("flat", "pythons"),
        variable="WHEELFS_FLAT_PYTHONS",
        kind=PythonsKind(),
        meaning="The versions of CPython whose wheels flat directories show.",
        metavar="VERSIONS",
        default_text="all",
    ),
    Option(
        field="flat_prereleases",
        toml=("flat", "pre-releases"),
        variable="WHEELFS_FLAT_PRE_RELEASES",
        kind=ChoiceKind(("show", "hide")),
        meaning="Whether flat directories show wheels of pre-releases.",
        default_text='"show"',
    ),
    Option(
        field="flat_yanked",
        toml=("flat", "yanked"),
        variable="WHEELFS_FLAT_YANKED",
        kind=ChoiceKind(("show", "hide")),
        meaning="Whether flat directories show wheels that their index has yanked: clients cannot see it there.",
        default_text='"show"',
    ),
    Option(
        field="quota_bytes",
        toml=("cache", "quota"),
        variable="WHEELFS_QUOTA",
        kind=SizeKind(1_000_000),
        meaning="How large the store may become, such as 200GiB. Partly fetched files count; those that are not in use make "
        "room first, then the least recently used wheels, never pinned, private or open ones. When those alone fill it, nothing "
        "more is stored.",
        flag="--quota",
        commands=STORING,
        metavar="SIZE",
        default_text="none",
    ),
    Option(
        field="low_water",
        toml=("cache", "low-water"),
        variable="WHEELFS_LOW_WATER",
        kind=PercentKind(10, 84),
        meaning="How full of its quota the store is after wheels have made room: the lower, the less often that must be.",
        metavar="PERCENT",
        default_text="80%",
    ),
    Option(
        field="solid_unused_s",
        toml=("cache", "solid"),
        variable="WHEELFS_SOLID",
        kind=AgeKind(),
        meaning="Keep old versions that were not used for this long, such as 30d, solid: inflated and compressed together. "
        "Mounts and gateways do it once a day, when nothing is under way; see `wheelfs gc --solid`.",
        metavar="AGE",
        default_text="0, never",
    ),
    Option(
        field="min_free_bytes",
        toml=("cache", "min-free"),
        variable="WHEELFS_MIN_FREE",
        kind=SizeKind(0),
        meaning="How much disk space is left to others, but never more than 5 % of the disk: wheels make room as for a quota. 0: "
        "none.",
        metavar="SIZE",
        default_text="100MB",
    ),
    Option(
        field="allow_other",
        toml=("mount", "allow-other"),
        variable="WHEELFS_ALLOW_OTHER",
        kind=FlagKind(),
        meaning="Let users other than the mounting one use the mount. Unless root mounts, /etc/fuse.conf must allow it.",
        flag="--allow-other",
        commands=("mount",),
        default_text="false",
    ),
    Option(
        field="log_level",
        toml=("log", "level"),
        variable="WHEELFS_LOG_LEVEL",
        kind=ChoiceKind(("error", "warning", "info", "debug")),
        meaning="What is logged; -v raises it by one. Mounts and gateways log at this level, other commands at warning unless "
        "the flag is given.",
        flag="--log-level",
        commands=EVERY,
        default_text='"info"',
    ),
    Option(
        field="log_file",
        toml=("log", "file"),
        variable="WHEELFS_LOG_FILE",
        kind=PathKind(),
        meaning="Where a mount in the background, or a gateway, logs.",
        flag="--log-file",
        commands=RUNNING,
        metavar="FILE",
        default_text="of a mount mount-PATH.log in /var/log/wheelfs for root, else in wheelfs in the XDG state directory; of a "
        "gateway stderr",
    ),
    Option(
        field="serve_listen",
        toml=("serve", "listen"),
        variable="WHEELFS_SERVE_LISTEN",
        kind=TextKind("HOST:PORT"),
        meaning="Where the gateway listens; 127.0.0.1:8080 by default. 0.0.0.0:8080 or [::]:8080 is for other machines, port 0 "
        "is any free one.",
        flag="--listen",
        commands=("serve",),
        metavar="HOST:PORT",
        mount_option=False,
        default_text='"127.0.0.1:8080"',
    ),
    Option(
        field="serve_workers",
        toml=("serve", "workers"),
        variable="WHEELFS_SERVE_WORKERS",
        kind=CountKind(1, 64),
        meaning="How many processes answer; 1 by default. With 2 or more, one more process talks to the indexes for all of them.",
        flag="--workers",
        commands=("serve",),
        metavar="N",
        mount_option=False,
        default_text="1",
    ),
    Option(
        field="serve_access_log",
        toml=("serve", "access-log"),
        variable="WHEELFS_SERVE_ACCESS_LOG",
        kind=ChoiceKind(("off", "on", "json")),
        meaning='Whether each answer is logged, where the gateway logs: "on" as a line of text, "json" as a JSON object.',
        flag="--access-log",
        commands=("serve",),
        mount_option=False,
        default_text='"off"',
    ),
    Option(
        field="serve_token_file",
        toml=("serve", "token-file"),
        variable="WHEELFS_SERVE_TOKEN_FILE",
        kind=PathKind(),
        meaning="A file with the token that clients of the gateway must give: as bearer token, or as the password of any user.",
        flag="--token-file",
        commands=("serve",),
        metavar="FILE",
        mount_option=False,
    ),
    Option(
        field="serve_tls_certificate",
        toml=("serve", "tls-certificate"),
        variable="WHEELFS_SERVE_TLS_CERTIFICATE",
        kind=PathKind(),
        meaning="The certificate chain of the gateway, in PEM: it then serves HTTPS.",
        flag="--tls-certificate",
        commands=("serve",),
        metavar="FILE",
        mount_option=False,
    ),
    Option(
        field="serve_tls_key",
        toml=("serve", "tls-key"),
        variable="WHEELFS_SERVE_TLS_KEY",
        kind=PathKind(),
        meaning="The key of that certificate, in PEM.",
        flag="--tls-key",
        commands=("serve",),
        metavar="FILE",
        mount_option=False,
    ),
)
