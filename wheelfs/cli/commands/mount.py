"""``mount`` and ``umount``."""

from __future__ import annotations

import logging
import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click
import msgspec

import wheelfs
from wheelfs.cli.client_lines import mount_lines
from wheelfs.cli.command import Command
from wheelfs.cli.failures import error_of
from wheelfs.cli.logs import check_log, default_log_file, log_to
from wheelfs.cli.mount_options import complete_options, parse_options
from wheelfs.cli.paths import MOUNT_POINT
from wheelfs.cli.session import session_of
from wheelfs.config import OPTIONS, environment_of, redact
from wheelfs.reports.mounts import MountArguments

if TYPE_CHECKING:
    from wheelfs.cli.session import Session
    from wheelfs.config import Settings
    from wheelfs.frontends.fuse.mount.umount import Unmounted
    from wheelfs.reports.mounts import MountReady

CUTOFF_IGNORED: Final = (
    "{place} keeps new files from pip, and pip (26.3) ignores it for every file:// address: set min-age, "
    "mount asof/TIME/simple, or use wheelfs serve"
)

log = logging.getLogger(__name__)

ROOT_ONLY: Final = "only root can use this mount (others get EACCES): --allow-other lets other users in"

READY_TIMEOUT_S: Final = 90.0
"""For a daemon to answer: opening a store may have to clean up after a crash first."""


@click.command(
    cls=Command,
    short_help="Mount the wheels at DIR.",
    examples=(
        "wheelfs mount /mnt/wheels",
        "wheelfs mount /mnt/wheels --index lab=https://index.example/simple",
        "wheelfs mount /mnt/wheels --offline -f",
        "mount -t fuse.wheelfs none /mnt/wheels -o allow_other",
    ),
)
@click.argument("directory", metavar="DIR", type=MOUNT_POINT)
@click.option("-f", "--foreground", is_flag=True, help="Stay in the foreground and log to stderr.")
@click.option(
    "-o",
    "options",
    multiple=True,
    metavar="OPTS",
    shell_complete=complete_options,
    help="Options as in fstab, separated by commas.",
)
@click.option("--quiet", is_flag=True, hidden=True, help="Print nothing when ready (mount(8) and fstab).")
@click.pass_context
def mount(context: click.Context, directory: Path, foreground: bool, options: tuple[str, ...], quiet: bool) -> None:
    """Mount the wheels at DIR and print, when the mount answers, the lines to give to pip and uv.

    Returns then, leaving a daemon running, unless -f is given. DIR is created when it is missing. The mount is read-only. -o
    takes every setting of a mount, as in fstab: those with a flag under its name, such as index=NAME=URL (repeatable), offline
    and allow_other, and the others, such as open-timeout-s=SECONDS; also config=FILE, fsname=NAME (the source that is shown) and
    nonempty. The usual ones of mount(8) are accepted and ignored. In fstab, and as "wheelfs SOURCE DIR -o OPTS", the source is
    "none", a URL or NAME=URL.
    """
    from wheelfs import app

    session = session_of(context)
    parsed = parse_options(options)
    if parsed.config_file is not None and session.config_file is None:
        session.config_file = parsed.config_file
    session.add_mount_options(parsed.given)
    settings = session.settings()
    arguments = MountArguments(nonempty=parsed.nonempty, source=parsed.source)
    # Not resolve(): a dead mount answers ENOTCONN, and must still be named so that it can be cleared.
    mountpoint = Path(os.path.abspath(directory))  # noqa: PTH100
    if not quiet:  # as a daemon is: what starts it has said so
        _warn_of_upload_cutoff(session, settings)
    if foreground:
        _warn_of_passwords(session)
        _stay(session, settings, mountpoint, arguments, quiet=quiet)
    else:
        if not quiet:
            for note in app.index_notes(settings, app.OwnPlaces(mountpoint=mountpoint)):
                _tell(session, note)
        _leave_daemon(session, settings, mountpoint, arguments, quiet=quiet)


def _warn_of_passwords(session: Session) -> None:
    for given in session.given.values():
        texts = given.value if isinstance(given.value, list) else []
        if any(redact(text) != text for text in texts):
            session.output.talk(
                f"wheelfs: a password in {given.place} can be read in the list of processes as long as this mount lives: give it "
                f"by {_variable_of(given.field)}, a configuration file or ~/.netrc"
            )


def _warn_of_upload_cutoff(session: Session, settings: Settings) -> None:
    """Say that pip does not do through a mount what it is told to do."""
    from wheelfs.remote.index.default import pip_upload_cutoff

    place = None if settings.min_age_s else pip_upload_cutoff(os.environ)
    if place is not None:
        session.output.talk(f"wheelfs: {CUTOFF_IGNORED.format(place=place)}")


def _tell(session: Session, note: str) -> None:
    """Say which index of pip or uv is not taken."""
    session.output.talk(f"wheelfs: {note}")


def _variable_of(field: str) -> str:
    return next(option.variable for option in OPTIONS if option.field == field)


def _stay(session: Session, settings: Settings, mountpoint: Path, arguments: MountArguments, *, quiet: bool) -> None:
    """Be the mount: in the foreground of a terminal, or as the daemon that `_leave_daemon` has spawned."""
    from wheelfs.frontends.fuse.mount.daemon import report_error, report_ready
    from wheelfs.service.process.spawn import take_report_pipe

    fd = take_report_pipe()
    reported = fd is None

    def ready(mounted: MountReady) -> None:
        nonlocal reported
        if fd is not None and not reported:
            reported = True
            report_ready(fd, {"path": mounted.path, "store": mounted.store})
            if _is_roots_alone(settings):  # mount(8) and fstab print nothing
                log.warning(ROOT_ONLY)
        elif not quiet:
            _print_ready(session, settings, mounted.path, mounted.store, Process(os.getpid()))

    try:
        from wheelfs import app

        log_file = settings.log_file or default_log_file(mountpoint)
        own_log = None if fd is None else log_file
        log_to(settings, session.verbosity, own_log)
        arguments = msgspec.structs.replace(arguments, log=None if own_log is None else str(own_log))
        tell = (lambda _: None) if quiet else partial(_tell, session)
        app.run_mount(settings, mountpoint, arguments, ready=ready, reread=lambda: session.reread(own_log), tell=tell)
    except Exception as error:
        known = error_of(error)
        if fd is not None and not reported:
            report_error(fd, known)
        raise known from (None if known is error else error)


def _leave_daemon(session: Session, settings: Settings, mountpoint: Path, arguments: MountArguments, *, quiet: bool) -> None:
    from wheelfs.frontends.fuse.mount.daemon import spawn_daemon

    log_file = settings.log_file or default_log_file(mountpoint)
    check_log(log_file)
    # The daemon reads the same files again, also on SIGHUP; what flags and the environment said goes before.
    os.environ.update(environment_of(settings))
    if (config := session.config_path) is not None:
        os.environ["WHEELFS_CONFIG"] = config  # also a relative one that came in it: the daemon leaves this directory
    # -P: else python puts the working directory, which any user may own, before the standard library, also for root.
    package = str(Path(wheelfs.__file__).resolve().parent.parent)
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [package, os.environ.get("PYTHONPATH")]))
    daemon = spawn_daemon(
        ["mount", "--foreground", "--quiet", *["-v"] * session.verbosity, *_as_words(arguments), "--", str(mountpoint)],
        log_path=log_file,
        ready_timeout_s=READY_TIMEOUT_S,
        program=("-P", "-m", "wheelfs"),
    )
    if not quiet:
        path, store = daemon.message.get("path", mountpoint), daemon.message.get("store", settings.store)
        _print_ready(session, settings, str(path), str(store), Process(daemon.pid, log_file))


def _as_words(arguments: MountArguments) -> list[str]:
    source = "" if arguments.source is None else arguments.source.replace(",", "\\,")
    return [*(["-o", f"fsname={source}"] if source else []), *(["-o", "nonempty"] if arguments.nonempty else [])]


class Process(msgspec.Struct, frozen=True):
    """The process that is the mount; ``log_file`` is None in the foreground."""

    pid: int
    log_file: Path | None = None


def _print_ready(session: Session, settings: Settings, path: str, store: str, process: Process) -> None:
    output = session.output
    lines = mount_lines(Path(path))
    if session.json:
        log = None if process.log_file is None else str(process.log_file)
        output.record({"path": path, "pid": process.pid, "store": store, "log": log, "lines": lines})
    else:
        output.line(f"mounted at {path}")
        width = max(len(purpose) for purpose in lines) + 1
        for purpose, line in lines.items():
            output.line(f"  {purpose + ':':<{width}} {line}")
        if process.log_file is not None:
            output.line(f"process {process.pid}, log: {process.log_file}")
    output.flush()
    if _is_roots_alone(settings):
        output.talk(f"wheelfs: {ROOT_ONLY}")


def _is_roots_alone(settings: Settings) -> bool:
    return os.geteuid() == 0 and not settings.allow_other


@click.command(
    cls=Command,
    short_help="Unmount DIR.",
    examples=("wheelfs umount /mnt/wheels", "wheelfs umount --lazy /mnt/wheels"),
)
@click.argument("directory", metavar="DIR", type=MOUNT_POINT)
@click.option(
    "--lazy",
    is_flag=True,
    help="Detach lazily (umount -l), even while the mount is in use; it ends with the last open file.",
)
@click.option("--dead", is_flag=True, hidden=True, help="Only a mount whose process has died (units of systemd).")
@click.pass_context
def umount(context: click.Context, directory: Path, lazy: bool, dead: bool) -> None:
    """Unmount DIR and wait for its daemon to end; also clears a mount whose daemon has died."""
    from wheelfs.frontends.fuse.mount.umount import unmount

    session = session_of(context)
    path = os.path.abspath(directory)  # noqa: PTH100  # now: afterwards the working directory may be gone with the mount
    # The configuration is not read: a broken one must not prevent unmounting.
    done = unmount(directory, lazy_if_busy=lazy, only_dead=dead)
    if session.json:
        session.output.record({"path": path, "ended": done.ended, "left": done.left})
    elif not done.ended:
        session.output.talk(f"wheelfs: {path} {_what_is_left(done)}")


def _what_is_left(done: Unmounted) -> str:
    numbers = " ".join(map(str, done.left))
    if done.stopped:
        stopped = " ".join(map(str, done.stopped))
        return f"is unmounted, but its process is stopped: `kill -CONT {stopped}` lets it end, `kill -KILL {stopped}` ends it"
    if done.in_use:
        return f"is detached; its process ({numbers}) ends when the last open file is closed"
    return f"is unmounted, but its process ({numbers}) has not ended yet: its log says what it does, `kill {numbers}` ends it"
