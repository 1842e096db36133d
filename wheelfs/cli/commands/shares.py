"""Shares of objects, in a directory or an object store: ``push``, ``pull``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from wheelfs.cli.command import Command
from wheelfs.cli.failures import exit_code_of
from wheelfs.cli.interrupts import ends_when_interrupted
from wheelfs.cli.session import session_of
from wheelfs.core.formatting import counted, size_text, were
from wheelfs.errors import OriginError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wheelfs.cli.output import Output
    from wheelfs.reports.shares import PulledFile, PushedFile

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
    ),
)
@click.argument("names", metavar="[NAME...]", nargs=-1)
@_share
@click.option("--private", is_flag=True, help="Push private files too: those added by hand, that no index lists.")
@click.pass_context
def push(context: click.Context, names: tuple[str, ...], url: str, private: bool) -> int:
    """Copy stored files to a share: all that it does not have, or those that are named.

    A NAME is a filename, a project, or a requirement such as "numpy>=2". Only what is new in a file is written. Any number of
    machines may push to one share at once, and any of them may be killed: a file is listed when all of it is there. Private
    files are pushed when a NAME means them, or with --private. The exit code is 1 when a part failed.
    """
    from wheelfs.app import object_shares

    context.with_resource(ends_when_interrupted())
    session = session_of(context)
    output = session.output
    done: list[PushedFile] = []
    for file in object_shares.push(session.settings(), url, list(names), private=private):
        done.append(file)
        _print_file(output, file, file.written_bytes)
    if not output.json:
        pushed = [file for file in done if file.result == "pushed"]
        present = _count(done, "present")
        written = size_text(sum(file.written_bytes for file in pushed))
        whole = size_text(sum(file.size_bytes for file in pushed))
        output.line(
            f"{counted(len(pushed), 'file')} pushed, {whole}, of which {written} were new; "
            f"{present} {were(present)} there already"
        )
    return _code_of(done)


@click.command(
    cls=Command,
    short_help="List or copy files of a shared directory or bucket.",
    examples=(
        "wheelfs pull --share file:///lab/wheels",
        "wheelfs pull --share s3://lab-wheels/store --contents",
        "wheelfs pull --share file:///lab/wheels --contents 'numpy>=2'",
    ),
)
@click.argument("names", metavar="[NAME...]", nargs=-1)
@_share
@click.option("--contents", is_flag=True, help="Copy the files, so that they are stored here.")
@click.pass_context
def pull(context: click.Context, names: tuple[str, ...], url: str, contents: bool) -> int:
    """List the files of a share, and whether they are here; with --contents, copy those that are not.

    A NAME is a filename, a project, or a requirement such as "numpy>=2"; without one, all files are meant. Only the
    pieces of a file that no stored file has are read. What is copied is compared with its sha256 and belongs to the index that it
    came from. The exit code is 1 when a part failed.
    """
    from wheelfs.app import object_shares

    context.with_resource(ends_when_interrupted())
    session = session_of(context)
    output = session.output
    done: list[PulledFile] = []
    for file in object_shares.pull(session.settings(), url, list(names), contents=contents):
        done.append(file)
        _print_file(output, file, file.read_bytes)
    present = _count(done, "present")
    if output.json:
        pass
    elif contents:
        pulled = [file for file in done if file.result == "pulled"]
        read = size_text(sum(file.read_bytes for file in pulled))
        whole = size_text(sum(file.size_bytes for file in pulled))
        output.line(
            f"{counted(len(pulled), 'file')} pulled, {whole}, of which {read} were read; {present} {were(present)} here already"
        )
    else:
        missing = _count(done, "missing")
        advice = ", --contents copies them" if missing else ""
        output.line(f"{counted(len(done), 'file')} in the share: {present} here already, {missing} missing here{advice}")
    return _code_of(done)


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
