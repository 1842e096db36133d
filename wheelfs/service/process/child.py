"""A command run as a shell runs it: the same terminal, standard streams and process group, and its end is ours.

What the terminal sends (Ctrl-C, Ctrl-Z, a hang-up) reaches the whole process group by itself.  A signal that another process
sends to us alone is passed on: to a CI runner, a supervisor or ``timeout`` we are the command.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Final, NoReturn

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

PASSED_ON: Final = frozenset({signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2})
"""Job control (SIGTSTP, SIGCONT) is left alone: stopping the group stops the proxy too, which no one needs then."""

END_S: Final = 5.0
"""What a command may take to end that is told to, as services are."""

_OVER: Final = signal.SIGALRM
"""Wakes our own thread when the command has ended."""

_TAKEN: Final = PASSED_ON | {_OVER}
_PR_SET_PDEATHSIG: Final = 1
_SI_KERNEL: Final = 0x80
"""``si_code`` of signals that the kernel sends, as for a terminal's keys (sigaction(2))."""


@contextmanager
def signals_held() -> Iterator[None]:
    """Hold back, for this thread and those that it starts, the signals that are passed on; `Child` takes them."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _TAKEN)
    try:
        yield
    finally:
        # Those that came meanwhile were the command's.
        while signal.sigtimedwait(_TAKEN, 0) is not None:
            pass
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class NotStarted(Exception):
    """A command could not be started; ``error`` is what the system says, of the command and of nothing else."""

    def __init__(self, error: OSError) -> None:
        super().__init__(error.strerror or str(error))
        self.error = error


class Child:
    """The running command; to be started and waited for inside of `signals_held`."""

    def __init__(self, command: Sequence[str], environ: Mapping[str, str]) -> None:
        """Start it, from the main thread; raises `NotStarted` when it is not there, or may not be run."""
        # Nothing is looked up or imported between fork and exec: other threads may have held locks when the process was copied.
        prctl = ctypes.CDLL(None).prctl
        unblock, taken = partial(signal.pthread_sigmask, signal.SIG_UNBLOCK), _TAKEN

        def prepare() -> None:
            unblock(taken)
            prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)  # without us it would have no network

        try:
            self._process = subprocess.Popen(list(command), env=dict(environ), preexec_fn=prepare)
        except OSError as error:
            raise NotStarted(error) from None
        self._passing = threading.Thread(target=self._pass_on, name="signals", daemon=True)
        self._passing.start()

    def wait(self) -> int:
        """Return the exit status when it has ended: below zero the number of the signal that ended it."""
        try:
            return self._process.wait()
        finally:
            assert self._passing.ident is not None
            signal.pthread_kill(self._passing.ident, _OVER)
            self._passing.join()

    def end(self) -> None:
        """End it, in case that it can get nowhere any more."""
        self._process.terminate()
        try:
            self._process.wait(END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
        self.wait()

    def _pass_on(self) -> None:
        while (found := signal.sigwaitinfo(_TAKEN)).si_pid != os.getpid():
            # The terminal's reach the command without us, and twice would be once too often.
            if found.si_code != _SI_KERNEL:
                self._process.send_signal(found.si_signo)


def end_like(status: int) -> NoReturn:
    """End this process as a command of this status has ended: with its exit code, or by the signal where that ends programs.

    At once: to take a thousand modules apart before would cost the caller a fifth of a second for nothing.
    """
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    number = -status
    if number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
    os._exit(status if status >= 0 else 128 + number)
