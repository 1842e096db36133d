from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from wheelfs.errors import FuseUnavailable, MountPointError
from wheelfs.frontends.fuse.kernel import control, mountinfo
from wheelfs.frontends.fuse.kernel.limits import FUSE_LIMITS
from wheelfs.frontends.fuse.kernel.mountinfo import MountEntry, parse_mountinfo
from wheelfs.frontends.fuse.mount.preflight import Facts, decide

if TYPE_CHECKING:
    from pathlib import Path

OURS = MountEntry(0, 39, "/mnt/wheels", "fuse.wheelfs", "wheelfs")
GOOD = Facts(
    mountpoint="/mnt/wheels",
    place="empty directory",
    mounted=None,
    servers=(),
    device="usable",
    is_root=True,
    has_fusermount=True,
    user_allow_other=False,
)


def test_an_empty_directory_is_mounted_on_and_a_missing_one_created() -> None:
    assert decide(GOOD, allow_other=True, nonempty=False) == "mount"
    assert decide(replace(GOOD, place="missing"), allow_other=False, nonempty=False) == "create"


def test_an_automount_is_there_to_be_mounted_over() -> None:
    automount = MountEntry(0, 40, "/mnt/wheels", "autofs", "systemd-1")
    assert decide(replace(GOOD, mounted=automount), allow_other=False, nonempty=False) == "mount"


def test_only_our_own_dead_mount_is_cleared() -> None:
    dead = replace(GOOD, place="dead mount", mounted=OURS)
    assert decide(dead, allow_other=False, nonempty=False) == "clear dead mount"
    with pytest.raises(MountPointError, match=r"a dead mount of host \(fuse.sshfs\)"):
        decide(replace(dead, mounted=replace(OURS, fstype="fuse.sshfs", source="host")), allow_other=False, nonempty=False)


def test_nonempty_covers_a_full_directory_but_nothing_else() -> None:
    full = replace(GOOD, place="full directory")
    assert decide(full, allow_other=False, nonempty=True) == "mount"
    with pytest.raises(MountPointError, match="-o nonempty"):
        decide(full, allow_other=False, nonempty=False)
    with pytest.raises(MountPointError, match="process 7, 8"):
        decide(replace(full, mounted=OURS, servers=(7, 8)), allow_other=False, nonempty=True)


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        (replace(GOOD, device="missing"), "modprobe fuse"),
        (replace(GOOD, device="forbidden"), "--device /dev/fuse"),
        (replace(GOOD, is_root=False, has_fusermount=False), "package fuse3"),
        (replace(GOOD, is_root=False), "user_allow_other"),
    ],
)
def test_a_machine_that_cannot_mount_is_told_what_is_missing(facts: Facts, words: str) -> None:
    with pytest.raises(FuseUnavailable, match=words):
        decide(facts, allow_other=True, nonempty=False)


def test_what_fusermount_would_refuse_is_said_before_it_does() -> None:
    user = replace(GOOD, is_root=False)
    with pytest.raises(FuseUnavailable, match="no_new_privs"):
        decide(replace(user, may_gain_privileges=False), allow_other=False, nonempty=False)
    with pytest.raises(MountPointError, match="not yours to write to"):
        decide(replace(user, is_users_own=False), allow_other=False, nonempty=False)
    assert decide(replace(GOOD, may_gain_privileges=False, is_users_own=False), allow_other=False, nonempty=False) == "mount"


def test_a_device_that_is_closed_to_a_user_cannot_be_opened_by_fusermount_either() -> None:
    with pytest.raises(FuseUnavailable, match=r"chmod a[+]rw /dev/fuse"):
        decide(replace(GOOD, is_root=False, device="forbidden"), allow_other=False, nonempty=False)


def test_mountinfo_is_read_with_its_escapes_and_optional_fields() -> None:
    text = (
        "42 27 0:39 / /mnt/my\\040wheels ro,nosuid shared:7 master:1 - fuse.wheelfs wheelfs ro,user_id=0\n"
        "broken line\n"
        "43 27 254:0 / / rw,relatime - ext4 /dev/vda rw\n"
    )
    assert parse_mountinfo(text) == [
        MountEntry(0, 39, "/mnt/my wheels", "fuse.wheelfs", "wheelfs"),
        MountEntry(254, 0, "/", "ext4", "/dev/vda"),
    ]


def test_where_proc_is_not_mounted_that_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(mountinfo, "_MOUNTINFO", tmp_path / "self" / "mountinfo")
    with pytest.raises(FuseUnavailable, match="/proc is not mounted"):
        mountinfo.mounts_now()


@given(st.text())
def test_any_text_is_read_without_an_error(text: str) -> None:
    parse_mountinfo(text)


def test_the_request_bound_is_half_of_the_smallest_kernel_timeout(tmp_path: Path) -> None:
    assert control.request_bound_s(tmp_path) is None
    (tmp_path / "default_request_timeout").write_text("0\n")
    (tmp_path / "max_request_timeout").write_text("60\n")
    assert control.request_bound_s(tmp_path) == 30
    (tmp_path / "default_request_timeout").write_text("40\n")
    assert control.request_bound_s(tmp_path) == 20


def test_waits_on_the_network_leave_a_reserve_of_tasks_and_slots() -> None:
    limits = FUSE_LIMITS
    assert limits.network_waits + limits.reserve == limits.tasks
    assert limits.network_waits < limits.background
    assert limits.congestion_threshold <= limits.background
    assert limits.reserve >= 64
