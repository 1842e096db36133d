"""Which indexes are in force, and the clients of them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from wheelfs.config import IndexSetting

if TYPE_CHECKING:
    from pathlib import Path

    from wheelfs.config import Settings
    from wheelfs.remote.http.tls import Access
    from wheelfs.remote.share.protocol import Share
    from wheelfs.service.projects.index import Index

DEFAULT_INDEX_NAME: Final = "default"
"""The name of the index that is taken from pip's or uv's configuration, or is PyPI."""


def effective_indexes(settings: Settings) -> list[tuple[IndexSetting, str]]:
    """Return the indexes in force, in order of priority, each with where it comes from; none with ``no_index``."""
    if settings.no_index:
        return []
    if settings.indexes:
        return [(index, settings.provenance.get("indexes", "configuration")) for index in settings.indexes]
    from wheelfs.remote.index.default import configured_index

    found = configured_index(os.environ)
    return [(IndexSetting(name=DEFAULT_INDEX_NAME, url=found.url), found.from_where)]


def opened_index(setting: IndexSetting, settings: Settings) -> Index:
    """Return the index with its client, which is to be closed; nothing is asked yet.  Raises `UsageError`."""
    from wheelfs.remote.index.open import open_index
    from wheelfs.remote.limits import HttpLimits
    from wheelfs.service.projects.index import Index

    access, limits = access_of(setting, settings), HttpLimits(read_timeout_s=settings.open_timeout_s)
    client = open_index(setting.name, setting.url, os.environ, access=access, limits=limits)
    ttl_s = settings.page_ttl_s if setting.ttl_s is None else setting.ttl_s
    return Index(setting.name, client.url, client, ttl_s, setting.projects)


def opened_share(setting: IndexSetting, settings: Settings) -> Share:
    """Return the client of a share, which is to be closed; nothing is asked yet.  Raises `UsageError`.

    To be called inside the loop that will ask it.
    """
    if not is_http(setting.url):
        from wheelfs.remote.share.objects import open_objects
        from wheelfs.remote.share.origin import ObjectOrigin
        from wheelfs.remote.share.share import ObjectShare

        return ObjectOrigin(setting.name, ObjectShare(open_objects(setting.url)))
    from wheelfs.remote.limits import HttpLimits
    from wheelfs.remote.share.http import HttpShare

    access, limits = access_of(setting, settings), HttpLimits(read_timeout_s=settings.open_timeout_s)
    return HttpShare(setting.name, setting.url, os.environ, access=access, limits=limits)


def is_http(url: str) -> bool:
    """Return whether an address is one for the HTTP client."""
    return url.partition("://")[0].lower() in ("http", "https")


def access_of(setting: IndexSetting, settings: Settings) -> Access:
    """Return how an index or a share wants to be reached."""
    from wheelfs.remote.http.tls import Access

    return Access(
        ca=_text(setting.ca),
        client_cert=_text(setting.client_cert),
        client_key=_text(setting.client_key),
        proxy=setting.proxy,
        account=setting.username,
        private_addresses=settings.private_addresses is not False,
        absent=frozenset(setting.absent),
    )


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)
