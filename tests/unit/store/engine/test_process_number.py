"""Process numbers that are taken: LMDB's lock on the byte of a number is all that it needs to be."""

from __future__ import annotations

import fcntl
import os
import struct
import subprocess
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from wheelfs.errors import StoreLocked
from wheelfs.store.engine.process_number import ensure_own_number

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HOLD = """
import fcntl, struct, sys
held = open(sys.argv[1], "r+b")
for number in range(int(sys.argv[2]), int(sys.argv[3])):
    fcntl.fcntl(held, fcntl.F_SETLK, struct.pack("@hhqqi0q", fcntl.F_WRLCK, 0, number, 1, 0))
print("held", flush=True)
sys.stdin.read()
"""


@contextmanager
def held(store: Path, first: int, end: int) -> Iterator[None]:
    """Another process reads under these numbers."""
    (store / "catalog").mkdir()
    (store / "catalog" / "lock.mdb").write_bytes(b"")
    command = [sys.executable, "-c", HOLD, str(store / "catalog" / "lock.mdb"), str(first), str(end)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        yield
        process.communicate()


def test_a_free_number_is_kept(tmp_path: Path) -> None:
    number = os.getpid()
    with held(tmp_path, number + 1, number + 100):
        ensure_own_number(tmp_path, ["catalog", "chunks"])
    assert os.getpid() == number


GOES_ON = """
import os, sys
from pathlib import Path
from wheelfs.store.engine.process_number import ensure_own_number
before = os.getpid()
ensure_own_number(Path(sys.argv[1]), ["catalog"])
print(os.getpid() - before, os.getppid() == before, flush=True)
sys.exit(7)
"""


def test_a_process_goes_on_as_the_first_child_whose_number_is_free_and_ends_as_it_does(tmp_path: Path) -> None:
    command = [sys.executable, "-c", f"input()\n{GOES_ON}", str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        with held(tmp_path, process.pid, process.pid + 3):
            said, _ = process.communicate("\n", timeout=60)
        distance, is_child = said.split()
        assert int(distance) not in range(3)
        assert is_child == "True"
        assert process.returncode == 7


def test_a_process_with_threads_says_what_to_do(tmp_path: Path) -> None:
    over = threading.Event()
    thread = threading.Thread(target=over.wait)
    thread.start()
    try:
        with held(tmp_path, os.getpid(), os.getpid() + 1), pytest.raises(StoreLocked, match="--pid=host"):
            ensure_own_number(tmp_path, ["catalog"])
    finally:
        over.set()
        thread.join()


def test_the_lock_is_laid_out_as_the_kernel_has_it() -> None:
    assert struct.calcsize("@hhqqi0q") == 32
    assert fcntl.F_GETLK == 5
