"""Reading lock files: which files of which projects a target needs.

Sources: "pylock.toml Specification" (PEP 751), read by ``packaging.pylock``; uv's own ``uv.lock``, version 1 (uv documents no
format, so only fields that it has written since its first release are relied on).
"""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from dataclasses import replace
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

from packaging.markers import InvalidMarker, Marker, UndefinedComparison
from packaging.pylock import (
    Package,
    PackageDirectory,
    PackageSdist,
    PackageWheel,
    Pylock,
    PylockSelectError,
    PylockValidationError,
)
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import NormalizedName, canonicalize_name

from wheelfs.errors import InvalidInput
from wheelfs.model.names import ProjectName, parse_project_name
from wheelfs.model.wanted import Unfetchable, Wanted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from packaging.markers import Environment

    from wheelfs.core.platforms.targets import Target

MADE_BY_USER: Final = ("editable", "virtual", "directory")
"""Sources in uv.lock that are the user's own tree: their dependencies are wanted, and they themselves are nothing to fetch."""

_NO_INDEX: Final = "it is no file of an index; wheelfs add takes files and URLs"
_OWN_TREE: Final = "it is installed from the directory where it lies, so there is nothing to fetch"

_EXTRA = re.compile(r"extra [!=]= '([^']*)'")


def read_lock(attempted: str, text: str, target: Target) -> list[Wanted | Unfetchable]:
    """Return what a lock file wants for ``target``; raises `InvalidInput`, whose message begins with ``attempted``."""
    try:
        data = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise InvalidInput(attempted, f"it is no TOML: {error}") from None
    try:
        if "lock-version" in data:
            return list(_from_pylock(data, target))
        if data.get("version") == 1 and isinstance(data.get("package", []), list):
            lock = _UvLock(data, target.environment)
            lock.check_target()
            return list(lock.walk())
    except (PylockValidationError, PylockSelectError, InvalidMarker, InvalidSpecifier, UndefinedComparison) as error:
        raise InvalidInput(attempted, str(error)) from None
    except (KeyError, TypeError, AttributeError) as error:
        raise InvalidInput(attempted, f"it is not built as a lock file is ({type(error).__name__}: {error})") from None
    raise InvalidInput(attempted, "it is neither a pylock.toml nor a uv.lock of version 1")


def _from_pylock(data: Mapping[str, Any], target: Target) -> Iterator[Wanted | Unfetchable]:
    environment: Environment = {**target.environment}  # type: ignore[typeddict-item]
    lock = Pylock.from_dict(data)
    list(replace(lock, packages=[]).select(environment=environment, tags=target.tags))  # is the lock for such a target at all?
    chosen: list[tuple[Package, object]] = []
    for package in lock.packages:
        # One by one: a package without a file for the target is no reason to bring nothing of the others.
        try:
            chosen += replace(lock, packages=[package]).select(environment=environment, tags=target.tags)
        except PylockSelectError as error:
            yield Unfetchable(_pin(package), str(error))
    twice = [str(name) for name, count in Counter(package.name for package, _ in chosen).items() if count > 1]
    if twice:
        raise PylockSelectError(f"it has more than one {', '.join(twice)} for this target")
    for package, file in chosen:
        if isinstance(file, PackageWheel | PackageSdist):
            hashes = frozenset(f"{algorithm}:{digest}".lower() for algorithm, digest in file.hashes.items())
            version = SpecifierSet() if package.version is None else SpecifierSet(f"=={package.version}")
            yield Wanted(ProjectName(package.name), version, hashes)
        elif isinstance(file, PackageDirectory):
            yield Unfetchable(_pin(package), _OWN_TREE, is_own_tree=True)
        else:
            yield Unfetchable(_pin(package), _NO_INDEX)


def _pin(package: Package) -> str:
    return str(package.name) if package.version is None else f"{package.name}=={package.version}"


class _UvLock:
    """The packages of a uv.lock, walked from the user's own along the dependencies whose markers hold."""

    def __init__(self, data: Mapping[str, Any], environment: Mapping[str, str]) -> None:
        self._environment = dict(environment)
        self._data = data
        self._by_name: dict[NormalizedName, list[Mapping[str, Any]]] = {}
        for package in data.get("package", []):
            self._by_name.setdefault(canonicalize_name(package["name"]), []).append(package)

    def check_target(self) -> None:
        """Raise `PylockSelectError` when the lock does not speak of the target: its markers hold only where it does."""
        python, requires = self._environment["python_full_version"], self._data.get("requires-python", "")
        if not SpecifierSet(requires).contains(python, prereleases=True):
            raise PylockSelectError(f"it is for Python {requires}, and not for {python}")
        supported = self._data.get("supported-markers", [])
        if supported and not any(self._holds(marker) for marker in supported):
            raise PylockSelectError(f"it is for other environments only: {' or '.join(supported)}")

    def walk(self) -> Iterator[Wanted | Unfetchable]:
        """Yield what is reached, all extras and groups of the user's own packages included."""
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
                yield from _uv_package(package)
            for dependency in _edges(package, group):
                queue += self._follow(dependency, dependency.get("extra", []))

    def _begin(self) -> list[tuple[Mapping[str, Any], str]]:
        packages = [package for named in self._by_name.values() for package in named]
        roots = [package for package in packages if not set(MADE_BY_USER).isdisjoint(package["source"])]
        # Of a script, and of a workspace without a package: requirements as metadata has them, without what was chosen.
        manifest = self._data.get("manifest", {})
        asked = [*manifest.get("requirements", []), *chain.from_iterable(manifest.get("dependency-groups", {}).values())]
        if not roots and not asked:
            return [(package, "") for package in packages if self._is_in_fork(package)]
        begin = [(root, group) for root in roots for group in ("", *_groups(root))]
        return begin + [step for one in asked for step in self._follow(one, one.get("extras", []))]

    def _follow(self, dependency: Mapping[str, Any], extras: Sequence[str]) -> list[tuple[Mapping[str, Any], str]]:
        if "marker" in dependency and not self._holds(dependency["marker"]):
            return []
        return [
            (other, extra)
            for other in self._by_name.get(canonicalize_name(dependency["name"]), [])
            if all(dependency.get(key, other.get(key)) == other.get(key) for key in ("version", "source"))
            and ("version" in dependency or self._is_in_fork(other))
            for extra in ("", *extras)
        ]

    def _is_in_fork(self, package: Mapping[str, Any]) -> bool:
        markers = package.get("resolution-markers", [])
        return not markers or any(self._holds(marker) for marker in markers)

    def _holds(self, marker: str) -> bool:
        """Tell whether a marker holds for any choice among extras and groups that exclude each other: all are brought.

        uv writes them as extras of the names extra-N-PROJECT-EXTRA and group-N-PROJECT-GROUP.
        """
        parsed = Marker(marker)
        choices = ["", *_EXTRA.findall(marker)]
        return any(parsed.evaluate({**self._environment, "extra": choice}) for choice in choices)


def _uv_package(package: Mapping[str, Any]) -> Iterator[Wanted | Unfetchable]:
    source, name = package["source"], str(package["name"])
    for kind in MADE_BY_USER:
        if kind in source:
            if source[kind] != ".":  # of the lock's own project nobody expects anything
                yield Unfetchable(name, _OWN_TREE, is_own_tree=True)
            return
    if "registry" not in source:
        pin = f"{name}=={package['version']}" if "version" in package else name
        yield Unfetchable(pin, _NO_INDEX)
        return
    files = [*package.get("wheels", []), *([package["sdist"]] if "sdist" in package else [])]
    hashes = frozenset(file["hash"].lower() for file in files if "hash" in file)
    yield Wanted(parse_project_name(package["name"]), SpecifierSet(f"=={package['version']}"), hashes)


def _groups(package: Mapping[str, Any]) -> list[str]:
    # A group of development dependencies is told from an extra of the same name by what no extra's name has.
    return [*package.get("optional-dependencies", {}), *(f"dev:{name}" for name in package.get("dev-dependencies", {}))]


def _edges(package: Mapping[str, Any], group: str) -> list[Mapping[str, Any]]:
    if not group:
        found = package.get("dependencies", [])
    elif group.startswith("dev:"):
        found = package.get("dev-dependencies", {}).get(group.removeprefix("dev:"), [])
    else:
        found = package.get("optional-dependencies", {}).get(group, [])
    return list(found)
