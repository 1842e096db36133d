"""What ``push`` and ``pull`` report, in the words that scripts may rely on: fields may be added here, never renamed."""

from __future__ import annotations

from typing import Literal

import msgspec

PushResult = Literal["pushed", "present", "failed"]
ShareWriteState = Literal["idle", "waiting", "pushing", "away", "refused", "elsewhere"]
PullResult = Literal["pulled", "present", "missing", "failed"]


class PushedFile(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one file that was to be pushed.

    ``written_bytes`` are the sizes of its chunks that the share did not have.  For a failed one ``reason`` says why and
    ``error_class`` names the class in `wheelfs.errors`.
    """

    filename: str
    project: str
    sha256: str
    size_bytes: int
    private: bool
    result: PushResult
    written_bytes: int = 0
    reason: str | None = None
    error_class: str | None = None


class PulledFile(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one file of a share; without ``--contents``, whether it is here ("present") or not ("missing").

    ``read_bytes`` came from the share; the rest of its chunks were here, in other files.
    """

    filename: str
    project: str
    sha256: str
    size_bytes: int
    private: bool
    result: PullResult
    read_bytes: int = 0
    reason: str | None = None
    error_class: str | None = None


class ShareCollection(msgspec.Struct, frozen=True, kw_only=True):
    """What a collection of a share's garbage did, or would do as a dry run, in objects and bytes.

    ``deleted`` is gone.  ``condemned`` was condemned now, ``waiting`` before; a run at ``next`` (RFC 3339) or later deletes the
    first of it, if nothing needs it then.  ``unfinished`` objects would have been deleted too, had there been time.  ``young`` is
    what nothing needs, and is younger than the grace period; a run at ``old`` (RFC 3339) or later condemns the first of it.
    """

    dry_run: bool
    deleted: int
    deleted_bytes: int
    condemned: int
    condemned_bytes: int
    waiting: int
    waiting_bytes: int
    next: str | None
    unfinished: int = 0
    young: int = 0
    young_bytes: int = 0
    old: str | None = None


class ShareWrite(msgspec.Struct, frozen=True, kw_only=True):
    """How pushing to a share by itself goes.

    ``state``: all is pushed ("idle"); ``waiting_files`` are about to be ("waiting") or are being pushed; the share is "away", or
    "refused" with ``last_error``, and is tried again; another process on the store pushes ("elsewhere").  Sums since the process
    began: ``pushed_files``, and ``written_bytes``, which the share did not have.
    """

    name: str
    url: str
    state: ShareWriteState
    waiting_files: int = 0
    pushed_files: int = 0
    written_bytes: int = 0
    last_error: str | None = None
