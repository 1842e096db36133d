"""Reading the file that has the bytecode of all modules of an environment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wheelfs.errors import NotKnown

if TYPE_CHECKING:
    from wheelfs.core.environments.packing import PackedBytecode
    from wheelfs.service.vfs.environments.nodes import EnvironmentFile
    from wheelfs.store.catalog.mounted_environments import MountedEnvironments


class OpenPacked:
    """The file, open; of its content only what is asked for is unpacked."""

    direct_io = False

    def __init__(self, packed: PackedBytecode, mounted: MountedEnvironments, node: EnvironmentFile) -> None:
        """``node`` is its own."""
        self._packed = packed
        self._mounted = mounted
        self._node = node
        self._last: tuple[bytes, bytes | None] = b"", None

    @property
    def size(self) -> int:
        """The size in bytes."""
        return self._packed.size

    async def read(self, offset: int, size: int) -> bytes:
        """Return a part.  Raises `NotKnown` where bytecode of it was removed, with its environment."""
        content = self._packed.read(offset, size, self._bytecode)
        if content is None:
            raise NotKnown(f"read {self._node.path}", "its environment was removed", "run: wheelfs env create")
        for path in self._packed.begun(offset, size):
            self._mounted.profiles.note(self._node.tree.digest, path)
        return content

    def _bytecode(self, key: bytes) -> bytes | None:
        # The kernel asks for one part after the other, and a module may lie in two.
        if self._last[0] != key:
            self._last = key, self._mounted.bytecode(key)
        return self._last[1]

    def close(self) -> None:
        """Nothing is held."""
