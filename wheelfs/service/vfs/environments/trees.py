"""Environments as directories: which names are where."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple
from weakref import WeakValueDictionary

import trio

from wheelfs.core.bounded_cache import BoundedCache
from wheelfs.model.links import FileLink
from wheelfs.model.names import ProjectName
from wheelfs.service.file_refs import FileRef, link_of
from wheelfs.service.vfs.environments.limits import ENVIRONMENT_TREE_LIMITS
from wheelfs.service.vfs.environments.nodes import EnvironmentDirectory, EnvironmentRoot, EnvironmentTree
from wheelfs.service.vfs.protocol import Absent
from wheelfs.store.catalog.mounted_environments import bytecode_keys

if TYPE_CHECKING:
    from collections.abc import Callable

    from wheelfs.model.environment import EnvironmentLabel, EnvironmentWheel
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
    """The environments of a store.  To make a tree may take most of a second, so that a thread does it, one at a time."""

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
        # Nodes that the kernel knows have their tree.  So it knows no name below an environment whose tree is not among these.
        self._in_use: WeakValueDictionary[bytes, EnvironmentTree] = WeakValueDictionary()
        self._making = trio.Lock()

    def names(self) -> list[str]:
        """Return the names of all environments, in order."""
        return [label.name for label in self._store.mounted.labels()]

    def listed(self) -> list[tuple[str, EnvironmentDirectory | EnvironmentRoot]]:
        """Return all environments, in order of name; makes no tree, as a listing is of them all and hardly one is entered."""
        return [(label.name, self._listed(label)) for label in self._store.mounted.labels()]

    def _listed(self, label: EnvironmentLabel) -> EnvironmentDirectory | EnvironmentRoot:
        # It gets the number that a look-up gives it, too: by another one the kernel would drop all names below it.
        tree = self._in_use.get(label.digest)
        return EnvironmentRoot(label) if tree is None else EnvironmentDirectory(tree, "")

    async def named(self, name: str) -> EnvironmentDirectory | None:
        """Return the directory of an environment; raises `StoreDamaged`."""
        label = self._store.mounted.label(name)
        return None if label is None else await self.entered(EnvironmentRoot(label))

    async def entered(self, root: EnvironmentRoot) -> EnvironmentDirectory | None:
        """Return the directory with its tree; None where that is no more.  Raises `StoreDamaged`."""
        known = self._current(root.label)
        if known is None:
            async with self._making:
                known = self._current(root.label)  # made meanwhile
                if known is None:
                    in_use = self._in_use.get(root.label.digest)
                    known = await trio.to_thread.run_sync(self._made, root.label, in_use)
                    if known is None:
                        return None
                    self._trees.put(root.label.digest, known)
                    self._in_use[root.label.digest] = known.tree
        return EnvironmentDirectory(known.tree, "")

    def _current(self, label: EnvironmentLabel) -> _Known | None:
        """Return the tree as far as it is seen at once that it is what `_made` would make."""
        known = self._trees.get(label.digest)
        transaction = self._store.catalog.last_transaction()
        if known is None or known.transaction == transaction:
            return known
        is_complete = self._store.holds_all(label.contents)
        if (known.tree.is_complete, known.bytecode) != (is_complete, self._store.mounted.bytecode_count()):
            return None
        known = known._replace(transaction=transaction)
        self._trees.put(label.digest, known)
        return known

    def _made(self, label: EnvironmentLabel, in_use: EnvironmentTree | None) -> _Known | None:
        """Make the tree, unless the one ``in_use`` has all there is: new bytecode is mostly another environment's.  Blocks."""
        transaction, bytecode = self._store.catalog.last_transaction(), self._store.mounted.bytecode_count()
        is_complete = self._store.holds_all(label.contents)
        if in_use is not None and in_use.is_complete == is_complete and not self._store.mounted.bytecode_sizes(in_use.missing):
            return _Known(in_use, bytecode, transaction)
        environment = self._store.mounted.tree(label.digest)
        if environment is None:
            return None
        refs = tuple(self._ref(wheel) for wheel in environment.wheels)
        sizes = self._store.mounted.bytecode_sizes(bytecode_keys(environment))
        generation = 0 if in_use is None else in_use.generation + 1
        tree = EnvironmentTree(label.digest, environment, refs, sizes, is_complete=is_complete, generation=generation)
        return _Known(tree, bytecode, transaction)

    async def lookup(
        self, parent: EnvironmentDirectory | EnvironmentRoot, name: str
    ) -> EnvironmentDirectory | EnvironmentFile | Absent:
        """Find ``name`` in a directory of an environment."""
        directory = await self.entered(parent) if isinstance(parent, EnvironmentRoot) else parent
        if directory is None:
            return Absent(self._limits.label_ttl_s)
        self._prefetcher.looked_into(directory.tree)
        found = directory.tree.lookup(directory, name)
        return Absent(self._limits.absent_ttl_s) if found is None else found

    def _ref(self, wheel: EnvironmentWheel) -> FileRef:
        project = ProjectName(wheel.project)
        for name in self._store.catalog.names_of(wheel.sha256):
            if (name.filename, name.project) == (wheel.filename, project):
                return FileRef(project, name.index, link_of(name))
        # A tree may come from a share, and names no files: a store that took its word would show them as a configured index's.
        return FileRef(project, self._origin_of(wheel.origin), FileLink(wheel.filename, "", wheel.sha256, wheel.size_bytes))
