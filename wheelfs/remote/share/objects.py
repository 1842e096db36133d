"""Places that keep objects by key: what a share of objects is made of, whatever it lies on."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Protocol
from urllib.parse import unquote_to_bytes, urlsplit

from wheelfs.config import redact
from wheelfs.config.share_urls import check_objects_url
from wheelfs.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wheelfs.model.share_objects import FoundObject


class ReadObjects(Protocol):
    """Objects under keys such as ``log/NUMBER``, to be read.

    All methods block, may be called from any thread, and raise `OriginError`.  ``url`` is for people: it carries no credentials.
    """

    url: str

    def read(self, key: str, *, limit_bytes: int) -> bytes | None:
        """Return a whole object, None when there is none; raises `ShareFormatError` for one larger than ``limit_bytes``."""
        ...

    def read_range(self, key: str, start: int, end: int) -> bytes | None:
        """Return the bytes ``[start, end)`` of an object, fewer where it ends before; None when there is none."""
        ...


class Objects(ReadObjects, Protocol):
    """Objects that can be written and listed as well."""

    def create(self, key: str, content: bytes) -> bool:
        """Write a whole object, durable when this returns, visible as a whole or not at all.

        Returns False where there is one of this key already, which then stays: of all who create one at once, one succeeds.
        """
        ...

    def found(self, prefix: str) -> Iterator[FoundObject]:
        """Yield all objects under ``prefix``, however deep, in any order, also strange ones and what killed writers left."""
        ...

    def delete(self, key: str) -> None:
        """Delete an object; there may be none."""
        ...


def open_objects(url: str) -> Objects:
    """Return the objects at ``url``; nothing is asked yet.  Raises `UsageError`."""
    scheme = url.partition(":")[0].lower()
    if scheme in ("http", "https"):
        raise UsageError(
            f"write to the share {redact(url)}",
            "over HTTP a share of objects can only be read",
            "give the directory or bucket that it serves",
        )
    try:
        checked = check_objects_url(url)
    except ValueError as error:
        raise UsageError(
            f"use the share {redact(url)}",
            f"unsupported share URL: {error}",
            "give file:///DIRECTORY, s3://BUCKET/PREFIX, gs://BUCKET/PREFIX or az://CONTAINER/PREFIX",
        ) from None
    if scheme == "file":
        from wheelfs.remote.share.directory_objects import DirectoryObjects

        return DirectoryObjects(os.fsdecode(unquote_to_bytes(urlsplit(checked).path)))
    # Only now: a directory is shared without waiting for this import.
    from wheelfs.remote.share.cloud_objects import CloudObjects

    return CloudObjects(checked)
