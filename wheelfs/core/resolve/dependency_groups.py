"""Reading the dependency groups of a ``pyproject.toml``.

Source: "Dependency Groups" specification (PEP 735), read by ``packaging.dependency_groups``.
"""

from __future__ import annotations

from typing import Final, Literal

from packaging.dependency_groups import resolve_dependency_groups

from wheelfs.core.resolve import toml
from wheelfs.errors import InvalidInput

DefaultGroups = frozenset[str] | Literal["all"]
DEFAULT_GROUPS: Final = frozenset(("dev",))
"""Those of uv, where a project says nothing else."""


def default_groups(attempted: str, text: str) -> DefaultGroups:
    """Return the groups that ``uv sync`` takes without being asked to, for a ``pyproject.toml``; raises `InvalidInput`.

    "all" are those of all packages that are taken.
    """
    try:
        document = toml.loads(text)
        said = document.get("tool", {}).get("uv", {}).get("default-groups", DEFAULT_GROUPS)
        return "all" if said == "all" else frozenset(said)
    except (ValueError, AttributeError, TypeError) as error:
        raise InvalidInput(attempted, f"its default groups cannot be read: {error}") from None


def requirements_of(attempted: str, text: str, name: str) -> list[str]:
    """Return the requirements of a group and of those that it includes; raises `InvalidInput`."""
    try:
        document = toml.loads(text)
    except ValueError as error:
        raise InvalidInput(attempted, f"it is no TOML: {error}") from None
    try:
        groups = document.get("dependency-groups", {})
        if not isinstance(groups, dict):
            raise TypeError("[dependency-groups] is no table")
        return list(resolve_dependency_groups(groups, name))
    except ExceptionGroup as group:
        raise InvalidInput(attempted, "; ".join(str(error) for error in group.exceptions)) from None
    except (LookupError, TypeError, ValueError) as error:
        raise InvalidInput(attempted, f"its dependency group {name} cannot be read: {error}") from None
