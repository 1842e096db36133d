"""The nodes of environments.

Below an environment nothing ever changes: its directory stands for a digest, and another tree under the same name is another
directory.  So files that are open, and working directories, keep what they were.
"""

from __future__ import annotations

import hashlib
import posixpath
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple, assert_never

import msgspec

from wheelfs.core.environments.assembling import DESCRIPTION, state_of, with_state
from wheelfs.core.environments.packing import PACKED, PackedBytecode, PackedDirectory, PackedModule, is_importable
from wheelfs.model.content import inode_of_key, inode_of_path, key_of_sha256
from wheelfs.model.environment import WheelMember, WrittenFile, is_module, modules_below, own_modules
from wheelfs.service.file_refs import UNKNOWN_TIME_NS
from wheelfs.service.vfs.protocol import Attributes
from wheelfs.store.catalog.mounted_environments import bytecode_key, bytecode_keys

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wheelfs.model.environment import Environment, EnvironmentLabel, Interpreter
    from wheelfs.service.file_refs import FileRef

_CACHE: Final = "__pycache__"


class Bytecode(NamedTuple):
    """The ``.pyc`` file of a module: the key under which it is stored, its size in bytes, and that of the source."""

    key: bytes
    size: int
    source_size: int


class LinkTarget(NamedTuple):
    """What a symbolic link leads to."""

    target: str


EnvironmentEntry = WheelMember | WrittenFile | Bytecode | PackedBytecode | LinkTarget


class EnvironmentTree:
    """One environment in memory; ``refs`` are its wheels.

    ``variant`` tells what its files do not follow from: whether it is complete, and how much bytecode there is; ``missing`` are
    the keys of the other bytecode.  ``generation`` counts the variants since the kernel has known anything below it.
    """

    def __init__(
        self,
        digest: bytes,
        environment: Environment,
        refs: tuple[FileRef, ...],
        sizes: dict[bytes, int],
        *,
        is_complete: bool,
        generation: int = 0,
    ) -> None:
        """``sizes``: of the bytecode that is stored, by key; ``is_complete``: all wheels are."""
        self.digest = digest
        self.refs = refs
        self.is_complete = is_complete
        self.generation = generation
        self.missing = [key for key in bytecode_keys(environment) if key not in sizes]
        self.variant = f"{state_of(is_complete=is_complete)}-{len(sizes)}"
        self._directories: dict[str, dict[str, EnvironmentEntry | None]] = {"": {}}
        for path, target in environment.links:
            self._put(path, LinkTarget(target))
        for file in environment.written:
            own = file.path == DESCRIPTION
            content = with_state(file.content, is_complete=is_complete) if own else file.content
            self._put(file.path, msgspec.structs.replace(file, content=content) if own else file)
        below = modules_below(environment.interpreter)
        for member in environment.members:
            self._put(member.path, member)
            if is_module(member, below):
                self._put_bytecode(member.path, member.sha256, member.size, environment.interpreter, sizes)
        for path, sha256, content in own_modules(environment):
            self._put_bytecode(path, sha256, len(content), environment.interpreter, sizes)
        if sizes:
            self._put(PACKED, self._packed(environment.interpreter))

    def lookup(self, parent: EnvironmentDirectory, name: str) -> EnvironmentDirectory | EnvironmentFile | None:
        """Return what ``name`` is in a directory of this tree."""
        entries = self._directories[parent.path]
        return self._node(parent.path, name, entries[name]) if name in entries else None

    def entries(self, directory: EnvironmentDirectory) -> Iterator[tuple[str, EnvironmentDirectory | EnvironmentFile]]:
        """Yield names and nodes of a directory of this tree."""
        for name, entry in self._directories[directory.path].items():
            yield name, self._node(directory.path, name, entry)

    def _put_bytecode(
        self, module: str, sha256: bytes, source_size: int, interpreter: Interpreter, sizes: dict[bytes, int]
    ) -> None:
        directory, name = posixpath.split(module)
        # It is there in any case: where it lacks, Python tries to make it, at every import.
        cache = self._directory(f"{directory}/{_CACHE}")
        key = bytecode_key(sha256, interpreter.magic)
        if key in sizes:
            cache.setdefault(_cached_name(name, interpreter.cache_tag), Bytecode(key, sizes[key], source_size))

    def is_of_wheel(self, path: str) -> bool:
        """Return whether a file is a member of a wheel."""
        directory, name = posixpath.split(path)
        return isinstance(self._directories.get(directory, {}).get(name), WheelMember)

    def _packed(self, interpreter: Interpreter) -> PackedBytecode:
        """Return the file that has the bytecode of all modules."""
        site = interpreter.site_packages
        directories = []
        for path, entries in self._directories.items():
            if not f"{path}/".startswith(f"{site}/") or path.endswith(f"/{_CACHE}"):
                continue
            found: dict[str, PackedModule | None] = {}
            cache = self._directories.get(f"{path}/{_CACHE}", {})
            for name, entry in entries.items():
                if entry is None or not is_importable(name):
                    continue
                code = cache.get(_cached_name(name, interpreter.cache_tag))
                found[name] = None
                # Bytecode lies beside modules of wheels and those that are written: no other entry is one.
                if isinstance(code, Bytecode) and isinstance(entry, WheelMember | WrittenFile):
                    size = entry.size if isinstance(entry, WheelMember) else len(entry.content)
                    found[name] = PackedModule(f"{path}/{name}", code.key, code.size, size)
            below = [name for name, entry in entries.items() if entry is None and name != _CACHE]
            inode = EnvironmentDirectory(self, path).attributes.inode
            directories.append(PackedDirectory(path.removeprefix(site).removeprefix("/"), inode, below, found))
        return PackedBytecode(directories, mtime_s=UNKNOWN_TIME_NS // 1_000_000_000, tag=interpreter.cache_tag)

    def _node(self, directory: str, name: str, entry: EnvironmentEntry | None) -> EnvironmentDirectory | EnvironmentFile:
        path = f"{directory}/{name}" if directory else name
        return EnvironmentDirectory(self, path) if entry is None else EnvironmentFile(self, path, entry)

    def _put(self, path: str, entry: EnvironmentEntry) -> None:
        directory, name = posixpath.split(path)
        self._directory(directory)[name] = entry

    def _directory(self, path: str) -> dict[str, EnvironmentEntry | None]:
        found = self._directories.get(path)
        if found is None:
            found = self._directories[path] = {}
            parent, name = posixpath.split(path)
            self._directory(parent).setdefault(name, None)
        return found


@dataclass(frozen=True, slots=True, eq=False)
class EnvironmentRoot:
    """The directory of an environment whose tree is made when it is entered."""

    label: EnvironmentLabel

    @property
    def attributes(self) -> Attributes:
        """Those of the directory when it is entered."""
        return _directory_attributes(_root_inode(self.label.digest, 0), keeps_name=False)


@dataclass(frozen=True, slots=True, eq=False)
class EnvironmentDirectory:
    """A directory of an environment; ``path`` is below it, and empty for itself."""

    tree: EnvironmentTree
    path: str

    @property
    def attributes(self) -> Attributes:
        """Those of a directory that never changes; which one has a name in ``env/`` may."""
        if not self.path:
            return _directory_attributes(_root_inode(self.tree.digest, self.tree.generation), keeps_name=False)
        inode = inode_of_path(f"environment\0{self.tree.digest.hex()}-{self.tree.variant}/{self.path}")
        return _directory_attributes(inode, keeps_name=True)


@dataclass(frozen=True, slots=True, eq=False)
class EnvironmentFile:
    """A file or link of an environment."""

    tree: EnvironmentTree
    path: str
    entry: EnvironmentEntry
    attributes: Attributes = field(init=False, repr=False)
    """Members of one wheel are the same files in all environments, so the kernel has them in memory once."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "attributes", self._attributes())

    def _attributes(self) -> Attributes:
        match self.entry:
            case WheelMember() as member:
                wheel = self.tree.refs[member.wheel].key
                inode = _inode_of(b"member", wheel, member.path.encode("utf-8", "surrogateescape"))
                return _file_attributes(inode, member.size, is_executable=member.is_executable)
            case WrittenFile(content=content, is_executable=is_executable):
                inode = _inode_of(b"written", content, b"x" if is_executable else b"")
                return _file_attributes(inode, len(content), is_executable=is_executable)
            case Bytecode(key, size, _):
                return _file_attributes(_inode_of(b"bytecode", key), size)
            case PackedBytecode() as packed:
                return _file_attributes(_inode_of(b"packed", packed.head), packed.size)
            case LinkTarget(target):
                return _file_attributes(_inode_of(b"link", target.encode()), len(target.encode()), is_link=True)
            case _ as unreachable:
                assert_never(unreachable)

    @property
    def link_target(self) -> str:
        """What a symbolic link leads to."""
        assert isinstance(self.entry, LinkTarget)
        return self.entry.target


def environment_xattrs(node: EnvironmentFile) -> dict[str, bytes]:
    """Return the extended attributes of a file: of which wheel it is, and which member."""
    if not isinstance(node.entry, WheelMember):
        return {}
    values = {"wheel": node.tree.refs[node.entry.wheel].filename, "member_offset": str(node.entry.header_offset)}
    return {f"user.wheelfs.{name}": value.encode() for name, value in values.items()}


def _cached_name(name: str, tag: str) -> str:
    """Return the name of a module's bytecode (PEP 3147)."""
    return f"{name.removesuffix('.py')}.{tag}.pyc"


def _root_inode(digest: bytes, generation: int) -> int:
    """Return the number of an environment's directory: a listing needs it before the tree, and so its variant, is known."""
    return inode_of_path(f"environment\0{digest.hex()}-{generation}")


def _directory_attributes(inode: int, *, keeps_name: bool) -> Attributes:
    return Attributes(inode, True, 0, UNKNOWN_TIME_NS, immutable=True, keeps_name=keeps_name)


def _file_attributes(inode: int, size: int, *, is_executable: bool = False, is_link: bool = False) -> Attributes:
    return Attributes(
        inode,
        False,
        size,
        UNKNOWN_TIME_NS,
        immutable=True,
        keeps_name=True,
        is_executable=is_executable,
        is_link=is_link,
    )


def _inode_of(kind: bytes, *parts: bytes) -> int:
    digest = hashlib.sha256(kind)
    for part in parts:
        digest.update(len(part).to_bytes(8, "big") + part)
    return inode_of_key(key_of_sha256(digest.digest()))
