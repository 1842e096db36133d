"""Adding files by hand: ``add``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from wheelfs.cli.command import Command
from wheelfs.cli.failures import exit_code_of, says_what_is_kept
from wheelfs.cli.paths import DIRECTORY, must_answer
from wheelfs.cli.session import session_of
from wheelfs.config.indexes import check_index_name
from wheelfs.core.formatting import counted, size_text, were
from wheelfs.errors import InvalidInput, UsageError

if TYPE_CHECKING:
    from wheelfs.app.unpacked import UnpackedPlaces
    from wheelfs.cli.output import Output
    from wheelfs.reports.files import AddedFile


@click.command(
    cls=Command,
    short_help="Add wheels from files, directories, URLs, pip's and uv's cache, and environments.",
    examples=(
        "wheelfs add dist/lab_tools-1.0-py3-none-any.whl",
        "wheelfs add ~/wheelhouse --index lab",
        "wheelfs add --json https://files.example/lab_tools-1.0-py3-none-any.whl",
        "wheelfs add --pip-cache",
        "wheelfs add --uv-cache --dry-run",
        "wheelfs add --venv ~/work/.venv",
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
@click.option(
    "--uv-cache",
    is_flag=False,
    flag_value="",
    metavar="[DIR]",
    help="Take in what uv has unpacked into its cache, in DIR or where uv keeps it.",
)
@click.option("--venv", "environments", type=DIRECTORY, multiple=True, metavar="DIR", help="Take in a virtual environment.")
@click.option("--conda", type=DIRECTORY, multiple=True, metavar="DIR", help="Take in what pip or uv installed with conda's.")
@click.option("--private", is_flag=True, help="Of caches and environments: add what no index lists, too, as if by hand.")
@click.option("--index", metavar="NAME", help="File them under this index instead of as local files.")
@click.option("--dry-run", is_flag=True, help="Only say what of caches of uv and environments would be added and fetched.")
@click.pass_context
def add(
    context: click.Context,
    /,
    sources: tuple[str, ...],
    pip_cache: str | None,
    private: bool,
    index: str | None,
    dry_run: bool,
    **unpacked: Any,
) -> int:
    """Add wheels to the store, for good: local ones are never removed to make room.

    What a configured index is known to list (by its sha256) is filed under that index, as if it had been fetched.
    Adding again what is there changes nothing. A mount on the same store shows new files within two seconds. The exit code is 1
    when some files were refused and the rest was added.

    What is unpacked is no wheel any more. A wheel that an index lists is rebuilt from the unpacked files and what little has to
    be fetched, and is stored when it has the index's sha256. One that no index has, and that was installed from a path or an
    URL, is repacked: it gets a sha256 of its own, is marked so, and is private. Nothing is changed in caches and environments.
    """
    from wheelfs import app
    from wheelfs.app.unpacked import UnpackedPlaces, add_unpacked

    places = UnpackedPlaces(**unpacked)  # the options above, each under the name of its field
    _check(sources, pip_cache, places, private=private, index=index, dry_run=dry_run)
    for source in (*sources, pip_cache, places.uv_cache):
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
    done = _Done(output)
    with says_what_is_kept(output.talk, done.kept), output.progress() as progress:
        for file in app.add(settings, list(sources), index=index, progress=progress) if sources else ():
            done.report(file)
        if pip_cache is not None:
            directory = Path(pip_cache) if pip_cache else None
            others = app.add_pip_cache(settings, directory, private=private, report=done.report, progress=progress)
            if others:
                what = "is not a wheel" if others == 1 else "are not wheels"
                output.talk(f"wheelfs: {counted(others, 'file')} in pip's cache {what}")
        if places.is_any:
            add_unpacked(settings, places, private=private, dry_run=dry_run, report=done.report, progress=progress)
            done.sum_up(dry_run=dry_run)
    if not done.taken and not done.refused:
        where = [*sources, *(["pip's cache"] if pip_cache is not None else []), *places.named]
        raise InvalidInput(f"add {', '.join(where)[:200]}", "no wheel was found there")
    classes = [file.error_class for file in done.refused]
    return exit_code_of(classes, tried=len(done.taken) + len(done.refused), otherwise=InvalidInput)


class _Done:
    """What became of the files so far."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self.taken: list[AddedFile] = []
        self.refused: list[AddedFile] = []

    def report(self, file: AddedFile) -> None:
        (self.refused if file.result == "refused" else self.taken).append(file)
        _print_file(self._output, file)

    def kept(self) -> str:
        count = len(self.taken)
        return f"{counted(count, 'file')} {were(count)} added" if count else "no file has been added yet"

    def sum_up(self, *, dry_run: bool) -> None:
        """Say what of the unpacked files did not, or would not, come over the line."""
        new = [file for file in self.taken if file.fetched_bytes is not None]
        fetched = sum(file.fetched_bytes or 0 for file in new)
        saved = sum(file.size_bytes or 0 for file in new) - fetched
        would = "would be " if dry_run else ""
        self._output.talk(
            f"wheelfs: {counted(len(new), 'wheel')} of unpacked files, {size_text(fetched)} {would}fetched, "
            f"{size_text(saved)} {would}saved"
        )


def _check(
    sources: tuple[str, ...],
    pip_cache: str | None,
    places: UnpackedPlaces,
    *,
    private: bool,
    index: str | None,
    dry_run: bool,
) -> None:
    if not sources and pip_cache is None and not places.is_any:
        raise UsageError("add", "nothing is named", "name files, directories or URLs, or give --pip-cache or --uv-cache")
    if private and pip_cache is None and not places.is_any:
        advice = "other files that no index lists are private anyway"
        raise UsageError("add", "--private goes with --pip-cache, --uv-cache, --venv and --conda", advice)
    if dry_run and (not places.is_any or sources or pip_cache is not None):
        raise UsageError("add", "--dry-run goes with --uv-cache, --venv and --conda alone", "leave it out, or the others")
    if index is not None:
        try:
            check_index_name(index)
        except ValueError as error:
            raise UsageError("add --index", str(error), "give the name of a configured index") from None
    if index is not None and (pip_cache is not None or places.is_any):
        option = "--pip-cache" if pip_cache is not None else places.named[0]
        raise UsageError("add", f"--index does not go with {option}", "each of its wheels is filed under the index that lists it")


def _print_file(output: Output, file: AddedFile) -> None:
    if output.json:
        output.record({"file": file})
    elif file.result == "refused":
        output.talk(f"wheelfs: refused {file.filename}: {file.reason}")
    else:
        how = " (repacked)" if file.repacked else ""
        fetched = f" ({size_text(file.fetched_bytes)} fetched)" if file.fetched_bytes and file.result == "added" else ""
        output.line(f"{file.result.replace('-', ' ')} {file.filename}{how}{fetched}")
