"""Arguments and reports of ``wheelfs fetch``, in the words that scripts may rely on: fields may be added, never renamed."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003  # msgspec evaluates the annotations of its structs
from typing import Literal

import msgspec

from wheelfs.model.wanted import Synced  # noqa: TC001  # as above

FetchResult = Literal["fetched", "present", "would-fetch", "skipped", "failed", "interrupted"]


class FetchArguments(msgspec.Struct, frozen=True, kw_only=True):
    """What a fetch is told beside the configuration: words, requirements files, lock files, and the target (None: this one).

    ``with_deps``: what the words and requirements files ask for, and all that it needs.  ``locks`` may name extras of theirs
    (``pylock.toml[docs]``), ``groups`` are NAME or FILE:NAME.  ``as_synced``: see `wheelfs.model.wanted.Chosen`.
    ``only_binary`` and ``no_binary`` are as pip takes them.  ``lazy``: files of which the sha256 is known are only chosen, as in
    a dry run.
    """

    requirements: tuple[str, ...] = ()
    files: tuple[Path, ...] = ()
    locks: tuple[str, ...] = ()
    constraints: tuple[Path, ...] = ()
    groups: tuple[str, ...] = ()
    as_synced: Synced | None = None
    python: str | None = None
    platforms: tuple[str, ...] = ()
    with_deps: bool = False
    prereleases: bool = False
    only_binary: tuple[str, ...] = ()
    no_binary: tuple[str, ...] = ()
    prefer_binary: bool = False
    pin: bool = False
    dry_run: bool = False
    lazy: bool = False


class FetchedFile(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one file that was to be fetched; ``wanted`` is what was asked for.

    ``fetched_bytes`` of it came in this run, ``saved_bytes`` were taken from other stored files, and ``resumed_bytes`` were here
    since an earlier run.  ``missing_bytes``: how much of it still has to come (None: its size cannot be found out).  Of one that
    was interrupted ``kept_bytes`` are here, with which the next run goes on.  For one that was skipped or failed ``reason`` says
    why and ``error_class`` names the class in `wheelfs.errors`; what could not be found out of it is None.
    ``places`` are where it was asked for ("FILE, line N"), and ``notice`` is what should be known of a file that was taken: that
    it is an sdist, because no wheel could be.
    """

    wanted: str
    filename: str | None = None
    project: str | None = None
    version: str | None = None
    sha256: str | None = None
    size_bytes: int | None = None
    fetched_bytes: int = 0
    saved_bytes: int = 0
    resumed_bytes: int = 0
    kept_bytes: int = 0
    missing_bytes: int | None = None
    result: FetchResult
    origin: str | None = None
    pinned: bool = False
    reason: str | None = None
    error_class: str | None = None
    places: tuple[str, ...] = ()
    notice: str | None = None


class FetchSummary(msgspec.Struct, frozen=True, kw_only=True):
    """What one run did, in files and bytes.

    ``fetched_bytes``: all that came, so metadata that was read to resolve and what came of failed files too.  ``saved_bytes`` of
    the new files were taken from other stored files, and ``resumed_bytes`` were here since an earlier run.  ``present_bytes``:
    the sizes of the files that were here before.  ``missing_bytes``: what a dry run would fetch, as far as it
    knows; of ``unknown`` files it does not.
    """

    fetched: int
    present: int
    would_fetch: int
    skipped: int
    failed: int
    fetched_bytes: int
    saved_bytes: int
    resumed_bytes: int
    present_bytes: int
    missing_bytes: int
    unknown: int
    duration_s: float
