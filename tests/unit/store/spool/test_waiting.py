"""While a partial file is flushed, which may take seconds, only those who write to it wait."""

from __future__ import annotations

import os
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from wheelfs.model.content import ContentKey
from wheelfs.store.spool.spool import Spool

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pytest

    from wheelfs.store.spool.file import SpoolFile

TIMEOUT_S = 30


@contextmanager
def flushing(file: SpoolFile, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Have a disk that flushes for as long as the block takes."""
    begun, end = threading.Event(), threading.Event()
    flushed: list[bool] = []

    def fdatasync(_: int) -> None:
        begun.set()
        flushed.append(end.wait(TIMEOUT_S))

    monkeypatch.setattr(os, "fdatasync", fdatasync)
    thread = threading.Thread(target=file.sync)
    thread.start()
    try:
        assert begun.wait(TIMEOUT_S)
        yield
        assert not flushed, "the block has waited for the disk"
    finally:
        end.set()
        thread.join(TIMEOUT_S)


def test_a_size_that_is_known_is_said_while_the_file_is_flushed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = Spool(tmp_path).open(ContentKey(bytes(32)), size_bytes=10)
    with flushing(file, monkeypatch):
        file.set_size(10)
    file.close()


def test_what_is_here_is_read_while_the_file_is_flushed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = Spool(tmp_path).open(ContentKey(bytes(32)), size_bytes=10)
    file.write(0, b"01234")
    with flushing(file, monkeypatch):
        assert file.read(0, 5) == b"01234"
    file.close()


def test_a_file_that_is_flushed_can_be_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = Spool(tmp_path).open(ContentKey(bytes(32)), size_bytes=10)
    with flushing(file, monkeypatch):
        file.delete()
