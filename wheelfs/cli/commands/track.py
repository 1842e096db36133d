"""Listing projects before they are fetched: ``track``, ``untrack``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from wheelfs.cli.command import Command, requirement_files
from wheelfs.cli.failures import exit_code_of
from wheelfs.cli.session import session_of
from wheelfs.core.formatting import counted
from wheelfs.errors import OriginError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from wheelfs.cli.output import Output
    from wheelfs.reports.track import TrackedProject


@click.command(
    cls=Command,
    short_help="List projects' files in the flat directories before they are fetched.",
    examples=(
        "wheelfs track numpy 'pandas>=2,<3'",
        "wheelfs track -r requirements.txt",
        "wheelfs track",
    ),
)
@click.argument("words", metavar="[REQ...]", nargs=-1)
@requirement_files("Track what a requirements file asks for.")
@click.option("--every-platform", is_flag=True, help="Track wheels for other machines, too.")
@click.option("--pre", is_flag=True, help="Track pre-releases, too.")
@click.pass_context
def track(context: click.Context, words: tuple[str, ...], files: tuple[Path, ...], every_platform: bool, pre: bool) -> int:
    """Let the flat directories list the wheels of projects although none is fetched: opening one fetches it.

    REQ is a requirement such as numpy or "numpy>=2,<3"; it replaces what was tracked of that project, and several for one
    project are all tracked. Extras and hashes have no effect here, and a requirement whose marker is false is left out. Without
    REQ and FILE this lists what is tracked.

    A project that no index has is an error; one whose index cannot be asked now is tracked, and running mounts go on asking. They
    also keep the lists fresh, and find out the sizes of files where the index does not give them: a file is listed when its size
    is known.
    """
    from wheelfs.app import tracking
    from wheelfs.reports.track import TrackArguments

    session = session_of(context)
    settings = session.settings()
    output = session.output
    done: list[TrackedProject] = []
    if not words and not files:
        tracking.list_tracked(settings, report=done.append)
        if output.json:
            for project in done:
                output.record({"tracked": project})
            return 0
        output.table(("project", "files", "listed", "origin", "asked"), (_row(project) for project in done))
        for project in done:
            if project.reason:
                output.talk(f"wheelfs: {project.project}: {project.reason}")
        return 0

    def report(project: TrackedProject) -> None:
        done.append(project)
        _print_project(output, project)

    asked = TrackArguments(requirements=words, files=files, every_platform=every_platform, prereleases=pre)
    tracking.track(settings, asked, report=report, note=lambda text: output.talk(f"wheelfs: {text}"))
    return _exit_code(done)


@click.command(
    cls=Command,
    short_help="Stop listing a project's files before they are fetched.",
    examples=("wheelfs untrack numpy", "wheelfs untrack -r requirements.txt"),
)
@click.argument("words", metavar="[REQ...]", nargs=-1)
@requirement_files("The projects that a requirements file names.")
@click.pass_context
def untrack(context: click.Context, words: tuple[str, ...], files: tuple[Path, ...]) -> int:
    """Stop tracking projects; files that are stored stay. Only the project of a REQ matters, whatever versions it names."""
    from wheelfs.app import tracking
    from wheelfs.reports.track import TrackArguments

    if not words and not files:
        raise UsageError("untrack", "nothing is named", "name a project, or -r FILE; wheelfs track lists what is tracked")
    session = session_of(context)
    output = session.output
    done: list[TrackedProject] = []

    def report(project: TrackedProject) -> None:
        done.append(project)
        _print_project(output, project)

    asked = TrackArguments(requirements=words, files=files)
    tracking.untrack(session.settings(), asked, report=report, note=lambda text: output.talk(f"wheelfs: {text}"))
    return _exit_code(done)


def _exit_code(done: Sequence[TrackedProject]) -> int:
    classes = [project.error_class for project in done if project.result == "failed"]
    return exit_code_of(classes, tried=len(done), otherwise=OriginError)


def _print_project(output: Output, project: TrackedProject) -> None:
    if output.json:
        output.record({"tracked": project})
        return
    name = _requirements(project)
    if project.result == "failed":
        output.talk(f"wheelfs: {project.reason}")
    elif project.files is None:
        output.line(f"{project.result} {name}" + (f" ({project.reason})" if project.reason else ""))
    else:
        unlisted = project.files - (project.listed or 0)
        later = f", {unlisted} of them when their sizes are known" if unlisted else ""
        files = project.reason or f"{counted(project.files, 'file')} from {project.origin}{later}"
        output.line(f"{project.result} {name} ({files})")


def _requirements(project: TrackedProject) -> str:
    return ", ".join(f"{project.project}{versions}" for versions in project.ranges) or project.project


def _row(project: TrackedProject) -> tuple[str, ...]:
    marks = "".join([" (every platform)" if project.every_platform else "", " (pre-releases)" if project.prereleases else ""])
    counts = ("-" if count is None else str(count) for count in (project.files, project.listed))
    return (_requirements(project) + marks, *counts, project.origin or "-", project.checked or "-")
