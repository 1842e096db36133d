"""Reading ``pylock.toml``: which of its packages a target needs, and which file of each.

Source: "pylock.toml Specification" (PEP 751), read by ``packaging.pylock``.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from hashlib import algorithms_available
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote, urlsplit

from packaging.pylock import (
    Package,
    PackageArchive,
    PackageDirectory,
    PackageSdist,
    PackageVcs,
    PackageWheel,
    Pylock,
    PylockSelectError,
)
from packaging.specifiers import SpecifierSet

from wheelfs.core.hashes import asked_for
from wheelfs.model.names import ProjectName
from wheelfs.model.wanted import LocalPath, Unfetchable, Wanted

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from packaging.markers import Environment

    from wheelfs.core.platforms.targets import Target
    from wheelfs.core.resolve.allowed_files import AllowedFiles
    from wheelfs.core.resolve.requirements_txt import Asked
    from wheelfs.model.wanted import Synced

OWN_TREE: Final = "it is installed from the directory where it lies, so there is nothing to fetch"
NOT_IN_AN_INDEX: Final = "it is no file of an index; wheelfs add takes files and URLs"
IS_REPOSITORY: Final = (
    "it is built from a repository when it is installed, so there is no file to fetch ahead;"
    " wheelfs env create takes a wheel of its version that wheelfs add has added"
)


def read(
    data: Mapping[str, Any],
    target: Target,
    *,
    extras: Collection[str],
    groups: Collection[str] | None,
    allowed: AllowedFiles,
    where: str,
) -> Iterator[Asked]:
    """Yield what a lock wants; raises what ``packaging.pylock`` raises."""
    lock = Pylock.from_dict(data)
    known_groups = [*(lock.dependency_groups or ()), *(lock.default_groups or ())]
    check_named(extras, groups or (), known_extras=lock.extras or (), known_groups=known_groups)
    environment: Environment = {**target.environment}  # type: ignore[typeddict-item]
    list(replace(lock, packages=[]).select(environment=environment, tags=target.tags))  # is the lock for such a target at all?
    named_groups = frozenset((lock.default_groups or ()) if groups is None else groups)
    lock = replace(lock, environments=None)  # one of them holds, as was just seen

    def select(packages: Sequence[Package]) -> list[tuple[Package, object]]:
        return list(
            replace(lock, packages=packages).select(
                environment=environment,
                tags=target.tags,
                extras=frozenset(extras),
                dependency_groups=named_groups,
                prefer_sdist_predicate=lambda name: "wheel" not in allowed.kinds(ProjectName(name)),
            )
        )

    chosen: list[tuple[Package, object]] = []
    try:
        chosen = select(lock.packages)
    except PylockSelectError:
        # One by one: a package without a file for the target is no reason to bring nothing of the others.
        for package in lock.packages:
            try:
                chosen += select([package])
            except PylockSelectError as error:
                yield Unfetchable(_pin(package), str(error), place=where)
    twice = [str(name) for name, count in Counter(package.name for package, _ in chosen).items() if count > 1]
    if twice:
        raise PylockSelectError(f"it has more than one {', '.join(twice)} for this target")
    for package, file in chosen:
        yield _asked(package, file, where)


def chosen(
    data: Mapping[str, Any], extras: Collection[str], groups: Collection[str] | None, options: Synced
) -> tuple[Collection[str], Collection[str] | None]:
    """Return the extras and dependency groups that ``options`` choose (None: the default groups).

    Groups that are named take the place of the default ones, as in ``uv pip sync``.  Raises `PylockSelectError` for an option
    that says nothing of such a lock.
    """
    if options.packages or options.all_packages:
        raise PylockSelectError("it has no workspace to choose packages from; of the uv.lock beside it --package takes them")
    if options.only_groups:
        raise PylockSelectError(
            "it does not say what belongs to its project, which --only-group leaves out; --group leaves out the default groups"
        )
    known, default = data.get("dependency-groups", ()), data.get("default-groups", ())
    check_named((), options.no_groups, known_extras=(), known_groups=[*known, *default])
    if options.all_groups:
        groups = {*known, *default}
    elif groups is None and options.no_default_groups:
        groups = ()
    if options.no_groups:
        groups = set(default if groups is None else groups) - set(options.no_groups)
    return data.get("extras", ()) if options.all_extras else extras, groups


def check_named(
    extras: Collection[str], groups: Collection[str], *, known_extras: Collection[str], known_groups: Collection[str]
) -> None:
    """Raise `PylockSelectError` when extras or dependency groups are named that a lock does not have."""
    for kind, named, known in (("extra", extras, known_extras), ("dependency group", groups, known_groups)):
        if unknown := sorted(set(named) - set(map(str, known))):
            raise PylockSelectError(f"it has no {kind} {', '.join(unknown)} (it has {', '.join(map(str, known)) or 'none'})")


def left_out(data: Mapping[str, Any], extras: Collection[str], groups: Collection[str] | None) -> list[str]:
    """Return the extras and dependency groups of a lock that were not chosen, as a message has them."""
    default = set(data.get("default-groups", ())) if groups is None else set(groups)
    more = [f"extra {name}" for name in data.get("extras", ()) if name not in extras]
    return more + [f"group {name}" for name in data.get("dependency-groups", ()) if name not in default]


def _asked(package: Package, file: object, where: str) -> Asked:
    project = ProjectName(package.name)
    version = SpecifierSet() if package.version is None else SpecifierSet(f"=={package.version}")
    places = (where,) if where else ()
    match file:
        case PackageWheel() | PackageSdist():
            hashes = _hashes(package, file.hashes)
            if not hashes:
                return Unfetchable(
                    _pin(package), f"its hashes are {', '.join(file.hashes)} alone, which cannot be compared", place=where
                )
            if file.path is not None and file.url is None:
                return LocalPath(_pin(package), file.path, project, hashes, place=where)
            return Wanted(project, version, hashes, filenames=frozenset({file.filename}), places=places)
        case PackageArchive() if file.path is not None:
            return LocalPath(_pin(package), file.path, project, _hashes(package, file.hashes), place=where)
        case PackageDirectory():
            return Unfetchable(_pin(package), OWN_TREE, is_own_tree=True, project=project, place=where)
        case PackageArchive(url=str(url)):
            filename = unquote(urlsplit(url).path).rpartition("/")[2]
            hashes = _hashes(package, file.hashes)
            wanted = Wanted(project, version, hashes, filenames=frozenset({filename}), places=places)
            return Unfetchable(_pin(package), NOT_IN_AN_INDEX, project=project, place=where, file=wanted)
        case PackageVcs():
            wanted = Wanted(project, version, places=places)
            return Unfetchable(_pin(package), IS_REPOSITORY, project=project, place=where, file=wanted)
        case _:
            return Unfetchable(_pin(package), NOT_IN_AN_INDEX, project=project, place=where)


def _hashes(package: Package, hashes: Mapping[str, str]) -> frozenset[str]:
    known = [f"{algorithm}:{digest}" for algorithm, digest in hashes.items() if algorithm in algorithms_available]
    try:
        return frozenset(map(asked_for, known))
    except ValueError as error:
        raise PylockSelectError(f"of {package.name} it gives a hash that no file can have: {error}") from None


def _pin(package: Package) -> str:
    return str(package.name) if package.version is None else f"{package.name}=={package.version}"
