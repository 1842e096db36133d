"""A process number that no other process on the store has, in whatever PID namespace it lives.

LMDB knows readers by the number of their process: each locks the byte of that number in ``lock.mdb`` (``mdb_reader_pid`` in
mdb.c).  Two containers on one store each have a process 1, though: the second would fail at its first read, with EAGAIN.  So a
process whose number is taken goes on as a child of itself, which has another one; the parent stays, passes signals on, and ends
as the child does.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import signal
import struct
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Final, NoReturn

from wheelfs.errors import StoreLocked

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

OTHER_CONTAINERS: Final = "let the containers share their process numbers (--pid=host), or use a gateway (wheelfs serve)"

_FLOCK: Final = struct.Struct("@hhqqi0q")
"""``struct flock`` (fcntl(2)): type, whence, start, length, process."""

_ATTEMPTS: Final = 256
"""Children that are tried: as many containers may have a process of the same number."""

_PASSED_ON: Final = frozenset({signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2})
_PR_SET_PDEATHSIG: Final = 1
_SI_KERNEL: Final = 0x80
"""``si_code`` of signals that the kernel sends, as for a terminal's keys (sigaction(2))."""


def ensure_own_number(store: Path, environments: Iterable[str]) -> None:
    """Return when no other process has this process' number in one of the environments: in a child of the caller, where one has.

    To be called before this process opens one of them (closing their lock files would drop LMDB's own locks on them), and with
    the store's lock, until a first read has taken the number.  Raises `StoreLocked` where this process has threads, which a child
    would lack, and where no number is free; OSError.
    """
    locks = [store / name / "lock.mdb" for name in environments]
    attempted, number = f"open store {store}", os.getpid()
    if not _is_taken(locks, number):
        return
    begun_again = sum(getattr(thread, "survives_fork", False) for thread in threading.enumerate())
    if len(os.listdir("/proc/self/task")) > 1 + begun_again:  # noqa: PTH208
        raise StoreLocked(
            attempted, f"a process in another container on this store has the same number, {number}", OTHER_CONTAINERS
        )
    if not _goes_on_as_a_child(locks):
        raise StoreLocked(
            attempted, f"processes in other containers have the next {_ATTEMPTS} process numbers, too", OTHER_CONTAINERS
        )


def _goes_on_as_a_child(locks: Sequence[Path]) -> bool:
    """Return True in a child whose number is free, whose parent then stands for it; False when none was found."""
    # Looked up before the fork; signals that come in between wait for the parent to pass them on.
    prctl = ctypes.CDLL(None).prctl
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _PASSED_ON | {signal.SIGCHLD})
    tried = []
    for _ in range(_ATTEMPTS):
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reading)
            if _is_taken(locks, os.getpid()):
                os._exit(1)
            prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)  # who kills the number that it knows means this process
            os.write(writing, b"!")
            os.close(writing)
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
            return True
        os.close(writing)
        is_free = os.read(reading, 1)
        os.close(reading)
        if is_free:
            _stand_for(child)
        tried.append(child)  # not waited for yet, so that its number is not given out again
    for child in tried:
        os.waitpid(child, 0)
    signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return False


def _stand_for(child: int) -> NoReturn:
    """Pass signals on to the child and end as it does; what this process has open is the child's."""
    try:
        nothing = os.open(os.devnull, os.O_RDWR)
        for stream in range(3):
            os.dup2(nothing, stream)
        os.closerange(3, os.sysconf("SC_OPEN_MAX"))
        os.chdir("/")
        while True:
            found = signal.sigwaitinfo(_PASSED_ON | {signal.SIGCHLD})
            if found.si_signo == signal.SIGCHLD:
                ended, status = os.waitpid(child, os.WNOHANG)
                if ended:
                    _end_like(os.waitstatus_to_exitcode(status))
            elif found.si_code != _SI_KERNEL:  # the terminal's reach the child without us
                os.kill(child, found.si_signo)
    finally:
        os._exit(StoreLocked.exit_code)  # never reached but by a bug: nothing of the caller may run twice


def _end_like(code: int) -> NoReturn:
    if code < 0:
        with suppress(OSError, ValueError):
            signal.signal(-code, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {-code})
        os.kill(os.getpid(), -code)
    os._exit(code if code >= 0 else 128 - code)


def _is_taken(locks: Sequence[Path], number: int) -> bool:
    return any(_is_locked(path, number) for path in locks)


def _is_locked(path: Path, number: int) -> bool:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        asked = _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, number, 1, 0)
        answer = fcntl.fcntl(descriptor, fcntl.F_GETLK, asked)
        return bool(_FLOCK.unpack(answer)[0] != fcntl.F_UNLCK)
    finally:
        os.close(descriptor)
