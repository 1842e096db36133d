"""Finding out that a server has another file than the stored one under a name for which its index gives no hash.

Nightly builds are replaced in this way.  Where the page says so (`wheelfs.core.projects.identity.replacement`), nothing is asked;
else the servers of the stored files are, whenever the page itself was.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from typing import TYPE_CHECKING

import trio

from wheelfs.core.http.ranges import Range
from wheelfs.core.projects.identity import is_other
from wheelfs.errors import OriginError, StoreDamaged, WheelfsError
from wheelfs.model.links import Validators
from wheelfs.service.tasks import await_future

if TYPE_CHECKING:
    from wheelfs.model.links import FileLink
    from wheelfs.model.names import ProjectName
    from wheelfs.remote.origin import FileHead
    from wheelfs.service.hosts.breaker import Hosts
    from wheelfs.service.projects.index import Index
    from wheelfs.service.projects.limits import ProjectLimits
    from wheelfs.store.catalog.catalog import Catalog
    from wheelfs.store.catalog.records import StoredName

log = logging.getLogger(__name__)


class Replacements:
    """Asks the servers of stored files that no hash and no upload time tells from others of their name."""

    def __init__(self, *, catalog: Catalog, hosts: Hosts, timeout_s: float, limits: ProjectLimits) -> None:
        """``timeout_s`` bounds one request."""
        self._catalog = catalog
        self._hosts = hosts
        self._timeout_s = timeout_s
        self._limits = limits

    async def look_for(self, index: Index, project: ProjectName) -> None:
        """Take those out of what is shown that are something else at their server by now; a server that fails says nothing."""
        slots = trio.CapacityLimiter(self._limits.replaced_at_once)
        async with trio.open_nursery() as nursery:
            for link, name in self._unhashed(index, project)[: self._limits.replaced_files]:
                nursery.start_soon(self._look_at, index, link, name, slots)

    def _unhashed(self, index: Index, project: ProjectName) -> list[tuple[FileLink, StoredName]]:
        names = {name.filename: name for name in self._catalog.stored_names(project) if index.name in name.origins}
        page = None
        if names:
            with suppress(StoreDamaged):  # the next reader of the page has it fetched again
                page = self._catalog.page(index.name, project)
        return [
            (link, names[link.filename])
            for link in (() if page is None else page.files)
            if link.filename in names and not (link.sha256 or link.other_hashes or link.upload_time_us)
        ]

    async def _look_at(self, index: Index, link: FileLink, name: StoredName, slots: trio.CapacityLimiter) -> None:
        async with slots:
            try:
                validators, reason = await self._asked(index, link, name)
                if reason is not None:
                    await await_future(self._catalog.replace_name(name.key, index.name, reason))
                elif validators not in name.validators and (validators.etag or validators.last_modified):
                    await await_future(self._catalog.note_known(name.key, validator=validators))
            except OriginError as error:
                log.info("whether %s of %s is still the stored one: %s", name.filename, index.name, error)
            except WheelfsError as error:
                log.warning("what its server says of %s is not kept: %s", name.filename, error)

    async def _asked(self, index: Index, link: FileLink, name: StoredName) -> tuple[Validators, str | None]:
        head: FileHead | None = None
        attempted = f"look up {name.filename} on {index.name}"
        # Many servers do not answer HEAD as they should.
        with suppress(OriginError), self._hosts.request(attempted, link.url, timeout_s=self._timeout_s):
            head = await index.client.head(link.url)
        if head is not None:
            validators = Validators(head.etag, head.last_modified)
            says_something = head.etag is not None or head.last_modified is not None
            if says_something and is_other(validators, head.size_bytes, name) is None:
                return validators, None
        # A length of 0, say, is what some servers answer HEAD with: only the answer to a request for bytes counts against a file.
        with self._hosts.request(attempted, link.url, timeout_s=self._timeout_s):
            async with index.client.open_range(link.url, Range(0, 1)) as reply:
                validators = Validators(reply.etag, reply.last_modified)
                return validators, is_other(validators, reply.total_bytes, name)
