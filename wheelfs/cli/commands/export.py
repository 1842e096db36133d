"""``export``: plain files for machines with nothing installed."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from wheelfs.cli.command import Command
from wheelfs.cli.failures import PART_FAILED
from wheelfs.cli.left_out import left_out_lines
from wheelfs.cli.paths import DIRECTORY
from wheelfs.cli.session import session_of
from wheelfs.core.formatting import counted, size_text, were

if TYPE_CHECKING:
    from wheelfs.reports.export import ExportedFile


@click.command(
    cls=Command,
    short_help="Write stored wheels as plain files, with static pages.",
    examples=(
        "wheelfs export /media/stick/wheels",
        "wheelfs export /srv/www/wheels 'numpy*' scipy",
        "wheelfs export --with-deps wheelhouse app",
        "wheelfs export wheelhouse --env analysis",
        "wheelfs export --json wheelhouse | jq -r .file.filename",
    ),
)
@click.argument("directory", metavar="DIR", type=DIRECTORY)
@click.argument("patterns", metavar="[PATTERN...]", nargs=-1)
@click.option("--with-deps", is_flag=True, help="Write what is needed by what is named, too, as far as it is stored.")
@click.option("--env", "environment", metavar="NAME", help="Write the wheels of an environment.")
@click.pass_context
def export(context: click.Context, directory: Path, patterns: tuple[str, ...], with_deps: bool, environment: str | None) -> int:
    """Write what is stored into DIR: all of it, or what is named; a PATTERN is what it is to ls.

    The wheels are whole and verified copies, beside them their .metadata and an index.html; simple/ holds a page for each
    project, and the source distributions. pip and uv install from it with --find-links DIR or file://DIR/simple, and over HTTP
    once any web server serves DIR as it is. Nothing is fetched. What is there already, whole, is not written again, so an
    export that was interrupted can be run again; several exports add up. The exit code is 1 when some files were refused.

    What is needed by what is named, and will not be in DIR, is reported: an install from there would miss it.
    """
    from wheelfs.app import environments, exporting

    session = session_of(context)
    output = session.output
    if environment is not None:
        stored, missing = environments.wheels_of(session.settings(), environment)
        patterns = (*patterns, *(filename for _, filename, _ in (*stored, *missing)))

    def report(file: ExportedFile) -> None:
        if output.json:
            output.record({"file": file})
        elif file.result == "refused":
            output.talk(f"wheelfs: refused {file.filename}: {file.reason}")
        elif file.result == "written":
            output.line(f"written {file.filename}")

    with output.progress() as progress:
        done = exporting.export(
            session.settings(), directory, patterns=patterns, with_deps=with_deps, report=report, progress=progress
        )
    if output.json:
        output.record({"export": done})
    else:
        output.line(
            f"{counted(done.written, 'file')} written ({size_text(done.written_bytes)}), "
            f"{done.present} {were(done.present)} there, in {done.directory}"
        )
        path = Path(done.directory)
        output.line(f"  pip install --no-index --find-links {shlex.quote(done.directory)} PACKAGE")
        output.line(f"  pip install --index-url {(path / 'simple').as_uri()} PACKAGE")
        output.line(f"  uv pip install --default-index {(path / 'simple').as_uri()} PACKAGE")
        for line in left_out_lines(done.left_out, "stored", "exported"):
            output.talk(f"wheelfs: {line}")
        for pattern in done.unmatched:
            output.talk(f"wheelfs: no stored file matches {pattern}")
    return PART_FAILED if done.refused or done.unmatched else 0
