"""Shares of objects, in a directory or an object store: ``push``, ``pull``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from wheelfs.cli.command import Command
from wheelfs.cli.failures import exit_code_of
from wheelfs.cli.interrupts import ends_when_interrupted
from wheelfs.cli.left_out import left_out_lines
from wheelfs.cli.session import session_of
from wheelfs.core.formatting import counted, size_text, were
from wheelfs.errors import OriginError, UsageError
from wheelfs.reports.left_out import CopyObserver

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from wheelfs.cli.output import Output
    from wheelfs.config import Settings
    from wheelfs.model.share_catalog import FileKey
    from wheelfs.reports.environment import SharedEnvironmentState
    from wheelfs.reports.left_out import LeftOut
    from wheelfs.reports.progress import Progress
    from wheelfs.reports.shares import PulledFile, PushedFile
    from wheelfs.service.shares.shared_files import Meant


class _Shown:
    """How many of the files are done."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._done = self._files = 0

    def begin(self, files: int) -> None:
        self._files = files
        self.done(self._done)

    def done(self, files: int) -> None:
        self._done = files
        self._progress.overall(files, self._files, 0)


_share = click.option(
    "--share",
    "url",
    metavar="URL",
    required=True,
    help="The share: file:///DIRECTORY, s3://BUCKET/PREFIX, gs://BUCKET/PREFIX or az://CONTAINER/PREFIX; to pull also https://.",
)


@click.command(
    cls=Command,
    short_help="Copy stored files to a shared directory or bucket.",
    examples=(
        "wheelfs push --share file:///lab/wheels",
        "wheelfs push --share s3://lab-wheels/store 'numpy>=2' lab_tools-1.0-py3-none-any.whl",
        "wheelfs push --share file:///lab/wheels --private",
        "wheelfs push --share file:///lab/wheels --env analysis",
    ),
)
@click.argument("names", metavar="[NAME...]", nargs=-1)
@_share
@click.option("--private", is_flag=True, help="Push private files too: those added by hand, that no index lists.")
@click.option("--with-deps", is_flag=True, help="Push what named files need, too, as far as it is stored and not private.")
@click.option("--env", "environment", metavar="NAME", help="Push an environment and its wheels, and no other files.")
@click.pass_context
def push(context: click.Context, /, names: tuple[str, ...], url: str, environment: str | None, **how: bool) -> int:
    """Copy stored files to a share: all that it does not have, or those that are named.

    A NAME is a filename, a project, or a requirement such as "numpy>=2". Only what is new in a file is written. Any number of
    machines may push to one share at once, and any of them may be killed: a file is listed when all of it is there. Private
    files are pushed when a NAME means them, or with --private. What named files need, and the share will not have, is reported.
    The exit code is 1 when a part failed.

    With --env it is the stored wheels of an environment, private ones too, and then its name, what of it is opened (env profile)
    and the bytecode of these modules. Wheels that are not stored have to come from their indexes where it is used.
    """
    from wheelfs.app import object_shares

    context.with_resource(ends_when_interrupted())
    session = session_of(context)
    output = session.output
    meant: Meant = names
    if environment is not None:
        _refuse_both(names, how)
        meant = _wheels_to_push(output, session.settings(), environment)
    done: list[PushedFile] = []
    left_out: list[LeftOut] = []
    with output.progress() as progress:
        shown = _Shown(progress)
        pushing = object_shares.push(
            session.settings(),
            url,
            meant,
            private=how["private"],
            with_deps=how["with_deps"],
            observer=CopyObserver(left_out.append, shown.begin),
        )
        for file in pushing if environment is None or meant else ():
            done.append(file)
            shown.done(len(done))
            _print_file(output, file, file.written_bytes)
    _print_left_out(output, left_out, "stored", "pushed")
    if not output.json:
        pushed = [file for file in done if file.result == "pushed"]
        present = _count(done, "present")
        written = size_text(sum(file.written_bytes for file in pushed))
        whole = size_text(sum(file.size_bytes for file in pushed))
        output.line(
            f"{counted(len(pushed), 'file')} pushed, {whole}, of which {written} were new; "
            f"{present} {were(present)} there already"
        )
    if environment is not None and all(file.result != "failed" for file in done):
        _print_environment(output, object_shares.push_environment(session.settings(), url, environment))
    return _code_of(done)


@click.command(
    cls=Command,
    short_help="List or copy files of a shared directory or bucket.",
    examples=(
        "wheelfs pull --share file:///lab/wheels",
        "wheelfs pull --share s3://lab-wheels/store --contents",
        "wheelfs pull --share file:///lab/wheels --contents 'numpy>=2'",
        "wheelfs pull --share file:///lab/wheels --env analysis",
    ),
)
@click.argument("names", metavar="[NAME...]", nargs=-1)
@_share
@click.option("--contents", is_flag=True, help="Copy the files, so that they are stored here.")
@click.option("--with-deps", is_flag=True, help="With --contents: copy what named files need, too, as far as the share has it.")
@click.option(
    "--env", "environment", metavar="NAME", help="Take an environment; with --contents also those wheels of it that are there."
)
@click.pass_context
def pull(
    context: click.Context, names: tuple[str, ...], url: str, contents: bool, with_deps: bool, environment: str | None
) -> int:
    """List the files of a share, and whether they are here; with --contents, copy those that are not.

    A NAME is a filename, a project, or a requirement such as "numpy>=2"; without one, all files are meant. Only the
    pieces of a file that no stored file has are read. What is copied is compared with its sha256 and belongs to the index that it
    came from. What named files need, and is not stored then, is reported. The exit code is 1 when a part failed.

    With --env NAME an environment of the share gets this name here, in place of what had it: as env NAME of mounts of this store
    that use the share it runs at once, and is lazy unless its wheels are stored. Bytecode is taken from a share that may give
    any name to files: one with projects = ["*"], or any one where no-index is configured. Its programs are what it says they
    are: take environments of those alone whose packages you would install.
    """
    from wheelfs.app import object_shares

    context.with_resource(ends_when_interrupted())
    session = session_of(context)
    output = session.output
    done: list[PulledFile] = []
    meant: Meant = names
    if environment is not None:
        _refuse_both(names, {"with_deps": with_deps})
        _print_environment(output, object_shares.pull_environment(session.settings(), url, environment))
        if not contents:
            return 0
        meant = _wheels_to_pull(session.settings(), environment)
    if with_deps and not contents:
        raise UsageError("use --with-deps", "it says what is copied, and only --contents copies", "give --contents, too")
    left_out: list[LeftOut] = []
    with output.progress() as progress:
        shown = _Shown(progress)
        pulling = object_shares.pull(
            session.settings(),
            url,
            meant,
            contents=contents,
            with_deps=with_deps,
            observer=CopyObserver(left_out.append, shown.begin),
        )
        for file in pulling:
            done.append(file)
            shown.done(len(done))
            _print_file(output, file, file.read_bytes)
    _print_left_out(output, left_out, "in the share", "copied")
    if environment is not None:
        _say_absent(output, session.settings(), environment, done)
    present = _count(done, "present")
    if contents and not output.json:
        pulled = [file for file in done if file.result == "pulled"]
        read = size_text(sum(file.read_bytes for file in pulled))
        whole = size_text(sum(file.size_bytes for file in pulled))
        output.line(
            f"{counted(len(pulled), 'file')} pulled, {whole}, of which {read} were read; {present} {were(present)} here already"
        )
    elif not output.json:
        missing = _count(done, "missing")
        advice = ", --contents copies them" if missing else ""
        output.line(f"{counted(len(done), 'file')} in the share: {present} here already, {missing} missing here{advice}")
    return _code_of(done)


def _refuse_both(names: Sequence[str], how: Mapping[str, bool]) -> None:
    if names or any(how.values()):
        raise UsageError("use --env", "it names all files that are meant", "leave out the other names and options")


def _wheels_to_push(output: Output, settings: Settings, environment: str) -> frozenset[FileKey]:
    from wheelfs.app import environments

    stored, missing = environments.wheels_of(settings, environment)
    if missing:
        output.talk(f"wheelfs: {counted(len(missing), 'wheel')} of {environment} not stored, and not pushed: {missing[0][1]} …")
    return frozenset(stored)


def _wheels_to_pull(settings: Settings, environment: str) -> frozenset[FileKey]:
    from wheelfs.app import environments

    stored, missing = environments.wheels_of(settings, environment)
    return frozenset((*stored, *missing))


def _say_absent(output: Output, settings: Settings, environment: str, done: Sequence[PulledFile]) -> None:
    from wheelfs.app import environments

    said = {(file.project, file.filename, bytes.fromhex(file.sha256)) for file in done}
    absent = [wheel for wheel in environments.wheels_of(settings, environment)[1] if wheel not in said]
    if absent:
        output.talk(f"wheelfs: {counted(len(absent), 'wheel')} of {environment} not in the share, nor here: {absent[0][1]} …")


def _print_environment(output: Output, environment: SharedEnvironmentState) -> None:
    if output.json:
        output.record({"environment": environment})
        return
    modules = f", bytecode of {counted(environment.compiled, 'module')}" if environment.compiled else ""
    output.line(f"{environment.result} environment {environment.name} ({counted(environment.wheels, 'wheel')}{modules})")
    if not environment.runs_here:
        output.talk(f"wheelfs: its interpreter, {environment.interpreter}, is not on this machine")


def _print_left_out(output: Output, left_out: Sequence[LeftOut], state: str, done: str) -> None:
    if output.json:
        for one in left_out:
            output.record({"left_out": one})
    else:
        for line in left_out_lines(left_out, state, done):
            output.talk(f"wheelfs: {line}")


def _count(files: Sequence[PushedFile | PulledFile], result: str) -> int:
    return sum(file.result == result for file in files)


def _print_file(output: Output, file: PushedFile | PulledFile, moved_bytes: int) -> None:
    if output.json:
        output.record({"file": file})
    elif file.result == "failed":
        output.talk(f"wheelfs: failed {file.filename}: {file.reason}")
    elif file.result in ("pushed", "pulled"):
        output.line(f"{file.result} {file.filename} ({size_text(moved_bytes)} of {size_text(file.size_bytes)})")
    else:
        output.line(f"{file.result} {file.filename}")


def _code_of(files: Sequence[PushedFile | PulledFile]) -> int:
    classes = [file.error_class for file in files if file.result == "failed"]
    return exit_code_of(classes, tried=len(files), otherwise=OriginError)
