"""``scripts/soak/power``: that it sees what is lost and what is wrong, and that cuts of the power lose nothing."""

from __future__ import annotations

import hashlib
import os
import random
import subprocess
from typing import TYPE_CHECKING

import pytest

from scripts.soak.programs.power import Acknowledged, Wrong, check_store, cut, worked
from tests.fakes.processes import ROOT, isolated_environment
from tests.fakes.wheels import incompressible, wheel_filename
from wheelfs.model.content import key_of_sha256
from wheelfs.store.store import Store

if TYPE_CHECKING:
    from pathlib import Path

NAME = wheel_filename("tools", "1.0")


def test_the_soak_sees_what_is_lost_or_wrong(tools: bytes, store_dir: Path) -> None:
    right, known = {NAME: tools}, Acknowledged(stored={NAME}, is_made=True)
    check_store(store_dir, right, known)
    with pytest.raises(Wrong, match="other bytes"):
        check_store(store_dir, {NAME: b"other"}, known)
    known.stored.add("lost.whl")
    with pytest.raises(Wrong, match=r"lost: \['lost.whl'\]"):
        check_store(store_dir, right, known)
    with pytest.raises(Wrong, match="there again"):
        check_store(store_dir, right, Acknowledged(removed={NAME}, is_made=True))


def test_a_partial_file_that_lost_what_its_journal_trusts_is_seen(store_dir: Path) -> None:
    content = incompressible(100_000)
    with Store.open(store_dir) as store:
        partial = store.spool.open(key_of_sha256(hashlib.sha256(content).digest()), size_bytes=len(content))
        partial.write(0, content)
        partial.sync()
        partial.close()
    assert check_store(store_dir, {"half.whl": content}, Acknowledged(is_made=True)) == len(content)
    [part] = (store_dir / "spool").rglob("*.part")
    part.write_bytes(bytes(len(content)))
    with pytest.raises(Wrong, match="are not its own"):
        check_store(store_dir, {"half.whl": content}, Acknowledged(is_made=True))


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: files are opened whatever their modes say")
def test_cuts_of_the_power_lose_nothing(tmp_path: Path) -> None:
    work = worked(tmp_path, 1)
    found = list(cut(work, tmp_path, random.Random(3), 6))
    assert len(found) == 6
    assert not [wrong for _, wrong, _ in found if wrong is not None]


@pytest.mark.soak
def test_a_cut_after_every_operation_loses_nothing(tmp_path: Path) -> None:
    command = [str(ROOT / "scripts" / "soak" / "power")]
    done = subprocess.run(command, env=isolated_environment(tmp_path), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert " 0 wrong" in done.stdout
