"""What a link of a page means among the stored files, and what is known of it from there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from wheelfs.core.projects import identity

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wheelfs.model.links import FileLink
    from wheelfs.store.catalog.records import StoredName


def stored_as(link: FileLink, by_name: Mapping[str, StoredName]) -> bytes | None:
    """Return the sha256 of the stored file that a link without one means; None for one that was not compared with its hashes."""
    name = by_name.get(link.filename)
    if name is None or not identity.is_checked(link, name) or identity.replacement(link, name, said=None) is not None:
        return None
    return name.sha256


def with_stored_digests(link: FileLink, name: StoredName | None) -> FileLink:
    """Return the link with the size of what is stored, and its digests where the index gives none, or none that is checked."""
    if name is not None and not identity.is_vouched(link):
        return msgspec.structs.replace(link, metadata_sha256=link.metadata_sha256 or name.metadata_sha256)
    if name is None:
        return link
    metadata_sha256 = link.metadata_sha256 or name.metadata_sha256
    if (link.sha256, link.size_bytes, link.metadata_sha256) == (name.sha256, name.size_bytes, metadata_sha256):
        return link
    # Its size, too: a page may be wrong about that.
    return msgspec.structs.replace(link, sha256=name.sha256, size_bytes=name.size_bytes, metadata_sha256=metadata_sha256)
