"""Files appear whole in an export's directory, or not at all, and the reason is told."""

from __future__ import annotations

import hashlib
import os
import resource
import signal
from typing import TYPE_CHECKING

import pytest

from wheelfs.errors import DestinationError, StoreDamaged
from wheelfs.service.operations.export_directory import Destination

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CONTENT = b"content" * 1_000
SHA256 = hashlib.sha256(CONTENT).digest()


def test_other_bytes_than_were_promised_change_nothing(tmp_path: Path) -> None:
    (tmp_path / "name").write_bytes(b"before")
    with Destination.open(tmp_path) as destination, pytest.raises(StoreDamaged):
        destination.write("name", [CONTENT, b"!"], sha256=SHA256)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"name": b"before"}


def test_a_failure_in_the_middle_leaves_nothing_behind(tmp_path: Path) -> None:
    def pieces() -> Iterator[bytes]:
        yield CONTENT
        raise KeyboardInterrupt

    with Destination.open(tmp_path) as destination, pytest.raises(KeyboardInterrupt):
        destination.write("name", pieces(), sha256=SHA256)
    assert not list(tmp_path.iterdir())


def test_no_room_is_told_with_the_file_and_what_to_do(tmp_path: Path) -> None:
    full = OSError(28, os.strerror(28))

    def pieces() -> Iterator[bytes]:
        yield CONTENT
        raise full

    with Destination.open(tmp_path) as destination, pytest.raises(DestinationError, match=r"name: No space left .*make room"):
        destination.write("name", pieces(), sha256=SHA256)
    assert not list(tmp_path.iterdir())


def test_a_file_that_the_system_cuts_off_is_never_taken_for_whole(tmp_path: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, before[1]))
    try:
        with Destination.open(tmp_path) as destination, pytest.raises(DestinationError, match="too large"):
            destination.write("name", [CONTENT], sha256=SHA256)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert not list(tmp_path.iterdir())


def test_two_exports_into_one_directory_do_not_mix(tmp_path: Path) -> None:
    with Destination.open(tmp_path), pytest.raises(DestinationError, match="another export"):
        Destination.open(tmp_path)
    with Destination.open(tmp_path) as destination:
        destination.write("name", [CONTENT], sha256=SHA256)
        assert destination.has("name", len(CONTENT), SHA256)
        assert not destination.has("name", len(CONTENT), bytes(32))


def test_what_is_in_the_way_is_not_followed(tmp_path: Path) -> None:
    target, out = tmp_path / "target", tmp_path / "out"
    out.mkdir()
    target.write_bytes(CONTENT)
    (out / "name").symlink_to(target)
    os.mkfifo(out / "pipe")
    with Destination.open(out) as destination:
        assert not destination.has("name", len(CONTENT), SHA256)
        assert not destination.has("pipe", len(CONTENT), SHA256)
        destination.write_text("name", b"text")
    assert target.read_bytes() == CONTENT
    assert (out / "name").read_bytes() == b"text"
