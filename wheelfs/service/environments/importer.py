"""Imports of this directory's modules, from one file that holds the bytecode of all.

This module lies in the site-packages of a mounted environment, and a ``.pth`` file beside it imports it as an interpreter starts.
It puts a finder in front for directories of the environment alone, so the order of ``sys.path`` decides as ever.  The finder
looks names up in an index, and its loader takes bytecode from one open file: looking at directories and opening files is what a
mount is slow at.  Modules, specs and paths are those that ``importlib`` gives, and it steps aside wherever the environment is not
what the index was made of: below an overlay or another mount, in a copy, and after the name came to mean another environment.

Any CPython from 3.8 on may run it.  It imports nothing that an interpreter has not imported when it comes here.
"""

import marshal
import os
import sys
from importlib.machinery import (
    BYTECODE_SUFFIXES,
    EXTENSION_SUFFIXES,
    SOURCE_SUFFIXES,
    ExtensionFileLoader,
    FileFinder,
    ModuleSpec,
    SourceFileLoader,
    SourcelessFileLoader,
)

_HEAD = b"wheelfs bytecode 1\n"
_SIZE_BYTES = 8
_LOADERS = [
    (ExtensionFileLoader, EXTENSION_SUFFIXES),
    (SourceFileLoader, SOURCE_SUFFIXES),
    (SourcelessFileLoader, BYTECODE_SUFFIXES),
]


class Packed:
    """The file: its first line, the size of its index, the index, and bytecode (``wheelfs.core.environments.packing``).

    A directory has names of subdirectories, with None, and of files that may be modules, with the place of their bytecode: its
    offset, its size and the size of the source, or nothing.
    """

    def __init__(self, site: str, file: int) -> None:
        """Read the index; `ValueError`, `EOFError` or `TypeError` for a file of another kind."""
        status = os.fstat(file)
        self._file = file
        self._identity = status.st_dev, status.st_ino
        head = os.pread(file, len(_HEAD) + _SIZE_BYTES, 0)
        if not head.startswith(_HEAD):
            raise ValueError("another format")
        size = int.from_bytes(head[len(_HEAD) :], "little")
        self.mtime_s, self.tag, self._directories = marshal.loads(os.pread(file, size, len(head)))
        self._begin = len(head) + size
        # What is read ahead would be noted as imported (`wheelfs env profile`), and is rarely what is imported next.
        os.posix_fadvise(file, 0, 0, os.POSIX_FADV_RANDOM)
        self._site = site

    def names(self, path: str) -> "dict[str, tuple[int, ...] | None] | None":
        """Return the names in a directory, None for one that is not of the environment."""
        directory = self._directory(path)
        return None if directory is None else marshal.loads(directory[1])

    def is_there(self, path: str) -> bool:
        """Return whether a directory is still the one that the index describes."""
        directory = self._directory(path)
        try:
            status = os.stat(path)
        except OSError:
            return False
        return directory is not None and (status.st_dev, status.st_ino) == (self._identity[0], directory[0])

    def read(self, offset: int, size: int) -> "bytes | None":
        """Return bytes that follow the index, None where they are not to be had."""
        try:
            # A program that becomes a daemon may have closed it, and the number may stand for another file by now.
            status = os.fstat(self._file)
            if (status.st_dev, status.st_ino) != self._identity:
                return None
            content = os.pread(self._file, size, self._begin + offset)
        except OSError:
            return None
        return content if len(content) == size else None

    def _directory(self, path: str) -> "tuple[int, bytes] | None":
        if path != self._site and not path.startswith(f"{self._site}/"):
            return None
        found: tuple[int, bytes] | None = self._directories.get(path[len(self._site) + 1 :])
        return found


class Loader(SourceFileLoader):
    """Loads a module whose bytecode is in the file, at ``place``."""

    def __init__(self, fullname: str, path: str, packed: Packed, place: "tuple[int, ...]") -> None:
        super().__init__(fullname, path)
        self._packed = packed
        self._place = place

    def path_stats(self, path: str) -> "dict[str, object]":
        """Return what the index knows of the source."""
        if path == self.path:
            return {"mtime": self._packed.mtime_s, "size": self._place[2]}
        return dict(super().path_stats(path))

    def get_data(self, path: str) -> bytes:
        """Return the bytecode, and what other files hold."""
        directory, _, name = self.path.rpartition("/")
        if path == f"{directory}/__pycache__/{name[:-3]}.{self._packed.tag}.pyc":
            content = self._packed.read(*self._place[:2])
            if content is not None:
                return content
        return super().get_data(path)


class Finder(FileFinder):
    """Finds the modules of one directory of the environment, as its base does, by their ``names``."""

    def __init__(self, path: str, packed: Packed, names: "dict[str, tuple[int, ...] | None]") -> None:
        super().__init__(path, *_LOADERS)
        self._packed = packed
        self._names = names

    def find_spec(self, fullname: str, target: object = None) -> "ModuleSpec | None":
        """Return the spec of a module, None where there is none."""
        tail = fullname.rpartition(".")[2]
        base = f"{self.path}/{tail}"
        is_directory = self._names.get(tail, ()) is None
        if not self._packed.is_there(base if is_directory else self.path):
            return super().find_spec(fullname, target)  # type: ignore[arg-type]
        inside = self._packed.names(base) if is_directory else None
        if inside is not None:
            found = self._first(fullname, f"{base}/__init__", "__init__", inside, [base])
            if found is not None:
                return found
        found = self._first(fullname, base, tail, self._names, None)
        if found is None and is_directory:
            found = ModuleSpec(fullname, None, is_package=True)
            found.submodule_search_locations = [base]
        return found

    def _first(
        self, fullname: str, stem: str, name: str, names: "dict[str, tuple[int, ...] | None]", below: "list[str] | None"
    ) -> "ModuleSpec | None":
        for kind, suffixes in _LOADERS:
            for suffix in suffixes:
                place = names.get(name + suffix)
                if place is None:
                    continue
                path = stem + suffix
                has_code = kind is SourceFileLoader and place
                spec = ModuleSpec(
                    fullname,
                    Loader(fullname, path, self._packed, place) if has_code else kind(fullname, path),
                    origin=path,
                )
                spec.submodule_search_locations = below
                spec.has_location = True
                return spec
        return None


def _is_mount(device: int) -> bool:
    """Return whether a device is a mount of wheelfs itself: what lies on top may show its numbers as its own."""
    number = f"{os.major(device)}:{os.minor(device)}".encode()
    with open("/proc/self/mountinfo", "rb") as mounts:
        return any(line.split(b" ", 3)[2] == number and b" - fuse.wheelfs " in line for line in mounts)


def _install() -> None:
    site = os.path.dirname(__file__)
    try:
        file = os.open(f"{site}/../../../.wheelfs/bytecode", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return
    try:
        packed = Packed(site, file) if _is_mount(os.fstat(file).st_dev) else None
    except (OSError, ValueError, EOFError, TypeError):
        packed = None
    if packed is None:
        os.close(file)
        return

    def hook(path: str) -> Finder:
        names = packed.names(path)
        if names is None:
            raise ImportError("no directory of the environment", path=path)
        return Finder(path, packed, names)

    sys.path_hooks.insert(0, hook)
    sys.path_importer_cache.pop(site, None)


_install()
