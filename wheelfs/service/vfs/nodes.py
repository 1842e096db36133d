"""The nodes of the tree: directories and files as frozen values, with the attributes that ``stat`` shows."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Final, Literal, Self

import msgspec

from wheelfs.core.views.paths import CACHE_TAG, STATUS
from wheelfs.model.content import inode_of_path
from wheelfs.service.file_refs import UNKNOWN_TIME_NS
from wheelfs.service.vfs.environments.nodes import EnvironmentDirectory, EnvironmentFile, EnvironmentRoot
from wheelfs.service.vfs.protocol import Attributes

if TYPE_CHECKING:
    from wheelfs.core.views.paths import Directory, Form
    from wheelfs.core.views.view import View
    from wheelfs.errors import WheelfsError
    from wheelfs.model.names import ProjectName
    from wheelfs.service.file_refs import FileRef

STATUS_PATH: Final = f".wheelfs/{STATUS}"


def _path_attributes(path: str, *, is_dir: bool, size_bytes: int = 0, mtime_ns: int = UNKNOWN_TIME_NS) -> Attributes:
    return Attributes(inode_of_path(path), is_dir, size_bytes, mtime_ns, immutable=False)


class DirectoryNode(msgspec.Struct, frozen=True):
    """A directory of the tree."""

    place: Directory

    @property
    def attributes(self) -> Attributes:
        """A directory's attributes depend on its path alone, so that they are the same after a remount and on every node."""
        return _path_attributes(self.place.path, is_dir=True)


class PageNode(msgspec.Struct, frozen=True):
    """A generated page: of a project, of all projects (``kind`` simple), or the find-links page of a view."""

    kind: Literal["project", "simple", "links"]
    path: str
    view: View
    project: ProjectName | None
    size_bytes: int
    mtime_ns: int
    form: Form = "html"

    @property
    def attributes(self) -> Attributes:
        """The size is that of the page as rendered last."""
        return _path_attributes(self.path, is_dir=False, size_bytes=self.size_bytes, mtime_ns=self.mtime_ns)


class StatusNode(msgspec.Struct, frozen=True):
    """``.wheelfs/status.json``."""

    path: str
    size_bytes: int

    @classmethod
    def of(cls, text: bytes) -> Self:
        """Return the node of a status whose text this is."""
        return cls(STATUS_PATH, len(text))

    @property
    def attributes(self) -> Attributes:
        """The size is that of the text as made last."""
        return _path_attributes(self.path, is_dir=False, size_bytes=self.size_bytes)


class CacheTagNode(msgspec.Struct, frozen=True):
    """``CACHEDIR.TAG``: it tells backups and the like that all here can be had again, and reading it costs the network."""

    text: ClassVar[bytes] = (
        b"Signature: 8a477f597d28d172789f06886806bc55\n"
        b"# This file is a cache directory tag created by wheelfs.\n"
        b"# For information about cache directory tags, see https://bford.info/cachedir/\n"
    )

    @property
    def attributes(self) -> Attributes:
        """It never changes while a mount lives."""
        return _path_attributes(CACHE_TAG, is_dir=False, size_bytes=len(self.text))


@dataclass(frozen=True, slots=True)
class FileNode:
    """A wheel, an sdist or another file of a project."""

    ref: FileRef
    size_bytes: int
    is_flat: bool = field(default=False, compare=False)
    """Whether it was found in a flat directory, where every change of a name is told."""
    attributes: Attributes = field(init=False, repr=False, compare=False)
    """One inode a content, whatever path it was reached by; only what has a hash is known never to change.

    Made once: a listing of 50,000 files asks five times for each.
    """

    def __post_init__(self) -> None:
        is_known = self.ref.link.sha256 is not None
        attributes = Attributes(
            self.ref.inode, False, self.size_bytes, self.ref.mtime_ns, immutable=is_known, keeps_name=is_known and self.is_flat
        )
        object.__setattr__(self, "attributes", attributes)


@dataclass(frozen=True, slots=True)
class PartNode(FileNode):
    """The bytes ``[start, end)`` of a file that may not be stored, for another node: nothing vouches for them by themselves."""

    start: int = 0
    end: int = 0

    def __post_init__(self) -> None:
        attributes = Attributes(self.ref.inode, False, self.size_bytes, self.ref.mtime_ns, immutable=False)
        object.__setattr__(self, "attributes", attributes)


class MetadataNode(msgspec.Struct, frozen=True):
    """A wheel's core metadata file (PEP 658), ``WHEEL.metadata``."""

    ref: FileRef
    size_bytes: int

    @property
    def attributes(self) -> Attributes:
        """It changes as little as the wheel does."""
        inode = inode_of_path(f"metadata\0{self.ref.key.hex()}")
        is_known = self.ref.link.sha256 is not None
        return Attributes(inode, False, self.size_bytes, self.ref.mtime_ns, immutable=is_known)


class FailingNode(msgspec.Struct, frozen=True):
    """A file that its index lists but of which nothing can be found out now, not even its size: opening it says why.

    A look-up that fails is a quiet 404 to pip, and its message then speaks of a missing file.
    """

    path: str
    error: WheelfsError

    @property
    def attributes(self) -> Attributes:
        """An inode of its own, forgotten soon: this is not the file's."""
        return _path_attributes(f"failing\0{self.path}", is_dir=False)


TreeNode = (
    DirectoryNode
    | PageNode
    | StatusNode
    | CacheTagNode
    | FileNode
    | MetadataNode
    | FailingNode
    | EnvironmentDirectory
    | EnvironmentRoot
    | EnvironmentFile
)
