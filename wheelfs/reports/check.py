"""What ``wheelfs check`` reports, in words that scripts may rely on: fields may be added, never renamed."""

from __future__ import annotations

from typing import Literal

import msgspec

CheckResult = Literal["present", "missing", "skipped"]


class CheckedFile(msgspec.Struct, frozen=True, kw_only=True):
    """Whether one file that is wanted is stored; ``wanted`` is what asks for it, and ``places`` where that stands ("FILE").

    ``filename`` is the file that an installer would take, as far as that is known here.  ``reason`` says why one is missing, or
    skipped: the user's own trees need no store.  ``notice`` is what should be known of one that is there: that it is an sdist.
    """

    wanted: str
    filename: str | None = None
    project: str | None = None
    version: str | None = None
    sha256: str | None = None
    size_bytes: int | None = None
    result: CheckResult
    origin: str | None = None
    reason: str | None = None
    places: tuple[str, ...] = ()
    notice: str | None = None


class CheckSummary(msgspec.Struct, frozen=True, kw_only=True):
    """How many files are stored, with how many bytes, how many are missing, and how many of the user's own were skipped."""

    present: int
    missing: int
    skipped: int
    present_bytes: int
