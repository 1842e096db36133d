"""What a gateway tells other nodes of the files that it holds."""

from __future__ import annotations

from typing import Final

import msgspec
from packaging.utils import canonicalize_name

from wheelfs.errors import InvalidInput
from wheelfs.model.links import MAX_SIZE_BYTES, MAX_TIME_US
from wheelfs.model.names import check_filename, kind_of, parse_project_name

MAX_POINT: Final = 1_000
"""A point becomes a part of an address."""


class SharedFile(msgspec.Struct, frozen=True, array_like=True):
    """A sealed file under one of its names, as the machine that stored it knew it.

    ``index`` is the name of the index that it came from, ``local`` for one added by hand.  New fields go to the end, with a
    default: nodes and gateways of different builds talk to each other.
    """

    project: str
    filename: str
    index: str
    sha256: bytes
    size_bytes: int
    private: bool = False
    upload_time_us: int | None = None
    requires_python: str | None = None
    yanked: str | None = None
    url: str | None = None
    metadata_sha256: bytes | None = None


class News(msgspec.Struct, frozen=True, array_like=True):
    """What is new since a point; the next question is about ``point``.

    ``gone`` are ``(project, filename, sha256)`` of names that went.  ``more``: there is more already.  ``anew``: this does not
    go on from the point that was asked about (the share began anew, or its memory does not reach back so far): from the first
    such portion to the one without ``more``, all that the share has is named, and nothing else is there.  ``begins``: this is
    the first such portion, also where another beginning was not over.
    """

    files: tuple[SharedFile, ...]
    gone: tuple[tuple[str, str, bytes], ...]
    point: str
    more: bool = False
    anew: bool = False
    begins: bool = False


def is_safe(file: SharedFile) -> bool:
    """Tell whether what a share says of a file can be shown: a name becomes a path, a key and a link in many places."""
    try:
        if parse_project_name(file.project) != file.project or kind_of(check_filename(file.filename)) == "other":
            return False
    except InvalidInput:
        return False
    prefix = file.filename.partition("-")[0]
    return (
        (canonicalize_name(prefix) == file.project or not file.filename.endswith(".whl"))
        and len(file.sha256) == 32
        and 0 <= file.size_bytes <= MAX_SIZE_BYTES
        and (file.upload_time_us is None or 0 <= file.upload_time_us <= MAX_TIME_US)
        and (file.metadata_sha256 is None or len(file.metadata_sha256) == 32)
    )
