"""What a cluster's file system answers to those who make, write and read files of a share."""

from __future__ import annotations

import errno
import os
import threading
from typing import TYPE_CHECKING, Any

import pytest

from tests.fakes.catalogs import Memory, filled
from tests.fakes.later import GRACE_S
from wheelfs.app import object_shares
from wheelfs.config import Settings
from wheelfs.errors import OriginDenied, OriginFault, OriginTimeout
from wheelfs.model.share_catalog import MARKER_KEY
from wheelfs.remote.share.directory_objects import DirectoryObjects
from wheelfs.remote.share.log_writer import WrittenShareCatalog
from wheelfs.remote.share.timed_objects import TimedObjects

if TYPE_CHECKING:
    from pathlib import Path

    from wheelfs.remote.share.objects import Objects


class Replacing(Memory):
    def create(self, key: str, content: bytes) -> bool:
        self.kept[key] = content
        return True


def test_a_server_that_replaces_objects_is_refused_also_where_a_share_was_made_before() -> None:
    objects = Replacing()
    objects.kept[MARKER_KEY] = b"wheelfs share 1\n" + b"0" * 32 + b"\n"
    for _ in range(2):
        with pytest.raises(OriginFault, match="only if it is absent"):
            WrittenShareCatalog(objects).prepare()
    assert objects.kept[MARKER_KEY].endswith(b"0\n"), "the share that is there stays"


def test_a_directory_that_another_client_replaces_is_made_again(
    objects: Objects, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on CephFS: another client's fresh directory takes the place of the empty one that we are about to write to."""
    real, raced = os.open, [False]

    def racing(path: str | Path, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        if flags & os.O_CREAT and not raced[0]:
            raced[0] = True
            (tmp_path / "share" / "log").rmdir()
            (tmp_path / "share" / "log").mkdir()
        return real(path, flags, mode, dir_fd=dir_fd)

    monkeypatch.setattr(os, "open", racing)
    assert objects.create("log/00000000", b"x")
    assert raced[0]
    assert (tmp_path / "share" / "log" / "00000000").read_bytes() == b"x"


@pytest.mark.parametrize("code", [errno.EPERM, errno.ENOTEMPTY, errno.EEXIST])
def test_whatever_a_file_system_says_of_a_directory_that_is_there_it_is_used(
    objects: Objects, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    def refusing(source: str, target: str, **_: object) -> None:
        (tmp_path / "share" / target).mkdir(exist_ok=True)
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "rename", refusing)
    assert objects.create("log/00000000", b"x")
    assert [path.name for path in (tmp_path / "share").iterdir()] == ["log"], "and nothing is left"


@pytest.mark.parametrize("code", [errno.EPERM, errno.EEXIST])
def test_a_name_that_another_client_gives_at_once_is_taken_whatever_a_file_system_says(
    objects: Objects, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    """As on sshfs: SFTP has no answer that means that there is one."""

    def late(source: str, target: str, **_: object) -> None:
        (tmp_path / "share" / "log" / target).write_bytes(b"another's")
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "link", late)
    assert not objects.create("log/00000000", b"x")
    assert [path.name for path in (tmp_path / "share" / "log").iterdir()] == ["00000000"], "and nothing is left"


def test_a_link_that_another_file_of_the_name_hides_is_no_first_one(
    objects: Objects, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a distributed volume of GlusterFS 10.3: both of two clients have made their links, on one brick each."""
    real = os.link

    def hidden(source: str, target: str, **where: Any) -> None:
        real(source, tmp_path / "on-another-brick", src_dir_fd=where["src_dir_fd"])
        (tmp_path / "share" / "log" / target).write_bytes(b"another's")
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))

    monkeypatch.setattr(os, "link", hidden)
    assert not objects.create("log/00000000", b"x")


def test_a_file_system_that_makes_no_links_is_refused(objects: Objects, monkeypatch: pytest.MonkeyPatch) -> None:
    def refusing(*_: object, **__: object) -> None:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "link", refusing)
    with pytest.raises(OriginDenied):
        objects.create("log/00000000", b"x")


def test_an_input_output_error_in_writing_is_told_with_what_may_say_so(objects: Objects, monkeypatch: pytest.MonkeyPatch) -> None:
    """rclone's mount has no links, and has this to say of one."""

    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "link", refuse)
    with pytest.raises(OriginFault, match=r"without hard links \(rclone's\)"):
        objects.create("log/00000000", b"x")


def test_a_stale_handle_is_asked_for_again(objects: Objects, monkeypatch: pytest.MonkeyPatch) -> None:
    objects.create("log/00000000", b"x")
    real, stale = os.open, [2]

    def opened(path: str | Path, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        if stale[0]:
            stale[0] -= 1
            raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))
        return real(path, flags, mode, dir_fd=dir_fd)

    monkeypatch.setattr(os, "open", opened)
    assert objects.read("log/00000000", limit_bytes=9) == b"x"
    stale[0] = 2
    assert objects.create("log/00000001", b"x")


def test_a_file_system_that_hangs_is_a_time_out_and_is_not_waited_for_again() -> None:
    hanging = threading.Event()

    class Frozen(Memory):
        def read_range(self, key: str, start: int, end: int) -> bytes | None:
            hanging.wait(60.0)
            return None

    timed = TimedObjects(Frozen(), operation_s=0.3)
    assert timed.create("log/00000000", b"x")
    assert [found.key for found in timed.found("log")] == ["log/00000000"]
    try:
        with pytest.raises(OriginTimeout, match="did not answer"):
            timed.read_range("wheelfs-share", 0, 10)
        with pytest.raises(OriginTimeout):
            timed.read("log/00000000", limit_bytes=10)
    finally:
        hanging.set()


def test_the_commands_bound_what_they_ask_a_directory_for(
    objects: Objects, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(objects, 1)
    released = threading.Event()

    def hang(*_: object) -> None:
        released.wait(60.0)

    monkeypatch.setattr(DirectoryObjects, "read_range", hang)
    defaults = TimedObjects.__init__.__kwdefaults__
    assert defaults is not None
    monkeypatch.setitem(defaults, "operation_s", 0.3)
    settings = Settings(store=tmp_path / "store")
    try:
        with pytest.raises(OriginTimeout, match="did not answer"):
            list(object_shares.pull(settings, objects.url, [], contents=False))
        with pytest.raises(OriginTimeout):
            object_shares.collect(settings, objects.url, grace_s=GRACE_S, dry_run=False)
        with pytest.raises(OriginTimeout):
            list(object_shares.push(settings, objects.url, [], private=False))
    finally:
        released.set()
