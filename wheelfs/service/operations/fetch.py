"""``wheelfs fetch``: bringing chosen files here, those of several projects at once, each whole and verified.

What an interrupted run has brought of a file is in the spool; the next one goes on from there.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, assert_never

import msgspec
import trio

from wheelfs.core import hashes
from wheelfs.core.projects.ownership import NoSuchProject, Owned, Undecided
from wheelfs.core.resolve.candidates import NothingFits, choose, why_an_sdist
from wheelfs.core.views.view import View
from wheelfs.errors import ContentMismatch, OriginMissing, StoreError, WheelfsError
from wheelfs.model.names import project_and_version
from wheelfs.reports.fetch import FetchedFile, FetchSummary
from wheelfs.service.tasks import await_future

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from wheelfs.core.platforms.targets import Target
    from wheelfs.model.content import ContentKey
    from wheelfs.model.wanted import Wanted
    from wheelfs.reports.progress import Progress
    from wheelfs.service.fetch.download import Download
    from wheelfs.service.file_refs import FileRef
    from wheelfs.service.projects.index import Entry
    from wheelfs.service.running import Running

AT_ONCE: Final = 8
"""Files at work at a time: enough to fill a line whose origin is slow to begin, too few to trouble an index."""

FROM_ELSEWHERE: Final = "if they are of another index, name it with --index; if they lie in a directory, wheelfs add them"


@dataclass(slots=True)
class Prefetch:
    """One run; ``report`` is called with every file as it is done.  ``dry_run`` and ``lazy`` are those of `FetchArguments`.

    ``began_us``: what was stored since was brought by this run, resolving included, which reads small wheels whole.
    ``here_before``: the bytes of partial files that were here then.
    """

    node: Running
    target: Target
    pin: bool
    dry_run: bool
    lazy: bool
    began_us: int
    here_before: Mapping[ContentKey, int]
    report: Callable[[FetchedFile], None]
    progress: Progress
    _turns: trio.Semaphore = field(default_factory=lambda: trio.Semaphore(AT_ONCE))
    _chosen: set[tuple[str, str]] = field(default_factory=set)
    _done_files: int = 0
    _files: int = 0
    _saved_bytes: int = 0
    _total_bytes: int | None = None
    _begun: dict[str, int] = field(default_factory=dict)
    _interrupted: list[tuple[FetchedFile, FileRef]] = field(default_factory=list)

    async def run(self, wanted: Sequence[Wanted]) -> None:
        """Bring everything; what fails is reported and does not end the rest.  Raises `StoreError`."""
        self._files = len(wanted)
        self._show_overall()
        async with trio.open_nursery() as summing:
            if self.progress.is_shown and not (self.dry_run or self.lazy):
                summing.start_soon(self._sum_up, wanted)
            async with trio.open_nursery() as nursery:
                for row in _rows(wanted, apart=self.node.fetching.delta == "never"):
                    nursery.start_soon(self._bring_in_order, nursery, row)
            summing.cancel_scope.cancel()

    async def _sum_up(self, wanted: Sequence[Wanted]) -> None:
        """Find out how much all of it is, ahead of what waits for its turn; it is not known where one size is not."""
        total_bytes, filenames = 0, set[str]()
        for one in wanted:
            try:
                entry, _ = await self._choose(one)
            except WheelfsError:
                continue  # reported when its turn comes
            size_bytes = self.node.fetching.facts.size_of(entry.ref)
            if entry.sealed_sha256 is None and entry.ref.filename not in filenames:
                if size_bytes is None:
                    return
                filenames.add(entry.ref.filename)
                total_bytes += size_bytes
        # What was stored since it was begun is no longer to come, but was brought by this run.
        self._total_bytes = total_bytes + self._begun_bytes(filenames)
        self._show_overall()

    def _begun_bytes(self, filenames: AbstractSet[str]) -> int:
        """Return the sizes of the files that this run has begun to bring and that are not among those."""
        return sum(size_bytes for filename, size_bytes in self._begun.items() if filename not in filenames)

    def _show_overall(self) -> None:
        self.progress.overall(self._done_files, self._files, self._saved_bytes, self._total_bytes)

    def report_interrupted(self) -> None:
        """Report the files that `run` was bringing when it was cancelled.

        To be called when the node has ended: its streams store what they have received then.
        """
        for file, ref in self._interrupted:
            self._tell(msgspec.structs.replace(file, kept_bytes=self.node.store.spool.state(ref.key) or 0), ref)

    async def _bring_in_order(self, nursery: trio.Nursery, row: Sequence[Wanted]) -> None:
        for one in row:
            async with self._turns:
                await self._bring_one(nursery, one)

    async def _bring_one(self, nursery: trio.Nursery, wanted: Wanted) -> None:
        ref = None
        try:
            entry, notice = await self._choose(wanted)
            ref = entry.ref
            if (ref.project, ref.filename) not in self._chosen:
                self._chosen.add((ref.project, ref.filename))
                await self._bring(nursery, entry, wanted, notice)
        except StoreError:
            raise
        except WheelfsError as error:
            told = None if ref is None else project_and_version(ref.filename, ref.project)
            self.report(
                FetchedFile(
                    wanted=str(wanted),
                    project=wanted.project,
                    filename=None if ref is None else ref.filename,
                    version=None if told is None else str(told[1]),
                    result="failed",
                    origin=None if ref is None else ref.origin,
                    reason=str(error),
                    error_class=type(error).__name__,
                    places=wanted.places,
                )
            )
        finally:
            self._done_files += 1
            self._show_overall()

    async def _choose(self, wanted: Wanted) -> tuple[Entry, str | None]:
        """Return the file to take, and what should be known of it."""
        attempted = f"find {wanted}"
        ownership = await self.node.projects.find(wanted.project)
        match ownership:
            case NoSuchProject():
                raise OriginMissing(attempted, "no configured index has such a project", "see wheelfs config for the indexes")
            case Undecided(error):
                raise error.with_traceback(None)
            case Owned():
                pass
            case _ as unreachable:
                assert_never(unreachable)
        seen = self.node.views.entries(ownership, wanted.project, View())
        entries = {entry.ref.filename: entry for entry in seen.entries}
        links = [entry.ref.link for entry in entries.values()]
        chosen = choose(wanted, links, self.target)
        if not isinstance(chosen, NothingFits):
            return entries[chosen.filename], why_an_sdist(chosen, wanted, links)
        if not ownership.reachable and not isinstance(choose(wanted, ownership.listed, self.target), NothingFits):
            raise self.node.projects.unreachable(ownership, wanted.project)
        if chosen.is_mismatch:
            raise ContentMismatch(attempted, f"{chosen.reason} (from {ownership.owner})")
        reasons = "; ".join((f"{chosen.reason} (from {ownership.owner})", *seen.hidden))
        raise OriginMissing(attempted, reasons, FROM_ELSEWHERE if wanted.filenames else "")

    async def _bring(self, nursery: trio.Nursery, entry: Entry, wanted: Wanted, notice: str | None) -> None:
        ref, downloads, fetching = entry.ref, self.node.downloads, self.node.fetching
        stored = None if entry.sealed_sha256 is None else self.node.store.catalog.content(entry.sealed_sha256)
        about = FetchedFile(wanted=str(wanted), result="present", places=wanted.places, notice=notice)
        if entry.sealed_sha256 is not None and stored is not None and stored.poisoned is None:
            await self._compare(entry.sealed_sha256, wanted.hashes, ref.filename)
            if self.pin and not self.dry_run:
                await self._pin(ref, entry.sealed_sha256)
            brought = not self.dry_run and stored.sealed_at_us >= self.began_us
            told = msgspec.structs.replace(
                about,
                result="fetched" if brought else "present",
                sha256=entry.sealed_sha256.hex(),
                size_bytes=stored.size_bytes,
                fetched_bytes=stored.size_bytes if brought else 0,
                missing_bytes=0,
            )
            self._tell(told, ref)
            return
        size_bytes = fetching.facts.size_of(ref)
        if self.dry_run or (self.lazy and ref.link.sha256 is not None):
            size_bytes = await fetching.ask_size(ref) if size_bytes is None else size_bytes
            here_bytes = downloads.present_bytes(ref) or 0
            missing_bytes = None if size_bytes is None else max(0, size_bytes - here_bytes)
            told = msgspec.structs.replace(about, result="would-fetch", size_bytes=size_bytes, missing_bytes=missing_bytes)
            self._tell(told, ref)
            return
        await self._download(nursery, ref, about, size_bytes, wanted.hashes)

    async def _download(
        self, nursery: trio.Nursery, ref: FileRef, about: FetchedFile, size_bytes: int | None, asked: frozenset[str]
    ) -> None:
        downloads = self.node.downloads
        telling = trio.CancelScope()
        before_bytes = self.here_before.get(ref.key, 0)
        self._begun[ref.filename] = size_bytes or 0
        self.progress.begin(ref.filename, size_bytes)
        try:
            with downloads.using(ref) as download:
                nursery.start_soon(self._tell_progress, download, telling)
                received_before = download.partial.received_bytes
                download.is_reported = True
                await download.until_sealed()
                sha256 = download.sealed_sha256
                fetched_bytes, saved_bytes = download.partial.received_bytes - received_before, download.local_bytes
        except trio.Cancelled:
            self._interrupted.append((msgspec.structs.replace(about, result="interrupted", size_bytes=size_bytes), ref))
            raise
        finally:
            telling.cancel()
            self.progress.end(ref.filename)
        assert sha256 is not None
        # An index need not have told the hash that was asked for.
        await self._compare(sha256, asked, ref.filename)
        if self.pin:
            await self._pin(ref, sha256)
        self._saved_bytes += saved_bytes
        sealed = self.node.store.catalog.content(sha256)
        size_bytes = size_bytes if sealed is None else sealed.size_bytes
        told = msgspec.structs.replace(
            about,
            result="fetched",
            sha256=sha256.hex(),
            size_bytes=size_bytes,
            fetched_bytes=fetched_bytes,
            saved_bytes=saved_bytes,
            # What was here may have turned out to be of another file, or be among what other files have.
            resumed_bytes=max(0, min(before_bytes, (size_bytes or 0) - fetched_bytes - saved_bytes)),
            missing_bytes=0,
        )
        self._tell(told, ref)

    async def _compare(self, sha256: bytes, asked: frozenset[str], filename: str) -> None:
        """Raise `ContentMismatch` when stored content has none of the hashes that are asked for.

        It is read only when its sha256 does not answer.
        """
        got = {"sha256": sha256.hex()}
        others = hashes.algorithms_of(asked) - got.keys()
        if others and not hashes.has_one_of(asked, got):
            got |= await trio.to_thread.run_sync(self.node.store.digests_of, sha256, others)
        wrong = hashes.unasked(asked, got)
        if wrong is not None:
            raise ContentMismatch(f"fetch {filename}", wrong)

    async def _tell_progress(self, download: Download, telling: trio.CancelScope) -> None:
        filename, told_bytes = download.ref.filename, 0
        with telling:
            while True:
                here_bytes = download.partial.spans.total
                if here_bytes > told_bytes:
                    self.progress.advance(filename, here_bytes - told_bytes)
                    told_bytes = here_bytes
                await download.partial.next_change()

    async def _pin(self, ref: FileRef, sha256: bytes) -> None:
        catalog = self.node.store.catalog
        for name in catalog.stored_names(ref.project):
            if name.sha256 == sha256 and not name.pinned:
                await await_future(catalog.set_pinned(name.key, True))

    def _tell(self, file: FetchedFile, ref: FileRef) -> None:
        """Report a file of which all is known."""
        told, sha256 = project_and_version(ref.filename, ref.project), ref.link.sha256
        self.report(
            msgspec.structs.replace(
                file,
                filename=ref.filename,
                project=ref.project,
                version=None if told is None else str(told[1]),
                sha256=file.sha256 if sha256 is None else sha256.hex(),
                origin=ref.origin,
                pinned=self.pin and not self.dry_run,
            )
        )


def _rows(wanted: Sequence[Wanted], *, apart: bool) -> list[list[Wanted]]:
    """Return what is to be brought one after the other: files of one project, since the next takes from the one before."""
    if apart:
        return [[one] for one in wanted]
    rows: dict[str, list[Wanted]] = {}
    for one in wanted:
        rows.setdefault(one.project, []).append(one)
    return list(rows.values())


def summed_up(files: Sequence[FetchedFile], *, fetched_bytes: int, duration_s: float) -> FetchSummary:
    """Return what a run did that reported ``files`` and received ``fetched_bytes`` altogether."""
    results = Counter(file.result for file in files)
    return FetchSummary(
        fetched=results["fetched"],
        present=results["present"],
        would_fetch=results["would-fetch"],
        skipped=results["skipped"],
        failed=results["failed"],
        fetched_bytes=fetched_bytes,
        saved_bytes=sum(file.saved_bytes for file in files),
        resumed_bytes=sum(file.resumed_bytes for file in files),
        present_bytes=sum(file.size_bytes or 0 for file in files if file.result == "present"),
        missing_bytes=sum(file.missing_bytes or 0 for file in files),
        unknown=sum(file.result == "would-fetch" and file.missing_bytes is None for file in files),
        duration_s=round(duration_s, 3),
    )
