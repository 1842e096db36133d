"""The ``wheelfs`` command, and ``python -m wheelfs``."""

from __future__ import annotations


def main() -> int:
    """Run the command line and return its exit code, also when Ctrl-C comes while it is being imported."""
    try:
        from wheelfs.cli.main import main as run

        return run()
    except KeyboardInterrupt:
        return 130  # wheelfs.cli.interrupts may not be there yet


if __name__ == "__main__":
    raise SystemExit(main())
