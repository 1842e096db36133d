"""Files that a share's catalog lists and that the share no longer has: deleted by hand, or lost with a damaged disk."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from wheelfs.service.tasks import await_future, failure

if TYPE_CHECKING:
    from collections.abc import Sequence

    import trio

    from wheelfs.model.share_catalog import FileKey
    from wheelfs.remote.share.protocol import Share
    from wheelfs.service.file_refs import FileRef
    from wheelfs.service.hosts.breaker import Hosts
    from wheelfs.store.catalog.shared_names import SharedNames

log = logging.getLogger(__name__)


class MissingObjects:
    """Stops listing files that a share has lost, so that they do not fail at every attempt."""

    def __init__(
        self, names: SharedNames, shares: Sequence[Share], hosts: Hosts, nursery: trio.Nursery, *, timeout_s: float
    ) -> None:
        """``timeout_s`` bounds the request that finds out whether a file is lost."""
        self._names = names
        self._shares = {share.name: share for share in shares}
        self._hosts = hosts
        self._nursery = nursery
        self._timeout_s = timeout_s

    def report(self, share: str, ref: FileRef) -> None:
        """Handle a file that a share did not have: if its catalog lists it and the share itself is there, the name is dropped."""
        if ref.link.sha256 is not None and self._names.has(share, file := (ref.project, ref.filename, ref.link.sha256)):
            self._nursery.start_soon(self._forget_if_lost, self._shares[share], file)

    async def _forget_if_lost(self, share: Share, file: FileKey) -> None:
        attempted = f"look for {file[1]} in the share {share.name}"
        try:
            with self._hosts.request(attempted, share.url, timeout_s=self._timeout_s, may_lack=True):
                is_lost = await share.lacks(file[2])
            if is_lost and self._names.has(share.name, file):
                log.warning(
                    "the share %s has lost %s, which its catalog lists: it is not listed from there any more; "
                    "a node that has it stored can restore it with: wheelfs push --share %s %s",
                    share.name,
                    file[1],
                    share.url,
                    file[1],
                )
                await await_future(self._names.forget(share.name, file))
        except Exception as error:
            log.info("%s", failure(attempted, error))
