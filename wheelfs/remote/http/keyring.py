"""Passwords from the user's keyring, through its command: what pip and uv call the ``subprocess`` provider.

The library is not imported: the command may belong to another Python, with the plug-in that this index wants, and a back end
that crashes or waits takes nothing of ours with it.
"""

from __future__ import annotations

import importlib.util
import logging
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import trio

if TYPE_CHECKING:
    from collections.abc import Mapping

log = logging.getLogger(__name__)

TIMEOUT_S: Final = 5.0
"""Less than a look-up may wait: a keyring that asks a person must not pass for an index that is away."""


async def password_of(username: str, url: str, environ: Mapping[str, str]) -> str | None:
    """Return the password kept for ``username`` under the index's address, or else under its host; None when there is none."""
    command = _command(environ)
    if command is None:
        log.warning("%s needs a password, and there is no keyring command here", urlsplit(url).netloc)
        return None
    for service in (url, urlsplit(url).netloc):
        try:
            with trio.fail_after(TIMEOUT_S):
                done = await trio.run_process(
                    [*command, "get", service, username],
                    capture_stdout=True,
                    stderr=subprocess.DEVNULL,  # a back end may quote what it was given
                    check=False,
                    env=dict(environ),
                )
        except trio.TooSlowError:
            log.warning("the keyring gave no password for %s within %g s", service, TIMEOUT_S)
            return None
        except OSError as error:
            log.warning("the keyring cannot be asked: %s", error.strerror)
            return None
        password = done.stdout.decode(errors="replace").removesuffix("\n").removesuffix("\r")
        if done.returncode == 0 and password:
            return password
    log.warning("the keyring has no password for %s", urlsplit(url).netloc)
    return None


def _command(environ: Mapping[str, str]) -> list[str] | None:
    found = shutil.which("keyring", path=environ.get("PATH"))
    if found is not None:
        return [found]
    return [sys.executable, "-P", "-m", "keyring"] if importlib.util.find_spec("keyring") is not None else None
