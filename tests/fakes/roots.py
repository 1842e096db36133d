"""A root file system to install into: this machine's, with all changes in a directory of the test's own.

An overlay in a mount namespace of its own, so that nothing outside sees it and it is gone with the last process in it.
"""

from __future__ import annotations

import shlex
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.fakes.processes import Finished
from tests.fakes.real_index import machine_settings

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_ENTER = """
mount -t overlay overlay -o "lowerdir=/,upperdir=$CHANGES/up,workdir=$CHANGES/work" "$CHANGES/root"
mount --rbind /dev "$CHANGES/root/dev"
mount -t proc proc "$CHANGES/root/proc"
"""


class MachineRoot:
    """Runs scripts in a copy of this machine's root; ``changes`` is on a file system that is no overlay itself."""

    def __init__(self, changes: Path) -> None:
        self._changes = changes
        for name in ("up", "work", "root"):
            (changes / name).mkdir(parents=True)
        # What was used on this machine as root is not there.
        tried = self.run("rm -rf /var/lib/wheelfs /var/log/wheelfs")
        if tried.returncode != 0:
            pytest.skip(f"needs root and overlays in a mount namespace: {tried.stderr.strip()[-200:]}")

    @property
    def changed(self) -> Path:
        """What is other there than in this machine's root."""
        return self._changes / "up"

    def command(self, script: str, user: str = "root") -> list[str]:
        """Return the command that runs a script there; it ends with the script."""
        inner = shlex.join(["bash", "-euc", script])
        enter = f'{_ENTER}exec /usr/sbin/chroot --userspec={user} "$CHANGES/root" {inner}'
        return ["unshare", "--mount", "--propagation", "private", "bash", "-euc", enter]

    def environment(self, more: Mapping[str, str] | None = None) -> dict[str, str]:
        """Return the environment of those commands: that of a login, and what pip is configured with."""
        return {
            **machine_settings(),
            "HOME": "/root",
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "LC_ALL": "C.UTF-8",
            "CHANGES": str(self._changes),
            **(more or {}),
        }

    def run(self, script: str, user: str = "root", more: Mapping[str, str] | None = None) -> Finished:
        command, environment = self.command(script, user), self.environment(more)
        done = subprocess.run(command, env=environment, cwd="/", capture_output=True, text=True, check=False)
        return Finished(tuple(command), done.returncode, done.stdout, done.stderr)
