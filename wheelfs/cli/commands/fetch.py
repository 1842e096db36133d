"""Fetching files of indexes before they are opened, and what of a lock is missing: ``fetch``, ``check``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from wheelfs.cli.command import Command, requirement_files
from wheelfs.cli.failures import PART_FAILED, exit_code_of, says_what_is_kept
from wheelfs.cli.session import session_of
from wheelfs.core.formatting import counted, size_text, were
from wheelfs.errors import OriginError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wheelfs.cli.output import Output
    from wheelfs.reports.check import CheckedFile, CheckSummary
    from wheelfs.reports.environment import CompiledEnvironment
    from wheelfs.reports.fetch import FetchedFile, FetchSummary


@click.command(
    cls=Command,
    short_help="Fetch files ahead, by requirements or lock files.",
    examples=(
        "wheelfs fetch numpy 'requests==2.32.5'",
        "wheelfs fetch --with-deps 'pandas[excel]'",
        "wheelfs fetch -r requirements.txt --only-binary :all: --pin",
        "wheelfs fetch 'pylock.toml[docs]' --group dev",
        "wheelfs fetch pylock.toml --python 3.12 --platform manylinux_2_28_aarch64",
        "wheelfs fetch uv.lock --dry-run --json",
        "wheelfs fetch --env analysis",
    ),
)
@click.argument("words", metavar="[REQ-OR-LOCKFILE...]", nargs=-1)
@requirement_files("Fetch what a requirements file asks for.")
@click.option(
    "--python", metavar="VERSION", help="Choose files for this version of CPython, not for the Python that runs wheelfs."
)
@click.option(
    "--platform",
    "platforms",
    metavar="TAG",
    multiple=True,
    help="Choose files for this platform, as a wheel's tag has it; manylinux_2_28_x86_64 includes older ones.",
)
@click.option("--with-deps", is_flag=True, help="Fetch all that the requirements need, too, as uv resolves them.")
@click.option(
    "-c",
    "--constraint",
    "constraints",
    metavar="FILE",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Take no versions but those that this requirements file allows.",
)
@click.option(
    "--group",
    "groups",
    metavar="[FILE:]NAME",
    multiple=True,
    help="Fetch a dependency group of pyproject.toml, or of FILE, which may be a pylock.toml.",
)
@click.option("--pre", "prereleases", is_flag=True, help="Take pre-releases like other versions.")
@click.option(
    "--only-binary",
    metavar="NAMES",
    multiple=True,
    help="Take no sdists of these projects: names with commas between, or :all:. Names go before :all:, whatever the order.",
)
@click.option("--no-binary", metavar="NAMES", multiple=True, help="Take no wheels of these projects, named in the same way.")
@click.option("--prefer-binary", is_flag=True, help="Take an older wheel rather than a newer sdist.")
@click.option("--env", "environment", metavar="NAME", help="Fetch all wheels of an environment, and compile its modules.")
@click.option("--pin", is_flag=True, help="Keep the files for good: they are never removed to make room.")
@click.option("--dry-run", is_flag=True, help="Only show which files it would be, and how many bytes would be fetched.")
@click.pass_context
def fetch(
    context: click.Context, /, words: tuple[str, ...], files: tuple[Path, ...], environment: str | None, **choices: Any
) -> int:
    """Fetch one file for each requirement, whole and verified: a wheel for this machine, else an sdist.

    REQ is a requirement such as numpy or "numpy>=2"; of several versions the newest that can be used is taken. All that is asked
    of one project, in words and files, is one requirement, as in pip and uv. A lock file is a pylock.toml, with the names of its
    extras in brackets, or a uv.lock. A wheel that is named by its path is added. What is stored is not fetched again, and an
    interrupted run resumes. The exit code is 1 when a part is here and another part failed.

    Dependencies are fetched as far as the files name them, or with --with-deps: then uv, which must be installed, resolves the
    requirements against the indexes. For that metadata is fetched, also with --dry-run, and an sdist may have to be built. The
    exit code is 10 when no versions go together.

    With --env it is the wheels of a lazy environment that are fetched, which is complete then, and runs offline.

    The last line, with --json an object of its own, sums up what came, what was taken from other stored files instead, and what
    was here already.
    """
    from wheelfs import app
    from wheelfs.app import environments
    from wheelfs.core.resolve.lock_files import words_by_kind
    from wheelfs.model.wanted import Wanted
    from wheelfs.reports.fetch import FetchArguments

    is_asked = bool(words or files or choices["groups"])
    if environment is not None and is_asked:
        raise UsageError("fetch", "--env names all that is to be fetched", "fetch other files by another command")
    if environment is None and not is_asked:
        raise UsageError("fetch", "nothing is asked for", "name a requirement, a lock file, -r FILE, --group NAME or --env NAME")
    session = session_of(context)
    requirements, called_locks, locks = words_by_kind(words)
    # ``choices`` are the options above, each under the name of its field.
    named = (*files, *map(Path, called_locks))
    asked = FetchArguments(requirements=requirements, files=named, locks=locks, **choices)
    output = session.output
    done: list[FetchedFile] = []

    def report(file: FetchedFile) -> None:
        done.append(file)
        _print_file(output, file)

    def note(text: str) -> None:
        output.talk(f"wheelfs: {text}")

    with says_what_is_kept(output.talk, lambda: _kept_text(done)), output.progress() as progress:
        settings, wanted = session.settings(), list[Wanted]()
        if environment is not None:
            asked, wanted = environments.wanted_by(settings, environment, asked)
        summary = app.fetch(settings, asked, report=report, note=note, progress=progress, wanted=wanted)
        if environment is not None and not asked.dry_run:
            _print_environment(output, environments.compile_modules(settings, environment, note=note, progress=progress))
    if output.json:
        output.record({"summary": summary})
    else:
        output.line(_summary_text(summary, dry_run=asked.dry_run))
    tried = [file for file in done if file.result != "skipped"]
    classes = [file.error_class for file in tried if file.result == "failed"]
    return exit_code_of(classes, tried=len(tried), otherwise=OriginError)


def _print_environment(output: Output, made: CompiledEnvironment) -> None:
    if output.json:
        output.record(made)
    else:
        modules = f", {counted(made.compiled, 'module')} compiled" if made.compiled else ""
        output.line(f"environment {made.environment.name}: {made.environment.state}{modules}")


def _print_file(output: Output, file: FetchedFile) -> None:
    if output.json:
        output.record({"file": file})
        return
    places = f" ({' and '.join(file.places)})" if file.places else ""
    if file.notice is not None:
        output.talk(f"wheelfs: {file.filename}: {file.notice}")
    if file.result == "skipped":
        output.talk(f"wheelfs: skipped {file.wanted}: {file.reason}{places}")
    elif file.result == "failed":
        output.talk(f"wheelfs: failed {file.filename or file.wanted}: {file.reason}{places}")
    elif file.result == "would-fetch":
        size = "of unknown size" if file.missing_bytes is None else size_text(file.missing_bytes)
        output.line(f"would fetch {file.filename} ({size})")
    elif file.result == "interrupted":
        pass  # all of them are summed up in one sentence
    elif file.saved_bytes or file.resumed_bytes:
        output.line(f"{file.result} {file.filename} ({size_text(file.fetched_bytes)}{_not_fetched(file)})")
    else:
        output.line(f"{file.result} {file.filename}")


def _not_fetched(file: FetchedFile) -> str:
    """Return what of a new file did not have to be fetched."""
    resumed = f", {size_text(file.resumed_bytes)} of an earlier run" if file.resumed_bytes else ""
    return resumed + (f", {size_text(file.saved_bytes)} saved" if file.saved_bytes else "")


def _kept_text(done: Sequence[FetchedFile]) -> str:
    """Return what an interrupted run leaves."""
    whole = sum(file.result == "fetched" for file in done)
    parts = [file.kept_bytes for file in done if file.result == "interrupted" and file.kept_bytes]
    kept = [f"{counted(whole, 'file')} {were(whole)} fetched"] if whole else []
    if parts:
        kept.append(f"{size_text(sum(parts))} of {counted(len(parts), 'file')} are kept, with which the next run goes on")
    return ", and ".join(kept) or "no file has been fetched yet"


def _summary_text(summary: FetchSummary, *, dry_run: bool) -> str:
    if dry_run:
        unknown = f", and {counted(summary.unknown, 'file')} of unknown size" if summary.unknown else ""
        first = f"{size_text(summary.missing_bytes)} to fetch of {counted(summary.would_fetch, 'file')}{unknown}"
    else:
        rate = f" at {size_text(round(summary.fetched_bytes / summary.duration_s))}/s" if summary.duration_s else ""
        fetched, saved = size_text(summary.fetched_bytes), size_text(summary.saved_bytes)
        resumed = f", {size_text(summary.resumed_bytes)} of an earlier run" if summary.resumed_bytes else ""
        first = f"{counted(summary.fetched, 'file')} fetched, {fetched}{rate}{resumed}, {saved} saved"
    here = f"{counted(summary.present, 'file')} already here, {size_text(summary.present_bytes)}"
    more = [f"{count} {word}" for word, count in (("skipped", summary.skipped), ("failed", summary.failed)) if count]
    return "; ".join([first, here, *more])


@click.command(
    cls=Command,
    short_help="Say what of a lock is not stored.",
    examples=(
        "wheelfs check uv.lock",
        "wheelfs check 'pylock.toml[docs]' requirements.txt",
        "wheelfs check uv.lock --python 3.12 --platform manylinux_2_28_aarch64",
        "wheelfs check uv.lock --json | jq -r 'select(.file.result == \"missing\").file.filename'",
    ),
)
@click.argument("locks", metavar="FILE...", nargs=-1, required=True)
@click.option("--python", metavar="VERSION", help="Check for this version of CPython, not for the Python that runs wheelfs.")
@click.option("--platform", "platforms", metavar="TAG", multiple=True, help="Check for this platform, as fetch takes it.")
@click.option("--group", "groups", metavar="[FILE:]NAME", multiple=True, help="Check a dependency group too, as fetch takes it.")
@click.pass_context
def check(
    context: click.Context, locks: tuple[str, ...], python: str | None, platforms: tuple[str, ...], groups: tuple[str, ...]
) -> int:
    """Say which files of a lock are not stored, so that wheelfs run --offline would not find them; nothing is asked or fetched.

    FILE is a uv.lock, a pylock.toml, with the names of its extras in brackets, or a requirements file. wheelfs fetch takes the
    same files and brings what is missing. What the requirements of a requirements file need in turn is not looked for: lock or
    compile them to know. The exit code is 1 when something is missing.
    """
    from wheelfs import app

    session = session_of(context)
    output = session.output

    def report(file: CheckedFile) -> None:
        if output.json:
            output.record({"file": file})
        else:
            _print_checked(output, file)

    def note(text: str) -> None:
        output.talk(f"wheelfs: {text}")

    summary = app.check(session.settings(), locks, python=python, platforms=platforms, groups=groups, report=report, note=note)
    if output.json:
        output.record({"summary": summary})
    else:
        output.line(_checked_text(summary))
    return PART_FAILED if summary.missing else 0


def _print_checked(output: Output, file: CheckedFile) -> None:
    places = f" ({' and '.join(file.places)})" if file.places else ""
    if file.notice is not None:
        output.talk(f"wheelfs: {file.filename}: {file.notice}")
    if file.result == "missing":
        output.line(f"missing {file.filename or file.wanted}: {file.reason}{places}")
    elif file.result == "skipped":
        output.talk(f"wheelfs: skipped {file.wanted}: {file.reason}{places}")


def _checked_text(summary: CheckSummary) -> str:
    skipped = f", {summary.skipped} skipped" if summary.skipped else ""
    present = f"{counted(summary.present, 'file')} stored, {size_text(summary.present_bytes)}"
    return f"{present}; {summary.missing} missing{skipped}"
