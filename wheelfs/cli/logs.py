"""Where a command that stays writes its log, and what is said where it cannot."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from wheelfs.config.settings import log_directory
from wheelfs.errors import StoreError
from wheelfs.private_files import readers_of, restrict

if TYPE_CHECKING:
    from pathlib import Path

    from wheelfs.config import Settings


def default_log_file(mountpoint: Path) -> Path:
    """Return the log of a mount: one for each mount point, so that no two daemons write to the same."""
    name = str(mountpoint).strip("/").replace("-", "--").replace("/", "-") or "root"
    return log_directory(os.environ) / f"mount-{name[-150:]}.log"


def check_log(log_file: Path) -> None:
    """Make the directory of a log and see whether it can be appended to; raise `StoreError`.

    Before a daemon is spawned: it could only say so in the log.
    """
    try:
        log_file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.close(os.open(log_file, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise _not_writable(log_file, error) from None


def log_to(settings: Settings, verbosity: int, log_file: Path | None) -> None:
    """Log at the level of the settings, raised by ``-v``, to a file (None: stderr); raise `StoreError`."""
    from wheelfs.telemetry import level_for, set_up_logging

    try:
        readers = readers_of(settings.store_group)
        set_up_logging(level_for(settings.log_level, verbosity), log_file=log_file, readers=readers)
        # What is no directory of ours, /var/log say, keeps its mode.
        if readers.group is not None and log_file is not None and log_file.parent == log_directory(os.environ):
            restrict(log_file.parent, readers)
    except OSError as error:
        if log_file is None:
            raise
        raise _not_writable(log_file, error) from None


def _not_writable(log_file: Path, error: OSError) -> StoreError:
    advice = "give another one with --log-file (WHEELFS_LOG_FILE, [log] file), or make this one writable"
    return StoreError(f"open the log {log_file}", error.strerror or str(error), advice)
