"""The ``wheelfs`` command, and ``python -m wheelfs``."""

from __future__ import annotations

import gc


def main() -> int:
    """Run the command line and return its exit code, also when Ctrl-C comes while it is being imported.

    Of what is imported nothing becomes garbage: looking for it, while importing and again at the end of the process, would take a
    fifth of the processor time of a short command.
    """
    gc.disable()
    try:
        from wheelfs.cli.main import main as run

        gc.freeze()
        gc.enable()
        return run()
    except KeyboardInterrupt:
        return 130  # wheelfs.cli.interrupts may not be there yet
    finally:
        gc.enable()
        gc.freeze()


if __name__ == "__main__":
    raise SystemExit(main())
