"""``config``: the effective configuration, and the configuration of clients."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from wheelfs.cli.client_lines import CLIENTS, USUAL_MOUNT, client_lines
from wheelfs.cli.command import Command
from wheelfs.cli.first_steps import running_mount
from wheelfs.cli.paths import MOUNT_POINT
from wheelfs.cli.session import session_of
from wheelfs.config import OPTIONS, described, redact
from wheelfs.errors import FuseUnavailable, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from wheelfs.cli.client_lines import Client
    from wheelfs.cli.output import Output
    from wheelfs.cli.session import Session
    from wheelfs.config import Settings
    from wheelfs.core.resolve.installer_edit import Installer


@click.command(
    cls=Command,
    short_help="Show the effective configuration, or lines for a client.",
    examples=(
        "wheelfs config",
        "wheelfs config pip --mount /mnt/wheels",
        "wheelfs config --install pip",
        "wheelfs config --install pip --undo",
        "wheelfs config --json",
    ),
)
@click.argument("client", required=False, type=click.Choice(CLIENTS))
@click.option("--mount", type=MOUNT_POINT, metavar="DIR", help="The mount to write into the lines.")
@click.option("--install", type=click.Choice(("pip", "uv")), help="Write the mount into your own pip.conf or uv.toml.")
@click.option("--undo", is_flag=True, help="With --install: take it out again.")
@click.pass_context
def config(context: click.Context, client: Client | None, mount: Path | None, install: Installer | None, undo: bool) -> None:
    """Show every option with its value and where that comes from, credentials taken out, and lines for pip, uv, poetry and pdm.

    With a client's name only its lines are printed. They name --mount, else a mount that is running, else /mnt/wheels.

    --install keeps all that is in the file, refuses what would contradict it, and shows what it did. A file that names an index
    already is left alone: name that index to wheelfs, and remove it there.
    """
    from wheelfs import app

    session = session_of(context)
    settings = session.settings()
    output = session.output
    if install is not None or undo:
        _install(session, client, mount, install, is_undo=undo)
        return
    place = _mount_of(settings, mount)
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


def _mount_of(settings: Settings, given: Path | None) -> Path:
    return given.absolute() if given else running_mount(settings) or USUAL_MOUNT


def _install(session: Session, client: Client | None, mount: Path | None, installer: Installer | None, *, is_undo: bool) -> None:
    from wheelfs.cli import client_files

    if installer is None or client is not None or (is_undo and mount is not None):
        happened = "--undo is for --install" if installer is None else "with --install go --mount, or --undo, and no client"
        raise UsageError("change a client's configuration", happened, "wheelfs config --install pip")
    if is_undo:
        changed = client_files.undo(installer, os.environ)
    else:
        place = _mount_of(session.settings(), mount)
        changed = client_files.install(installer, place, os.environ)
        changed = msgspec.structs.replace(changed, notes=(*changed.notes, *_absence(place, installer)))
    output = session.output
    if session.json:
        output.record(changed)
        return
    output.line(f"{changed.path}: {'changed' if changed.added or changed.removed else 'has it already'}")
    for mark, lines in (("-", changed.removed), ("+", changed.added)):
        for line in lines:
            output.line(f"  {mark} {line}")
    for note in changed.notes:
        output.talk(f"wheelfs: {note}")


def _absence(place: Path, installer: Installer) -> Iterator[str]:
    """Say that nothing is mounted at ``place``, or above it, and what is elsewhere; no mount is touched.

    A mount of another user, which `running_mount` cannot know, is not written by itself: it may be for that user alone.
    """
    from wheelfs.frontends.fuse.kernel.mountinfo import mounts_now, place_on_way

    try:
        entries = mounts_now()
    except FuseUnavailable:
        return
    if place_on_way(place, {entry.mountpoint for entry in entries if entry.is_wheelfs or entry.is_automount}) is None:
        others = sorted({entry.mountpoint for entry in entries if entry.is_wheelfs})
        instead = f"mounted is {', '.join(others)}: name it by --mount" if others else f"wheelfs mount {place}"
        yield f"nothing is mounted at {place} now, so {installer} finds nothing there: {instead}"


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
        yield name, (_as_written(value) if is_shown else kinds[name].as_text(value)) or "none", origin


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
