"""Mapped files whose bytes cannot be had: a page fault has no errno, so the kernel sends SIGBUS."""

from __future__ import annotations

import errno
import mmap
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

from tests.fakes.waiting import eventually

if TYPE_CHECKING:
    from tests.conftest import MountWheelfs
    from tests.fakes.index import FakeIndex

_MAPPING = """
import mmap, os, sys
fd = os.open(sys.argv[1], os.O_RDONLY)
mapped = mmap.mmap(fd, 0, flags=mmap.MAP_PRIVATE, prot=mmap.PROT_READ)
print("mapped", flush=True)
sys.stdin.read()
mapped[0]
"""


def test_a_page_fault_whose_bytes_cannot_be_had_is_sigbus(fake_index: FakeIndex, mounted: MountWheelfs) -> None:
    name, _ = fake_index.add_wheel("numbers", "1.0", big_bytes=3_000_000)
    path = mounted(index=fake_index.url).path / "simple" / "numbers" / name
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", _MAPPING, str(path)], stdin=pipe, stdout=pipe) as reader:
        assert reader.stdout is not None
        assert reader.stdout.readline() == b"mapped\n"
        fake_index.stop()
        reader.communicate(timeout=60)
    assert reader.returncode == -signal.SIGBUS


def maps_shared(descriptor: int) -> bool:
    try:
        mmap.mmap(descriptor, 0, flags=mmap.MAP_SHARED, prot=mmap.PROT_READ).close()
    except OSError as error:
        assert error.errno == errno.ENODEV
        return False
    return True


def test_a_file_can_be_mapped_shared_once_it_is_stored_and_opened_again(fake_index: FakeIndex, mounted: MountWheelfs) -> None:
    name, _ = fake_index.add_wheel("numbers", "1.0", big_bytes=300_000)
    path = mounted(index=fake_index.url).path / "simple" / "numbers" / name
    with path.open("rb") as before:
        assert not maps_shared(before.fileno())
        path.read_bytes()
        eventually(lambda: os.getxattr(path, "user.wheelfs.state") == b"stored")
        assert not maps_shared(before.fileno())
        with path.open("rb") as after:
            assert maps_shared(after.fileno())
