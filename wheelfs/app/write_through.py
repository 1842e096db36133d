"""Wiring of ``share-write``: the store, and the first share that can be written to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wheelfs.app.indexes import is_http
from wheelfs.errors import UsageError

if TYPE_CHECKING:
    from wheelfs.config import IndexSetting, Settings
    from wheelfs.service.running import Running
    from wheelfs.store.store import Store


def written_share(settings: Settings) -> IndexSetting | None:
    """Return the share that stored files are pushed to, None without ``share-write``; raises `UsageError` where there is none."""
    if not settings.share_write:
        return None
    share = next((share for share in settings.shares if not is_http(share.url)), None)
    if share is None:
        raise UsageError(
            "push what is stored to a share",
            "none of the shares can be written to",
            "give --share file:///DIRECTORY or s3://BUCKET/PREFIX as well, or leave out --share-write",
        )
    return share


async def write_through(settings: Settings, store: Store, node: Running) -> None:
    """Push stored files to the share of `written_share` until cancelled; return at once where there is none."""
    share = written_share(settings)
    if share is None:
        return
    from wheelfs.remote.share.objects import open_objects
    from wheelfs.service.shares.write_through import WriteThrough

    through = WriteThrough(store=store, objects=open_objects(share.url), name=share.name, hosts=node.hosts)
    node.status.writing_through(through.state)
    await through.keep_pushed()
