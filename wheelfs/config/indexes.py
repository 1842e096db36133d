"""How an index is described: as ``NAME=URL``, or as a table that says more.

Like every kind of value, raises ValueError with sentences that never quote what could hold a credential.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import urlsplit

import msgspec

from wheelfs.config.policies import age_s
from wheelfs.config.redaction import redact
from wheelfs.config.share_urls import check_objects_url
from wheelfs.config.suggestions import unknown_key
from wheelfs.config.values import PathKind, SecondsKind

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

MAX_INDEX_NAME: Final = 64
"""Index names become directory names (``index/NAME``) and keys in the catalog."""
MAX_INDEXES: Final = 64
"""A look-up may ask every index once; more than this is a mistake in a template."""
MAX_PATTERNS: Final = 1_000
RESERVED_NAMES: Final = frozenset({"download", "local", "stored"})
"""``local`` is the origin of files that were added by hand, ``download`` of those fetched by their URL alone; ``stored`` is a
directory of the mount."""

ABSENT_STATUSES: Final = frozenset({400, 401, 403, 405, 406, 409, 451})
"""What servers say of a name that they do not have, or that they do not want to say anything of; 404 and 410 always mean it."""

_INDEX_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*\Z")
_NAMED_INDEX = re.compile(r"(?P<name>[^=:/?#\s]*)=(?P<url>.*)\Z", re.DOTALL)
_PATTERN = re.compile(r"[A-Za-z0-9*][A-Za-z0-9._*-]{0,200}\Z")
_TTL: Final = SecondsKind(0, 31_536_000)
_PATH: Final = PathKind()


class IndexSetting(msgspec.Struct, frozen=True, omit_defaults=True):
    """A package index.  ``url`` and ``proxy`` may hold credentials: show them only through `wheelfs.config.redact`.

    ``projects`` are patterns of normalized project names; empty: the index is for every name that is not tied to another.
    ``ttl_s`` None: what ``[network] page-ttl-s`` says.  ``ca``, ``client_cert`` and ``client_key`` are files of PEM certificates.
    ``username`` is the account whose password the keyring is asked for.  ``min_age`` is what `age_s` reads; None: ``[policy]``'s.
    ``names``, of a share only, are the patterns of names that it may give to files that no index lists; None: any.
    ``absent`` are statuses that mean "no such project" there, beside 404 and 410.  ``first_seen`` None: ``[policy]``'s.
    """

    name: str
    url: str
    projects: tuple[str, ...] = ()
    ttl_s: float | None = None
    ca: Path | None = None
    client_cert: Path | None = None
    client_key: Path | None = None
    proxy: str | None = None
    username: str | None = None
    min_age: str | None = None
    names: tuple[str, ...] | None = None
    absent: tuple[int, ...] = ()
    first_seen: bool | None = None


class IndexesKind(msgspec.Struct, frozen=True):
    """Indexes in order of priority: tables in TOML; as text ``NAME=URL`` or a bare URL each, or all as a JSON list of tables."""

    syntax: str = "NAME=URL or URL"
    toml_types: tuple[type, ...] = (list,)

    def parse(self, raw: object, base: Path) -> tuple[IndexSetting, ...]:
        indexes = self._parsed(raw, base, check_url)
        if any(index.names is not None for index in indexes):
            raise ValueError("names is a key of [[share]]; an index is tied to names by projects")
        return indexes

    def _parsed(self, raw: object, base: Path, check: Callable[[str], str]) -> tuple[IndexSetting, ...]:
        items: Sequence[object] = _items(raw) if isinstance(raw, str) else raw if isinstance(raw, list | tuple) else [raw]
        if len(items) > MAX_INDEXES:
            raise ValueError(f"more than {MAX_INDEXES} indexes")
        indexes: list[IndexSetting] = []
        problems: list[str] = []
        for number, item in enumerate(items, 1):
            prefix = f"index {number}: " if len(items) > 1 else ""
            try:
                index = _index_of_table(item, base, check) if isinstance(item, dict) else _index_of_text(item, check)
                if any(index.name == other.name for other in indexes):
                    raise ValueError(f"the name {index.name!r} is given twice")
                indexes.append(index)
            except ValueError as error:
                problems += [prefix + line for line in str(error).splitlines()]
        if problems:
            raise ValueError("\n".join(problems))
        return tuple(indexes)

    def as_text(self, value: object) -> str:
        indexes: tuple[IndexSetting, ...] = value  # type: ignore[assignment]
        tables = [
            {key.replace("_", "-"): field for key, field in msgspec.to_builtins(index, enc_hook=str).items()} for index in indexes
        ]
        if all(table.keys() == {"name", "url"} for table in tables):
            return " ".join(f"{index.name}={index.url}" for index in indexes)
        return json.dumps(tables)


class SharesKind(IndexesKind, frozen=True):
    """Gateways of `wheelfs serve`, directories and buckets, in order; described like indexes, without pages of their own."""

    def parse(self, raw: object, base: Path) -> tuple[IndexSetting, ...]:
        shares = self._parsed(raw, base, check_share_url)
        if any(share.ttl_s is not None or share.absent or share.first_seen is not None for share in shares):
            raise ValueError("a share has neither ttl-s, absent nor first-seen")
        if any(share.projects and share.names is not None for share in shares):
            raise ValueError("a share has either projects (names that are tied to it) or names (those that it may give)")
        return shares


def _items(text: str) -> Sequence[object]:
    if not text.lstrip().startswith("["):
        return text.split()
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError("begins like a JSON list of indexes, but is not valid JSON") from None
    return found if isinstance(found, list) else [found]


def _index_of_text(item: object, check: Callable[[str], str]) -> IndexSetting:
    if not isinstance(item, str):
        raise ValueError("must be NAME=URL or a table with name and url")
    match = _NAMED_INDEX.match(item)
    name, url = (None, item) if match is None else (match["name"], match["url"])
    table: dict[str, object] = {"url": url}
    return _index_of_table(table if name is None else {**table, "name": name}, Path("/"), check)


def _index_of_table(table: dict[str, object], base: Path, check: Callable[[str], str]) -> IndexSetting:
    """Return the index (named after its URL if need be), or raise with all that is wrong."""
    problems = [unknown_key(key, INDEX_KEYS) for key in table if key not in INDEX_KEYS]
    taken: dict[str, object] = {}
    for key, (parse, _) in INDEX_KEYS.items():
        if key in table:
            try:
                taken[key.replace("-", "_")] = parse(table[key], base)
            except ValueError as error:
                problems.append(str(error))
    if "url" not in table:
        problems.append("url is missing, or is not text")
    if "client-key" in table and "client-cert" not in table:
        problems.append("client-key is given without client-cert")
    if isinstance(taken.get("url"), str):
        try:
            check(str(taken["url"]))
        except ValueError as error:
            problems.append(str(error))
    if "username" in taken and "@" in urlsplit(str(taken.get("url", ""))).netloc:
        problems.append("username is given twice: also in the URL")
    if problems:
        raise ValueError("\n".join(problems))
    taken.setdefault("name", name_from_url(str(taken["url"])))
    return IndexSetting(**taken)  # type: ignore[arg-type]  # every parser returns its field's type


def _name(value: object, _base: Path) -> str:
    if not isinstance(value, str):
        raise ValueError("name must be text")
    return check_index_name(value)


def _url(value: object, _base: Path) -> str:
    if not isinstance(value, str):
        raise ValueError("url is missing, or is not text")
    return value


def _ttl(value: object, base: Path) -> float:
    if isinstance(value, str):
        raise ValueError("ttl-s must be a number of seconds, without quotes")
    try:
        return _TTL.parse(value, base)
    except ValueError as error:
        raise ValueError(f"ttl-s {error}") from None


def _path(key: str) -> Callable[[object, Path], Path]:
    def parse(value: object, base: Path) -> Path:
        try:
            return _PATH.parse(value, base)
        except ValueError as error:
            raise ValueError(f"{key} {error}") from None

    return parse


def _proxy(value: object, _base: Path) -> str:
    return check_proxy(value)


def check_proxy(value: object) -> str:
    """Return ``value`` when it can be the address of a proxy; raise ValueError, never quoting it, otherwise."""
    try:
        parts = urlsplit(value) if isinstance(value, str) else None
        usable = parts is not None and parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable or not isinstance(value, str) or re.search(r"[\s\x00-\x1f\x7f]", value):
        raise ValueError("proxy must be of the form http://HOST:PORT")
    return value


def _username(value: object, _base: Path) -> str:
    if not isinstance(value, str) or not re.match(r"[^\x00-\x1f\x7f:-][^\x00-\x1f\x7f:]{0,200}\Z", value):
        raise ValueError("username must be text, without a colon and not beginning with a dash")
    return value


def _projects(value: object, _base: Path) -> tuple[str, ...]:
    return _patterns("projects", value, least=1)


def _names(value: object, _base: Path) -> tuple[str, ...]:
    return _patterns("names", value, least=0)


def _patterns(key: str, value: object, *, least: int) -> tuple[str, ...]:
    patterns = value if isinstance(value, list) else [value]
    if not least <= len(patterns) <= MAX_PATTERNS:
        raise ValueError(f'{key} must be a list of {least} to {MAX_PATTERNS} patterns, such as ["lab-*"]')
    texts = [pattern for pattern in patterns if isinstance(pattern, str) and _PATTERN.match(pattern)]
    if len(texts) < len(patterns):
        raise ValueError(f"{key} must be project names, in which * stands for anything")
    return tuple(re.sub(r"[-_.]+", "-", pattern).lower() for pattern in texts)


def _min_age(value: object, _base: Path) -> str:
    text = str(value).strip()
    try:
        age_s(text)
    except ValueError as error:
        raise ValueError(f"min-age {error}") from None
    return text


def _absent(value: object, _base: Path) -> tuple[int, ...]:
    statuses = value if isinstance(value, list) else [value]
    if not all(isinstance(status, int) and status in ABSENT_STATUSES for status in statuses):
        possible = ", ".join(map(str, sorted(ABSENT_STATUSES)))
        raise ValueError(f"absent must be a status that can mean that there is no such project, or a list of such: {possible}")
    return tuple(sorted(set(statuses)))


def _first_seen(value: object, _base: Path) -> bool:
    if not isinstance(value, bool):
        raise ValueError("first-seen must be true or false")
    return value


class Key(NamedTuple):
    """One key of an index's table."""

    parse: Callable[[object, Path], object]
    meaning: str


INDEX_KEYS: Final[dict[str, Key]] = {
    "name": Key(_name, "What it is called in `index/NAME` and on pages; by default after its host, port and path."),
    "url": Key(_url, "Its address, which usually ends in `/simple`."),
    "projects": Key(
        _projects,
        "Project names that are tied to it; `*` stands for anything. They are asked of no index without a matching pattern, and "
        "this index is asked for no other name.",
    ),
    "names": Key(
        _names,
        "Of a share only: the project names that it may give to files which no index lists; `*` stands for anything, and `[]` "
        "leaves it bytes alone. By default any that is not tied.",
    ),
    "ttl-s": Key(_ttl, "How long its pages are served without asking it, in place of `[network] page-ttl-s`."),
    "ca": Key(_path("ca"), "A file (or directory) of PEM certificates to trust, in place of the system's and the environment's."),
    "client-cert": Key(_path("client-cert"), "A PEM certificate that is shown to the index's own host and to no other."),
    "client-key": Key(_path("client-key"), "Its key, without a password, where that is not in the same file."),
    "proxy": Key(_proxy, "The proxy for its pages and files, in place of the environment's."),
    "username": Key(
        _username,
        "The user name there. The password comes from the environment, `~/.netrc`, or the `keyring` command where there is one.",
    ),
    "min-age": Key(
        _min_age, "How old its files must be to be shown, in place of `[policy] min-age`; `0` for one that gives no upload times."
    ),
    "absent": Key(
        _absent,
        "Statuses by which it says that it has no such project, beside 404 and 410: `[403]` (or `403`, being one) for a bucket "
        "that may not be listed. Without it such an answer is an error, and no lower index is asked.",
    ),
    "first-seen": Key(_first_seen, "Whether its files go by when they were first seen, in place of `[policy] first-seen`."),
}


def described(index: IndexSetting) -> dict[str, object]:
    """Return what was set of an index, by key, without credentials."""
    return {key: redact(value) if isinstance(value, str) else value for key, value in _table(index).items()}


def _table(index: IndexSetting) -> dict[str, object]:
    return {key.replace("_", "-"): value for key, value in msgspec.to_builtins(index, enc_hook=str).items()}


def check_index_name(name: str) -> str:
    """Return ``name`` when an index may be called so; raise ValueError otherwise."""
    if "://" in name or "@" in name:  # with a password, it may be; what is cut off could not be told from a name
        raise ValueError("the name looks like an address: give that as url")
    if not _INDEX_NAME.match(name):
        raise ValueError(f"the name {name[:80]!r} is not letters, digits and . _ - (beginning with a letter or digit)")
    if len(name) > MAX_INDEX_NAME:
        raise ValueError(f"the name {name[:80]!r} is longer than {MAX_INDEX_NAME} characters")
    if name in RESERVED_NAMES:
        raise ValueError(f"the name {name!r} is reserved")
    return name


def check_url(url: str) -> str:
    """Return ``url`` when it can be the address of an index over HTTP; raise ValueError, never quoting it, otherwise."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ValueError("the URL cannot be parsed") from None
    if parts.scheme not in ("http", "https"):
        hint = (
            ": a directory is not taken here, and a mount has only what it gets from an index" if parts.scheme == "file" else ""
        )
        raise ValueError(f"the URL must begin with http:// or https://{hint}")
    if not parts.hostname or port == 0:
        raise ValueError("the URL names no host")
    if re.search(r"[\s\x00-\x1f\x7f]", url):
        raise ValueError("the URL contains white space or control characters")
    if parts.query or parts.fragment:
        raise ValueError("the URL of an index has neither a query nor a fragment")
    return url


def check_share_url(url: str) -> str:
    """Return ``url`` when it can be the address of a share; raise ValueError, never quoting it, otherwise."""
    scheme, separator, rest = url.partition("://")
    if separator and scheme.lower() in ("http", "https"):
        return check_url(f"{scheme.lower()}://{rest}")
    return check_objects_url(url)


def name_from_url(url: str) -> str:
    """Derive the name of an index given as a bare URL: host, port and path, without a final ``simple``.

    Not "main" or a number: what is stored is filed under the index's name, and two different indexes that are given without a
    name at different times must not be mistaken for each other.
    """
    parts = urlsplit(url)
    steps = [step for step in parts.path.split("/") if step]
    if steps and steps[-1] in ("simple", "+simple"):
        steps.pop()
    text = "-".join([parts.hostname or "", *([str(parts.port)] if parts.port else []), *steps])
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-._")[:MAX_INDEX_NAME] or "index"
    return f"{name}-index"[:MAX_INDEX_NAME] if name in RESERVED_NAMES else name
