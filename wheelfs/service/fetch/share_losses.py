"""Files that a share has told of and does not have any more: deleted there by hand, or by a damaged disk."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import trio

from wheelfs.service.tasks import await_future, failure

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wheelfs.model.share_catalog import FileKey
    from wheelfs.remote.share.protocol import Share
    from wheelfs.service.file_refs import FileRef
    from wheelfs.service.hosts.breaker import Hosts
    from wheelfs.store.catalog.shared_names import SharedNames

log = logging.getLogger(__name__)


class Losses:
    """Forgets what shares have lost, so that it is not listed, and fails, again and again."""

    def __init__(
        self, names: SharedNames, shares: Sequence[Share], hosts: Hosts, nursery: trio.Nursery, *, bound_s: float
    ) -> None:
        """``bound_s`` bounds the question whether a file is lost."""
        self._names = names
        self._shares = {share.name: share for share in shares}
        self._hosts = hosts
        self._nursery = nursery
        self._bound_s = bound_s

    def missed(self, share: str, ref: FileRef) -> None:
        """Note that a share did not have a file; if it has told of it and is there itself, the name is forgotten."""
        if ref.link.sha256 is not None and self._names.has(share, file := (ref.project, ref.filename, ref.link.sha256)):
            self._nursery.start_soon(self._forget, self._shares[share], file)

    async def _forget(self, share: Share, file: FileKey) -> None:
        attempted = f"look for {file[1]} in the share {share.name}"
        try:
            with self._hosts.asking(attempted, share.url, may_lack=True), trio.fail_after(self._bound_s):
                is_lost = await share.lacks(file[2])
            if is_lost and self._names.has(share.name, file):
                log.warning(
                    "the share %s has lost %s, which its catalog tells of: it is not listed from there any more; "
                    "whoever has it stored brings it back with: wheelfs push --share %s %s",
                    share.name,
                    file[1],
                    share.url,
                    file[1],
                )
                await await_future(self._names.forget(share.name, file))
        except Exception as error:
            log.info("%s", failure(attempted, error))
