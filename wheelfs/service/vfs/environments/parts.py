"""Reading parts of a file that is not stored, and bringing no more of it than they take."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from wheelfs.core.fetch.plan import AT_ONCE_BYTES
from wheelfs.core.http.ranges import Range
from wheelfs.errors import ContentChanged, OriginError
from wheelfs.service.fetch.byte_ranges import Failures, fetch_ranges

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wheelfs.service.fetch.download import Download

AHEAD_BYTES: Final = 256 * 1024
"""What a request brings at least, where it is not here yet: neighbours in a wheel are often wanted next.

Importing pandas, scikit-learn, scipy and pyplot without a profile took 564 requests at 64 KiB, 288 at 256 KiB for 6 % more bytes,
and 130 at 1 MiB for 19 % more.
"""


async def read_part(download: Download, start: int, end: int, *, for_node: bool = False) -> bytes | memoryview:
    """Return ``[start, end)`` of a file that ``download`` holds, asking for what is missing of it; raises `OriginError`."""
    partial = download.partial
    for _ in range(download.context.limits.read_attempts):
        await secure_part(download, start, end, for_node=for_node)
        if download.sealed_sha256 is not None:
            return await download.context.read_sealed(download.sealed_sha256, start, end - start)
        data = await partial.read(start, end)
        if data is not None:
            return data
    raise ContentChanged(partial.attempted, "it changes at its origin again and again")


async def secure_part(download: Download, start: int, end: int, *, for_node: bool = False) -> None:
    """Bring what is missing of ``[start, end)``; a file of which all is here by then is verified and stored.

    ``for_node``: another node has asked for it; then gateways are not asked to fetch it, since two could wait for each other.
    """
    partial = download.partial
    if download.sealed_sha256 is not None:
        return
    await partial.open()
    if not partial.spans.covers(start, end):
        if _comes_whole(download):
            return await download.until_sealed()
        await _ask(download, start, end, is_part=not for_node)
    if partial.is_complete:
        await download.until_sealed()


async def _ask(download: Download, start: int, end: int, *, is_part: bool) -> None:
    """Ask for what is missing, and resume what breaks off as long as something comes, as the fetch of a whole file does."""
    partial, failures = download.partial, Failures(download.partial)
    while not partial.spans.covers(start, end) and not _is_stored(download):
        here_bytes = partial.spans.total
        missing = partial.spans.missing(start, min(partial.size_bytes or end, max(end, start + AHEAD_BYTES)))
        begin = missing[0][0]
        error: OriginError | None = None
        try:
            if partial.coming(begin) is not None:
                await download.need(begin, end, is_part=is_part)
            else:
                await download.ask(_joined(missing, end, download.context.limits.skip_bytes), is_part=is_part)
        except OriginError as failed:
            error = failed
        new_bytes = partial.spans.total - here_bytes
        if error is None and not new_bytes and download.is_fetching_whole:
            await partial.next_change()  # another process has stored it, which that fetch notices
        else:
            failures.note(error, new_bytes)
        await partial.open()


def _joined(missing: Sequence[tuple[int, int]], end: int, skip_bytes: int) -> Range:
    """Return the first gap, with those after it that begin before ``end`` and are not far from it.

    The last one may reach further than what is wanted, and no further than what is here.
    """
    begin, until = missing[0]
    for first, last in missing[1:]:
        if first >= end or first - until >= skip_bytes:
            break
        until = last
    return Range(begin, until)


def _is_stored(download: Download) -> bool:
    return download.sealed_sha256 is not None or (not download.is_fetching_whole and download.is_stored())


async def bring_parts(download: Download, ranges: Sequence[tuple[int, int]]) -> None:
    """Ask for ranges of a file in parallel, and for all of a small one; raises `OriginError` where one does not come."""
    partial = download.partial
    if download.sealed_sha256 is not None:
        return
    await partial.open()
    if not _comes_whole(download):
        size_bytes = partial.size_bytes or 0
        ranges = [(start, min(end, size_bytes)) for start, end in ranges]
        await fetch_ranges(download, ranges, is_part=True)
        for start, end in ranges:  # which reports what went wrong with it
            await secure_part(download, start, end)
    if _comes_whole(download) or partial.is_complete:
        await download.until_sealed()


def _comes_whole(download: Download) -> bool:
    """Return whether it is not worth asking for parts, or they cannot be told from those of another file."""
    partial = download.partial
    is_small = partial.size_bytes is not None and partial.size_bytes <= AT_ONCE_BYTES
    return is_small or partial.takes_whole_answers or partial.is_size_disputed
