"""Identities of file contents, and the inode numbers made from them.

An inode number must be the same after a remount and on every node (design: the mount), so it is a hash of what the file *is*:
its sha256 where that is known before the fetch, else the index, project and filename that it is known by.
"""

from __future__ import annotations

import hashlib
from typing import Final, NewType

ContentKey = NewType("ContentKey", bytes)
"""32 bytes that name one content before and after it is stored."""

_INODE_BITS: Final = (1 << 62) - 1
_INODE_FLOOR: Final = 1 << 20
"""Numbers below are left to the root (1) and to whatever a frontend wants fixed."""


def key_of_sha256(sha256: bytes) -> ContentKey:
    """Return the key of content whose sha256 (32 bytes) is known: the digest itself."""
    if len(sha256) != 32:
        raise ValueError("a sha256 has 32 bytes")
    return ContentKey(sha256)


def key_without_hash(index: str, project: str, filename: str, *traits: str) -> ContentKey:
    """Return the key of a file for which its index gives no sha256; its prefix keeps it apart from any file's digest.

    ``traits`` are whatever else tells its content from others under the same name.
    """
    text = "\0".join(("wheelfs-nohash", index, project, filename, *traits))
    return ContentKey(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest())


def inode_of_key(key: ContentKey) -> int:
    """Return the inode number (62 bits, never small) of a content."""
    return (int.from_bytes(key[:8], "big") & _INODE_BITS) | _INODE_FLOOR


def inode_of_path(path: str) -> int:
    """Return the inode number of a directory or generated file, made from its path inside the mount."""
    digest = hashlib.sha256(f"wheelfs-path\0{path}".encode("utf-8", "surrogatepass")).digest()
    return (int.from_bytes(digest[:8], "big") & _INODE_BITS) | _INODE_FLOOR
