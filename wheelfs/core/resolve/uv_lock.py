"""Reading ``uv.lock``: the packages that a target needs, of every form that uv has written.

uv documents no format.  What is known here was looked at in the locks of 0.1.45 to 0.13: all call themselves version 1.
Packages are ``[[distribution]]`` until 0.2.33, with sources as one text ("registry+URL") until 0.2.15, and each wheel is a table
``[[distribution.wheel]]`` until 0.2.5; a marker may stand at the package itself instead of at what depends on it (0.2.7).  Where
forks go apart stands in ``environment-markers`` until 0.4, then in ``resolution-markers``.
"""

from __future__ import annotations

import re
from itertools import chain
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote, urlsplit

from packaging.pylock import PylockSelectError
from packaging.utils import NormalizedName, canonicalize_name

from wheelfs.core.hashes import asked_for
from wheelfs.core.resolve.pylock import IS_REPOSITORY, NOT_IN_AN_INDEX, OWN_TREE, check_named
from wheelfs.model.names import kind_of, parse_project_name
from wheelfs.model.versions import parse_marker, parse_specifiers
from wheelfs.model.wanted import LocalPath, Unfetchable, Wanted

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from wheelfs.core.platforms.targets import Target
    from wheelfs.core.resolve.requirements_txt import Asked

MADE_BY_USER: Final = ("editable", "virtual", "directory")
"""Sources that are the user's own tree: their dependencies are wanted, and they themselves are nothing to fetch."""
MAX_OF_ONE_NAME: Final = 200
"""Packages of one name, and extras that one marker names.  Where forks go apart a lock has a handful of each; every dependency is
compared with all of its name, and a marker evaluated for all of its extras."""
_TABLES: Final = ("package", "distribution")
_EXTRA = re.compile(r"extra (?P<how>[!=]=) '(?P<name>[^']*)'")
_TRUE, _FALSE = "python_version >= '0'", "python_version < '0'"

_Package = dict[str, Any]


def is_one(data: Mapping[str, Any]) -> bool:
    """Return whether this may be a uv.lock, of a version that is known."""
    return data.get("version") == 1 and all(isinstance(data.get(table, []), list) for table in _TABLES)


def read(
    data: Mapping[str, Any],
    target: Target,
    *,
    extras: Collection[str],
    groups: Collection[str] | None,
    default_groups: Collection[str] | None,
    where: str,
) -> Iterator[Asked]:
    """Yield what is reached from the user's own packages, all their extras and groups included.

    With ``default_groups`` only those groups and the ones that are named, and the extras that are named: what ``uv sync`` takes.
    Raises `PylockSelectError` when the lock does not speak of ``target`` or has none of the ``extras`` or ``groups`` that were
    named, and what comes of what is not as uv writes it.
    """
    lock = _Lock(data, target.environment)
    lock.check_target()
    lock.check_named(extras, groups or ())
    if default_groups is not None:
        lock.choose(extras, {*(groups or ()), *default_groups})
    for package in lock.reached():
        found = _asked(package, where)
        if found is not None:
            yield found


class _Lock:
    """The packages of a lock, walked along the dependencies whose markers hold."""

    def __init__(self, data: Mapping[str, Any], environment: Mapping[str, str]) -> None:
        self._environment = dict(environment)
        self._data = data
        self._chosen: frozenset[str] | None = None
        """Extras, and groups after "dev:", of the user's own packages that are wanted; None for all."""
        self._excluding: frozenset[str] = frozenset()
        """What markers call those that are chosen, as far as they exclude others."""
        self._by_name: dict[NormalizedName, list[_Package]] = {}
        for table in _TABLES:
            for package in data.get(table, []):
                known = _in_one_form(package)
                self._by_name.setdefault(canonicalize_name(known["name"]), []).append(known)
        for name, packages in self._by_name.items():
            if len(packages) > MAX_OF_ONE_NAME:
                raise PylockSelectError(f"it has {len(packages):,} packages called {name}, more than {MAX_OF_ONE_NAME}")

    def check_target(self) -> None:
        """Raise `PylockSelectError` when the lock does not speak of the target: its markers hold only where it does."""
        python, requires = self._environment["python_full_version"], self._data.get("requires-python", "")
        if not parse_specifiers(requires).contains(python, prereleases=True):
            raise PylockSelectError(f"it is for Python {requires}, and not for {python}")
        supported = self._data.get("supported-markers", [])
        if supported and not any(self._holds(marker) for marker in supported):
            raise PylockSelectError(f"it is for other environments only: {' or '.join(supported)}")

    def reached(self) -> Iterator[_Package]:
        """Yield each package that is reached, once."""
        reached: set[int] = set()
        taken: set[tuple[int, str]] = set()
        queue = self._begin()
        while queue:  # each package is taken once for each of its extras, so this ends
            package, group = queue.pop()
            if (id(package), group) in taken:
                continue
            taken.add((id(package), group))
            if id(package) not in reached:
                reached.add(id(package))
                yield package
            for dependency in _edges(package, group):
                queue += self._follow(dependency, dependency.get("extra", []))

    def check_named(self, extras: Collection[str], groups: Collection[str]) -> None:
        """Raise `PylockSelectError` unless one of the user's own packages has each of the extras and groups."""
        known_extras, known_groups = set[str](), set(self._data.get("manifest", {}).get("dependency-groups", {}))
        for root in self._roots():
            # What has no dependencies stands in the metadata alone.
            metadata = root.get("metadata", {})
            known_extras.update(root.get("optional-dependencies", {}), metadata.get("provides-extras", []))
            known_groups.update(root.get("dev-dependencies", {}), metadata.get("requires-dev", {}))
        check_named(
            frozenset(map(canonicalize_name, extras)),
            frozenset(map(canonicalize_name, groups)),
            known_extras=sorted(known_extras),
            known_groups=sorted(known_groups),
        )

    def choose(self, extras: Collection[str], groups: Collection[str]) -> None:
        """Want no extras and groups of the user's own packages but these, and no packages of a workspace beside its first."""
        self._chosen = frozenset([*map(canonicalize_name, extras), *(f"dev:{canonicalize_name(name)}" for name in groups)])
        begun = [(root, group) for root in self._own() for group in filter(self._is_wanted, _groups(root))]
        self._excluding = frozenset(_excluding(root["name"], group) for root, group in begun)

    def _is_wanted(self, group: str) -> bool:
        kind, colon, name = group.rpartition(":")
        return self._chosen is None or f"{kind}{colon}{canonicalize_name(name)}" in self._chosen

    def _packages(self) -> Iterator[_Package]:
        return chain.from_iterable(self._by_name.values())

    def _roots(self) -> list[_Package]:
        return [package for package in self._packages() if not set(MADE_BY_USER).isdisjoint(package["source"])]

    def _own(self) -> list[_Package]:
        """Return the user's packages that are wanted themselves."""
        roots = self._roots()
        first = [] if self._chosen is None else [root for root in roots if "." in root["source"].values()]
        return first or roots

    def _begin(self) -> list[tuple[_Package, str]]:
        roots = self._own()
        # Of a script, and of a workspace without a package: requirements as metadata has them, without what was chosen.
        manifest = self._data.get("manifest", {})
        requirements, groups = manifest.get("requirements", []), manifest.get("dependency-groups", {})
        if not roots and not requirements and not any(groups.values()):
            return [(package, "") for package in self._packages() if self._is_in_fork(package)]
        wanted = (some for name, some in groups.items() if self._is_wanted(f"dev:{name}"))
        asked = [*requirements, *chain.from_iterable(wanted)]
        begin = [(root, group) for root in roots for group in ("", *filter(self._is_wanted, _groups(root)))]
        return begin + [step for one in asked for step in self._follow(one, one.get("extras", []))]

    def _follow(self, dependency: Mapping[str, Any], extras: Sequence[str] | str) -> list[tuple[_Package, str]]:
        if "marker" in dependency and not self._holds(dependency["marker"]):
            return []
        named = [extras] if isinstance(extras, str) else extras
        source = dependency.get("source")
        source = _source(source) if isinstance(source, str) else source
        return [
            (other, extra)
            for other in self._by_name.get(canonicalize_name(dependency["name"]), [])
            if dependency.get("version", other.get("version")) == other.get("version")
            and (source is None or source == other["source"])
            and ("version" in dependency or self._is_in_fork(other))
            and ("marker" not in other or self._holds(other["marker"]))
            for extra in ("", *named)
        ]

    def _is_in_fork(self, package: _Package) -> bool:
        markers = package.get("resolution-markers", package.get("environment-markers", []))
        return not markers or any(self._holds(marker) for marker in markers)

    def _holds(self, marker: str) -> bool:
        """Tell whether a marker holds for what is chosen; where all is wanted, for any choice among what excludes each other."""
        if self._chosen is not None:
            return parse_marker(_EXTRA.sub(self._as_chosen, marker)).evaluate(self._environment)
        parsed = parse_marker(marker)
        choices = {"", *(found["name"] for found in _EXTRA.finditer(marker))}
        if len(choices) > MAX_OF_ONE_NAME:
            raise PylockSelectError(f"a marker in it names more than {MAX_OF_ONE_NAME} extras: {marker[:200]}")
        return any(parsed.evaluate({**self._environment, "extra": choice}) for choice in choices)

    def _as_chosen(self, found: re.Match[str]) -> str:
        """Return a comparison with an extra or group that excludes others as one that holds as it does."""
        return _TRUE if (found["name"] in self._excluding) == (found["how"] == "==") else _FALSE


def _in_one_form(package: Mapping[str, Any]) -> _Package:
    """Return a package as newer versions of uv write it, and its files and their hashes, each in one list, besides.

    Raises `PylockSelectError` for a hash that no file can have: uv refuses the whole lock for it.
    """
    known = dict(package)
    if isinstance(known["source"], str):
        known["source"] = _source(known["source"])
    if "wheel" in known:
        known["wheels"] = known.pop("wheel")
    known["files"] = [*known.get("wheels", []), *([known["sdist"]] if "sdist" in known else [])]
    try:
        known["hashes"] = frozenset(asked_for(file["hash"]) for file in known["files"] if "hash" in file)
    except ValueError as error:
        raise PylockSelectError(f"of {known['name']} it gives a hash that no file can have: {error}") from None
    return known


def _source(text: str) -> dict[str, str]:
    """Return a source that is written as one text ("registry+URL", "editable+PATH", "git+URL", "path+URL", "direct+URL")."""
    kind, _, where = text.partition("+")
    return {{"direct": "url"}.get(kind, kind): where}


def _asked(package: _Package, where: str) -> Asked | None:
    """Return what a package is to us; None for the project whose lock it is, of which nothing is expected."""
    source, name = package["source"], str(package["name"])
    for kind in MADE_BY_USER:
        if kind in source:
            if source[kind] == ".":
                return None
            return Unfetchable(name, OWN_TREE, is_own_tree=True, place=where)
    project = parse_project_name(name)
    pin = f"{name}=={package['version']}" if "version" in package else name
    if "registry" in source:
        filenames = frozenset(filter(None, (_filename(file) for file in package["files"])))
        places = (where,) if where else ()
        return Wanted(project, parse_specifiers(f"=={package['version']}"), package["hashes"], filenames=filenames, places=places)
    if "path" in source:
        return LocalPath(pin, str(source["path"]).removeprefix("file://"), project, package["hashes"], place=where)
    return Unfetchable(pin, IS_REPOSITORY if "git" in source else NOT_IN_AN_INDEX, project=project, place=where)


def _filename(file: Mapping[str, Any]) -> str | None:
    """Return the name of a file, where the lock says it: by itself, or at the end of an address or path."""
    for key in ("filename", "url", "path"):
        if isinstance(told := file.get(key), str):
            name = unquote(urlsplit(told).path).rpartition("/")[2]
            return name if kind_of(name) != "other" else None
    return None


def _groups(package: _Package) -> list[str]:
    # A group of development dependencies is told from an extra of the same name by what no extra's name has.
    return [*package.get("optional-dependencies", {}), *(f"dev:{name}" for name in package.get("dev-dependencies", {}))]


def _excluding(name: str, group: str) -> str:
    """Return the extra of markers by which uv writes that an extra or group of a package is chosen."""
    kind = "group" if group.startswith("dev:") else "extra"
    return f"{kind}-{len(name)}-{name}-{group.removeprefix('dev:')}"


def _edges(package: _Package, group: str) -> list[Mapping[str, Any]]:
    if not group:
        found = package.get("dependencies", [])
    elif group.startswith("dev:"):
        found = package.get("dev-dependencies", {}).get(group.removeprefix("dev:"), [])
    else:
        found = package.get("optional-dependencies", {}).get(group, [])
    return list(found)
