from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wheelfs.cli.mount_options import is_mount_call, parse_options, translate
from wheelfs.errors import UsageError

COMMANDS = ("mount", "umount", "add", "ls")


def test_values_flags_and_repeated_options_are_understood() -> None:
    options = parse_options(
        [
            "index=a=https://a.example/,offline",
            "index=https://b.example/x\\,y,config=/c.toml,store=/s,nonempty,quota=2GB,delta=never,min-age=7d",
        ]
    )
    assert options.indexes == ("a=https://a.example/", "https://b.example/x,y")
    assert options.config_file == Path("/c.toml")
    assert options.nonempty
    assert [(one.field, one.value, one.place) for one in options.given] == [
        ("offline", True, "-o offline"),
        ("store", "/s", "-o store"),
        ("quota_bytes", "2GB", "-o quota"),
        ("delta", "never", "-o delta"),
        ("min_age_s", "7d", "-o min-age"),
    ]


def test_what_mount_and_fstab_add_of_themselves_is_ignored() -> None:
    text = "rw,ro,nosuid,nodev,noexec,dev,suid,exec,_netdev,noauto,user,user=me,nofail,x-systemd.automount,x-gvfs-show,noatime,"
    assert parse_options([text]) == parse_options([])


def test_all_unknown_options_are_named_with_a_suggestion() -> None:
    with pytest.raises(UsageError) as caught:
        parse_options(["offlin,allow_others=1,store"])
    text = str(caught.value)
    assert "unknown option 'offlin', did you mean 'offline'?" in text
    assert "unknown option 'allow_others', did you mean 'allow_other'?" in text
    assert "store needs a value" in text


@given(st.lists(st.text(max_size=40), max_size=5))
def test_any_options_parse_or_are_a_usage_error(texts: list[str]) -> None:
    try:
        parse_options(texts)
    except UsageError as error:
        assert error.happened


@pytest.mark.parametrize(
    ("program", "arguments", "yes"),
    [
        ("wheelfs", ["none", "/mnt/wheels", "-o", "rw"], True),
        ("wheelfs", ["https://index.example/simple", "/mnt/wheels"], True),
        ("wheelfs", ["mount", "/mnt/wheels"], False),
        ("wheelfs", ["add", "/mnt/wheels"], False),
        ("wheelfs", ["--json", "ls"], False),
        ("wheelfs", ["nonsense", "x"], False),
        ("wheelfs", ["nonsense"], False),
        ("wheelfs", [], False),
        ("/sbin/mount.wheelfs", ["none", "mnt"], True),
        ("/sbin/mount.fuse.wheelfs", ["add", "/mnt"], True),
    ],
)
def test_a_call_of_mount_is_told_from_a_command(program: str, arguments: list[str], yes: bool) -> None:
    assert is_mount_call(program, arguments, COMMANDS) is yes


@pytest.mark.parametrize("source", ["none", "wheelfs", ""])
def test_a_source_that_says_nothing_is_left_out(source: str) -> None:
    call = translate("wheelfs", [source, "/mnt/wheels", "-o", "rw,offline"])
    assert call.arguments == ["mount", "-o", "rw,offline", "--", "/mnt/wheels"]


@pytest.mark.parametrize("source", ["https://index.example/simple", "lab=https://index.example/simple"])
def test_a_source_can_be_an_index(source: str) -> None:
    assert translate("wheelfs", [source, "/m"]).arguments == ["mount", "--index", source, "--", "/m"]


def test_flags_of_mount_8_are_understood_when_called_by_it() -> None:
    call = translate("/sbin/mount.fuse.wheelfs", ["none", "/m", "-sv", "-t", "fuse.wheelfs", "-o", "rw"])
    assert call.arguments == ["mount", "-v", "-o", "rw", "--", "/m"]
    assert not call.pretend
    assert translate("/sbin/mount.wheelfs", ["none", "/m", "-f"]).pretend


@pytest.mark.parametrize("arguments", [["nonsense", "/m"], ["none", "/m", "/n"], ["none", "/m", "-o"], ["none", "/m", "--what"]])
def test_a_call_that_makes_no_sense_is_a_usage_error(arguments: list[str]) -> None:
    with pytest.raises(UsageError):
        translate("wheelfs", arguments)
