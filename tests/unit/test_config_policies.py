"""What the configuration may say of what is hidden, and the policy that comes of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes.settings import as_given
from wheelfs.config import environment_of, load
from wheelfs.config.policies import AgeKind, PlatformsKind, PythonsKind
from wheelfs.core.platforms.machine import Machine
from wheelfs.core.views.policy import policy_of
from wheelfs.core.views.visibility import Policy
from wheelfs.errors import UsageError

BASE = Path("/")
HERE = Machine(frozenset({"linux_riscv64"}))


@pytest.mark.parametrize(
    ("raw", "age_s"), [("0", 0), (0, 0), ("36h", 129_600), ("7d", 604_800), ("2w", 1_209_600), (" 7d ", 604_800), ("0d", 0)]
)
def test_an_age_is_hours_days_or_weeks(raw: object, age_s: int) -> None:
    assert AgeKind().parse(raw, BASE) == age_s


@pytest.mark.parametrize("raw", ["7", 7, "7 d", "7D", "-7d", "7m", "1.5d", "d", "", "7d7h", True, None, "999999w", "٧d"])
def test_what_is_no_age_is_refused_with_what_would_be_one(raw: object) -> None:
    with pytest.raises(ValueError, match="7d or 2w"):
        AgeKind().parse(raw, BASE)


@given(st.integers(0, 36_500 * 24))
def test_an_age_survives_its_text(hours: int) -> None:
    assert AgeKind().parse(AgeKind().as_text(hours * 3_600), BASE) == hours * 3_600


@pytest.mark.parametrize("raw", ["here win_amd64", ["here", "win_amd64"], "here, win_amd64", "here\nwin_amd64 here"])
def test_platforms_are_words_or_a_list(raw: object) -> None:
    assert PlatformsKind().parse(raw, BASE) == ("here", "win_amd64")
    assert PlatformsKind().as_text(("here", "win_amd64")) == "here win_amd64"
    assert PlatformsKind().parse("all", BASE) == ()
    assert PlatformsKind().as_text(()) == "all"


@pytest.mark.parametrize("raw", ["", [], "all here", "Linux", "win amd-64", ["here", 3], 3, "x" * 100, ["here win_amd64"]])
def test_what_is_no_platform_is_refused(raw: object) -> None:
    with pytest.raises(ValueError, match="platform tags like"):
        PlatformsKind().parse(raw, BASE)


def test_pythons_are_versions_of_python_3() -> None:
    assert PythonsKind().parse("3.11 3.12", BASE) == ("3.11", "3.12")
    assert PythonsKind().parse("all", BASE) == ()
    for raw in ("3", "2.7", "3.11.4", "cp311", "3.011", "", [3.11], "3.11t"):
        with pytest.raises(ValueError, match="versions like"):
            PythonsKind().parse(raw, BASE)


def test_a_file_says_what_is_hidden(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text(
        '[policy]\nmin-age = "7d"\n'
        '[flat]\nplatforms = ["here", "manylinux_2_17_x86_64"]\npythons = "3.11"\npre-releases = "hide"\nyanked = "hide"\n'
    )
    policy = policy_of(load(environ={"HOME": "/nonexistent"}, config_file=config), HERE)
    assert policy.min_age_us == 7 * 86_400 * 1_000_000
    assert policy.flat.platforms is not None
    assert policy.flat.platforms.platforms >= {"linux_riscv64", "manylinux_2_17_x86_64", "manylinux2014_x86_64", "linux_x86_64"}
    assert policy.flat.pythons is not None
    assert policy.flat.pythons.accept("a-1-cp311-cp311-any.whl")
    assert (policy.flat.prereleases, policy.flat.yanked) == (False, False)


def test_an_index_may_say_how_old_its_own_files_must_be(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    table = '[[index]]\nname = "{0}"\nurl = "https://{0}.index.example/simple"\n{1}\n'
    config.write_text(table.format("lab", 'min-age = "0"') + table.format("main", 'min-age = "2w"') + table.format("other", ""))
    settings = load(environ={"HOME": "/nonexistent"}, config_file=config)
    assert policy_of(settings, HERE).of_index == {"lab": 0, "main": 2 * 7 * 86_400 * 1_000_000}
    again = load(environ={"HOME": "/nonexistent", **environment_of(as_given(settings))}, system_file=Path("/nonexistent"))
    assert again.indexes == settings.indexes
    config.write_text(table.format("lab", "min-age = 7"))
    with pytest.raises(UsageError, match="min-age must be hours, days or weeks"):
        load(environ={"HOME": "/nonexistent"}, config_file=config)


def test_first_seen_is_said_of_all_indexes_and_of_each(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    table = '[[index]]\nname = "lab"\nurl = "https://lab.index.example/simple"\nfirst-seen = {}\n'
    config.write_text("[policy]\nfirst-seen = true\n" + table.format("false"))
    settings = load(environ={"HOME": "/nonexistent"}, config_file=config)
    assert (policy_of(settings, HERE).first_seen, policy_of(settings, HERE).first_seen_of) == (True, {"lab": False})
    again = load(environ={"HOME": "/nonexistent", **environment_of(as_given(settings))}, system_file=Path("/nonexistent"))
    assert policy_of(again, HERE) == policy_of(settings, HERE)
    config.write_text(table.format('"yes"'))
    with pytest.raises(UsageError, match="first-seen must be true or false"):
        load(environ={"HOME": "/nonexistent"}, config_file=config)


def test_nothing_is_hidden_unless_it_is_asked_for() -> None:
    assert policy_of(load(environ={"HOME": "/nonexistent"}, system_file=Path("/nonexistent")), HERE) == Policy()
