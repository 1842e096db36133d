"""The importer as environments hold it: a program that their interpreter runs, and no module of ours."""

from __future__ import annotations

from pathlib import Path
from typing import Final

_IMPORTER: Final = Path(__file__).with_name("importer.py")


def importer_text() -> bytes:
    """Return the text; another one needs another `wheelfs.model.environment.LAYOUT`."""
    return _IMPORTER.read_bytes()
