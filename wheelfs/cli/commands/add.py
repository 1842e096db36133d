"""Adding files by hand: ``add``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from wheelfs.cli.command import Command
from wheelfs.cli.failures import exit_code_of, says_what_is_kept
from wheelfs.cli.paths import must_answer
from wheelfs.cli.session import session_of
from wheelfs.config.indexes import check_index_name
from wheelfs.core.formatting import counted, were
from wheelfs.errors import InvalidInput, UsageError

if TYPE_CHECKING:
    from wheelfs.cli.output import Output
    from wheelfs.reports.files import AddedFile


@click.command(
    cls=Command,
    short_help="Add wheels from files, directories, URLs and pip's cache.",
    examples=(
        "wheelfs add dist/lab_tools-1.0-py3-none-any.whl",
        "wheelfs add ~/wheelhouse --index lab",
        "wheelfs add --json https://files.example/lab_tools-1.0-py3-none-any.whl",
        "wheelfs add --pip-cache",
    ),
)
@click.argument("sources", metavar="PATH-OR-URL...", nargs=-1)
@click.option(
    "--pip-cache",
    is_flag=False,
    flag_value="",
    metavar="[DIR]",
    help="Add the wheels of pip's cache that a configured index lists, in DIR or where pip keeps it.",
)
@click.option("--private", is_flag=True, help="With --pip-cache: add the others too, as files added by hand.")
@click.option("--index", metavar="NAME", help="File them under this index instead of as local files.")
@click.pass_context
def add(context: click.Context, sources: tuple[str, ...], pip_cache: str | None, private: bool, index: str | None) -> int:
    """Add wheels to the store, for good: local ones are never removed to make room.

    What a configured index is known to list (by its sha256) is filed under that index, as if it had been fetched.
    Adding again what is there changes nothing. A mount on the same store shows new files within two seconds. The exit code is 1
    when some files were refused and the rest was added.
    """
    from wheelfs import app

    _check(sources, pip_cache, private=private, index=index)
    for source in (*sources, pip_cache):
        if source and "://" not in source and "\0" not in source:
            must_answer(Path(source))
    session = session_of(context)
    settings = session.settings()
    output = session.output
    if index is not None and index not in [setting.name for setting, _ in app.effective_indexes(settings)]:
        # Not refused: the index may be one that only a mount has, by its own --index.
        output.talk(
            f"wheelfs: no index {index!r} is configured here: where none is, what is filed under it is like other files added by "
            "hand, and owns its project's name"
        )
    taken = 0
    refused: list[AddedFile] = []

    def report(file: AddedFile) -> None:
        nonlocal taken
        if file.result == "refused":
            refused.append(file)
        else:
            taken += 1
        _print_file(output, file)

    def kept() -> str:
        return f"{counted(taken, 'file')} {were(taken)} added" if taken else "no file has been added yet"

    with says_what_is_kept(output.talk, kept), output.progress() as progress:
        for file in app.add(settings, list(sources), index=index, progress=progress) if sources else ():
            report(file)
        if pip_cache is not None:
            directory = Path(pip_cache) if pip_cache else None
            others = app.add_pip_cache(settings, directory, private=private, report=report, progress=progress)
            if others:
                what = "is not a wheel" if others == 1 else "are not wheels"
                output.talk(f"wheelfs: {counted(others, 'file')} in pip's cache {what}")
    if not taken and not refused:
        where = [*sources, *(["pip's cache"] if pip_cache is not None else [])]
        raise InvalidInput(f"add {', '.join(where)[:200]}", "no wheel was found there")
    classes = [file.error_class for file in refused]
    return exit_code_of(classes, tried=taken + len(refused), otherwise=InvalidInput)


def _check(sources: tuple[str, ...], pip_cache: str | None, *, private: bool, index: str | None) -> None:
    if not sources and pip_cache is None:
        raise UsageError("add", "nothing is named", "name files, directories or URLs, or give --pip-cache")
    if private and pip_cache is None:
        raise UsageError("add", "--private goes with --pip-cache", "other files that no index lists are private anyway")
    if index is not None:
        try:
            check_index_name(index)
        except ValueError as error:
            raise UsageError("add --index", str(error), "give the name of a configured index") from None
    if index is not None and pip_cache is not None:
        raise UsageError(
            "add", "--index does not go with --pip-cache", "each of its wheels is filed under the index that lists it"
        )


def _print_file(output: Output, file: AddedFile) -> None:
    if output.json:
        output.record({"file": file})
    elif file.result == "refused":
        output.talk(f"wheelfs: refused {file.filename}: {file.reason}")
    else:
        output.line(f"{file.result} {file.filename}")
