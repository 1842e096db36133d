"""Reading bytecode: the ``.pyc`` files of modules, and the file that has those of all modules of an environment."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

from wheelfs.errors import NotKnown
from wheelfs.service.file_refs import UNKNOWN_TIME_NS

if TYPE_CHECKING:
    from wheelfs.core.environments.packing import PackedBytecode
    from wheelfs.service.vfs.environments.nodes import Bytecode, EnvironmentFile
    from wheelfs.store.catalog.mounted_environments import MountedEnvironments

_MAGIC_BYTES: Final = 4
_DATED: Final = struct.Struct("<III")
"""What follows the magic number in bytecode that goes by its source's time and size (PEP 552): no flags, time and size."""


class OpenBytecode:
    """A ``.pyc`` file, open; it is unpacked when it is read first: mostly the kernel has it.

    It is kept as of the unchecked kind, and given as one that goes by time and size, which Python looks at in any case: in a copy
    or below an overlay, where a module may be edited, it is then no longer taken for that module's.
    """

    direct_io = False

    def __init__(self, code: Bytecode, mounted: MountedEnvironments, path: str) -> None:
        """``path`` is its own, for messages."""
        self._code = code
        self._mounted = mounted
        self._path = path
        self._content: bytes | None = None

    @property
    def size(self) -> int:
        """The size in bytes."""
        return self._code.size

    async def read(self, offset: int, size: int) -> bytes:
        """Return a part.  Raises `NotKnown` where it was removed, with its environment."""
        if self._content is None:
            kept = self._mounted.bytecode(self._code.key)
            if kept is None:
                raise NotKnown(f"read {self._path}", "its environment was removed", "run: wheelfs env create")
            dated = _DATED.pack(0, UNKNOWN_TIME_NS // 1_000_000_000, self._code.source_size & 0xFFFFFFFF)
            self._content = kept[:_MAGIC_BYTES] + dated + kept[_MAGIC_BYTES + len(dated) :]
        return self._content[offset : offset + size]

    def close(self) -> None:
        """Let the content go."""
        self._content = None


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
