"""Environments as directories: which names are where."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from wheelfs.core.bounded_cache import BoundedCache
from wheelfs.model.links import FileLink
from wheelfs.model.names import ProjectName
from wheelfs.service.file_refs import FileRef, link_of
from wheelfs.service.vfs.environments.limits import ENVIRONMENT_TREE_LIMITS
from wheelfs.service.vfs.environments.nodes import EnvironmentDirectory, EnvironmentTree
from wheelfs.service.vfs.protocol import Absent
from wheelfs.store.catalog.mounted_environments import bytecode_keys

if TYPE_CHECKING:
    from collections.abc import Callable

    from wheelfs.model.environment import EnvironmentWheel
    from wheelfs.service.vfs.environments.ahead import ProfilePrefetcher
    from wheelfs.service.vfs.environments.limits import EnvironmentTreeLimits
    from wheelfs.service.vfs.environments.nodes import EnvironmentFile
    from wheelfs.store.store import Store


class _Known(NamedTuple):
    """A tree, how much bytecode there was of all environments when it was made, and the store's last change seen since."""

    tree: EnvironmentTree
    bytecode: int
    transaction: int


class EnvironmentTrees:
    """The environments of a store."""

    def __init__(
        self,
        store: Store,
        prefetcher: ProfilePrefetcher,
        origin_of: Callable[[str], str],
        limits: EnvironmentTreeLimits = ENVIRONMENT_TREE_LIMITS,
    ) -> None:
        """Look at the store when asked.  ``origin_of``: see `wheelfs.service.projects.known_files.KnownFiles`."""
        self._store = store
        self._origin_of = origin_of
        self._prefetcher = prefetcher
        self._limits = limits
        self.label_ttl_s = limits.label_ttl_s
        self._trees: BoundedCache[bytes, _Known] = BoundedCache(limits.trees)

    def names(self) -> list[str]:
        """Return the names of all environments, in order."""
        return [label.name for label in self._store.mounted.labels()]

    def named(self, name: str) -> EnvironmentDirectory | None:
        """Return the directory of an environment; raises `StoreDamaged`."""
        label = self._store.mounted.label(name)
        if label is None:
            return None
        transaction = self._store.catalog.last_transaction()
        known = self._trees.get(label.digest)
        if known is not None and known.transaction == transaction:
            return EnvironmentDirectory(known.tree, "")
        is_complete = self._store.holds_all(label.contents)
        bytecode = self._store.mounted.bytecode_count()
        if known is None or (known.tree.is_complete, known.bytecode) != (is_complete, bytecode):
            tree = self._made(label.digest, is_complete=is_complete)
            if tree is None:
                return None
        else:
            tree = known.tree
        self._trees.put(label.digest, _Known(tree, bytecode, transaction))
        return EnvironmentDirectory(tree, "")

    def _made(self, digest: bytes, *, is_complete: bool) -> EnvironmentTree | None:
        environment = self._store.mounted.tree(digest)
        if environment is None:
            return None
        refs = tuple(self._ref(wheel) for wheel in environment.wheels)
        sizes = self._store.mounted.bytecode_sizes(bytecode_keys(environment))
        return EnvironmentTree(digest, environment, refs, sizes, is_complete=is_complete)

    def lookup(self, parent: EnvironmentDirectory, name: str) -> EnvironmentDirectory | EnvironmentFile | Absent:
        """Find ``name`` in a directory of an environment."""
        self._prefetcher.looked_into(parent.tree)
        found = parent.tree.lookup(parent, name)
        return Absent(self._limits.absent_ttl_s) if found is None else found

    def _ref(self, wheel: EnvironmentWheel) -> FileRef:
        project = ProjectName(wheel.project)
        for name in self._store.catalog.names_of(wheel.sha256):
            if (name.filename, name.project) == (wheel.filename, project):
                return FileRef(project, name.index, link_of(name))
        # A tree may come from a share, and names no files: a store that took its word would show them as a configured index's.
        return FileRef(project, self._origin_of(wheel.origin), FileLink(wheel.filename, "", wheel.sha256, wheel.size_bytes))
