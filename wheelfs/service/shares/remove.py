"""``wheelfs rm --share``: taking files out of a share's catalog."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wheelfs.model.condemned import FRESH_S
from wheelfs.model.share_catalog import file_key
from wheelfs.reports.files import KeptFile
from wheelfs.service.shares.condemned_view import running_s
from wheelfs.service.shares.shared_files import select_shared

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from wheelfs.remote.share.share import WrittenShare


def remove(share: WrittenShare, words: Sequence[str], *, dry_run: bool) -> Iterator[KeptFile]:
    """Take the named files out of the catalog of the share and yield each; their space is freed by ``wheelfs gc --share``.

    Raises `NotKnown` and `InvalidInput` before anything is done, and `OriginError`.
    """
    share.catalog.check()
    files = select_shared(share.catalog.files(), "remove", words, share.url)
    if not dry_run:
        began_s = running_s()
        keys = [file_key(file) for file in files]
        share.catalog.append(None, [], keys, may_tell=lambda: running_s() - began_s < FRESH_S)
    for file in files:
        yield KeptFile(
            filename=file.filename,
            project=file.project,
            sha256=file.sha256.hex(),
            size_bytes=file.size_bytes,
            pinned=False,
            private=file.private,
        )
