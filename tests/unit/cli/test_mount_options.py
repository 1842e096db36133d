from __future__ import annotations

from pathlib import Path

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wheelfs.cli.main import cli
from wheelfs.cli.mount_options import is_mount_call, parse_options, translate
from wheelfs.config import OPTIONS, Option, load
from wheelfs.errors import UsageError

SAMPLES = {
    "store": "/s",
    "indexes": "a=https://a.example/",
    "shares": "file:///lab/wheels",
    "page_ttl_s": "7",
    "lookup_timeout_s": "7",
    "open_timeout_s": "7",
    "min_age_s": "7d",
    "flat_platforms": "here",
    "flat_pythons": "3.12",
    "quota_bytes": "2GB",
    "low_water": "70%",
    "min_free_bytes": "1GB",
    "solid_unused_s": "30d",
    "log_file": "/l",
}
"""A value for each setting of a mount that is neither a flag nor a choice."""

COMMANDS = ("mount", "umount", "add", "ls")


def test_values_flags_and_repeated_options_are_understood() -> None:
    options = parse_options(
        [
            "index=a=https://a.example/,offline",
            "index=https://b.example/x\\,y,config=/c.toml,store=/s,nonempty,quota=2GB,delta=never,min-age=7d",
        ]
    )
    assert options.config_file == Path("/c.toml")
    assert options.nonempty
    assert [(one.field, one.value, one.place) for one in options.given] == [
        ("indexes", ["a=https://a.example/", "https://b.example/x,y"], "-o index"),
        ("offline", "true", "-o offline"),
        ("store", "/s", "-o store"),
        ("quota_bytes", "2GB", "-o quota"),
        ("delta", "never", "-o delta"),
        ("min_age_s", "7d", "-o min-age"),
    ]


def test_what_mount_and_fstab_add_of_themselves_is_ignored() -> None:
    text = "rw,ro,nosuid,nodev,noexec,dev,suid,exec,_netdev,noauto,user,user=me,nofail,x-systemd.automount,x-gvfs-show,noatime,"
    assert parse_options([text]) == parse_options([])


def test_what_the_kernel_shows_of_a_mount_can_be_given_back() -> None:
    shown = "ro,nosuid,nodev,relatime,user_id=0,group_id=0,default_permissions,allow_other,max_read=131072,blksize=4096"
    assert [one.field for one in parse_options([shown]).given] == ["allow_other"]


def test_a_remount_is_answered_with_what_to_do() -> None:
    with pytest.raises(UsageError, match=r"cannot change its options .*wheelfs umount DIR"):
        parse_options(["remount,ro,offline"])


@pytest.mark.parametrize("option", [option for option in OPTIONS if option.mount_option], ids=lambda option: option.name)
def test_every_setting_of_a_mount_is_an_option_in_both_spellings(option: Option) -> None:
    value = SAMPLES.get(option.field) or (option.choices[-1] if option.choices else "true")
    parsed = [parse_options([f"{name}={value}"]).given for name in (option.name, option.name.replace("-", "_"))]
    settings = [load(given, environ={"HOME": "/h"}, system_file=Path("/nowhere")) for given in parsed]
    assert all(one.provenance[option.field].startswith("-o ") for one in settings)
    assert getattr(settings[0], option.field) == getattr(settings[1], option.field)
    assert getattr(settings[0], option.field) == option.kind.parse([value] if option.is_repeated else value, Path.cwd())


def test_a_flag_of_the_configuration_can_be_taken_back() -> None:
    environ = {"HOME": "/h", "WHEELFS_OFFLINE": "1"}
    given = parse_options(["offline=false,look-ahead=no"]).given
    settings = load(given, environ=environ, system_file=Path("/nowhere"))
    assert (settings.offline, settings.look_ahead) == (False, False)


def test_the_last_word_is_completed() -> None:
    command = cli.commands["mount"]
    context = click.Context(command)
    [parameter] = [one for one in command.params if one.name == "options"]
    found = [item.value for item in parameter.shell_complete(context, "offline,share")]
    assert found == ["offline,share=", "offline,share-write"]


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
    shown = ["-o", f"fsname={source}"] if source else []
    assert call.arguments == ["mount", *shown, "-o", "rw,offline", "--", "/mnt/wheels"]


@pytest.mark.parametrize("source", ["https://index.example/simple", "lab=https://index.example/simple"])
def test_a_source_can_be_an_index(source: str) -> None:
    expected = ["mount", "-o", f"fsname={source}", "--index", source, "--", "/m"]
    assert translate("wheelfs", [source, "/m"]).arguments == expected


def test_the_source_is_shown_as_it_was_given_but_for_its_password() -> None:
    call = translate("wheelfs", ["lab=https://me:hunter2@index.example/a,b", "/m", "-o", "fsname=mine"])
    parsed = parse_options(text for text in call.arguments if text.startswith("fsname="))
    assert parsed.source == "mine", "what is asked for by name wins"
    assert parse_options(call.arguments[2:3]).source == "lab=https://***@index.example/a,b"


def test_flags_of_mount_8_are_understood_when_called_by_it() -> None:
    call = translate("/sbin/mount.fuse.wheelfs", ["none", "/m", "-sv", "-t", "fuse.wheelfs", "-o", "rw"])
    assert call.arguments == ["mount", "-o", "fsname=none", "-v", "-o", "rw", "--", "/m"]
    assert not call.pretend
    assert translate("/sbin/mount.wheelfs", ["none", "/m", "-f"]).pretend


@pytest.mark.parametrize("arguments", [["nonsense", "/m"], ["none", "/m", "/n"], ["none", "/m", "-o"], ["none", "/m", "--what"]])
def test_a_call_that_makes_no_sense_is_a_usage_error(arguments: list[str]) -> None:
    with pytest.raises(UsageError):
        translate("wheelfs", arguments)
