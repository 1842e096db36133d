"""The bundle of trusted authorities: one file, whole whenever it is read, and gone at the end."""

from __future__ import annotations

import fcntl
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from wheelfs.frontends.http.proxy.bundle import Bundle

if TYPE_CHECKING:
    from pathlib import Path

READS = """
import pathlib, sys
print("begun", flush=True)
print(pathlib.Path(sys.argv[1]).read_text(), flush=True)
"""


def test_who_opens_a_held_bundle_waits_for_what_is_written_then(tmp_path: Path) -> None:
    bundle = Bundle(tmp_path, b"roots ")
    if not bundle.hold():
        pytest.skip("this file system has no leases")
    with subprocess.Popen([sys.executable, "-c", READS, str(bundle.path)], stdout=subprocess.PIPE, text=True) as reading:
        assert reading.stdout is not None
        assert reading.stdout.readline() == "begun\n"
        bundle.write(b"and one of ours")
        assert reading.stdout.read() == "roots and one of ours\n"
    bundle.write(b"and a new one")
    assert bundle.path.read_bytes() == b"roots and a new one"


def test_where_there_are_no_leases_nothing_is_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> int:
        raise OSError(22, "Invalid argument")

    monkeypatch.setattr(fcntl, "fcntl", refuse)
    bundle = Bundle(tmp_path, b"roots ")
    assert not bundle.hold()
    bundle.write(b"and one of ours")
    assert bundle.path.read_bytes() == b"roots and one of ours"
