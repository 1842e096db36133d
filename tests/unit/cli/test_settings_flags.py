"""The table of options is the only place where a flag is declared: what follows from it is checked for all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
import msgspec
import pytest

from tests.unit.cli.test_mount_options import SAMPLES
from wheelfs.cli.command import Command, all_commands
from wheelfs.cli.main import cli
from wheelfs.cli.session import Session
from wheelfs.config import OPTIONS, Given, Option, Settings
from wheelfs.config.option import EVERY

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.unit.cli.fake_app import FakeApp, Result

ARGUMENTS = {
    "mount": ["/m"],
    "umount": ["/m"],
    "show": ["x"],
    "rm": ["x"],
    "pin": ["x"],
    "unpin": ["x"],
    "export": ["/d"],
    "completion": ["bash"],
    "man": ["/d"],
    "run": ["true"],
    "check": ["uv.lock"],
    "env create": ["x", "uv.lock"],
    "env show": ["x"],
    "env rm": ["x"],
    "env profile": ["x"],
    "service": ["install", "timer"],
}
REQUIRED = {"push": ["--share", "file:///s"], "pull": ["--share", "file:///s"]}
OF_THE_GATEWAY = {
    "serve_listen": "127.0.0.1:1",
    "serve_workers": "2",
    "serve_token_file": "/t",
    "serve_tls_certificate": "/c",
    "serve_tls_key": "/k",
}


def commands_of(option: Option) -> list[str]:
    return sorted(all_commands(cli)) if option.commands == EVERY else list(option.commands)


def words_for(option: Option) -> list[str]:
    assert option.flag is not None
    if option.is_flag:
        return [option.flag]
    value = {**SAMPLES, **OF_THE_GATEWAY}.get(option.field) or option.choices[-1]
    return [option.flag, value]


@pytest.mark.parametrize("option", [option for option in OPTIONS if option.flag], ids=lambda option: option.field)
def test_a_flag_reaches_the_settings_of_every_command_that_the_table_names(option: Option) -> None:
    assert commands_of(option), "a flag that no command takes"
    for name in commands_of(option):
        session = Session()
        words = [*words_for(option), *REQUIRED.get(name, []), *ARGUMENTS.get(name, [])]
        with all_commands(cli)[name].make_context(name, words, obj=session):
            pass
        [given] = session.given.values()
        assert (given.field, given.place) == (option.field, option.flag), name


@pytest.mark.parametrize("option", [option for option in OPTIONS if not option.flag], ids=lambda option: option.field)
def test_an_option_without_a_flag_names_no_command(option: Option) -> None:
    assert option.commands == ()


def test_a_flag_of_every_command_may_also_stand_before_the_name(fake: FakeApp, run: Callable[..., Result]) -> None:
    for option in OPTIONS:
        if option.commands == EVERY:
            assert run(*words_for(option), "ls").code == 0
            assert fake.asked["settings"].provenance[option.field] == option.flag


def test_a_field_of_the_settings_is_an_option_and_the_other_way_round() -> None:
    fields = {field.name for field in msgspec.structs.fields(Settings)} - {"provenance", "warnings"}
    assert [option.field for option in OPTIONS if option.field not in fields] == []
    assert fields == {option.field for option in OPTIONS}
    for distinct in ("toml", "variable", "name"):
        assert len({getattr(option, distinct) for option in OPTIONS}) == len(OPTIONS)


@pytest.mark.parametrize("option", [option for option in OPTIONS if option.flag], ids=lambda option: option.field)
def test_what_help_says_is_one_sentence_that_fits(option: Option) -> None:
    assert option.help.endswith(".")
    assert len(option.help) <= 160


def test_a_command_may_be_known_to_the_table_by_another_name() -> None:
    made = Command("create", table_name="fetch")
    assert [one.opts for one in made.params] == [one.opts for one in Command("fetch").params]


def test_what_was_not_given_is_not_collected() -> None:
    session = Session()
    with cli.commands["mount"].make_context("mount", ["/m"], obj=session):
        assert session.given == {}


@pytest.mark.parametrize(("flag", "problem"), [("--quota", "must be a size"), ("--store", "must be a path")])
def test_a_value_that_is_empty_is_not_taken_for_one_that_was_not_given(
    run: Callable[..., Result], flag: str, problem: str
) -> None:
    result = run("fetch", "x", flag, "")
    assert (result.code, f"{flag}: {problem}" in result.err) == (2, True)


def test_no_index_leaves_none_whatever_is_configured(
    fake: FakeApp, run: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WHEELFS_INDEX", "lab=https://lab.example/simple")
    assert run("mount", "-f", "/m", "--no-index").code == 0
    assert fake.asked["settings"].no_index
    contradiction = run("mount", "-f", "/m", "--no-index", "--index", "a=https://a.example/")
    assert contradiction.code == 2
    assert "--index: no index is used because of --no-index" in contradiction.err


def test_given_values_are_replaced_by_later_ones() -> None:
    session = Session()
    context = click.Context(cli, obj=session)
    with context:
        for value in ("/a", "/b"):
            [store] = [one for one in cli.params if one.name == "store"]
            store.handle_parse_result(context, {"store": value}, [])
    assert session.given["store"] == Given("store", "/b", "--store")


@pytest.mark.parametrize(
    ("words", "levels"), [((), set()), (("--log-level", "debug"), {"debug"}), (("--log-level", "error", "-v"), {"warning"})]
)
def test_every_command_logs_at_the_level_of_the_flag(
    fake: FakeApp, run: Callable[..., Result], monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], levels: set[str]
) -> None:
    set_up: list[str] = []
    monkeypatch.setattr("wheelfs.telemetry.set_up_logging", lambda level, **_: set_up.append(level))
    monkeypatch.setenv("WHEELFS_LOG_LEVEL", "debug")
    assert run("ls", *words).code == 0
    assert set(set_up[1:]) == levels, "the first is that of the time before the configuration is read"
