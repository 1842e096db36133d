"""What the process does around the command."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from tests.fakes.processes import run, wheelfs_environment

if TYPE_CHECKING:
    from pathlib import Path

_AROUND = """
import gc, json
from wheelfs.__main__ import main
from wheelfs.cli import main as cli
seen = []
cli.main = lambda: seen.extend((gc.isenabled(), gc.get_freeze_count() > 10_000)) or 7
print(json.dumps([main(), *seen, gc.isenabled(), gc.get_freeze_count() - len(gc.get_objects()) > 10_000]))
"""


def test_garbage_is_not_looked_for_in_what_was_imported(tmp_path: Path) -> None:
    said = run([sys.executable, "-c", _AROUND], environment=wheelfs_environment(tmp_path)).succeeded().stdout
    code, collects, is_frozen, still_collects, is_frozen_again = json.loads(said)
    assert code == 7
    assert collects
    assert is_frozen
    assert still_collects
    assert is_frozen_again
