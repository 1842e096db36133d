"""``service``: units of systemd for mounts, gateways and housekeeping."""

from __future__ import annotations

import os
import shutil
import stat
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from wheelfs.cli.command import Command
from wheelfs.cli.mount_options import complete_options, parse_options
from wheelfs.cli.paths import DIRECTORY, MOUNT_POINT
from wheelfs.cli.session import session_of
from wheelfs.cli.units import MARK, automount_units, gateway_units, mount_unit, timer_units
from wheelfs.config import OPTIONS, environment_of
from wheelfs.config.loading import SYSTEM_FILE
from wheelfs.config.settings import home_directory
from wheelfs.errors import DestinationError, NotKnown, UsageError

if TYPE_CHECKING:
    from wheelfs.cli.session import Session
    from wheelfs.cli.units import Unit
    from wheelfs.config import Settings

_SECRETS: Final = ("serve_token_file", "serve_tls_certificate", "serve_tls_key")
SYSTEM_UNITS: Final = Path("/etc/systemd/system")


@click.command(
    cls=Command,
    short_help="Write units of systemd for mounts, gateways and housekeeping.",
    examples=(
        "wheelfs service install mount /mnt/wheels -o allow_other",
        "wheelfs service install mount /mnt/wheels --automount",
        "wheelfs service install gateway --store /var/lib/wheelfs",
        "wheelfs service install timer --dry-run",
        "wheelfs service remove mount /mnt/wheels",
    ),
)
@click.argument("action", type=click.Choice(("install", "remove")))
@click.argument("kind", type=click.Choice(("mount", "gateway", "timer")))
@click.argument("directory", metavar="[DIR]", type=MOUNT_POINT, required=False)
@click.option(
    "-o", "options", multiple=True, metavar="OPTS", shell_complete=complete_options, help="Of a mount: options as in fstab."
)
@click.option(
    "--automount", is_flag=True, help="Of a mount: mount it when it is first used, and unmount it after ten minutes without use."
)
@click.option("--into", type=DIRECTORY, metavar="DIR", help="Write the units there, for instance into an image.")
@click.option("--user", "for_user", is_flag=True, help="For this user's own manager; so it is for everybody but root.")
@click.option("--dry-run", is_flag=True, help="Only print the units.")
@click.pass_context
def service(context: click.Context, /, action: str, kind: str, directory: Path | None, **choices: Any) -> None:
    """Write, or remove, the units of a mount at DIR, of a gateway, or of a timer that runs gc and verify --quick once a week.

    They are written to /etc/systemd/system, or by users other than root to their own manager's directory; the commands that start
    them are printed. The store and the configuration file that flags or variables name are written into them; all other settings
    belong into the configuration file. A gateway for which root names no store has one of its own, and a timer for it.
    """
    chosen = _Choices(**choices)
    if (kind == "mount") is (directory is None):
        happened = "no mount point is given" if directory is None else "it has no directory"
        raise UsageError(f"{action} the service {kind}", happened, "wheelfs service install mount DIR")
    if (chosen.options or chosen.automount) and kind != "mount":
        happened = "-o and --automount are for mounts"
        raise UsageError(f"{action} the service {kind}", happened, "settings of others are in the configuration file")
    parsed = parse_options(chosen.options)
    session = session_of(context)
    session.config_file = session.config_file or parsed.config_file
    session.add_mount_options(parsed.given)
    for_user = chosen.for_user or os.geteuid() != 0
    if chosen.automount and for_user:
        raise UsageError(
            f"{action} the service {kind}", "only root's manager mounts when something is used", "leave --automount out"
        )
    units = _units(session, action, kind, directory, chosen, for_user=for_user)
    place = _units_directory(for_user=for_user) if chosen.into is None else chosen.into
    if action == "remove":
        _remove(session, [place / unit.name for unit in units], dry_run=chosen.dry_run)
    else:
        _install(session, units, place, for_user=for_user, dry_run=chosen.dry_run)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Choices:
    """The options of the command, each under its own name."""

    options: tuple[str, ...]
    automount: bool
    into: Path | None
    for_user: bool
    dry_run: bool


def _units(session: Session, action: str, kind: str, directory: Path | None, chosen: _Choices, *, for_user: bool) -> list[Unit]:
    settings = session.settings()
    program = _program()
    if (config := session.config_path) is not None:
        program += ["--config", config]
    # The unit will have the same files, and neither the flags nor the variables of this call.
    is_given = "WHEELFS_STORE" in environment_of(settings)
    if is_given:
        program += ["--store", str(settings.store)]
    match kind:
        case "mount":
            assert directory is not None
            mountpoint = Path(os.path.abspath(directory))  # noqa: PTH100
            # Whole paths, last: they go before the same options as they were given, relative to a directory that mount(8) leaves.
            whole = [f"config={config}"] if config is not None else []
            whole += [f"store={settings.store}"] if is_given else []
            whole += [f"log-file={settings.log_file}"] if "log_file" in session.given else []
            automount = automount_units(mountpoint, ["_netdev", *chosen.options, *whole])
            if chosen.automount:
                return automount
            options = [word for text in chosen.options for word in ("-o", text)]
            unit = mount_unit(program, mountpoint, options, for_user=for_user)
            # To be removed is whichever of the two is there.
            return [unit, *automount] if action == "remove" else [unit]
        case "gateway":
            # What is to go may have been written when no store was named.
            has_own = action == "remove" or (not for_user and settings.provenance["store"] == "default")
            if not has_own:
                return gateway_units(program, [], settings.store, log_file=_log_file(settings), for_user=for_user)
            if action == "install":
                _say_what_is_closed(session, settings, [Path(program[0]), SYSTEM_FILE if config is None else Path(config)])
            return gateway_units(program, [], None, secrets=_secrets(settings), for_user=for_user)
    if action == "install" and chosen.into is None and not os.access(settings.store / "format", os.F_OK):
        session.output.talk(f"wheelfs: there is no store at {settings.store} yet; until then housekeeping fails")
    return timer_units(program, for_user=for_user)


def _secrets(settings: Settings) -> dict[str, Path]:
    """Return the files of a gateway that configuration files name and that are not for all users, by their variables."""
    here = environment_of(settings)  # the unit has none of these
    named = {one.variable: getattr(settings, one.field) for one in OPTIONS if one.field in _SECRETS and one.variable not in here}
    return {variable: path for variable, path in named.items() if path is not None and not _is_for_all(path)}


def _say_what_is_closed(session: Session, settings: Settings, needed: list[Path]) -> None:
    """Say what a gateway under a user of its own cannot do without: it would fail at each start, in the journal alone."""
    advice = "open it, or name a store with --store DIR: such a gateway is root's"
    origins = (*settings.indexes, *settings.shares)
    needed += [path for one in origins for path in (one.ca, one.client_cert, one.client_key) if path is not None]
    for path in needed:
        if not _is_for_all(path):
            session.output.talk(f"wheelfs: the gateway's own user may not read {path}: {advice}")
    if (log_file := _log_file(settings)) is not None:
        session.output.talk(f"wheelfs: the gateway's own user may not write {log_file}: leave [log] file out, for the journal")


def _log_file(settings: Settings) -> Path | None:
    """Return the log that configuration files name."""
    return None if "WHEELFS_LOG_FILE" in environment_of(settings) else settings.log_file


def _is_for_all(path: Path) -> bool:
    """Return whether every user may read a file, links followed; one that is not there is judged when it is used."""
    try:
        real = path.resolve(strict=True)
        ways = {*path.absolute().parents, *real.parents}
        return bool(real.stat().st_mode & stat.S_IROTH) and all(way.stat().st_mode & stat.S_IXOTH for way in ways)
    except OSError:
        return True


def _program() -> list[str]:
    """Return the command that has been called, by its whole path."""
    called = Path(sys.argv[0])
    found = shutil.which(called.name) if called.name == sys.argv[0] else str(called)
    if called.name.startswith("wheelfs") and found and os.access(found, os.X_OK):
        return [os.path.abspath(found)]  # noqa: PTH100
    return [sys.executable, "-P", "-m", "wheelfs"]


def _units_directory(*, for_user: bool) -> Path:
    if not for_user:
        return SYSTEM_UNITS
    return Path(os.environ.get("XDG_CONFIG_HOME") or home_directory(os.environ) / ".config") / "systemd" / "user"


def _install(session: Session, units: list[Unit], place: Path, *, for_user: bool, dry_run: bool) -> None:
    output = session.output
    for unit in units:
        path = place / unit.name
        if not dry_run:
            _write(path, unit.text)
        if output.json:
            output.record({"unit": unit.name, "path": str(path), "text": unit.text, "written": not dry_run})
        elif dry_run:
            output.line(f"# {path}")
            for line in unit.text.splitlines():
                output.line(line)
        else:
            output.line(f"written {path}")
    if output.json or dry_run:
        return
    systemctl = "systemctl --user" if for_user else "systemctl"
    output.line("to start it, now and at each boot:")
    output.line(f"  {systemctl} daemon-reload")
    for unit in units:
        if unit.enable:
            output.line(f"  {systemctl} enable --now '{unit.name}'")
    if for_user:
        output.line("  loginctl enable-linger    # also while you are not logged in")


def _write(path: Path, text: str) -> None:
    attempted = f"write the unit {path}"
    try:
        if path.exists() and not path.read_text("utf-8", "replace").startswith(MARK):
            raise DestinationError(
                attempted, "a file that wheelfs did not write is there", "move it away, or use `systemctl edit`"
            )
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    except OSError as error:
        raise DestinationError(attempted, error.strerror or str(error), "as root, or give --user or --into DIR") from None


def _remove(session: Session, paths: list[Path], *, dry_run: bool) -> None:
    present = [path for path in paths if os.access(path, os.F_OK)]
    if not present:
        raise NotKnown("remove the service", f"there is no {paths[0]}", "wheelfs service install writes it")
    for path in present:
        attempted = f"remove the unit {path}"
        try:
            if not path.read_text("utf-8", "replace").startswith(MARK):
                raise DestinationError(attempted, "wheelfs did not write it", "remove it by hand if it is to go")
            if not dry_run:
                path.unlink()
        except OSError as error:
            raise DestinationError(attempted, error.strerror or str(error), "try it as root") from None
        if session.json:
            session.output.record({"unit": path.name, "path": str(path), "removed": not dry_run})
        else:
            session.output.line(f"{'would remove' if dry_run else 'removed'} {path}")
    if not session.json:
        session.output.talk("wheelfs: what runs goes on: `systemctl disable --now` before, `daemon-reload` now")
