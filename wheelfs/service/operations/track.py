"""``wheelfs track`` and ``wheelfs untrack``: the words of a user become what the catalog tracks."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

import trio

from wheelfs.core.projects.ownership import NoSuchProject, Owned, Undecided
from wheelfs.core.times import rfc3339_seconds
from wheelfs.errors import InvalidInput, NotKnown, OriginMissing, WheelfsError
from wheelfs.model.names import ProjectName
from wheelfs.model.tracked import Tracked
from wheelfs.reports.track import TrackedProject
from wheelfs.service.operations.inspect import listed_ref
from wheelfs.service.selection import filtered
from wheelfs.service.tasks import await_future

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from wheelfs.core.projects.ownership import Ownership
    from wheelfs.model.wanted import Unfetchable, Wanted
    from wheelfs.reports.files import ListedFile
    from wheelfs.reports.track import TrackResult
    from wheelfs.service.running import Running

AT_ONCE: Final = 8
"""Projects that are looked up at a time."""

MAX_TRACKED: Final = 20_000
"""A mount remembers some hundred bytes of each, and asks for each one's page again and again."""


def joined(wanted: Iterable[Wanted], *, every_platform: bool, prereleases: bool) -> list[Tracked]:
    """Return what is to be tracked: several requirements of one project are all tracked; extras and hashes say nothing here."""
    now_us = time.time_ns() // 1_000
    ranges: dict[str, list[str]] = {}
    early = {one.project for one in wanted if one.prereleases or prereleases}
    for one in wanted:
        ranges.setdefault(one.project, []).append(str(one.specifier))
    return [
        Tracked(project, tuple(dict.fromkeys(texts)), now_us, every_platform=every_platform, prereleases=project in early)
        for project, texts in ranges.items()
    ]


async def track(node: Running, projects: Sequence[Tracked], report: Callable[[TrackedProject], None]) -> None:
    """Track projects, in place of what was tracked of them; one that no index has is reported as failed and not tracked.

    One whose index cannot be asked now is tracked all the same: a mount asks again.  Raises `StoreError`.
    """
    if node.store.catalog.tracked_projects() + len(projects) > MAX_TRACKED:
        raise InvalidInput("track", f"more than {MAX_TRACKED} projects would be tracked", "see wheelfs untrack")
    turns = trio.Semaphore(AT_ONCE)

    async def one_of(tracked: Tracked) -> None:
        try:
            report(await _track(node, tracked))
        finally:
            turns.release()

    async with trio.open_nursery() as nursery:
        for tracked in projects:
            await turns.acquire()
            nursery.start_soon(one_of, tracked)


async def _track(node: Running, tracked: Tracked) -> TrackedProject:
    ownership = await node.projects.find(ProjectName(tracked.project))
    if isinstance(ownership, NoSuchProject):
        error = OriginMissing(f"track {tracked}", "no configured index has such a project", "see wheelfs config for the indexes")
        return failed(tracked.project, error, ranges=tracked.ranges)
    is_new = await await_future(node.store.catalog.track(tracked))
    return _reported(node, tracked, ownership, result="tracked" if is_new else "unchanged")


async def untrack(node: Running, projects: Iterable[str], report: Callable[[TrackedProject], None]) -> None:
    """Track projects no more; those that are not tracked are reported as failed."""
    for project in projects:
        if await await_future(node.store.catalog.untrack(project)):
            report(TrackedProject(project=project, result="untracked"))
        else:
            report(failed(project, NotKnown(f"untrack {project}", "it is not tracked", "wheelfs track lists what is")))


def listed(node: Running) -> Iterator[TrackedProject]:
    """Yield what is tracked, by what is known of it."""
    for tracked in node.tracked.tracked():
        yield _reported(node, tracked, node.projects.known(ProjectName(tracked.project)), result=None)


def files(node: Running, words: Sequence[str]) -> Iterator[ListedFile]:
    """Yield the files of what is tracked, stored or not, whether their sizes are known or not.

    With ``words`` those that a word or pattern means; raises `InvalidInput`.
    """
    refs = (
        ref for tracked in node.tracked.tracked() for ref in sorted(node.tracked.all_files(tracked), key=lambda ref: ref.filename)
    )
    return (listed_ref(node.downloads, ref, node.projects.sealed(ref)) for ref in filtered("list", words, refs))


def failed(project: str, error: WheelfsError, *, ranges: tuple[str, ...] = ()) -> TrackedProject:
    """Return the report of a project that is not tracked."""
    return TrackedProject(project=project, ranges=ranges, result="failed", reason=str(error), error_class=type(error).__name__)


def untrackable(one: Unfetchable) -> TrackedProject:
    """Return the report of what no index has."""
    return failed(one.text, InvalidInput(f"track {one.text}", one.reason))


def _reported(node: Running, tracked: Tracked, ownership: Ownership, *, result: TrackResult | None) -> TrackedProject:
    origin, count, sized, checked, reason = None, None, None, None, None
    error_class = None
    match ownership:
        case Owned():
            refs = node.tracked.all_files(tracked)
            origin, count = ownership.owner, len(refs)
            sized = sum(size is not None for size in node.fetching.facts.sizes_of(refs))
            head = node.store.catalog.page_head(ownership.owner, tracked.project)
            checked = None if head is None else rfc3339_seconds(head.fetched_at_us)
            if not refs:
                wider = "" if tracked.every_platform else " and that this machine can use (--every-platform tracks all)"
                reason = f"it has no wheel that fits{wider}"
        case Undecided(error):
            reason, error_class = f"{error}; running mounts go on asking", type(error).__name__
        case NoSuchProject():
            reason = "no configured index has such a project any more"
    return TrackedProject(
        project=tracked.project,
        ranges=tracked.ranges,
        every_platform=tracked.every_platform,
        prereleases=tracked.prereleases,
        result=result,
        origin=origin,
        files=count,
        listed=sized,
        since=rfc3339_seconds(tracked.added_at_us),
        checked=checked,
        reason=reason,
        error_class=error_class,
    )
