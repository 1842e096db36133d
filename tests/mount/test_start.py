"""What a mount does around its start."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from tests.fakes.processes import run, wheelfs_environment

if TYPE_CHECKING:
    from pathlib import Path

_UNTIL_READY = """
import gc, json, os, signal, sys
from wheelfs.cli.commands import mount
from wheelfs.cli.main import main
from wheelfs.store.store import Store
seen = []
opened = Store.open
Store.open = lambda *words, **options: seen.append(gc.isenabled()) or opened(*words, **options)
def ready(*_):
    seen.extend((gc.isenabled(), gc.get_freeze_count() > 50_000))
    os.kill(os.getpid(), signal.SIGTERM)
mount._print_ready = ready
code = main(["--store", sys.argv[1], "mount", "-f", "--no-index", sys.argv[2]], program="wheelfs")
print(json.dumps([code, *seen]))
"""


def test_garbage_is_not_looked_for_until_the_mount_answers(tmp_path: Path) -> None:
    words = [sys.executable, "-c", _UNTIL_READY, str(tmp_path / "store"), str(tmp_path / "mount")]
    said = run(words, environment=wheelfs_environment(tmp_path)).succeeded().stdout
    code, collects_before, collects_then, is_frozen = json.loads(said)
    assert code == 0
    assert not collects_before
    assert collects_then
    assert is_frozen
