"""What doctor says of what was observed: each finding by itself, and that all is well where it is."""

from __future__ import annotations

from dataclasses import replace

import pytest

from wheelfs.core import diagnosis
from wheelfs.core.diagnosis import (
    FstabFacts,
    FuseFacts,
    InterpreterFacts,
    MountFacts,
    OriginFacts,
    ProgramFacts,
    StoreFacts,
)
from wheelfs.core.resolve.installer_traps import Trap

USER = FuseFacts(
    device="usable",
    is_root=False,
    has_fusermount=True,
    may_gain_privileges=True,
    may_allow_other=False,
    wants_allow_other=False,
    has_fusectl=True,
    user_background=1024,
    wanted_background=512,
    request_timeout_s=None,
    wait_s=30.0,
)
MOUNT = MountFacts(
    path="/m", state="answers", background=512, wanted_background=512, read_ahead_kb=1024, wanted_read_ahead_kb=1024
)
STORE = StoreFacts(
    path="/s",
    exists=True,
    network=None,
    is_writable=True,
    is_open_to_others=False,
    free_bytes=100 << 30,
    total_bytes=1 << 40,
    has_inodes=True,
    error=None,
)
INDEX = OriginFacts(kind="index", name="lab", error=None, ahead_s=0.4)
FSTAB = FstabFacts(mounts=("/m",), automounts=("/m",), has_autofs=True, has_helper=True, is_in_system_path=True)


def levels(found: object) -> list[str]:
    findings = list(found)  # type: ignore[call-overload]
    assert all(bool(one.mend) == (one.level != "ok") for one in findings), "what is not well can be mended"
    return [one.level for one in findings]


def test_where_all_is_well_nothing_else_is_said() -> None:
    assert levels(diagnosis.fuse_findings(USER)) == ["ok"]
    assert levels(diagnosis.mount_findings(MOUNT)) == ["ok"]
    assert levels(diagnosis.store_findings(STORE)) == ["ok"]
    assert levels(diagnosis.origin_findings(INDEX)) == ["ok"]
    assert levels(diagnosis.fstab_findings(FSTAB)) == ["ok"]
    assert levels(diagnosis.client_findings([], None, [])) == ["ok"]
    assert levels(diagnosis.program_findings(ProgramFacts(has_wheelfs=True, has_uv=True))) == []
    assert levels(diagnosis.fstab_findings(replace(FSTAB, mounts=(), automounts=(), has_helper=False))) == []


@pytest.mark.parametrize(
    ("change", "expected", "words"),
    [
        ({"device": "missing"}, ["broken"], "no /dev/fuse"),
        ({"device": "forbidden", "is_root": True}, ["broken"], "may not be opened"),
        ({"has_fusermount": False}, ["broken"], "fusermount3 is not installed"),
        ({"may_gain_privileges": False}, ["broken"], "no_new_privs"),
        ({"wants_allow_other": True}, ["broken"], "allow-other is configured"),
        ({"wants_allow_other": True, "may_allow_other": True}, ["ok"], "works"),
        ({"wants_allow_other": True, "has_fusermount": False, "is_root": True}, ["ok"], "works"),
        ({"has_fusectl": False}, ["ok", "note"], "12 reads"),
        ({"has_fusectl": False, "is_root": True}, ["ok"], "works"),
        ({"user_background": 12}, ["ok", "note"], "12 reads of a mount"),
        ({"user_background": None}, ["ok"], "works"),
        ({"request_timeout_s": 40.0}, ["ok", "note"], "longer than 20 s"),
        ({"request_timeout_s": 60.0}, ["ok"], "works"),
    ],
)
def test_fuse(change: dict[str, object], expected: list[str], words: str) -> None:
    found = list(diagnosis.fuse_findings(replace(USER, **change)))  # type: ignore[arg-type]
    assert levels(found) == expected
    assert words in found[-1].what


@pytest.mark.parametrize(
    ("change", "expected", "words"),
    [
        ({"state": "dead"}, ["broken"], "killed"),
        ({"state": "silent"}, ["broken"], "does not answer"),
        ({"background": 12}, ["note", "ok"], "12 of its reads"),
        ({"read_ahead_kb": 128}, ["note", "ok"], "128 KiB"),
        ({"background": None, "read_ahead_kb": None}, ["ok"], "answers"),
    ],
)
def test_a_mount(change: dict[str, object], expected: list[str], words: str) -> None:
    found = list(diagnosis.mount_findings(replace(MOUNT, **change)))  # type: ignore[arg-type]
    assert levels(found) == expected
    assert words in found[0].what


@pytest.mark.parametrize(
    ("change", "expected", "words"),
    [
        ({"network": "NFS"}, ["broken"], "network file system (NFS)"),
        ({"error": "it is of a later version"}, ["broken"], "later version"),
        ({"is_writable": False, "exists": False}, ["broken"], "does not exist yet, cannot be written"),
        ({"is_open_to_others": True}, ["note", "ok"], "other users may read /s"),
        ({"free_bytes": 0}, ["broken"], "disk is full"),
        ({"has_inodes": False}, ["broken"], "no free inode"),
        ({"free_bytes": 900 << 20}, ["note"], "900.0 MiB left"),
        ({"free_bytes": 900 << 20, "total_bytes": 1 << 30}, ["ok"], "are free"),
    ],
)
def test_the_store(change: dict[str, object], expected: list[str], words: str) -> None:
    found = list(diagnosis.store_findings(replace(STORE, **change)))  # type: ignore[arg-type]
    assert levels(found) == expected
    assert words in found[0].what


def test_a_store_that_does_not_open_is_mended_as_the_error_says() -> None:
    [found] = diagnosis.store_findings(replace(STORE, error="no free inode", advice="delete files on it"))
    assert (found.what, found.mend) == ("/s cannot be opened: no free inode", "delete files on it")


@pytest.mark.parametrize(
    ("change", "expected", "words"),
    [
        ({"error": "refused", "ahead_s": None}, ["broken"], "refused"),
        ({"ahead_s": 300.0}, ["ok", "note"], "by the index lab, this machine's clock is 300 s slow"),
        ({"ahead_s": -90_000.0}, ["ok", "broken"], "90,000 s fast"),
        ({"ahead_s": None}, ["ok"], "answers"),
    ],
)
def test_an_index_and_the_clock(change: dict[str, object], expected: list[str], words: str) -> None:
    found = list(diagnosis.origin_findings(replace(INDEX, **change)))  # type: ignore[arg-type]
    assert levels(found) == expected
    assert words in found[-1].what


def test_environments() -> None:
    well = InterpreterFacts(name="a", path="/p", is_python=True, problem="")
    other = replace(well, name="b", problem="where Python 3.12.1 is now")
    gone = replace(well, name="c", is_python=False, problem="there is no such file")
    assert levels(diagnosis.environment_findings([])) == []
    assert levels(diagnosis.environment_findings([well, replace(well, name="b")])) == ["ok"]
    assert [(one.subject, one.mend) for one in diagnosis.environment_findings([well, other, gone])] == [
        ("environment b", "make it again: wheelfs env create b LOCK --python /p"),
        ("environment c", "make it again: wheelfs env create c LOCK --python PATH"),
    ]


@pytest.mark.parametrize("change", [{"has_autofs": False}, {"has_helper": False}, {"is_in_system_path": False}])
def test_fstab(change: dict[str, bool]) -> None:
    assert levels(diagnosis.fstab_findings(replace(FSTAB, **change))) == ["broken"]  # type: ignore[arg-type]
    without = replace(FSTAB, automounts=(), **change)  # type: ignore[arg-type]
    assert levels(diagnosis.fstab_findings(without)) == (["ok"] if "has_autofs" in change else ["broken"])


def test_clients_and_programs() -> None:
    trap = Trap("pip.conf [global] no-index", "switches indexes off", "remove it")
    found = list(diagnosis.client_findings([trap], "pip.conf [global] uploaded-prior-to", ["not taken: this (add it)"]))
    assert [one.level for one in found] == ["note"] * 3
    assert levels(diagnosis.program_findings(ProgramFacts(has_wheelfs=False, has_uv=False))) == ["note", "note"]
