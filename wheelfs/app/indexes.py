"""Which indexes are in force, and the clients of them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

import msgspec

from wheelfs.app.own_places import NOWHERE
from wheelfs.config import IndexSetting
from wheelfs.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from wheelfs.app.own_places import OwnPlaces
    from wheelfs.config import Settings
    from wheelfs.remote.http.tls import Access
    from wheelfs.remote.index.default import Configured
    from wheelfs.remote.share.protocol import Share
    from wheelfs.service.projects.index import Index

DEFAULT_INDEX_NAME: Final = "default"
"""The name of the index that is taken from pip's or uv's configuration, or is PyPI."""


def effective_indexes(settings: Settings, places: OwnPlaces = NOWHERE) -> list[tuple[IndexSetting, str]]:
    """Return the indexes in force, in order of priority, each with where it comes from; none with ``no_index``.

    What an installer's configuration has is passed over where it leads to a mount of wheelfs or to ``places``.  Raises
    `UsageError` where an index that wheelfs itself is given leads to ``places``.
    """
    found = _of_installers(settings, places)
    if found is None:
        return [
            (index, settings.provenance.get("indexes", "configuration")) for index in settings.indexes if not settings.no_index
        ]
    return [(_taken(found), found.from_where)]


def decided_indexes(settings: Settings, places: OwnPlaces = NOWHERE) -> tuple[Settings, tuple[str, ...]]:
    """Return the settings with the indexes that are in force for a process that answers at ``places``, and `index_notes`.

    What installers are configured with is read once for both, and not again for these settings.  Raises `UsageError` as
    `effective_indexes`.
    """
    found = _of_installers(settings, places)
    if found is None:
        return settings, ()
    provenance = {**settings.provenance, "indexes": found.from_where}
    return msgspec.structs.replace(settings, indexes=(_taken(found),), provenance=provenance), found.notes


def with_indexes(settings: Settings, places: OwnPlaces) -> Settings:
    """Return what `decided_indexes` does, without notes."""
    return decided_indexes(settings, places)[0]


def index_notes(settings: Settings, places: OwnPlaces = NOWHERE) -> tuple[str, ...]:
    """Return what installers are configured with and is not taken, as sentences without addresses.

    Raises `UsageError` as `effective_indexes`.
    """
    found = _of_installers(settings, places)
    return () if found is None else found.notes


def _taken(found: Configured) -> IndexSetting:
    from wheelfs.remote.index.default import pypi_url

    url = pypi_url(os.environ) if found.url is None else found.url
    return IndexSetting(name=DEFAULT_INDEX_NAME, url=url, ca=found.ca, client_cert=found.client_cert, proxy=found.proxy)


def _of_installers(settings: Settings, places: OwnPlaces) -> Configured | None:
    """Return what pip and uv are configured with, or None where that is not asked for: wheelfs has indexes of its own, or none.

    Raises `UsageError` as `effective_indexes`.
    """
    if settings.no_index:
        return None
    if not settings.indexes:
        from wheelfs.remote.index.default import configured_index

        return configured_index(os.environ, leads_back=places.leads_back)
    for index in settings.indexes:
        if (where := places.holds(index.url)) is not None:
            raise UsageError(
                f"use the index {index.name}",
                f"its URL leads to {where}, which has nothing but what it gets from an index",
                "name where the packages come from: --index NAME=URL",
            )
    return None


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

    access, limits = access_of(setting, settings), HttpLimits(read_timeout_s=settings.open_timeout_s, reconnects=False)
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
