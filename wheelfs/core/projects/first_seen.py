"""When this store first saw a file on its index's page, for indexes that give no upload times.

A page with one upload time is of an index that gives them: on it nothing is added to a file without one.  What was there when the
page was first read has that reading's time, and what has come back after it was gone has that of its return.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from wheelfs.core.projects.identity import lists_another

if TYPE_CHECKING:
    from collections.abc import Collection

    from wheelfs.model.links import FileLink, ProjectPage


def seen_at(page: ProjectPage, now_us: int, *, before: ProjectPage | None = None) -> ProjectPage:
    """Return a page that was read at ``now_us``, with the time at which each file was first seen.

    ``before`` is what the index said last, with its times: a file that is still the same keeps its own.
    """
    known = {} if before is None else {link.filename: link for link in before.files}

    def since_us(link: FileLink) -> int:
        said = known.get(link.filename)
        is_same = said is not None and said.first_seen_us is not None and not lists_another(link, said)
        return said.first_seen_us if is_same else now_us  # type: ignore[union-attr,return-value]

    return _with_times(page, [since_us(link) for link in page.files])


def seen_again(page: ProjectPage, filenames: Collection[str], now_us: int) -> ProjectPage:
    """Return a page of which these files were found to be others than before, though it says nothing of that."""
    return _with_times(page, [now_us if link.filename in filenames else link.first_seen_us for link in page.files])


def seen_by(page: ProjectPage, changed_at_us: int) -> ProjectPage:
    """Return a page of an older build, which noted no such times: all of it was there when it changed last."""
    if not page.files or page.files[0].first_seen_us is not None:
        return page
    return _with_times(page, [changed_at_us if link.first_seen_us is None else link.first_seen_us for link in page.files])


def _with_times(page: ProjectPage, times_us: list[int] | list[int | None]) -> ProjectPage:
    if not page.files or any(link.upload_time_us is not None for link in page.files):
        return page
    files = (
        link if link.first_seen_us == time_us else msgspec.structs.replace(link, first_seen_us=time_us)
        for link, time_us in zip(page.files, times_us, strict=True)
    )
    return msgspec.structs.replace(page, files=tuple(files))
