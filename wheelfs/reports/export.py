"""What ``wheelfs export`` reports, in the words that scripts may rely on: fields may be added here, never renamed."""

from __future__ import annotations

from typing import Literal

import msgspec

# At run time too: msgspec evaluates the annotations of its structs.
from wheelfs.reports.left_out import LeftOut  # noqa: TC001

ExportResult = Literal["written", "present", "refused"]


class ExportedFile(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one stored file: ``present`` was there already, whole; for a refused one ``reason`` says why."""

    filename: str
    project: str
    sha256: str
    size_bytes: int
    result: ExportResult
    reason: str | None = None


class Exported(msgspec.Struct, frozen=True, kw_only=True):
    """What a run did.  ``unmatched``: patterns that no stored file matches.  ``left_out``: what is needed and not there."""

    directory: str
    written: int
    present: int
    refused: int
    written_bytes: int
    unmatched: tuple[str, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
