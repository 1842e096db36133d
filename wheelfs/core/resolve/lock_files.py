"""Reading lock files: which files of which projects a target needs.

What is read: ``pylock.toml`` (PEP 751) and ``uv.lock``.  The locks of other tools are told by what they hold, and named with what
their tool exports instead.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from packaging.markers import InvalidMarker, UndefinedComparison, UndefinedEnvironmentName
from packaging.pylock import PylockSelectError, PylockValidationError
from packaging.specifiers import InvalidSpecifier
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion

from wheelfs.core.resolve import pylock, toml, uv_lock
from wheelfs.core.resolve.allowed_files import AllowedFiles
from wheelfs.errors import InvalidInput, UsageError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from wheelfs.core.platforms.targets import Target
    from wheelfs.core.resolve.requirements_txt import Asked
    from wheelfs.core.resolve.uv_lock import AsSynced

_EXPORTS: Final = {
    "poetry": "poetry export --format pylock.toml (or requirements.txt) makes one that is read",
    "pdm": "pdm lock --format pylock, or pdm export --format pylock, makes one that is read",
    "pipenv": "pipenv requirements --hash makes a requirements file that is read",
    "pyproject": "uv lock or pip lock makes one; of a pyproject.toml fetch --group NAME reads a dependency group",
}


_EXTRAS = re.compile(r"(?P<path>.+)\[(?P<extras>[^\]]*)\]", re.DOTALL)
_PYLOCK_NAME = re.compile(r"pylock(\.[^.]+)?\.toml")
_LOCK_WORD = re.compile(r".*\.(toml|lock)(\[[^\]]*\])?", re.DOTALL)
"""How the names of lock files end, and no requirement does; extras of a lock may follow."""
_REQUIREMENTS_NAME = re.compile(r".*requirements[^/.]*\.lock")
"""What rye calls the requirements files that it writes (requirements-dev.lock); the lock of a script is called NAME.py.lock."""

_TEXT_WORD = re.compile(r"[^@\s]+\.(txt|in)")
"""How the names of requirements files end; uv takes such a word for one that was meant, too, and pip hints at it."""


def is_lock_name(filename: str) -> bool:
    """Return whether a file of this name is a lock, also where a requirements file may be named (as pip and uv have it)."""
    is_lock = _PYLOCK_NAME.fullmatch(filename) is not None or filename.endswith(".lock")
    return is_lock and _REQUIREMENTS_NAME.fullmatch(filename) is None


def words_by_kind(words: Iterable[str]) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """Return which words of a command line are requirements, requirements files that are called locks, and locks.

    Raises `UsageError` for one that is called as other requirements files are: as a name anybody might register it.
    """
    kinds: tuple[list[str], list[str], list[str]] = ([], [], [])
    for word in words:
        if _TEXT_WORD.fullmatch(word):
            raise UsageError(f"take {word}", "it is called as a requirements file is, and no requirement", f"say: -r {word}")
        kind = 0 if _LOCK_WORD.fullmatch(word) is None else 1 if _REQUIREMENTS_NAME.fullmatch(word) else 2
        kinds[kind].append(word)
    return tuple(kinds[0]), tuple(kinds[1]), tuple(kinds[2])


def lock_and_extras(text: str) -> tuple[str, frozenset[str]]:
    """Return the path of a lock and the extras of it that are named after it, as in ``pylock.toml[docs,test]``."""
    if match := _EXTRAS.fullmatch(text):
        return match["path"], frozenset(canonicalize_name(extra) for extra in match["extras"].split(",") if extra.strip())
    return text, frozenset()


def with_extras(lock: str, extras: Iterable[str]) -> str:
    """Return how a lock is named with more extras of it."""
    path, named = lock_and_extras(lock)
    both = sorted({*named, *map(canonicalize_name, extras)})
    return f"{path}[{','.join(both)}]" if both else lock


def groups_of_locks(locks: Sequence[str], groups: Iterable[str]) -> tuple[str, ...]:
    """Return the names of groups, as FILE:NAME of each lock, where there are some and no file is named."""
    paths = [lock_and_extras(lock)[0] for lock in locks]
    return tuple(f"{path}:{group}" if path and ":" not in group else group for group in groups for path in paths or [""])


@dataclass(frozen=True, slots=True)
class Locked:
    """What a lock wants for a target, and ``notes`` on what it has besides."""

    asked: tuple[Asked, ...]
    notes: tuple[str, ...] = ()


def read_lock(
    attempted: str,
    text: str,
    target: Target,
    *,
    extras: Collection[str] = (),
    groups: Collection[str] | None = None,
    allowed: AllowedFiles = AllowedFiles(),  # noqa: B008  # it is frozen
    as_synced: AsSynced | None = None,
    where: str = "",
) -> Locked:
    """Return what a lock file wants for ``target``; raises `InvalidInput`, whose message begins with ``attempted``.

    ``extras`` and ``groups`` (None: the default ones) choose among those of a ``pylock.toml``; of a ``uv.lock`` all are wanted,
    and those that are named must be there.  With ``as_synced`` they choose among those of a ``uv.lock`` too.  ``where`` is what
    the file is called in what is returned.
    """
    data = _parsed(attempted, text)
    try:
        if "lock-version" in data:
            if as_synced is not None:
                extras, groups = pylock.chosen(data, extras, groups, as_synced.options)
            asked = tuple(pylock.read(data, target, extras=extras, groups=groups, allowed=allowed, where=where))
            left_out = pylock.left_out(data, extras, groups)
            advice = "FILE[EXTRA] and --group FILE:GROUP take them"
            return Locked(asked, (f"{', '.join(left_out)} is not fetched ({advice})",) if left_out else ())
        if uv_lock.is_one(data):
            return Locked(tuple(uv_lock.read(data, target, extras=extras, groups=groups, as_synced=as_synced, where=where)))
    except (
        *(PylockValidationError, PylockSelectError, InvalidMarker, InvalidSpecifier, InvalidVersion),
        *(UndefinedComparison, UndefinedEnvironmentName),
    ) as error:
        raise InvalidInput(attempted, str(error)) from None
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise InvalidInput(attempted, f"it is not built as a lock file is ({type(error).__name__}: {error})") from None
    kind = _kind_of(data)
    if kind is not None:
        raise InvalidInput(attempted, f"it is no lock that is read here, but one of {kind}", _EXPORTS[kind])
    if "project" in data or "dependency-groups" in data or "tool" in data:
        raise InvalidInput(attempted, "it is a pyproject.toml, and no lock", _EXPORTS["pyproject"])
    raise InvalidInput(attempted, "it is neither a pylock.toml nor a uv.lock of version 1")


def _parsed(attempted: str, text: str) -> dict[str, Any]:
    try:
        return toml.loads(text)
    except ValueError as error:
        toml_error = error
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        data = None
    if isinstance(data, dict) and "_meta" in data:
        raise InvalidInput(attempted, "it is no lock that is read here, but one of pipenv", _EXPORTS["pipenv"])
    raise InvalidInput(attempted, f"it is no TOML: {toml_error}", "make it again with the tool that wrote it")


def _kind_of(data: dict[str, Any]) -> str | None:
    metadata = data.get("metadata")
    if not isinstance(metadata, dict):
        return None
    if "lock_version" in metadata:
        return "pdm"
    return "poetry" if "lock-version" in metadata else None
