"""What commands report, in the words that scripts may rely on: fields may be added here, never renamed.

The same structs are the JSON of ``--json``, of the control socket and of ``.wheelfs/status.json``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, Protocol

import msgspec

# At run time too: msgspec evaluates the annotations of its structs.
from wheelfs.reports.shares import ShareWrite  # noqa: TC001

if TYPE_CHECKING:
    from collections.abc import Iterable

    from wheelfs.telemetry import CountsSoFar

FileState = Literal["stored", "partial", "remote", "poisoned"]
AddResult = Literal["added", "present", "refused"]
OriginKind = Literal["index", "share"]
OriginHealth = Literal["up", "down", "unknown"]


class AddedFile(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one file that was to be added.

    For a refused one ``reason`` says why and ``error_class`` names the class in `wheelfs.errors`; what could not be found out
    of it is None.
    """

    filename: str
    project: str | None = None
    version: str | None = None
    sha256: str | None = None
    size_bytes: int | None = None
    result: AddResult
    reason: str | None = None
    error_class: str | None = None


class ListedFile(msgspec.Struct, frozen=True, kw_only=True):
    """One file that is known here.

    ``origin`` is an index's name, or "local" for what was added by hand; ``also`` are further indexes that have the same bytes.
    """

    filename: str
    project: str
    version: str | None
    state: FileState
    size_bytes: int | None
    sha256: str | None
    origin: str | None
    pinned: bool = False
    private: bool = False
    also: tuple[str, ...] = ()


class ShownFile(ListedFile, frozen=True, kw_only=True):
    """All that is known of one file.  ``listed`` is false when its index no longer lists it; times are RFC 3339.

    ``hidden`` tells why no directory shows it, by the user's own policy.
    """

    stored_bytes: int | None = None
    shared_bytes: int | None = None
    upload_time: str | None = None
    requires_python: str | None = None
    yanked: str | None = None
    listed: bool = True
    hidden: str | None = None
    url: str | None = None


class ShownProject(msgspec.Struct, frozen=True, kw_only=True):
    """All that is known of one project.  ``origin`` is the index that owns it; ``checked`` (RFC 3339): when that was asked.

    ``tracked``: the ranges of versions that are tracked ("" for all), None when none is.
    ``tracks`` and ``alternate_locations`` are where else it is, by its own account (PEP 708).
    """

    project: str
    origin: str | None
    versions: tuple[str, ...]
    files: tuple[ShownFile, ...]
    status: str | None = None
    checked: str | None = None
    tracked: tuple[str, ...] | None = None
    tracks: tuple[str, ...] = ()
    alternate_locations: tuple[str, ...] = ()


class MountInfo(msgspec.Struct, frozen=True, kw_only=True):
    """A mount that lives.  ``since`` is RFC 3339, UTC."""

    path: str
    pid: int
    since: str


class GatewayInfo(msgspec.Struct, frozen=True, kw_only=True):
    """A gateway that lives.  ``since`` is RFC 3339, UTC."""

    url: str
    pid: int
    since: str


class OriginState(msgspec.Struct, frozen=True, kw_only=True):
    """How an origin is.  ``url`` has its credentials redacted; ``since`` (RFC 3339) is when ``state`` began.

    ``last_error`` is what is wrong with it now: also with one that answers, but refuses or fails what it is asked.
    """

    name: str
    url: str
    kind: OriginKind = "index"
    state: OriginHealth = "unknown"
    since: str | None = None
    last_error: str | None = None


class Counters(msgspec.Struct, frozen=True, kw_only=True):
    """Sums since the processes began.  ``errors_by`` splits ``errors`` by "operation ERRNO".

    ``needed_bytes``: the sizes of the files that were brought here whole; ``delta_saved_bytes`` of them, which are in
    ``saved_bytes`` too, were taken from other stored files.
    """

    requests: int = 0
    fetched_bytes: int = 0
    saved_bytes: int = 0
    needed_bytes: int = 0
    delta_saved_bytes: int = 0
    errors: int = 0
    errors_by: dict[str, int] = {}

    @classmethod
    def of(cls, counts: CountsSoFar) -> Counters:
        return cls(
            requests=counts.requests,
            fetched_bytes=counts.fetched_bytes,
            saved_bytes=counts.saved_bytes,
            needed_bytes=counts.needed_bytes,
            delta_saved_bytes=counts.delta_saved_bytes,
            errors=sum(counts.errors.values()),
            errors_by={f"{operation} {name}": count for (operation, name), count in sorted(counts.errors.items())},
        )


class TrackedState(msgspec.Struct, frozen=True, kw_only=True):
    """How the tracked projects are: ``unsized`` files wait for their size, ``failing`` projects cannot be looked up."""

    projects: int = 0
    unsized: int = 0
    failing: int = 0


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """Health of one process, or of all on a store.

    ``offline``: the network is forbidden.  ``silent``: processes that did not answer in time.
    """

    version: str
    store: str
    mounts: tuple[MountInfo, ...] = ()
    gateways: tuple[GatewayInfo, ...] = ()
    origins: tuple[OriginState, ...] = ()
    offline: bool = False
    counters: Counters = Counters()
    silent: tuple[int, ...] = ()
    tracked: TrackedState = TrackedState()
    share_writes: tuple[ShareWrite, ...] = ()


class MountArguments(msgspec.Struct, frozen=True, kw_only=True):
    """What a mount is told beside the configuration.  ``nonempty``: mount over a directory that has entries."""

    nonempty: bool = False


class MountReady(msgspec.Struct, frozen=True, kw_only=True):
    """A mount that has answered its first request."""

    path: str
    pid: int
    store: str


class GatewayReady(msgspec.Struct, frozen=True, kw_only=True):
    """A gateway that accepts connections.  ``open``: it asks nobody for a token."""

    urls: tuple[str, ...]
    pid: int
    store: str
    open: bool


class KeptFile(msgspec.Struct, frozen=True, kw_only=True):
    """A stored file that was removed, pinned or unpinned."""

    filename: str
    project: str
    sha256: str
    size_bytes: int
    pinned: bool
    private: bool


class Collection(msgspec.Struct, frozen=True, kw_only=True):
    """What a collection gave back, inside of the store's files, which never shrink; or what it would, as a dry run.

    ``waiting``: nothing was deleted this time, since a file was being stored all the while.
    """

    dry_run: bool
    blocks: int
    rewritten_blocks: int
    freed_bytes: int
    waiting: bool = False


class Stats(msgspec.Struct, frozen=True, kw_only=True):
    """What the store holds and takes, in bytes.

    ``wheels``: contents of any kind.  ``raw_bytes``: their sizes summed.  ``stored_bytes``: what is in use of the store's files;
    ``file_bytes``: those files, so the most that was ever in use.  ``spool_bytes``: partly fetched files beside them.  ``ratio``:
    stored to raw.  ``fetched_bytes``, ``saved_bytes``, ``needed_bytes`` and ``delta_saved_bytes`` are sums over the running
    mounts, as in `Counters`.
    """

    wheels: int
    raw_bytes: int
    stored_bytes: int
    file_bytes: int
    spool_bytes: int
    ratio: float | None
    fetched_bytes: int
    saved_bytes: int
    needed_bytes: int = 0
    delta_saved_bytes: int = 0


class ProjectStats(msgspec.Struct, frozen=True, kw_only=True):
    """The same of one project; what it shares with other projects counts in each."""

    project: str
    wheels: int
    raw_bytes: int
    stored_bytes: int
    ratio: float | None


class DamagedFile(msgspec.Struct, frozen=True, kw_only=True):
    """A damaged file; ``obstacle`` says why it could not be repaired, where that was tried."""

    filename: str
    reason: str
    repaired: bool = False
    obstacle: str | None = None


class Verified(msgspec.Struct, frozen=True, kw_only=True):
    """The result of a verification; ``ok``: nothing is damaged, or all of it was repaired."""

    ok: bool
    checked_wheels: int
    damaged: tuple[DamagedFile, ...] = ()


class Progress(Protocol):
    """Told of long work, file by file; names may overlap in time."""

    def begin(self, name: str, total_bytes: int | None) -> None: ...

    def advance(self, name: str, more_bytes: int) -> None: ...

    def end(self, name: str) -> None: ...

    def overall(self, done_files: int, files: int, saved_bytes: int) -> None:
        """Tell how far all of it is, where that is known beforehand; ``saved_bytes`` did not have to come."""


_URGENCY: Final[dict[OriginHealth, int]] = {"unknown": 0, "up": 1, "down": 2}


def merged(idle: Status, answers: Iterable[Status], *, silent: Iterable[int] = ()) -> Status:
    """Join the answers of all processes on a store; ``idle`` is what there is to say with none running.

    With some running, their origins are shown and not those that this command is configured with, which nobody may be using.
    Of an origin that several processes know, the word of one that has met it counts more than that of one that has not, and
    trouble counts more than none.
    """
    statuses = list(answers)
    # A gateway may be index and share, under one name.
    origins = {} if statuses else {(origin.kind, origin.name): origin for origin in idle.origins}
    for status in statuses:
        for origin in status.origins:
            before = origins.get((origin.kind, origin.name))
            if before is None or _URGENCY[origin.state] > _URGENCY[before.state]:
                origins[origin.kind, origin.name] = origin
    errors_by: dict[str, int] = {}
    for status in statuses:
        for name, count in status.counters.errors_by.items():
            errors_by[name] = errors_by.get(name, 0) + count
    return Status(
        version=idle.version,
        store=idle.store,
        mounts=tuple(sorted((mount for status in statuses for mount in status.mounts), key=lambda mount: mount.path)),
        gateways=tuple(sorted((one for status in statuses for one in status.gateways), key=lambda one: one.url)),
        origins=tuple(origins.values()),
        offline=idle.offline or any(status.offline for status in statuses),
        counters=Counters(
            requests=sum(status.counters.requests for status in statuses),
            fetched_bytes=sum(status.counters.fetched_bytes for status in statuses),
            saved_bytes=sum(status.counters.saved_bytes for status in statuses),
            needed_bytes=sum(status.counters.needed_bytes for status in statuses),
            delta_saved_bytes=sum(status.counters.delta_saved_bytes for status in statuses),
            errors=sum(status.counters.errors for status in statuses),
            errors_by=errors_by,
        ),
        silent=tuple(silent),
        share_writes=tuple(one for status in statuses for one in status.share_writes if one.state != "elsewhere"),
        # They look after the same projects.
        tracked=max((status.tracked for status in statuses), key=lambda state: state.projects, default=idle.tracked),
    )
