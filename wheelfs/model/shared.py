"""What a share reports of the files that it holds."""

from __future__ import annotations

from typing import Final

import msgspec
from packaging.utils import canonicalize_name

from wheelfs.errors import InvalidInput
from wheelfs.model.links import MAX_SIZE_BYTES, MAX_TIME_US
from wheelfs.model.names import MAX_NAME_BYTES, check_filename, kind_of, parse_project_name

MAX_TEXT: Final = 8_192
"""Characters of an address, a reason or a version specifier: as many as a page may give for a file."""
MAX_CURSOR: Final = 1_000
"""Characters of a cursor, which becomes a part of an address."""


class SharedFile(msgspec.Struct, frozen=True, array_like=True):
    """A sealed file under one of its names, as the machine that stored it knew it.

    ``index`` is the name of the index that it came from, ``local`` for one added by hand; ``repacked``: it was made of unpacked
    files there.  New fields go to the end, with a
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
    repacked: bool = False


class FeedPage(msgspec.Struct, frozen=True, array_like=True):
    """A page of a share's change feed; the next one is asked for with ``cursor``.

    ``gone`` are ``(project, filename, sha256)`` of names that were removed.  ``more``: there is more already.
    ``is_resync``: this page does not continue from the cursor asked for (the share was made again, or its journal does not reach
    back that far): from the first such page to the one without ``more`` everything the share has is named, and nothing else.
    ``starts_resync``: this is the first such page, also where another resync was not complete.
    ``is_partial``: at the end of a resync in which something could not be seen: what it did not name may exist all the same.
    """

    files: tuple[SharedFile, ...]
    gone: tuple[tuple[str, str, bytes], ...]
    cursor: str
    more: bool = False
    is_resync: bool = False
    starts_resync: bool = False
    is_partial: bool = False


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
        and (file.requires_python is None or len(file.requires_python) <= MAX_TEXT)
        and (file.yanked is None or len(file.yanked) <= MAX_TEXT)
        and (file.url is None or len(file.url) <= MAX_TEXT)
        and len(file.index) <= MAX_NAME_BYTES
        and file.index.isprintable()
    )
