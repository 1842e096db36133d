from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.fakes.roots import MachineRoot

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def root() -> Iterator[MachineRoot]:
    """A root to install into, which skips the test where there cannot be one."""
    # In memory: a test's own directory may be on the overlay of a container, which holds no upper layer.
    changes = Path(tempfile.mkdtemp(prefix="wheelfs-root-", dir="/dev/shm"))
    try:
        yield MachineRoot(changes)
    finally:
        shutil.rmtree(changes, ignore_errors=True)
