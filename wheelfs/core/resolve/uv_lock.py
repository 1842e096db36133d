"""Reading ``uv.lock``: the packages that a target needs, of every form that uv has written.

uv documents no format.  What is known here was looked at in the locks of 0.1.45 to 0.13: all call themselves version 1.
Packages are ``[[distribution]]`` until 0.2.33, with sources as one text ("registry+URL") until 0.2.15, and each wheel is a table
``[[distribution.wheel]]`` until 0.2.5; a marker may stand at the package itself instead of at what depends on it (0.2.7).  Where
forks go apart stands in ``environment-markers`` until 0.4, then in ``resolution-markers``.
"""

from __future__ import annotations

import operator
import re
from dataclasses import dataclass
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
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

    from wheelfs.core.platforms.targets import Target
    from wheelfs.core.resolve.dependency_groups import DefaultGroups
    from wheelfs.core.resolve.requirements_txt import Asked
    from wheelfs.model.wanted import Synced

MADE_BY_USER: Final = ("editable", "virtual", "directory")
"""Sources that are the user's own tree: their dependencies are wanted, and they themselves are nothing to fetch."""
MAX_OF_ONE_NAME: Final = 200
"""Packages of one name, and extras that one marker names.  Where forks go apart a lock has a handful of each; every dependency is
compared with all of its name, and a marker evaluated for all of its extras."""
_TABLES: Final = ("package", "distribution")
_EXTRA = re.compile(r"extra (?P<how>[!=]=) '(?P<name>[^']*)'")
_TEXT = re.compile(r"(?P<key>platform_(?:release|version)) (?P<how>[<>]=?|[!=]=) '(?P<text>[^']*)'")
_COMPARED: Final = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}
_TRUE, _FALSE = "python_version >= '0'", "python_version < '0'"

_Package = dict[str, Any]
_Item = tuple[str, str]
"""A project and what of it may exclude others: an extra, a group after "dev:", or "" for itself."""


@dataclass(frozen=True, slots=True)
class AsSynced:
    """What ``uv sync`` takes with ``options``; ``default_groups`` are those of the project in a directory beside the lock."""

    options: Synced
    default_groups: Callable[[str], DefaultGroups]


def is_one(data: Mapping[str, Any]) -> bool:
    """Return whether this may be a uv.lock, of a version that is known."""
    return data.get("version") == 1 and all(isinstance(data.get(table, []), list) for table in _TABLES)


def read(
    data: Mapping[str, Any],
    target: Target,
    *,
    extras: Collection[str],
    groups: Collection[str] | None,
    as_synced: AsSynced | None,
    where: str,
) -> Iterator[Asked]:
    """Yield what is reached from the user's own packages, all their extras and groups included.

    With ``as_synced`` only what ``uv sync`` takes: ``extras`` and ``groups`` are those that are named.  Raises
    `PylockSelectError` when the lock does not speak of ``target``, has none of what was named, or says that what is chosen
    excludes each other, and what comes of what is not as uv writes it.
    """
    lock = _Lock(data, target.environment)
    lock.check_target()
    if as_synced is None:
        lock.check_named(extras, groups or ())
    else:
        lock.choose(extras, groups or (), as_synced)
    for package in lock.reached():
        found = _asked(package, where)
        if found is not None:
            yield found


class _Lock:
    """The packages of a lock, walked along the dependencies whose markers hold."""

    def __init__(self, data: Mapping[str, Any], environment: Mapping[str, str]) -> None:
        self._environment = dict(environment)
        self._data = data
        self._begun: list[tuple[_Package, str]] | None = None
        """What was chosen of the user's own packages; None for all of them."""
        self._wants_group: Callable[[str], bool] = lambda _: True
        """Whether a group of the workspace's own is wanted, which has no package."""
        self._wants_requirements = True
        self._excluding: frozenset[str] = frozenset()
        """What markers call those that are chosen, as far as they exclude others."""
        self._is_gathering = False
        """While those are gathered, a dependency's own extras count for its marker."""
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
        for package, _ in self._walk():
            if id(package) not in reached:
                reached.add(id(package))
                yield package

    def _walk(self) -> Iterator[tuple[_Package, str]]:
        taken: set[tuple[int, str]] = set()
        queue = self._begin()
        while queue:  # each package is taken once for each of its extras, so this ends
            package, group = queue.pop()
            if (id(package), group) not in taken:
                taken.add((id(package), group))
                yield package, group
                for dependency in _edges(package, group):
                    queue += self._follow(dependency, dependency.get("extra", []))

    def check_named(
        self,
        extras: Collection[str],
        groups: Collection[str],
        of_extras: list[_Package] | None = None,
        of_groups: list[_Package] | None = None,
    ) -> None:
        """Raise `PylockSelectError` unless one of some packages (None: of all the user's own) has each extra and group."""
        some, others = (self._roots() if packages is None else packages for packages in (of_extras, of_groups))
        known_groups = {*self._data.get("manifest", {}).get("dependency-groups", {}), *chain.from_iterable(map(_groups, others))}
        check_named(
            frozenset(map(canonicalize_name, extras)),
            frozenset(map(canonicalize_name, groups)),
            known_extras=sorted(set(chain.from_iterable(map(_extras, some)))),
            known_groups=sorted(known_groups),
        )

    def choose(self, extras: Collection[str], groups: Collection[str], as_synced: AsSynced) -> None:
        """Want no more of the user's own packages than ``uv sync`` takes."""
        options = as_synced.options
        first = [root for root in self._roots() if "." in root["source"].values()]
        chosen = self._members(options, first)
        # Of one package alone, groups that are asked for and that it does not have are those of the workspace.
        is_alone = len(options.packages) == 1
        spare = [root for root in first if is_alone and root not in chosen]
        self.check_named(extras, [*groups, *options.no_groups, *options.only_groups], chosen, [*chosen, *spare])
        default = as_synced.default_groups(_directory(chosen[0]) if is_alone else ".")
        wanted = _wanted_groups(groups, options, default)
        had = frozenset(chain.from_iterable(map(_groups, chosen)))
        is_asked = _wanted_groups(groups, options, frozenset())
        self._wants_group = (lambda name: is_asked(name) and name not in had) if is_alone else wanted
        begun = [(root, f"dev:{name}") for root in chosen for name in _groups(root) if wanted(name)]
        begun += [(root, f"dev:{name}") for root in spare for name in _groups(root) if self._wants_group(name)]
        self._wants_requirements = not options.only_groups
        if not options.only_groups:
            named = frozenset(map(canonicalize_name, extras))
            some = [(root, name) for root in chosen for name in _extras(root)]
            begun += [(root, name) for root, name in some if options.all_extras or canonicalize_name(name) in named]
            begun += [(root, "") for root in chosen]
        self._begun = begun
        self._exclude({(canonicalize_name(root["name"]), group) for root, group in begun})

    def _members(self, options: Synced, first: list[_Package]) -> list[_Package]:
        """Return the user's packages that are wanted themselves; raises `PylockSelectError` for one that is not there."""
        roots = self._roots()
        listed = frozenset(map(canonicalize_name, self._data.get("manifest", {}).get("members", [])))
        # Others are directories that a member depends on.  Without a list there is one project, or uv is older than lists.
        members = [root for root in roots if canonicalize_name(root["name"]) in listed] if listed else first or roots
        if not options.packages:
            return members if options.all_packages else first or members
        wanted = frozenset(map(canonicalize_name, options.packages))
        found = [root for root in members if canonicalize_name(root["name"]) in wanted]
        if lacking := sorted(wanted - {canonicalize_name(root["name"]) for root in found}):
            has = ", ".join(sorted(str(root["name"]) for root in members)) or "none"
            raise PylockSelectError(f"its workspace has no package {', '.join(lacking)} (it has {has})")
        return found

    def _exclude(self, active: set[_Item]) -> None:
        """Let markers see what is chosen; raises `PylockSelectError` when some of it excludes each other.

        An extra that a dependency asks for of a workspace's member counts like one that is named, here as in uv.
        """
        conflicts = [
            {(canonicalize_name(item["package"]), _kind(item)) for item in one} for one in self._data.get("conflicts", [])
        ]
        excluding = set[_Item]().union(*conflicts)
        while True:  # each round but the last adds some of those
            self._excluding = frozenset(_excluding(name, group) for name, group in active)
            for conflict in conflicts:
                if len(both := sorted(conflict & active)) > 1:
                    shown = " and ".join(_shown(item) for item in both)
                    raise PylockSelectError(f"{shown} exclude each other: make an environment for each")
            self._is_gathering = bool(conflicts)
            reached = {(canonicalize_name(package["name"]), group) for package, group in (self._walk() if conflicts else ())}
            self._is_gathering = False
            more = {one for one in reached & excluding - active if one[1]}
            if not more:
                return
            active = active | more

    def _packages(self) -> Iterator[_Package]:
        return chain.from_iterable(self._by_name.values())

    def _roots(self) -> list[_Package]:
        return [package for package in self._packages() if not set(MADE_BY_USER).isdisjoint(package["source"])]

    def _begin(self) -> list[tuple[_Package, str]]:
        roots = self._roots()
        # Of a script, and of a workspace without a package: requirements as metadata has them, without what was chosen.
        manifest = self._data.get("manifest", {})
        requirements, groups = manifest.get("requirements", []), manifest.get("dependency-groups", {})
        if not roots and not requirements and not any(groups.values()):
            return [(package, "") for package in self._packages() if self._is_in_fork(package)]
        wanted = (some for name, some in groups.items() if self._wants_group(name))
        asked = [*(requirements if self._wants_requirements else ()), *chain.from_iterable(wanted)]
        begun = self._begun
        if begun is None:
            begun = [
                (root, group) for root in roots for group in ("", *_extras(root), *(f"dev:{name}" for name in _groups(root)))
            ]
        return begun + [step for one in asked for step in self._follow(one, one.get("extras", []))]

    def _follow(self, dependency: Mapping[str, Any], extras: Sequence[str] | str) -> list[tuple[_Package, str]]:
        named = [extras] if isinstance(extras, str) else extras
        own = frozenset(_excluding(canonicalize_name(dependency["name"]), extra) for extra in named if self._is_gathering)
        if "marker" in dependency and not self._holds(dependency["marker"], own):
            return []
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

    def _holds(self, marker: str, own: frozenset[str] = frozenset()) -> bool:
        """Tell whether a marker holds for what is chosen; where all is wanted, for any choice among what excludes each other."""
        marker = _TEXT.sub(self._as_compared, marker)
        if self._begun is not None:
            excluding = self._excluding | own
            return parse_marker(_EXTRA.sub(lambda one: _as_chosen(one, excluding), marker)).evaluate(self._environment)
        parsed = parse_marker(marker)
        choices = {"", *(found["name"] for found in _EXTRA.finditer(marker))}
        if len(choices) > MAX_OF_ONE_NAME:
            raise PylockSelectError(f"a marker in it names more than {MAX_OF_ONE_NAME} extras: {marker[:200]}")
        return any(parsed.evaluate({**self._environment, "extra": choice}) for choice in choices)

    def _as_compared(self, found: re.Match[str]) -> str:
        """Return a comparison of texts as one that holds as it does in uv, letter by letter; ``packaging`` sees versions."""
        return _TRUE if _COMPARED[found["how"]](self._environment.get(found["key"], ""), found["text"]) else _FALSE


def _as_chosen(found: re.Match[str], excluding: frozenset[str]) -> str:
    """Return a comparison with an extra or group that excludes others as one that holds as it does."""
    return _TRUE if (found["name"] in excluding) == (found["how"] == "==") else _FALSE


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
    pin = f"{name}=={package['version']}" if "version" in package or "registry" in source else name
    if "path" in source:
        return LocalPath(pin, str(source["path"]).removeprefix("file://"), project, package["hashes"], place=where)
    # Of an sdist at a URL of its own that alone has the name.
    filenames = frozenset(filter(None, (_filename(file) or _filename(source) for file in package["files"])))
    specifier = parse_specifiers(pin.removeprefix(name))
    wanted = Wanted(project, specifier, package["hashes"], filenames=filenames, places=(where,) if where else ())
    if "registry" in source:
        return wanted
    return Unfetchable(pin, IS_REPOSITORY if "git" in source else NOT_IN_AN_INDEX, project=project, place=where, file=wanted)


def _filename(file: Mapping[str, Any]) -> str | None:
    """Return the name of a file, where the lock says it: by itself, or at the end of an address or path."""
    for key in ("filename", "url", "path"):
        if isinstance(told := file.get(key), str):
            name = unquote(urlsplit(told).path).rpartition("/")[2]
            return name if kind_of(name) != "other" else None
    return None


def _extras(package: _Package) -> list[str]:
    # What has no dependencies stands in the metadata alone, here and below.
    return [*dict.fromkeys([*package.get("optional-dependencies", {}), *package.get("metadata", {}).get("provides-extras", [])])]


def _groups(package: _Package) -> list[str]:
    return [*dict.fromkeys([*package.get("dev-dependencies", {}), *package.get("metadata", {}).get("requires-dev", {})])]


def _wanted_groups(groups: Collection[str], options: Synced, default: DefaultGroups) -> Callable[[str], bool]:
    """Return what tells whether ``uv sync`` takes a group, by its name."""
    if options.only_groups or options.no_default_groups:
        default = frozenset()
    takes_all = options.all_groups or default == "all"
    named = frozenset(map(canonicalize_name, {*groups, *options.only_groups, *default}))
    left_out = frozenset(map(canonicalize_name, options.no_groups))
    return lambda name: (takes_all or canonicalize_name(name) in named) and canonicalize_name(name) not in left_out


def _directory(package: _Package) -> str:
    return next(str(package["source"][kind]) for kind in MADE_BY_USER if kind in package["source"])


def _kind(item: Mapping[str, str]) -> str:
    return f"dev:{item['group']}" if "group" in item else item.get("extra", "")


def _shown(item: _Item) -> str:
    name, group = item
    if not group:
        return f"the package {name}"
    return f"the group {group.removeprefix('dev:')} of {name}" if group.startswith("dev:") else f"the extra {group} of {name}"


def _excluding(name: str, group: str) -> str:
    """Return the extra of markers by which uv writes that an extra or group of a package, or itself, is chosen."""
    if not group:
        return f"project-{len(name)}-{name}"
    # A group is told from an extra of the same name by what no extra's name has.
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
