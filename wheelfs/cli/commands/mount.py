"""``mount`` and ``umount``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

import wheelfs
from wheelfs.cli.client_lines import mount_lines
from wheelfs.cli.command import Command, session_of
from wheelfs.cli.failures import error_of
from wheelfs.cli.mount_options import parse_options
from wheelfs.config import Given, environment_of, redact
from wheelfs.config.settings import log_directory
from wheelfs.errors import StoreError

if TYPE_CHECKING:
    from wheelfs.cli.command import Session
    from wheelfs.config import Settings
    from wheelfs.reports.mounts import MountReady

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
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--index", "indexes", multiple=True, metavar="NAME=URL", help="A package index; repeat in order of priority.")
@click.option("--share", "shares", multiple=True, metavar="URL", help="A gateway, file:///DIR or s3://BUCKET/DIR to ask first.")
@click.option("--share-write", is_flag=True, default=None, help="Push what is stored to the first directory or bucket of them.")
@click.option("--offline", is_flag=True, default=None, help="Never use the network.")
@click.option("--quota", metavar="SIZE", help="How large the store may become, such as 200GiB.")
@click.option(
    "--min-age", metavar="AGE", help="Hide files uploaded less than this long ago, such as 7d, and those of unknown age."
)
@click.option(
    "--delta", type=click.Choice(["auto", "always", "never"]), help="Whether to fetch only what other stored wheels do not have."
)
@click.option("--allow-other", is_flag=True, default=None, help="Let other users use the mount.")
@click.option("-f", "--foreground", is_flag=True, help="Stay in the foreground and log to stderr.")
@click.option("-o", "options", multiple=True, metavar="OPTS", help="Options as in fstab, separated by commas.")
@click.option("--quiet", is_flag=True, hidden=True, help="Print nothing when ready (mount(8) and fstab).")
@click.pass_context
def mount(
    context: click.Context,
    directory: Path,
    indexes: tuple[str, ...],
    shares: tuple[str, ...],
    share_write: bool | None,
    offline: bool | None,
    quota: str | None,
    min_age: str | None,
    delta: str | None,
    allow_other: bool | None,
    foreground: bool,
    options: tuple[str, ...],
    quiet: bool,
) -> None:
    """Mount the wheels at DIR and print, when the mount answers, the lines to give to pip and uv.

    Returns then, leaving a daemon behind, unless -f is given. DIR is created when it is missing. The mount is read-only. Options
    understood by -o: index=NAME=URL (repeatable), store=DIR, config=FILE, quota=SIZE, delta=auto|always|never, min-age=AGE,
    offline, allow_other, nonempty; the usual ones of mount(8) are accepted and ignored. In fstab, and as "wheelfs SOURCE DIR -o
    OPTS", the source is none, a URL or NAME=URL.
    """
    session = session_of(context)
    parsed = parse_options(options)
    if parsed.config_file is not None and session.config_file is None:
        session.config_file = parsed.config_file
    given = list(parsed.given)
    if indexes or parsed.indexes:
        given.append(Given("indexes", [*indexes, *parsed.indexes], "--index" if indexes else "-o index"))
    given += [Given("shares", list(shares), "--share")] if shares else []
    given += [Given("share_write", share_write, "--share-write")] if share_write else []
    given += [Given("offline", offline, "--offline")] if offline else []
    given += [Given("quota_bytes", quota, "--quota")] if quota else []
    given += [Given("min_age_s", min_age, "--min-age")] if min_age else []
    given += [Given("delta", delta, "--delta")] if delta else []
    given += [Given("allow_other", allow_other, "--allow-other")] if allow_other else []
    settings = session.settings(given)
    # Not resolve(): a dead mount answers ENOTCONN, and must still be named so that it can be cleared.
    mountpoint = Path(os.path.abspath(directory))  # noqa: PTH100
    if foreground:
        if any(redact(given_index) != given_index for given_index in indexes):
            session.output.talk(
                "wheelfs: a password in --index can be read in the list of processes as long as this mount lives: give it by "
                "WHEELFS_INDEX, a configuration file or ~/.netrc"
            )
        _stay(session, settings, mountpoint, nonempty=parsed.nonempty, quiet=quiet)
    else:
        _leave_daemon(session, settings, mountpoint, nonempty=parsed.nonempty, quiet=quiet)


def _stay(session: Session, settings: Settings, mountpoint: Path, *, nonempty: bool, quiet: bool) -> None:
    """Be the mount: in the foreground of a terminal, or as the daemon that `_leave_daemon` has spawned."""
    from wheelfs.frontends.fuse.mount.daemon import report_error, report_ready, take_ready_fd

    fd = take_ready_fd()
    reported = fd is None

    def ready(mounted: MountReady) -> None:
        nonlocal reported
        if fd is not None and not reported:
            reported = True
            report_ready(fd, {"path": mounted.path, "store": mounted.store})
        elif not quiet:
            _print_ready(session, mounted.path, mounted.store, os.getpid(), log_file=None)

    try:
        from wheelfs import app
        from wheelfs.reports.mounts import MountArguments
        from wheelfs.telemetry import level_for, set_up_logging

        log_file = settings.log_file or default_log_file(mountpoint)
        set_up_logging(level_for(settings.log_level, session.verbosity), log_file=None if fd is None else log_file)
        app.run_mount(settings, mountpoint, MountArguments(nonempty=nonempty), ready=ready)
    except Exception as error:
        known = error_of(error)
        if fd is not None and not reported:
            report_error(fd, known)
        raise known from (None if known is error else error)


def _leave_daemon(session: Session, settings: Settings, mountpoint: Path, *, nonempty: bool, quiet: bool) -> None:
    from wheelfs.frontends.fuse.mount.daemon import spawn_daemon

    log_file = settings.log_file or default_log_file(mountpoint)
    try:
        log_file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        advice = "choose another with [log] file or WHEELFS_LOG_FILE"
        raise StoreError(f"open the log {log_file}", error.strerror or str(error), advice) from None
    arguments = ["mount", "--foreground"] + ["-v"] * session.verbosity + ["-o", "nonempty"] * nonempty
    # The daemon reads the same files again, but everything that they, the flags and the environment said goes before.
    os.environ.update(environment_of(settings))
    if session.config_file is not None:
        os.environ["WHEELFS_CONFIG"] = str(Path(os.path.abspath(session.config_file)))  # noqa: PTH100
    # -P: else python puts the working directory, which may be anybody's, before the standard library for a process of root's.
    package = str(Path(wheelfs.__file__).resolve().parent.parent)
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [package, os.environ.get("PYTHONPATH")]))
    daemon = spawn_daemon(
        [*arguments, "--", str(mountpoint)],
        log_path=log_file,
        ready_timeout_s=READY_TIMEOUT_S,
        program=("-P", "-m", "wheelfs"),
    )
    if not quiet:
        path, store = daemon.message.get("path", mountpoint), daemon.message.get("store", settings.store)
        _print_ready(session, str(path), str(store), daemon.pid, log_file=log_file)


def _print_ready(session: Session, path: str, store: str, pid: int, *, log_file: Path | None) -> None:
    output = session.output
    lines = mount_lines(Path(path))
    if session.json:
        log = None if log_file is None else str(log_file)
        output.record({"path": path, "pid": pid, "store": store, "log": log, "lines": lines})
    else:
        output.line(f"mounted at {path}")
        width = max(len(purpose) for purpose in lines) + 1
        for purpose, line in lines.items():
            output.line(f"  {purpose + ':':<{width}} {line}")
        if log_file is not None:
            output.line(f"process {pid}, log: {log_file}")
    output.flush()


def default_log_file(mountpoint: Path) -> Path:
    """Return the log of a mount: one for each mount point, so that no two daemons write to the same."""
    name = str(mountpoint).strip("/").replace("-", "--").replace("/", "-") or "root"
    return log_directory(os.environ) / f"mount-{name[-150:]}.log"


@click.command(
    cls=Command,
    short_help="Unmount DIR.",
    examples=("wheelfs umount /mnt/wheels", "wheelfs umount --lazy /mnt/wheels"),
)
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
@click.option(
    "--lazy", is_flag=True, help="Take the mount out of sight even while it is in use; it ends with the last open file."
)
@click.pass_context
def umount(context: click.Context, directory: Path, lazy: bool) -> None:
    """Unmount DIR and wait for its daemon to end; also clears a mount whose daemon has died."""
    from wheelfs.frontends.fuse.mount.umount import unmount

    session = session_of(context)
    # The configuration is not read: a broken one must not keep anybody from unmounting.
    ended = unmount(directory, lazy_if_busy=lazy)
    path = os.path.abspath(directory)  # noqa: PTH100
    if session.json:
        session.output.record({"path": path, "ended": ended})
    elif not ended:
        session.output.talk(f"wheelfs: {path} is out of sight; its process ends when the last open file is closed")
