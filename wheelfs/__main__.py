"""The ``wheelfs`` command, and ``python -m wheelfs``."""

from __future__ import annotations

import gc
import io
import os
import sys


def main() -> int:
    """Run the command line and return its exit code, also when Ctrl-C comes while it is being imported.

    Of what is imported nothing becomes garbage: looking for it, while importing and again at the end of the process, would take a
    fifth of the processor time of a short command.
    """
    gc.disable()
    try:
        _open_standard_streams()
        _escape_what_stdout_lacks()
        from wheelfs.cli.main import main as run

        gc.freeze()
        gc.enable()
        return run()
    except KeyboardInterrupt:
        return 130  # wheelfs.cli.interrupts may not be there yet
    finally:
        gc.enable()
        gc.freeze()


def _open_standard_streams() -> None:
    """Open those of 0, 1 and 2 that are closed: the store's files would get these numbers, and what is printed go into them."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest number that is free
            setattr(sys, name, os.fdopen(number, "w" if number else "r", closefd=False))


def _escape_what_stdout_lacks() -> None:
    """Escape what the locale's encoding has not (an arrow, a name), as Python does on stderr: it is to end no command."""
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors == "strict":
        sys.stdout.reconfigure(errors="backslashreplace")


if __name__ == "__main__":
    raise SystemExit(main())
