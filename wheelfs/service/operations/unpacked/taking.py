"""One run over what is unpacked: each distribution is rebuilt as the file that its index lists, or repacked, or refused.

Names come from the index in charge alone.  A wheel is made under a name of ours only where no index has the project: as a file
added by hand it owns that name from then on, which must not happen to a public one by accident.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec
import trio

from wheelfs.core.projects.index_scopes import IndexScopes
from wheelfs.core.projects.ownership import LOCAL, Owned, Undecided
from wheelfs.core.unpacked.candidates import same_wheel
from wheelfs.errors import InvalidInput, StoreError, WheelfsError
from wheelfs.reports.files import AddedFile
from wheelfs.service.fetch.from_stored_members import missing_bytes
from wheelfs.service.operations.add import add_one
from wheelfs.service.operations.add_checks import Source
from wheelfs.service.unpacked.local_wheel import LocalWheel
from wheelfs.service.unpacked.reading import read_distribution
from wheelfs.service.unpacked.repack import repack
from wheelfs.store.engine.environment import store_error

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from wheelfs.core.unpacked.distribution import Distribution
    from wheelfs.reports.files import AddResult
    from wheelfs.reports.progress import Progress
    from wheelfs.service.file_refs import FileRef
    from wheelfs.service.running import Running
    from wheelfs.service.unpacked.places import Unpacked
    from wheelfs.store.store import Store

AT_ONCE: Final = 8
"""Distributions at work at a time; some of them wait for an index."""
THREADS: Final = 4
"""Of them read and packed at a time: more than machines with a slow line have processors for."""


@dataclass(slots=True)
class TakingUnpacked:
    """One run; ``report`` is called for every distribution.  With ``dry_run`` nothing is stored."""

    node: Running
    store: Store
    private: bool
    dry_run: bool
    report: Callable[[AddedFile], None]
    progress: Progress
    _saved_bytes: int = 0
    _turns: trio.Semaphore = field(default_factory=lambda: trio.Semaphore(AT_ONCE))
    _threads: trio.CapacityLimiter = field(default_factory=lambda: trio.CapacityLimiter(THREADS))
    _at_work: dict[str, trio.Lock] = field(default_factory=dict)

    async def run(self, found: Sequence[Unpacked]) -> None:
        """Take in all of ``found``.  Raises `StoreError`."""
        async with trio.open_nursery() as nursery:
            for done, unpacked in enumerate(found):
                await self._turns.acquire()
                self.progress.overall(done, len(found), self._saved_bytes)
                nursery.start_soon(self._take, unpacked)

    async def _take(self, unpacked: Unpacked) -> None:
        try:
            # Caches have one wheel several times: the second one finds it stored.  Nothing is awaited before: they come in turn.
            async with self._at_work.setdefault(unpacked.dist_info, trio.Lock()):
                distribution = await trio.to_thread.run_sync(read_distribution, unpacked, limiter=self._threads)
                file = await self._taken(unpacked, distribution)
            if file.fetched_bytes is not None and file.size_bytes is not None:
                self._saved_bytes += file.size_bytes - file.fetched_bytes
            self.report(file)
        except StoreError:
            raise
        except WheelfsError as error:
            name = unpacked.dist_info or unpacked.root.name
            self.report(AddedFile(filename=name, result="refused", reason=str(error), error_class=type(error).__name__))
        finally:
            self._turns.release()

    async def _taken(self, unpacked: Unpacked, distribution: Distribution) -> AddedFile:
        wheel = distribution.wheel
        about = AddedFile(filename=wheel.filename, project=wheel.project, version=str(wheel.version), result="present")
        names = {name.filename: name for name in self.store.catalog.stored_names(wheel.project) if not name.repacked}
        if (known := same_wheel(wheel, names)) is not None:
            name = names[known]
            return msgspec.structs.replace(about, filename=known, sha256=name.sha256.hex(), size_bytes=name.size_bytes)
        ownership = await self.node.projects.find(wheel.project)
        if isinstance(ownership, Owned) and ownership.owner != LOCAL:
            listed = {link.filename: link for link in ownership.listed}
            if (filename := same_wheel(wheel, listed)) is not None:
                [ref] = self.node.projects.refs(ownership, wheel.project, [listed[filename]])
                return await self._rebuilt(ref, LocalWheel(unpacked, distribution, is_asked_for=True), about)
        self._check_may_own(unpacked, distribution, ownership)
        return await trio.to_thread.run_sync(self._repacked, unpacked, distribution, limiter=self._threads)

    async def _rebuilt(self, ref: FileRef, local: LocalWheel, about: AddedFile) -> AddedFile:
        """Make the very file that its index lists; what cannot be made of what is unpacked is fetched."""
        attempted = local.unpacked.attempted
        if ref.link.sha256 is None:
            happened = f"{ref.origin} gives no sha256 of {ref.filename}, so it cannot be made sure of"
            raise InvalidInput(attempted, happened, f"fetch it: wheelfs fetch {ref.project}")
        self.progress.begin(ref.filename, None)
        try:
            with self.node.downloads.using(ref) as download, self.node.fetching.unpacked.offering(ref, local):
                before = download.partial.received_bytes
                if self.dry_run:
                    await download.partial.open()
                    missing = await missing_bytes(download)
                    came = download.partial.received_bytes - before
                    fetched = download.partial.size_bytes if missing is None else came + missing
                    result: AddResult = "would-add"
                else:
                    download.is_reported = True
                    await download.until_sealed()
                    fetched, result = download.partial.received_bytes - before, "added"
                size = download.partial.size_bytes
        finally:
            self.progress.end(ref.filename)
        sha256 = ref.link.sha256.hex()
        return msgspec.structs.replace(
            about, filename=ref.filename, sha256=sha256, size_bytes=size, result=result, fetched_bytes=fetched
        )

    def _check_may_own(self, unpacked: Unpacked, distribution: Distribution, ownership: object) -> None:
        """Raise `InvalidInput` or the index's error where a private wheel would take a name that may be an index's."""
        if self.private:
            return
        advice = "--private makes a wheel of it all the same, which then owns its project's name"
        if isinstance(ownership, Undecided):
            happened = f"it cannot be found out which index lists {distribution.wheel.filename}: {ownership.error}"
            raise type(ownership.error)(unpacked.attempted, happened, advice)
        if isinstance(ownership, Owned) and ownership.owner != LOCAL:
            happened = f"{ownership.owner} has the project and does not list {distribution.wheel.filename}"
            raise InvalidInput(unpacked.attempted, happened, advice)
        if not (unpacked.is_direct or distribution.is_direct):
            happened = f"no configured index lists {distribution.wheel.filename}, and it was not installed from a path or an URL"
            raise InvalidInput(unpacked.attempted, happened, advice)

    def _repacked(self, unpacked: Unpacked, distribution: Distribution) -> AddedFile:
        filename = distribution.wheel.filename
        try:
            # In the store's own directory: that file system has the space.  Without a name: nothing is left over.
            with tempfile.TemporaryFile(dir=self.store.directory.spool, prefix="private-") as file:
                repack(unpacked, distribution, file)
                file.flush()
                source = Source(Path(f"/proc/self/fd/{file.fileno()}"), filename, filename, repacked=True)
                if self.dry_run:
                    return AddedFile(
                        filename=filename, result="would-add", repacked=True, size_bytes=file.tell(), fetched_bytes=0
                    )
                added = add_one(self.store, source, index=None, scopes=IndexScopes({}), progress=self.progress)
        except OSError as error:
            raise store_error(f"store {filename}", error) from error
        reason = added.reason and f"{unpacked.attempted}: {added.reason}"
        return msgspec.structs.replace(added, reason=reason, repacked=True, fetched_bytes=0)
