"""From an index's configured address to the `Origin` that speaks for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wheelfs.errors import UsageError
from wheelfs.remote.http.tls import DEFAULT_ACCESS
from wheelfs.remote.index.http import HttpIndex
from wheelfs.remote.limits import HTTP_LIMITS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wheelfs.remote.http.tls import Access
    from wheelfs.remote.limits import HttpLimits
    from wheelfs.remote.origin import Origin


def open_index(
    name: str,
    url: str,
    environ: Mapping[str, str],
    *,
    access: Access = DEFAULT_ACCESS,
    limits: HttpLimits = HTTP_LIMITS,
) -> Origin:
    """Return the client of an index; nothing is asked yet.  Close it with ``aclose``.

    ``url`` may hold credentials.  Raises
    `UsageError` for an address of another kind than http(s):// and file:///.
    """
    scheme = url.partition(":")[0].lower()
    if scheme in ("http", "https"):
        return HttpIndex(name, url, environ, access=access, limits=limits)
    if scheme == "file":
        from wheelfs.remote.index.file import FileIndex  # few have one, and it reads directories as indexes write pages

        return FileIndex(name, url, limits=limits)
    raise UsageError(f"use the index {name}", "its URL is neither http(s):// nor file:///", "write NAME=https://HOST/simple")
