"""``python -m wheelfs``: the same as the ``wheelfs`` command."""

from __future__ import annotations

from wheelfs.cli.main import main

if __name__ == "__main__":
    raise SystemExit(main())
