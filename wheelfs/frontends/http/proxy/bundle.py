"""The bundle of trusted authorities that a run's command is given: a file that is gone when the run is, however it ends."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import ssl
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from wheelfs.core.proxy.environment import USERS_BUNDLES
from wheelfs.errors import DestinationError, UsageError
from wheelfs.remote.http.tls import trust

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_NAME: Final = "authorities.pem"


def users_roots(environ: Mapping[str, str]) -> bytes:
    """Return, as PEM, the authorities that the caller trusts: those that the environment names, else the system's.

    Raises `UsageError` for a bundle that is named and cannot be read: clients would refuse it too, with less of a reason.
    """
    named = list(dict.fromkeys(environ[name] for name in USERS_BUNDLES if environ.get(name)))
    if named:
        return b"".join(_read(Path(path)) for path in named)
    paths = ssl.get_default_verify_paths()
    # Which of the two there is depends on the system (Debian 11 has no file, Pythons of uv may have neither).
    for path in filter(None, (paths.cafile, paths.capath)):
        with suppress(UsageError):
            if found := _read(Path(path)):
                return found
    # As wheelfs trusts: its HTTP client knows where other systems keep them.
    return "".join(map(ssl.DER_cert_to_PEM_cert, trust(None).get_ca_certs(binary_form=True))).encode()


def _read(path: Path) -> bytes:
    try:
        files = sorted(one for one in path.iterdir() if one.is_file()) if path.is_dir() else [path]
        return b"".join(file.read_bytes().rstrip(b"\n") + b"\n" for file in files)
    except OSError as error:
        raise UsageError(
            f"read the trusted authorities in {path}",
            error.strerror or str(error),
            f"check {', '.join(USERS_BUNDLES)} in the environment, and cert in pip's configuration",
        ) from None


class Bundle:
    """The file; ``path`` is what the command's environment names."""

    def __init__(self, directory: Path, roots: bytes) -> None:
        self.path = directory / _NAME
        self._roots = roots
        self._held: int | None = None

    def hold(self) -> bool:
        """Let programs that open the file wait until `write`; return False where the file system cannot do that.

        This is a lease (fcntl(2)): an open waits in the kernel, for ``/proc/sys/fs/lease-break-time`` at most (45 s).
        """
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            # The kernel announces a waiting open by a signal: here by one that is ignored by default.
            fcntl.fcntl(descriptor, fcntl.F_SETSIG, signal.SIGURG)
            fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_WRLCK)
        except OSError:
            os.close(descriptor)
            return False
        self._held = descriptor
        return True

    def trust(self, path: Path) -> str:
        """Add what is in ``path`` to the caller's authorities, and return a path of all of them; to be called before `write`.

        That is of a file in memory: there is always room for it, and the command cannot clean it away.  It is there as long as
        this process.  Raises `UsageError` for what cannot be read.
        """
        self._roots += _read(path)
        with os.fdopen(os.memfd_create("wheelfs-run", os.MFD_CLOEXEC), "wb", closefd=False) as file:
            file.write(self._roots)
            return f"/proc/self/fd/{file.fileno()}"

    def write(self, authority: bytes) -> None:
        """Put the caller's authorities and this one in, at once: a client that starts meanwhile reads the old or the new file."""
        if self._held is not None:  # into the very file: those who wait have it in hand already
            with os.fdopen(self._held, "wb") as held:
                self._held = None
                held.write(self._roots + authority)
                held.flush()
                fcntl.fcntl(held, fcntl.F_SETLEASE, fcntl.F_UNLCK)
            return
        new = self.path.with_suffix(".new")
        with suppress(FileExistsError):  # else it was cleaned away, with all else that is temporary
            new.parent.mkdir(0o700)
        new.write_bytes(self._roots + authority)
        new.replace(self.path)


@contextmanager
def private_bundle(roots: bytes) -> Iterator[Bundle]:
    """Lend a bundle in a directory that only this user can read; raises `DestinationError` where none can be written.

    A process beside this one waits for its end and removes the directory, so that nothing stays after a SIGKILL either.  To be
    called before threads and event loops: it forks.
    """
    directory = _directory(roots, os.environ)
    reading, writing = os.pipe()
    remover = os.fork()
    if remover == 0:
        _remove_when_closed(reading, writing, directory)
    os.close(reading)
    try:
        yield Bundle(directory, roots)
    finally:
        os.close(writing)
        with suppress(ChildProcessError):  # opening the store may have gone on in a child of the process that forked it
            os.waitpid(remover, 0)


def _directory(roots: bytes, environ: Mapping[str, str]) -> Path:
    """Make a directory that holds the roots, in the first place that takes them: after su or sudo -E, say, some do not."""
    places = dict.fromkeys(filter(None, (environ.get("XDG_RUNTIME_DIR"), environ.get("TMPDIR"), "/tmp")))
    failures = []
    for place in places:
        try:
            directory = Path(tempfile.mkdtemp(prefix="wheelfs-run-", dir=Path(place).absolute()))
        except OSError as error:
            failures.append(f"{place}: {error.strerror or error}")
            continue
        try:
            (directory / _NAME).write_bytes(roots)
        except OSError as error:
            shutil.rmtree(directory, ignore_errors=True)
            failures.append(f"{place}: {error.strerror or error}")
        else:
            return directory
    raise DestinationError(
        "write the authorities that the command is to trust",
        "; ".join(failures),
        "let TMPDIR name a directory that can be written",
    )


def _remove_when_closed(reading: int, writing: int, directory: Path) -> None:
    """Be the remover: wait until the other end of the pipe is closed, by the run or by its death, and end."""
    try:
        os.setsid()  # Ctrl-C is for the run
        os.close(writing)
        for descriptor in (0, 1, 2):  # a pipe that the run's output goes to must end with the run
            with suppress(OSError):
                os.close(descriptor)
        os.read(reading, 1)
        shutil.rmtree(directory, ignore_errors=True)
    finally:
        os._exit(0)
