"""Comparing directories: what is in each of their files, and which can be run."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from wheelfs.core.environments.packing import PACKED


def digests_below(root: Path) -> dict[str, tuple[str, bool]]:
    """Return sha256 and exec bit of all files but bytecode, by their paths below ``root``; links are left out."""
    found = {}
    for directory, below, names in os.walk(root):
        below[:] = [name for name in below if name != "__pycache__"]
        for name in names:
            path = Path(directory, name)
            if not path.is_symlink() and not str(path).endswith(f"/{PACKED}"):
                content = hashlib.sha256(path.read_bytes()).hexdigest()
                found[str(path.relative_to(root))] = content, os.access(path, os.X_OK)
    return found
