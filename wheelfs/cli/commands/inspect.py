"""How the processes on the store are: ``status``, ``top``, ``log``."""

from __future__ import annotations

import os
import sys
import time
from collections import deque
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from wheelfs.cli.command import Command
from wheelfs.cli.first_steps import running_mounts
from wheelfs.cli.logs import default_log_file
from wheelfs.cli.output import table_lines
from wheelfs.cli.paths import MOUNT_POINT
from wheelfs.cli.session import session_of
from wheelfs.config import redact
from wheelfs.core.formatting import counted, size_text
from wheelfs.errors import NotKnown, ProgramMissing, UsageError
from wheelfs.reports.status import withheld_sentence

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from wheelfs.config import Settings
    from wheelfs.reports.status import Counters, MountInfo, Status, Transfer

_TRANSFERS: Final = ("file", "from", "done", "of", "each s", "left")
_ORIGINS: Final = ("origin", "kind", "state", "error")
_MAX_ORIGINS: Final = 8
"""Origins that are listed, those that are down first: transfers are to stay in sight."""
REFRESH_S: Final = 1.0
LINES: Final = 50
"""Lines of a log that are shown without -n."""


@click.command(
    cls=Command,
    short_help="Show how the mounts and indexes are.",
    examples=("wheelfs status", "wheelfs status --json | jq .origins"),
)
@click.pass_context
def status(context: click.Context) -> None:
    """Show the mounts on the store, what failed last in each, the state of each index, and what was fetched and saved.

    With --json the counters are sums over the mounts: needed_bytes are the sizes of the files that came whole, delta_saved_bytes
    what of them was taken from other stored files.
    """
    from wheelfs import app

    session = session_of(context)
    report = app.status(session.settings())
    if session.json:
        session.output.record(report)
    else:
        for line in status_lines(report):
            session.output.line(line)


def status_lines(report: Status) -> Iterator[str]:
    """Yield what ``status`` prints."""
    yield f"wheelfs {report.version}, store {report.store}" + (", offline" if report.offline else "")
    if not (report.mounts or report.gateways or report.silent or report.unasked):
        yield "no mounts"
    for mount in report.mounts:
        yield from _mount_lines(mount, is_one_of_many=len(report.mounts) > 1)
    for gateway in report.gateways:
        yield f"gateway {gateway.url}  process {gateway.pid}, since {gateway.since}"
    for pid in report.silent:
        yield f"mount   process {pid} does not answer"
    for pid in report.unasked:
        yield f"mount   process {pid} is another user's: only that one and root may ask how it is"
    for origin in report.origins:
        since = f" since {origin.since}" if origin.since else ""
        but = ", but" if origin.state == "up" else ""
        cause = f"{but}: {redact(origin.last_error)}" if origin.last_error else ""
        yield f"{origin.kind:<7} {origin.name}  {redact(origin.url)}  {origin.state}{since}{cause}"
    for write in report.share_writes:
        waiting = f", {write.waiting_files} waiting" if write.waiting_files else ""
        cause = f": {redact(write.last_error)}" if write.last_error else ""
        done = f"{counted(write.pushed_files, 'file')}, {size_text(write.written_bytes)}"
        yield f"pushing {write.name}  {done}{waiting}, {write.state}{cause}"
    tracked = report.tracked
    if tracked.projects:
        unsized = f", sizes of {counted(tracked.unsized, 'file')} not known yet" if tracked.unsized else ""
        failing = f", {tracked.failing} cannot be looked up" if tracked.failing else ""
        yield f"tracked {counted(tracked.projects, 'project')}{unsized}{failing}"
    for environment in report.environments:
        yield f"env     {environment.name}  {environment.state}"
    if report.withheld.files:
        yield f"hidden  {withheld_sentence(report.withheld)}"
    counters = report.counters
    yield f"network {_network_text(counters)}"
    if counters.delta_saved_bytes:
        share = f"{size_text(counters.delta_saved_bytes)} of {size_text(counters.needed_bytes)}"
        yield f"delta   {share} of new files were here already"
    for name, count in counters.errors_by.items():
        yield f"        {count} × {name}"


def _mount_lines(mount: MountInfo, *, is_one_of_many: bool) -> Iterator[str]:
    detached = ", unmounted lazily: it ends with the last open file" if mount.detached else ""
    yield f"mount   {mount.path}  process {mount.pid}, since {mount.since}{detached}"
    if is_one_of_many:
        sources = " ".join((*mount.indexes, *mount.shares)) or "none"
        yield f"        {'offline, ' if mount.offline else ''}indexes and shares: {sources}"
        yield f"        {_network_text(mount.counters)}"
    for failure in mount.failures:
        yield f"        failed at {failure.at}: {failure.operation}: {redact(failure.message)}"


def _network_text(counters: Counters) -> str:
    return (
        f"{counted(counters.requests, 'request')}, {size_text(counters.fetched_bytes)} fetched, "
        f"{size_text(counters.saved_bytes)} saved, {counted(counters.errors, 'error')}"
    )


@click.command(
    cls=Command,
    short_help="Watch transfers, indexes and what is saved, on one screen.",
    examples=("wheelfs top", "wheelfs top --once"),
)
@click.option("--once", is_flag=True, help="Print it once; so it is, too, where the output is no terminal.")
@click.pass_context
def top(context: click.Context, once: bool) -> None:
    """Show what the mounts and gateways on the store do, again each second until Ctrl-C.

    Rates are those since the screen before; what is saved counts since the processes began, as in status. With --json, the same
    object as that of status.
    """
    from wheelfs import app

    session = session_of(context)
    settings = session.settings()
    if session.json:
        session.output.record(app.status(settings))
    elif once or not sys.stdout.isatty():
        for line in top_lines(app.status(settings), None, 0.0):
            session.output.line(line)
    else:
        session.output.watch(_screens(partial(app.status, settings)), every_s=REFRESH_S)


def _screens(look: Callable[[], Status]) -> Iterator[list[str]]:
    """Yield the lines of one screen after the other, as fast as they are taken."""
    before: Status | None = None
    looked_s = 0.0
    while True:
        now, now_s = look(), time.monotonic()
        yield list(top_lines(now, before, now_s - looked_s))
        before, looked_s = now, now_s


def top_lines(now: Status, before: Status | None, elapsed_s: float) -> Iterator[str]:
    """Yield the lines, the most important first; ``before`` is the report of ``elapsed_s`` seconds ago, None: there is none."""
    yield f"wheelfs {now.version}, store {now.store}" + (", offline" if now.offline else "")
    places = [mount.path for mount in now.mounts] + sorted({gateway.url for gateway in now.gateways})
    nothing = "nothing that may be asked" if now.unasked else "nothing: no mount and no gateway is running"
    yield f"serving  {', '.join(places) or nothing}"
    yield f"network  {_now(now.counters, None if before is None else before.counters, elapsed_s)}"
    yield f"saved    {_saved(now.counters)}"
    for pid in now.silent:
        yield f"process {pid} does not answer"
    for pid in now.unasked:
        yield f"process {pid} is another user's: only that one and root may ask how it is"
    order = {"down": 0, "up": 1, "unknown": 2}
    origins = sorted(now.origins, key=lambda origin: order[origin.state])
    yield ""
    rows = ((one.name, one.kind, one.state, redact(one.last_error or "")) for one in origins[:_MAX_ORIGINS])
    yield from table_lines(_ORIGINS, rows)
    if len(origins) > _MAX_ORIGINS:
        yield f"and {len(origins) - _MAX_ORIGINS} more"
    yield ""
    if now.transfers:
        earlier = {} if before is None else {one.filename: one.here_bytes for one in before.transfers}
        yield from table_lines(_TRANSFERS, (_row(one, earlier.get(one.filename), elapsed_s) for one in now.transfers))
    else:
        yield "nothing is being fetched"


def _now(counters: Counters, before: Counters | None, elapsed_s: float) -> str:
    if before is None or elapsed_s <= 0:
        return f"{counted(counters.requests, 'request')}, {size_text(counters.fetched_bytes)} fetched"
    # A process that has ended takes its counts with it.
    requests = max(0, counters.requests - before.requests) / elapsed_s
    fetched = max(0, counters.fetched_bytes - before.fetched_bytes) / elapsed_s
    errors = max(0, counters.errors - before.errors)
    return f"{size_text(int(fetched))}/s, {requests:.1f} requests/s, {counted(errors, 'error')} since the last screen"


def _saved(counters: Counters) -> str:
    wanted = counters.fetched_bytes + counters.saved_bytes
    rate = f", {counters.saved_bytes * 100 // wanted} % of what was wanted" if wanted else ""
    delta = f", {size_text(counters.delta_saved_bytes)} of it from other files" if counters.delta_saved_bytes else ""
    return f"{size_text(counters.saved_bytes)} not fetched, since it was here{rate}{delta}"


def _row(transfer: Transfer, earlier_bytes: int | None, elapsed_s: float) -> tuple[str, ...]:
    rate = None if earlier_bytes is None or elapsed_s <= 0 else max(0.0, (transfer.here_bytes - earlier_bytes) / elapsed_s)
    missing = None if transfer.size_bytes is None else transfer.size_bytes - transfer.here_bytes
    left = f"{missing / rate:,.0f} s" if rate and missing is not None else "-"
    total = "-" if transfer.size_bytes is None else size_text(transfer.size_bytes)
    done = f"{transfer.here_bytes * 100 // transfer.size_bytes} %" if transfer.size_bytes else size_text(transfer.here_bytes)
    return (transfer.filename, transfer.origin, done, total, "-" if rate is None else size_text(int(rate)), left)


@click.command(
    cls=Command,
    short_help="Show what a mount has logged.",
    examples=("wheelfs log", "wheelfs log -f /mnt/wheels", "wheelfs log -n 1000 --json | jq -r .line"),
)
@click.argument("directory", metavar="[DIR]", type=MOUNT_POINT, required=False)
@click.option("-f", "--follow", is_flag=True, help="Go on with what is logged from now on, until Ctrl-C.")
@click.option(
    "-n", "--lines", type=click.IntRange(min=0), default=LINES, metavar="COUNT", help="Show so many lines; 50 by default."
)
@click.pass_context
def log(context: click.Context, directory: Path | None, follow: bool, lines: int) -> None:
    """Show the end of the log of the mount at DIR, else of a mount that is running; also of one that has ended.

    A mount in the foreground (-f) and a gateway log to their stderr: to a terminal, or in a unit of systemd to the journal
    (journalctl -u UNIT).
    """
    session = session_of(context)
    path = _log_of(session.settings(), directory)
    if follow:
        if session.json:
            raise UsageError("follow the log", "-f prints lines as they are", "leave --json out")
        try:
            # It knows what becomes of a log that is rotated, and needs no more of us.
            os.execvp("tail", ["tail", f"--lines={lines}", "-F", "--", str(path)])
        except OSError as error:
            raise ProgramMissing("follow the log", f"tail cannot be run: {error.strerror}", "install coreutils") from None
    with path.open(encoding="utf-8", errors="replace") as file:
        for line in deque(file, maxlen=lines):
            if session.json:
                session.output.record({"log": str(path), "line": line.rstrip("\n")})
            else:
                session.output.line(line.rstrip("\n"))


def _log_of(settings: Settings, directory: Path | None) -> Path:
    attempted = "show the log"
    wanted = None if directory is None else Path(os.path.abspath(directory))  # noqa: PTH100
    mount = next((one for one in running_mounts(settings) if wanted in (None, Path(one["path"]))), None)
    if mount is not None and "log" in mount:  # one of an older wheelfs does not say
        if mount["log"] is None:
            happened = f"the mount at {mount['path']} is in the foreground, and logs to its stderr"
            advice = f"where systemd runs it: journalctl _PID={mount['pid']}, or journalctl -u UNIT; else its terminal has it"
            raise NotKnown(attempted, happened, advice)
        path = Path(mount["log"])
    elif settings.log_file is not None:
        path = settings.log_file
    else:
        place = wanted if mount is None else Path(mount["path"])
        if place is None:
            raise NotKnown(attempted, f"nothing is mounted from {settings.store}", "name the mount point whose log it is")
        path = default_log_file(place)
    if os.access(path, os.R_OK):
        return path
    happened = "it may not be read" if _is_there(path) else "there is none"
    raise NotKnown(
        attempted, f"{path}: {happened}", "a mount in the foreground logs to its terminal; wheelfs status lists mounts"
    )


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # as far as we may look
        return True
