"""The bytecode of an environment as one file, with an index of what its directories hold.

``service/environments/importer.py`` reads it, in the environment's interpreter: a line, eight bytes with the size of the index
(little endian), the index, and the ``.pyc`` files, each at a page of its own.  The index is of ``marshal``, version 2, which
every CPython reads: mtime of all files in seconds; the tag of the interpreter (PEP 3147); and by path below site-packages the
inode number of a directory and what it holds, itself of ``marshal``: subdirectories with None, modules with offset, size and the
size of their source, and ``()`` for modules without bytecode.
"""

from __future__ import annotations

import marshal
from bisect import bisect_right
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

PACKED: Final = ".wheelfs/bytecode"
"""Its path in an environment."""

_HEAD: Final = b"wheelfs bytecode 1\n"
_SIZE_BYTES: Final = 8
_MARSHAL_VERSION: Final = 2
PAGE_BYTES: Final = 4096
"""Bytecode of every module begins at such a place, so what the kernel asks for tells which modules a program has imported."""

_IMPORTABLE: Final = (".py", ".pyc", ".so")


class PackedModule(NamedTuple):
    """A module: its path in the environment, the key of its bytecode, the bytecode's size in bytes, and its source's."""

    path: str
    key: bytes
    size: int
    source_size: int


class PackedDirectory(NamedTuple):
    """A directory: its path below site-packages, its inode number, and names in it.

    ``modules`` are the files that `is_importable`, with None where there is no bytecode.
    """

    path: str
    inode: int
    subdirectories: Sequence[str]
    modules: Mapping[str, PackedModule | None]


class PackedBytecode:
    """The file, of which only the index is in memory; offsets in the index count from its end."""

    def __init__(self, directories: Iterable[PackedDirectory], *, mtime_s: int, tag: str) -> None:
        """Work the index out; ``tag`` is that of the interpreter's bytecode."""
        self._modules: list[PackedModule] = []
        self._offsets: list[int] = []
        end = 0
        index: dict[str, tuple[int, bytes]] = {}
        for one in directories:
            names: dict[str, tuple[int, ...] | None] = dict.fromkeys(one.subdirectories)
            for name, module in one.modules.items():
                names[name] = ()
                if module is not None:
                    names[name] = end, module.size, module.source_size
                    self._modules.append(module)
                    self._offsets.append(end)
                    end = _whole_pages(end + module.size)
            index[one.path] = one.inode, marshal.dumps(names, _MARSHAL_VERSION)
        encoded = marshal.dumps((mtime_s, tag, index), _MARSHAL_VERSION)
        begin = len(_HEAD) + _SIZE_BYTES
        encoded += bytes(_whole_pages(begin + len(encoded)) - begin - len(encoded))
        self.head: Final = _HEAD + len(encoded).to_bytes(_SIZE_BYTES, "little") + encoded
        self.size: Final = len(self.head) + end

    def read(self, offset: int, size: int, bytecode: Callable[[bytes], bytes | None]) -> bytes | None:
        """Return a part of the file; ``bytecode`` gives the ``.pyc`` file of a key.  None where that is not what it was."""
        end = min(offset + size, self.size)
        parts = [self.head[offset:end]]
        for begin, next_begin, module in self._places(offset, end):
            content = bytecode(module.key)
            if content is None or len(content) != module.size:
                return None
            padded = content + bytes(next_begin - begin - len(content))
            parts.append(padded[max(offset - begin, 0) : end - begin])
        return b"".join(parts)

    def begun(self, offset: int, size: int) -> Iterator[str]:
        """Yield the paths of the modules whose bytecode begins in a part of the file: importing them reads that."""
        return (module.path for begin, _, module in self._places(offset, offset + size) if begin >= offset)

    def _places(self, offset: int, end: int) -> Iterator[tuple[int, int, PackedModule]]:
        """Yield where the bytecode of modules begins and the next one's does, for those in a part of the file."""
        head = len(self.head)
        for number in range(max(bisect_right(self._offsets, offset - head) - 1, 0), len(self._modules)):
            begin = head + self._offsets[number]
            if begin >= end:
                return
            next_begin = head + self._offsets[number + 1] if number + 1 < len(self._modules) else self.size
            yield begin, next_begin, self._modules[number]


def is_importable(name: str) -> bool:
    """Return whether a file's name can be that of a module, for any interpreter."""
    return name.endswith(_IMPORTABLE)


def _whole_pages(size: int) -> int:
    return -(-size // PAGE_BYTES) * PAGE_BYTES
