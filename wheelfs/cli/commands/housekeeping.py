"""Housekeeping: ``rm``, ``pin``, ``unpin``, ``gc``, ``verify``, ``stats``."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from wheelfs.cli.command import Command
from wheelfs.cli.failures import PART_FAILED
from wheelfs.cli.interrupts import ends_when_interrupted
from wheelfs.cli.session import session_of
from wheelfs.config import redact
from wheelfs.config.policies import age_s
from wheelfs.config.values import SizeKind
from wheelfs.core.formatting import counted, size_text, were
from wheelfs.errors import StoreDamaged, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from wheelfs.cli.output import Output
    from wheelfs.cli.session import Session
    from wheelfs.reports.files import KeptFile
    from wheelfs.reports.shares import ShareCollection
    from wheelfs.reports.store import ProjectStats, Stats, Verified

DEFAULT_GRACE = "7d"
"""Far longer than clocks differ, listings lag, and a writer takes between looking at a share and writing to it."""

LOOKING = "looking for what nothing needs"
"""What progress calls the reading of all that is needed."""

_NAMES = "NAME..."


@click.command(
    cls=Command,
    short_help="Remove files from the store.",
    examples=(
        "wheelfs rm lab_tools-1.0-py3-none-any.whl",
        "wheelfs rm 'numpy<2' --dry-run",
        "wheelfs rm old-project && wheelfs gc",
        "wheelfs rm --share file:///lab/wheels 'numpy<2'",
    ),
)
@click.argument("names", metavar=_NAMES, nargs=-1, required=True)
@click.option("--share", metavar="URL", help="Remove them from this shared directory or bucket instead.")
@click.option("--dry-run", is_flag=True, help="Only show what would be removed.")
@click.pass_context
def rm(context: click.Context, names: tuple[str, ...], share: str | None, dry_run: bool) -> None:
    """Remove files from the store: each NAME is a filename, a project, or a requirement such as "numpy<2".

    Pinned and private files too, since they are named. A program that has one open can go on reading it. gc frees the space. A
    file that an index lists can be fetched again.

    With --share they are removed from a share, and the store is left alone: the share no longer lists them, and a later
    "gc --share" deletes them. Machines that have stored them keep them, and a "push" of all that is stored brings them back.
    """
    from wheelfs import app
    from wheelfs.app import object_shares

    session = session_of(context)
    done = "would remove" if dry_run else "removed"
    if share is None:
        files = app.remove(session.settings(), list(names), dry_run=dry_run)
    else:
        context.with_resource(ends_when_interrupted())
        files = object_shares.take_out(session.settings(), share, list(names), dry_run=dry_run)
    _print_files(session.output, files, done)
    if share is not None and not dry_run:
        session.output.talk(
            f"wheelfs: wheelfs gc --share {shlex.quote(redact(share))} frees their space: it condemns what is older than a grace "
            f"period ({DEFAULT_GRACE} by default), and deletes it another grace period later"
        )


@click.command(
    cls=Command,
    short_help="Keep stored files for good.",
    examples=("wheelfs pin numpy", "wheelfs pin 'numpy>=2' requests-2.32.5-py3-none-any.whl"),
)
@click.argument("names", metavar=_NAMES, nargs=-1, required=True)
@click.pass_context
def pin(context: click.Context, names: tuple[str, ...]) -> None:
    """Pin stored files, so that they are never removed to make room: a filename, a project, or a requirement such as "numpy>=2".

    What is stored later is not pinned by this.
    """
    from wheelfs import app

    session = session_of(context)
    _print_files(session.output, app.pin(session.settings(), list(names), pinned=True), "pinned")


@click.command(cls=Command, short_help="Undo pin.", examples=("wheelfs unpin numpy", "wheelfs unpin 'numpy<2'"))
@click.argument("names", metavar=_NAMES, nargs=-1, required=True)
@click.pass_context
def unpin(context: click.Context, names: tuple[str, ...]) -> None:
    """Undo pin: a filename, a project, or a requirement such as "numpy>=2"."""
    from wheelfs import app

    session = session_of(context)
    _print_files(session.output, app.pin(session.settings(), list(names), pinned=False), "unpinned")


def _print_files(output: Output, files: Iterable[KeptFile], done: str) -> None:
    for file in files:
        if output.json:
            output.record(file)
        else:
            output.line(f"{done} {file.filename}")


@click.command(
    cls=Command,
    short_help="Free the space of what was removed.",
    examples=(
        "wheelfs gc",
        "wheelfs gc --dry-run --json",
        "wheelfs gc --unused 30d",
        "wheelfs gc --solid 30d",
        "wheelfs gc --share file:///lab/wheels",
    ),
)
@click.option("--unused", metavar="DURATION", help="Remove first what nothing has used for so long, 30d for instance.")
@click.option("--share", metavar="URL", help="Collect the garbage of this shared directory or bucket instead.")
@click.option("--grace", metavar="DURATION", help="With --share: the grace period, 1h or more; 7d by default.")
@click.option("--solid", metavar="DURATION", help="First keep what was not used for this long solid, such as 30d.")
@click.option("--solid-rate", metavar="SIZE", help="With --solid: bytes a second of a first read, at least; 50MB by default.")
@click.option("--dry-run", is_flag=True, help="Only show how much would be freed, at least.")
@click.pass_context
def gc(
    context: click.Context,
    share: str | None,
    grace: str | None,
    unused: str | None,
    solid: str | None,
    solid_rate: str | None,
    dry_run: bool,
) -> None:
    """Free the space of what no stored file needs any more, and rewrite what is mostly unused. Mounts go on meanwhile.

    The space is used for what is stored next: the store's files themselves never shrink. With --unused files go, too, that no
    program has opened for so long; never pinned, private or open ones. A use is noted to the hour.

    With --solid, old versions that were not used for this long are kept inflated and compressed together, as far as packing them
    again gives the same bytes. The first reader of one waits a little longer: the lower --solid-rate is, the longer, and the less
    room they take. Older builds of wheelfs then refuse the store; the first time, nothing else may have it open.

    With --share a share is cleaned up, and the store is left alone: what killed writers have left there, and what larger
    snapshots contain. What another machine might be about to use is condemned first, and deleted by a run at least a grace period
    later; so run it now and then. Others may read and push meanwhile.
    """
    from wheelfs import app
    from wheelfs.app import object_shares

    session = session_of(context)
    if solid is not None or solid_rate is not None:
        others = {"--share": share, "--unused": unused, "--dry-run": dry_run}
        _solidify(session, solid, solid_rate, refused=[name for name, given in others.items() if given])
        return
    if share is not None:
        if unused is not None:
            raise UsageError("use --unused", "no share knows when its files are used", "leave it out")
        grace_s = _seconds("the grace period", grace or DEFAULT_GRACE)
        context.with_resource(ends_when_interrupted())
        with session.output.progress() as progress:
            progress.begin(LOOKING, None)
            collected = object_shares.collect(session.settings(), share, grace_s=grace_s, dry_run=dry_run)
        if session.json:
            session.output.record(collected)
        else:
            for line in _collected_lines(collected):
                session.output.line(line)
        return
    if grace is not None:
        raise UsageError("use --grace", "--grace needs --share: the store is this machine's own", "leave it out")
    settings = session.settings()
    unused_s = None if unused is None else _seconds("the time", unused)
    with session.output.progress() as progress:
        progress.begin(LOOKING, None)
        done = app.collect(settings, dry_run=dry_run, unused_s=unused_s)
    if session.json:
        session.output.record(done)
        return
    for filename in done.unused:
        session.output.line(f"{'would remove' if dry_run else 'removed'} {filename}")
    if done.waiting:
        session.output.line("nothing was freed yet: a file was being stored all the while; run it again")
    else:
        session.output.line(f"{size_text(done.freed_bytes)} {'would be' if dry_run else 'were'} freed")


def _seconds(what: str, text: str) -> int:
    try:
        return age_s(text)
    except ValueError as error:
        raise UsageError(f"use {what} {text}", str(error)) from None


def _solidify(session: Session, duration: str | None, rate: str | None, *, refused: list[str]) -> None:
    from wheelfs import app

    if duration is None:
        raise UsageError("use --solid-rate", "it is for what --solid makes solid", "leave it out")
    if refused:
        raise UsageError("use --solid", f"it cannot be together with {refused[0]}", "use one of the two")
    unused_s = _seconds("the duration", duration)
    try:
        bytes_s = None if rate is None else SizeKind(1).parse(rate, Path())
    except ValueError as error:
        raise UsageError(f"use the rate {rate}", str(error)) from None
    with session.output.progress() as progress:
        progress.begin("looking for what was not used", None)
        done = app.solidify(session.settings(), unused_s=unused_s, bytes_s=bytes_s)
    if session.json:
        session.output.record(done)
    else:
        wheels = counted(done.solid_wheels, "wheel")
        session.output.line(f"{wheels} {were(done.solid_wheels)} made solid in part, {size_text(done.freed_bytes)} were freed")


def _collected_lines(done: ShareCollection) -> Iterator[str]:
    def objects(count: int) -> str:
        return f"{counted(count, 'object')} {'would be' if done.dry_run else were(count)}"

    yield f"{objects(done.deleted)} deleted, {size_text(done.deleted_bytes)}"
    if done.unfinished:
        yield f"{done.unfinished} more {'is' if done.unfinished == 1 else 'are'} to be deleted: run it again"
    if done.condemned:
        yield f"{objects(done.condemned)} condemned, {size_text(done.condemned_bytes)}"
    if done.waiting:
        yield f"{counted(done.waiting, 'object')} {were(done.waiting)} condemned before, {size_text(done.waiting_bytes)}"
    if done.young:
        what = f"{counted(done.young, 'object')} that nothing needs, {size_text(done.young_bytes)}"
        yield f"too young to be condemned: {what}; a run after {done.old} condemns, and another grace period later deletes"
    if done.next is not None:
        yield f"run it again after {done.next}: it then deletes what is still unused"


@click.command(
    cls=Command,
    short_help="Check the store for damage.",
    examples=("wheelfs verify", "wheelfs verify --quick --json", "wheelfs verify 'numpy*' --repair"),
)
@click.argument("patterns", metavar="[PATTERN...]", nargs=-1)
@click.option("--quick", is_flag=True, help="Leave out the sha256 of whole files; every stored piece is still checked.")
@click.option("--repair", is_flag=True, help="Fetch damaged files again from where they came.")
@click.pass_context
def verify(context: click.Context, patterns: tuple[str, ...], quick: bool, repair: bool) -> int:
    """Check structure, pieces, and the sha256 of every stored file, or of those that are named; a PATTERN is what it is to ls.

    What is damaged is quarantined: it is not served until it is fetched or added again. The exit code is 46 when something is
    damaged, 1 when a part of it was repaired and another part was not.
    """
    from wheelfs import app

    session = session_of(context)
    output = session.output
    settings = session.settings()
    with output.progress() as progress:
        current: list[str] = []

        def note(step: str) -> None:
            if current:
                progress.end(current.pop())
            current.append(step)
            progress.begin(step, None)

        result = app.verify(settings, quick=quick, repair=repair, patterns=list(patterns), note=note, progress=progress)
    if output.json:
        output.record(result)
    else:
        for file in result.damaged:
            state = "repaired" if file.repaired else "damaged"
            output.line(f"{state} {file.filename}: {file.reason}" + (f"; not repaired: {file.obstacle}" if file.obstacle else ""))
        output.line(f"{counted(result.checked_wheels, 'file')} checked, {len(result.damaged)} damaged")
    return _code_of(result)


def _code_of(result: Verified) -> int:
    if result.ok:
        return 0
    return PART_FAILED if any(file.repaired for file in result.damaged) else StoreDamaged.exit_code


@click.command(
    cls=Command,
    short_help="Show what the store holds and takes.",
    examples=("wheelfs stats", "wheelfs stats --by-project", "wheelfs stats --json | jq .ratio"),
)
@click.option("--by-project", is_flag=True, help="Show each project by itself, the one that takes most first.")
@click.pass_context
def stats(context: click.Context, by_project: bool) -> None:
    """Show how much is stored, how much room that takes, and what the running mounts have fetched and saved.

    With --json: needed_bytes are the sizes of the files that came whole since they began; delta_saved_bytes of them, which are in
    saved_bytes too, were taken from other stored files.
    """
    from wheelfs import app

    session = session_of(context)
    settings, output = session.settings(), session.output
    if by_project:
        projects = sorted(app.stats_by_project(settings), key=lambda project: (-project.stored_bytes, project.project))
        if output.json:
            for project in projects:
                output.record(project)
        else:
            columns = ("wheels", "raw", "stored", "ratio", "project")
            output.table(columns, map(_project_row, projects))
        return
    report = app.stats(settings)
    if output.json:
        output.record(report)
    else:
        _print_stats(output, report)


def _project_row(project: ProjectStats) -> tuple[str, ...]:
    sizes = (size_text(project.raw_bytes), size_text(project.stored_bytes))
    return (str(project.wheels), *sizes, _ratio_text(project.ratio), project.project)


def _print_stats(output: Output, report: Stats) -> None:
    output.line(
        f"stored   {counted(report.wheels, 'file')}, {size_text(report.raw_bytes)} in {size_text(report.stored_bytes)}"
        f" (ratio {_ratio_text(report.ratio)})"
    )
    output.line(
        f"on disk  {size_text(report.file_bytes)}, the most that was ever in use (freed space is used again, not returned);"
        f" and {size_text(report.spool_bytes)} of partly fetched files"
    )
    output.line(f"mounts   {size_text(report.fetched_bytes)} fetched, {size_text(report.saved_bytes)} saved")
    if report.delta_saved_bytes:
        share = f"{size_text(report.delta_saved_bytes)} of {size_text(report.needed_bytes)}"
        output.line(f"delta    {share} of new files were here already")


def _ratio_text(ratio: float | None) -> str:
    return "-" if ratio is None else f"{ratio:.3f}"
