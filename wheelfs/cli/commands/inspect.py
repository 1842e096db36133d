"""What is here, and how it is: ``ls``, ``status``, ``config``."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import click

from wheelfs.cli.client_lines import CLIENTS, USUAL_MOUNT, client_lines
from wheelfs.cli.command import Command
from wheelfs.cli.file_rows import FILE_COLUMNS, file_row
from wheelfs.cli.first_steps import running_mount
from wheelfs.cli.output import table_lines
from wheelfs.cli.paths import MOUNT_POINT
from wheelfs.cli.session import session_of
from wheelfs.config import OPTIONS, described, redact
from wheelfs.core.formatting import counted, size_text
from wheelfs.reports.status import withheld_sentence

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from wheelfs.cli.client_lines import Client
    from wheelfs.cli.output import Output
    from wheelfs.config import Settings
    from wheelfs.reports.files import ListedFile
    from wheelfs.reports.status import Counters, MountInfo, Status


@click.command(
    "ls",
    cls=Command,
    short_help="List the files that are known here.",
    examples=(
        "wheelfs ls",
        "wheelfs ls 'numpy*' requests",
        "wheelfs ls --private --sort size",
        "wheelfs --json ls | jq -r .filename",
        "wheelfs ls --tracked",
    ),
)
@click.argument("patterns", metavar="[PATTERN...]", nargs=-1)
@click.option("--tracked", is_flag=True, help="List the files of tracked projects, stored or not.")
@click.option("--private", is_flag=True, help="List only private files: those added by hand, that no index lists.")
@click.option("--pinned", is_flag=True, help="List only pinned files.")
@click.option("--sort", "key", type=click.Choice(("name", "size")), default="name", help="By project, or the largest first.")
@click.pass_context
def list_files(context: click.Context, patterns: tuple[str, ...], tracked: bool, private: bool, pinned: bool, key: str) -> None:
    """List the files that are stored here, or those that are named, and sum them up.

    A PATTERN is a filename, a project, a requirement such as "numpy>=2", or has * and ? in it; then it is compared with projects
    and filenames.
    """
    from wheelfs import app
    from wheelfs.app import tracking

    session = session_of(context)
    files: Iterable[ListedFile]
    if tracked:
        found: list[ListedFile] = []
        files = found
        tracking.list_files(session.settings(), patterns=list(patterns), report=found.append)
    else:
        files = app.list_files(session.settings(), patterns=list(patterns))
    files = (file for file in files if (file.private or not private) and (file.pinned or not pinned))
    if key == "size":
        files = sorted(files, key=lambda file: -(file.size_bytes or 0))
    if session.json:
        for file in files:
            session.output.record(file)
        return
    rest = iter(files)
    first = next(rest, None)
    if first is None:
        # Empty output is a valid answer; stderr says that it is meant.
        kinds = " ".join(kind for kind, is_asked in (("private", private), ("pinned", pinned)) if is_asked)
        what = f"no {kinds or 'tracked' if tracked else kinds or 'stored'} file" + (" matches" if patterns else "")
        how = "wheelfs track NAME" if tracked else "wheelfs fetch, wheelfs add and installs through a mount add some"
        session.output.talk(f"wheelfs: {what} in {session.settings().store}" + ("" if patterns else f" ({how})"))
        return
    total = _Total()
    session.output.pages(table_lines(FILE_COLUMNS, (file_row(total.counted(file)) for file in chain((first,), rest))))
    session.output.talk(f"wheelfs: {total}")


@dataclass(slots=True)
class _Total:
    """What was listed, counted as it goes by: a list may be long."""

    files: int = 0
    stored_bytes: int = 0
    other_bytes: int = 0

    def counted(self, file: ListedFile) -> ListedFile:
        self.files += 1
        if file.state == "stored":
            self.stored_bytes += file.size_bytes or 0
        else:
            self.other_bytes += file.size_bytes or 0
        return file

    def __str__(self) -> str:
        more = f", and {size_text(self.other_bytes)} that are not stored whole" if self.other_bytes else ""
        return f"{counted(self.files, 'file')}, {size_text(self.stored_bytes)}{more}"


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
        for line in _status_lines(report):
            session.output.line(line)


def _status_lines(report: Status) -> Iterator[str]:
    yield f"wheelfs {report.version}, store {report.store}" + (", offline" if report.offline else "")
    if not report.mounts and not report.gateways and not report.silent:
        yield "no mounts"
    for mount in report.mounts:
        yield from _mount_lines(mount, is_one_of_many=len(report.mounts) > 1)
    for gateway in report.gateways:
        yield f"gateway {gateway.url}  process {gateway.pid}, since {gateway.since}"
    for pid in report.silent:
        yield f"mount   process {pid} does not answer"
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
    short_help="Show the effective configuration, or lines for a client.",
    examples=("wheelfs config", "wheelfs config pip --mount /mnt/wheels", "wheelfs config --json"),
)
@click.argument("client", required=False, type=click.Choice(CLIENTS))
@click.option("--mount", type=MOUNT_POINT, metavar="DIR", help="The mount to write into the lines.")
@click.pass_context
def config(context: click.Context, client: Client | None, mount: Path | None) -> None:
    """Show every option with its value and where that comes from, credentials taken out, and lines for pip, uv, poetry and pdm.

    With a client's name only its lines are printed. They name --mount, else a mount that is running, else /mnt/wheels.
    """
    from wheelfs import app

    session = session_of(context)
    settings = session.settings()
    output = session.output
    place = mount.absolute() if mount else running_mount(settings) or USUAL_MOUNT
    lines = {name: client_lines(name, place) for name in CLIENTS if client in (None, name)}
    if client is None:
        indexes = [(described(index), origin) for index, origin in app.effective_indexes(settings)]
        notes = app.index_notes(settings)
        if session.json:
            output.record(
                {
                    "settings": {name: {"value": value, "from": origin} for name, value, origin in _values(settings)},
                    "indexes": [{**index, "from": origin} for index, origin in indexes],
                    "notes": notes,
                    "lines": lines,
                }
            )
            return
        output.table(("option", "value", "from"), _option_rows(settings))
        output.line()
        output.table(("index", "url", "more", "from"), (_index_row(index, origin) for index, origin in indexes))
        for note in notes:
            output.line(note)
        output.line()
    elif session.json:
        output.record({"lines": lines})
        return
    _print_lines(output, lines.values())


def _values(settings: Settings) -> Iterator[tuple[str, object, str]]:
    for option in OPTIONS:
        if option.field != "indexes":
            value = getattr(settings, option.field)
            shown = str(value) if isinstance(value, Path) else value
            if option.field == "shares":
                shown = tuple(redact(share.url) for share in settings.shares) or None
            yield ".".join(option.toml), option.default_text if shown is None else shown, settings.provenance[option.field]


def _option_rows(settings: Settings) -> Iterator[tuple[str, str, str]]:
    kinds = {".".join(option.toml): option.kind for option in OPTIONS}
    for name, value, origin in _values(settings):
        # Of shares only the addresses are shown, and of an option without a value its default in words.
        is_shown = name == "share" or isinstance(value, bool | str)
        yield name, _as_written(value) if is_shown else kinds[name].as_text(value), origin


def _index_row(index: Mapping[str, object], origin: str) -> tuple[str, str, str, str]:
    more = ", ".join(f"{key}={_as_written(value)}" for key, value in index.items() if key not in ("name", "url"))
    return str(index["name"]), str(index["url"]), more, origin


def _as_written(value: object) -> str:
    """Return a value as one would write it in the configuration file."""
    match value:
        case bool():
            return "true" if value else "false"
        case float():
            return f"{value:g}"
        case tuple() | list():
            return " ".join(map(str, value))
        case _:
            return str(value)


def _print_lines(output: Output, groups: Iterable[Sequence[str]]) -> None:
    for number, group in enumerate(groups):
        if number:
            output.line()
        for line in group:
            output.line(line)
