"""The file that a process which stays logs to: private, and of a bounded size."""

from __future__ import annotations

import os
from logging.handlers import RotatingFileHandler
from typing import TYPE_CHECKING, Final

from wheelfs.private_files import Readers, restrict_open

if TYPE_CHECKING:
    from io import TextIOWrapper
    from pathlib import Path

LOG_FILE_BYTES: Final = 8 << 20
"""A daemon lives for months: its log is kept to this size, and one predecessor."""


class PrivateLog(RotatingFileHandler):
    """A log that only ``readers`` may read besides its owner, the ones that it is rotated to included."""

    def __init__(self, readers: Readers, path: Path) -> None:
        self._readers = readers
        super().__init__(path, maxBytes=LOG_FILE_BYTES, backupCount=1, encoding="utf-8", errors="backslashreplace")

    def _open(self) -> TextIOWrapper:
        def opener(path: str, flags: int) -> int:
            descriptor = os.open(path, flags | os.O_CLOEXEC, 0o600)
            restrict_open(descriptor, self._readers)
            return descriptor

        return open(self.baseFilename, "a", encoding=self.encoding, errors=self.errors, opener=opener)
