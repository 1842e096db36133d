"""The application of one of several workers: what is stored is sent from here, the rest is passed on to the head.

The head is the one process of the gateway that talks to indexes and has the partly fetched files, so however many clients ask
however many workers for one new wheel, it is fetched once.  Pages, metadata and metrics are the head's, too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from wheelfs.errors import WheelfsError
from wheelfs.frontends.http.application import Application
from wheelfs.frontends.http.messages import BINARY, Relayed, Reply, Request
from wheelfs.frontends.http.share import UNKNOWN_FILE

if TYPE_CHECKING:
    from wheelfs.config.settings import AccessLog
    from wheelfs.frontends.http.share import WantedPart
    from wheelfs.remote.http.gateway_head import GatewayHead
    from wheelfs.service.overview import Overview
    from wheelfs.service.shares.feed import ShareFeed
    from wheelfs.service.vfs.protocol import Filesystem
    from wheelfs.service.vfs.stored_lookup import StoredLookup

_PASSED_ON: Final = (
    *("accept", "host", "if-match", "if-none-match", "if-range", "origin", "range", "sec-fetch-site", "user-agent"),
)
"""What the head's answers depend on.  Authorization was decided here."""


class WorkerApplication(Application):
    """ASGI 3, as its base."""

    def __init__(
        self,
        filesystem: Filesystem,
        overview: Overview,
        feed: ShareFeed,
        stored_lookup: StoredLookup,
        head: GatewayHead,
        *,
        token: str | None,
        access_log: AccessLog = "off",
    ) -> None:
        """See the base; ``stored_lookup`` finds what is stored, ``head`` answers for the rest."""
        super().__init__(filesystem, overview, feed, token=token, access_log=access_log)
        self._stored_lookup = stored_lookup
        self._head = head

    async def _readiness(self) -> Reply:
        await super()._readiness()
        return Relayed(await self._head.ask("GET", "/readyz", {}))

    async def _part(self, wanted: WantedPart) -> Reply:
        return UNKNOWN_FILE

    async def _authorized(self, request: Request) -> Reply:
        shared = await self._of_share(request)
        if shared is not None and shared is not UNKNOWN_FILE:  # the head may be fetching that one
            return shared
        node = None if request.names is None or request.is_directory else self._stored_lookup.find(request.names)
        if node is not None:
            try:
                return await self._files.file(request, node, BINARY)
            except WheelfsError:
                pass  # removed or found damaged a moment ago: the head can fetch it again
        headers = {name: request.headers[name] for name in _PASSED_ON if name in request.headers}
        headers["x-forwarded-proto"] = request.base_url.partition(":")[0]  # TLS ends here, if it has not before
        return Relayed(await self._head.ask(request.method, f"{request.path}{request.question}", headers))
