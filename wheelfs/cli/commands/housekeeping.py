"""Keeping house: ``rm``, ``pin``, ``unpin``, ``gc``, ``verify``, ``stats``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from wheelfs.cli.command import Command
from wheelfs.cli.failures import PART_FAILED
from wheelfs.cli.interrupts import ends_when_interrupted
from wheelfs.cli.session import session_of
from wheelfs.config.policies import age_s
from wheelfs.core.formatting import counted, size_text, were
from wheelfs.errors import StoreDamaged, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from wheelfs.cli.output import Output
    from wheelfs.reports.files import KeptFile
    from wheelfs.reports.shares import ShareCollection
    from wheelfs.reports.store import Stats, Verified

DEFAULT_GRACE = "7d"
"""Far longer than machines' clocks differ, listings lag, and anybody takes between looking at a share and writing to it."""

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
@click.option("--share", metavar="URL", help="Take them out of this shared directory or bucket instead.")
@click.option("--dry-run", is_flag=True, help="Only tell what would be removed.")
@click.pass_context
def rm(context: click.Context, names: tuple[str, ...], share: str | None, dry_run: bool) -> None:
    """Remove files from the store: each NAME is a filename, a project, or a requirement such as "numpy<2".

    Pinned and private files too, since they are named. Whoever has one open reads on. Room is given back by gc. A file that an
    index lists can be fetched again.

    With --share they are taken out of a share, and the store is left alone: nobody lists them from there any more, and a later
    "gc --share" deletes them. Who has them stored keeps them, and a "push" of all that is stored brings them back.
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
    short_help="Give back the room of what was removed.",
    examples=("wheelfs gc", "wheelfs gc --dry-run --json", "wheelfs gc --share file:///lab/wheels"),
)
@click.option("--share", metavar="URL", help="Collect the garbage of this shared directory or bucket instead.")
@click.option("--grace", metavar="DURATION", help="With --share: the grace period, 1h or more; 7d unless told otherwise.")
@click.option("--dry-run", is_flag=True, help="Only tell how much would be given back, at least.")
@click.pass_context
def gc(context: click.Context, share: str | None, grace: str | None, dry_run: bool) -> None:
    """Give back the room of what no stored file needs any more, and rewrite what is mostly unused. Mounts go on meanwhile.

    The room is used for what is stored next: the store's files themselves never shrink.

    With --share a share is looked at, and the store is left alone: what killed writers have left there, and what larger snapshots
    contain. What somebody might be about to use is condemned first, and deleted by a run that comes a grace period later; so run
    it now and then. Anybody may read and push meanwhile.
    """
    from wheelfs import app
    from wheelfs.app import object_shares

    session = session_of(context)
    if share is not None:
        try:
            grace_s = age_s(grace or DEFAULT_GRACE)
        except ValueError as error:
            raise UsageError(f"use the grace period {grace}", str(error)) from None
        context.with_resource(ends_when_interrupted())
        collected = object_shares.collect(session.settings(), share, grace_s=grace_s, dry_run=dry_run)
        if session.json:
            session.output.record(collected)
        else:
            for line in _collected_lines(collected):
                session.output.line(line)
        return
    if grace is not None:
        raise UsageError("use --grace", "there is none but with --share: the store is this machine's own", "leave it out")
    done = app.collect(session.settings(), dry_run=dry_run)
    if session.json:
        session.output.record(done)
    elif done.waiting:
        session.output.line("nothing was given back yet: a file was being stored all the while; run it again")
    else:
        session.output.line(f"{size_text(done.freed_bytes)} {'would be' if dry_run else 'were'} given back")


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
    if done.next is not None:
        yield f"run it again after {done.next}: what nothing needs then is deleted"


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

        result = app.verify(settings, quick=quick, repair=repair, patterns=list(patterns), note=note)
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
@click.option("--by-project", is_flag=True, help="Show each project by itself.")
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
        projects = app.stats_by_project(settings)
        if output.json:
            for project in projects:
                output.record(project)
        else:
            columns = ("wheels", "raw", "stored", "ratio", "project")
            rows = (
                (str(one.wheels), size_text(one.raw_bytes), size_text(one.stored_bytes), _ratio_text(one.ratio), one.project)
                for one in projects
            )
            output.table(columns, rows)
        return
    told = app.stats(settings)
    if output.json:
        output.record(told)
    else:
        _print_stats(output, told)


def _print_stats(output: Output, told: Stats) -> None:
    output.line(
        f"stored   {counted(told.wheels, 'file')}, {size_text(told.raw_bytes)} in {size_text(told.stored_bytes)}"
        f" (ratio {_ratio_text(told.ratio)})"
    )
    output.line(
        f"on disk  {size_text(told.file_bytes)}, the most that was ever in use (what is freed is used again, not given back);"
        f" and {size_text(told.spool_bytes)} of partly fetched files"
    )
    output.line(f"mounts   {size_text(told.fetched_bytes)} fetched, {size_text(told.saved_bytes)} saved")
    if told.delta_saved_bytes:
        share = f"{size_text(told.delta_saved_bytes)} of {size_text(told.needed_bytes)}"
        output.line(f"delta    {share} of new files were here already")


def _ratio_text(ratio: float | None) -> str:
    return "-" if ratio is None else f"{ratio:.3f}"
