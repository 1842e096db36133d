"""Finding an environment of the store by its name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wheelfs.errors import NotKnown

if TYPE_CHECKING:
    from wheelfs.model.environment import Environment, EnvironmentLabel
    from wheelfs.store.store import Store


def named(store: Store, attempted: str, name: str) -> tuple[EnvironmentLabel, Environment]:
    """Return an environment of the store; ``attempted`` is a verb for the message.  Raises `NotKnown`."""
    label = store.mounted.label(name)
    tree = None if label is None else store.mounted.tree(label.digest)
    if label is None or tree is None:
        raise unknown(attempted, name)
    return label, tree


def unknown(attempted: str, name: str) -> NotKnown:
    """Return the error for a name that no environment has."""
    return NotKnown(f"{attempted} the environment {name!r}", "there is none of this name", "wheelfs env ls lists them")
