"""A file as the tree knows it: which index vouches for it, what its origin says about it, and which content it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from wheelfs.core.hashes import checkable
from wheelfs.model.content import ContentKey, inode_of_key, key_of_sha256, key_without_hash
from wheelfs.model.links import FileLink
from wheelfs.model.names import kind_of
from wheelfs.model.shared import SharedFile

if TYPE_CHECKING:
    from wheelfs.model.names import Kind, ProjectName
    from wheelfs.store.catalog.records import StoredName

UNKNOWN_TIME_NS: Final = 315_532_800 * 1_000_000_000
"""1980-01-01T00:00:00Z, the earliest time that a ZIP can hold: of files that are not stored and of unknown upload time."""


class FileRef(msgspec.Struct, frozen=True):
    """``origin`` is the index's name, or ``local``.

    ``came_us``: when the content came here, in microseconds since the epoch; None while it is not stored.  ``before`` are the
    digests, one after another, of what the origin had under this name before; they matter where it gives no hash.
    """

    project: ProjectName
    origin: str
    link: FileLink
    came_us: int | None = None
    before: bytes = b""

    @property
    def filename(self) -> str:
        """The file's name as its origin spells it."""
        return self.link.filename

    @property
    def kind(self) -> Kind:
        """Wheel, sdist or other, by the filename's ending."""
        return kind_of(self.link.filename)

    @property
    def key(self) -> ContentKey:
        """The identity of the content: its sha256, or what it is known by where its index gives none."""
        if self.link.sha256 is not None:
            return key_of_sha256(self.link.sha256)
        link = self.link
        hashes = sorted((link.other_hashes or {}).items())
        traits = (link.size_bytes, link.upload_time_us, *(f"{name}={value}" for name, value in hashes), self.before.hex() or None)
        # Where nothing is known but the name, the key is that of builds which looked at no more.
        told = tuple("" if trait is None else str(trait) for trait in traits)
        return key_without_hash(self.origin, self.project, link.filename, *(told if any(told) else ()))

    @property
    def is_vouched(self) -> bool:
        """Whether its origin gives a hash that can be checked."""
        return self.link.sha256 is not None or bool(checkable(self.link.other_hashes))

    @property
    def inode(self) -> int:
        """The inode number: the same for one content under every path, after every remount, on every node."""
        return inode_of_key(self.key)

    @property
    def mtime_ns(self) -> int:
        """Upload time, else when it came here, in nanoseconds since the epoch; never negative (uv keys its cache by it)."""
        known_us = self.link.upload_time_us if self.link.upload_time_us is not None else self.came_us
        return UNKNOWN_TIME_NS if known_us is None or known_us < 0 else known_us * 1_000


def link_of(name: StoredName | SharedFile) -> FileLink:
    """Return the link of a file that is stored here or that a share has, as its index described it."""
    return FileLink(
        filename=name.filename,
        url=name.url or "",
        sha256=name.sha256,
        size_bytes=name.size_bytes,
        requires_python=name.requires_python,
        yanked=name.yanked,
        metadata_sha256=name.metadata_sha256,
        upload_time_us=name.upload_time_us,
        other_hashes=None if isinstance(name, SharedFile) else name.hashes,
        first_seen_us=None if isinstance(name, SharedFile) else name.first_seen_us,
    )
