"""Reading lock files: which files of which projects a target needs.

Sources: "pylock.toml Specification" (PEP 751), read by ``packaging.pylock``; uv's own ``uv.lock``, version 1 (uv documents no
format, so only fields that it has written since its first release are relied on).
"""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING, Any

from packaging.markers import InvalidMarker, Marker, UndefinedComparison
from packaging.pylock import PackageSdist, PackageWheel, Pylock, PylockSelectError, PylockValidationError
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import NormalizedName, canonicalize_name

from wheelfs.errors import InvalidInput
from wheelfs.model.names import ProjectName, parse_project_name
from wheelfs.model.wanted import Unfetchable, Wanted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from packaging.markers import Environment

    from wheelfs.core.targets import Target

MADE_BY_USER = ("editable", "virtual", "directory")
"""Sources in uv.lock that are the user's own tree: their dependencies are wanted, and they themselves are nothing to fetch."""

_NO_INDEX = "it is no file of an index; wheelfs add takes files and URLs"


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
            return list(_from_uv_lock(data, target.environment))
    except (PylockValidationError, PylockSelectError, InvalidMarker, InvalidSpecifier, UndefinedComparison) as error:
        raise InvalidInput(attempted, str(error)) from None
    except (KeyError, TypeError, AttributeError) as error:
        raise InvalidInput(attempted, f"it is not built as a lock file is ({type(error).__name__}: {error})") from None
    raise InvalidInput(attempted, "it is neither a pylock.toml nor a uv.lock of version 1")


def _from_pylock(data: Mapping[str, Any], target: Target) -> Iterator[Wanted | Unfetchable]:
    environment: Environment = {**target.environment}  # type: ignore[typeddict-item]
    for package, chosen in Pylock.from_dict(data).select(environment=environment, tags=target.tags):
        if isinstance(chosen, PackageWheel | PackageSdist):
            hashes = frozenset(f"{algorithm}:{digest}".lower() for algorithm, digest in chosen.hashes.items())
            version = SpecifierSet() if package.version is None else SpecifierSet(f"=={package.version}")
            yield Wanted(ProjectName(package.name), version, hashes)
        else:
            yield Unfetchable(str(package.name), _NO_INDEX)


def _from_uv_lock(data: Mapping[str, Any], environment: Mapping[str, str]) -> Iterator[Wanted | Unfetchable]:
    """Walk from the user's own packages along the dependencies whose markers hold, all extras and groups of theirs included."""
    by_name: dict[NormalizedName, list[Mapping[str, Any]]] = {}
    roots: list[Mapping[str, Any]] = []
    for package in data.get("package", []):
        by_name.setdefault(canonicalize_name(package["name"]), []).append(package)
        if not set(MADE_BY_USER).isdisjoint(package["source"]):
            roots.append(package)
    reached: set[int] = set()
    taken: set[tuple[int, str]] = set()
    queue = [(root, group) for root in roots for group in ("", *_groups(root))]
    if not roots:
        queue = [(package, "") for packages in by_name.values() for package in packages]
    while queue:  # each package is taken once for each of its extras, so this ends
        package, group = queue.pop()
        if (id(package), group) in taken:
            continue
        taken.add((id(package), group))
        if id(package) not in reached:
            reached.add(id(package))
            yield from _uv_package(package)
        for dependency in _edges(package, group):
            if "marker" in dependency and not Marker(dependency["marker"]).evaluate(dict(environment)):
                continue
            for other in by_name.get(canonicalize_name(dependency["name"]), []):
                if all(dependency.get(key, other.get(key)) == other.get(key) for key in ("version", "source")):
                    queue += [(other, extra) for extra in ("", *dependency.get("extra", []))]


def _uv_package(package: Mapping[str, Any]) -> Iterator[Wanted | Unfetchable]:
    source = package["source"]
    if not set(MADE_BY_USER).isdisjoint(source):
        return
    if "registry" not in source:
        yield Unfetchable(str(package["name"]), _NO_INDEX)
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
