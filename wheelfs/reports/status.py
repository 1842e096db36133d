"""The state of processes: the JSON of the control socket, of ``.wheelfs/status.json`` and of ``wheelfs status --json``.

Scripts rely on the fields: they may be added here, never renamed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

from wheelfs.core.formatting import counted

# At run time too: msgspec evaluates the annotations of its structs.
from wheelfs.reports.shares import ShareWrite  # noqa: TC001

if TYPE_CHECKING:
    from wheelfs.telemetry import CountsSoFar

OriginKind = Literal["index", "share"]
OriginHealth = Literal["up", "down", "unknown"]


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


class Transfer(msgspec.Struct, frozen=True, kw_only=True):
    """A file of which bytes are coming: ``here_bytes`` of ``size_bytes`` are here; None: its size is not known yet."""

    filename: str
    origin: str
    size_bytes: int | None = None
    here_bytes: int = 0


class FailedRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A request of a program that failed: ``operation`` is the kernel's or HTTP's, ``at`` RFC 3339, UTC."""

    at: str
    operation: str
    message: str


class MountInfo(msgspec.Struct, frozen=True, kw_only=True):
    """A mount that lives.  ``since`` is RFC 3339, UTC.

    ``offline``: the network is forbidden to it.  ``indexes`` and ``shares`` are names, in order of priority.  ``counters`` are
    its own.  ``failures`` are the last requests that failed, the latest last.  ``detached``: it was unmounted lazily, and serves
    what is still open.  ``log`` is the file that it logs to; None: its stderr.
    """

    path: str
    pid: int
    since: str
    offline: bool = False
    indexes: tuple[str, ...] = ()
    shares: tuple[str, ...] = ()
    counters: Counters = Counters()
    failures: tuple[FailedRequest, ...] = ()
    detached: bool = False
    log: str | None = None


class TrackedState(msgspec.Struct, frozen=True, kw_only=True):
    """How the tracked projects are: ``unsized`` files wait for their size, ``failing`` projects cannot be looked up."""

    projects: int = 0
    unsized: int = 0
    failing: int = 0


class WithheldFiles(msgspec.Struct, frozen=True, kw_only=True):
    """Files that are not shown because no index in charge of their names vouches for them, as last counted.

    ``silent``: an index in charge has not answered; ``tied``: the name is tied to another index or share; ``owned``: an index
    has the project and does not list them.  ``remedy`` is what would show them.
    """

    files: int = 0
    projects: int = 0
    silent: int = 0
    tied: int = 0
    owned: int = 0
    remedy: str = ""


class EnvironmentHealth(msgspec.Struct, frozen=True, kw_only=True):
    """An environment; ``state``: whether all its wheels are stored, or come in parts as they are read."""

    name: str
    state: Literal["complete", "lazy"]


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """Health of one process, or of all on a store.

    ``offline``: the network is forbidden.  ``silent``: processes that did not answer in time; ``unasked``: those of another
    user, which answer only that one and root.
    """

    version: str
    store: str
    mounts: tuple[MountInfo, ...] = ()
    gateways: tuple[GatewayInfo, ...] = ()
    origins: tuple[OriginState, ...] = ()
    offline: bool = False
    counters: Counters = Counters()
    silent: tuple[int, ...] = ()
    unasked: tuple[int, ...] = ()
    tracked: TrackedState = TrackedState()
    share_writes: tuple[ShareWrite, ...] = ()
    withheld: WithheldFiles = WithheldFiles()
    environments: tuple[EnvironmentHealth, ...] = ()
    transfers: tuple[Transfer, ...] = ()


def withheld_sentence(withheld: WithheldFiles) -> str:
    """Return what is withheld, why, and what would show it, in one line."""
    why = {
        "an index in charge of the name has not answered": withheld.silent,
        "the name is tied to another index or share": withheld.tied,
        "an index has the project and does not list them": withheld.owned,
    }
    reasons = "; ".join(f"{count:,}: {reason}" for reason, count in why.items() if count)
    number = f"{counted(withheld.files, 'file')} of {counted(withheld.projects, 'project')}"
    return f"{number} not shown, since only shares name them ({reasons}); to show: {withheld.remedy}"
