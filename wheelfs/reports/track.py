"""Arguments and reports of ``wheelfs track``, in the words that scripts may rely on: fields may be added, never renamed."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003  # msgspec evaluates the annotations of its structs
from typing import Literal

import msgspec

TrackResult = Literal["tracked", "unchanged", "untracked", "failed"]


class TrackArguments(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be tracked, or not any more: words and requirements files, and which files of what they name."""

    requirements: tuple[str, ...] = ()
    files: tuple[Path, ...] = ()
    every_platform: bool = False
    prereleases: bool = False


class TrackedProject(msgspec.Struct, frozen=True, kw_only=True):
    """A tracked project, or what became of one that was to be tracked or untracked (``result``; None in a list).

    ``files`` of it are tracked by what is known (None: nothing is known yet), and ``listed`` of those can be listed, since
    their sizes are known.  ``checked`` (RFC 3339): when its index was asked last.  ``reason`` says why it failed, or why there
    is nothing to list yet; ``error_class`` names the class in `wheelfs.errors`.
    """

    project: str
    ranges: tuple[str, ...] = ()
    every_platform: bool = False
    prereleases: bool = False
    result: TrackResult | None = None
    origin: str | None = None
    files: int | None = None
    listed: int | None = None
    since: str | None = None
    checked: str | None = None
    reason: str | None = None
    error_class: str | None = None
