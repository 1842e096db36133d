"""What uv is told about a platform and about requirements, and what is made of its answers."""

from __future__ import annotations

import pytest
from packaging.markers import default_environment
from packaging.specifiers import SpecifierSet

from wheelfs.core.resolve.allowed_files import AllowedFiles
from wheelfs.core.resolve.requirements_txt import requirement
from wheelfs.core.resolve.uv_dialogue import (
    Sources,
    choice_options,
    index_options,
    pins,
    platform_options,
    requirements_text,
    said,
    sources,
    warnings,
)
from wheelfs.errors import InternalError, UsageError
from wheelfs.model.names import ProjectName
from wheelfs.model.wanted import Wanted

ENVIRONMENT = {key: str(value) for key, value in default_environment().items()}


@pytest.mark.parametrize(
    ("platform", "name"),
    [
        ("manylinux_2_28_x86_64", "x86_64-manylinux_2_28"),
        ("manylinux_2_17_aarch64", "aarch64-manylinux_2_17"),
        ("manylinux2014_x86_64", "x86_64-manylinux2014"),
        ("musllinux_1_2_x86_64", "x86_64-unknown-linux-musl"),
        ("win_amd64", "x86_64-pc-windows-msvc"),
        ("macosx_11_0_arm64", "aarch64-apple-darwin"),
        ("macosx_10_13_x86_64", "x86_64-apple-darwin"),
    ],
)
def test_wheel_platforms_have_names_of_uvs(platform: str, name: str) -> None:
    options, environment = platform_options([platform])
    assert options == ["--python-platform", name]
    assert environment.get("MACOSX_DEPLOYMENT_TARGET") == {"macosx_11_0_arm64": "11.0", "macosx_10_13_x86_64": "10.13"}.get(
        platform
    )


@pytest.mark.parametrize(
    "platform",
    ["manylinux_2_24_x86_64", "manylinux_2_28_ppc64le", "musllinux_1_1_x86_64", "macosx_11_0_universal2", "linux_x86_64"],
)
def test_a_platform_that_uv_would_take_for_another_is_refused(platform: str) -> None:
    with pytest.raises(UsageError, match="manylinux_2_17, 2_28"):
        platform_options([platform])


def test_uv_resolves_for_one_platform_at_a_time() -> None:
    assert platform_options([]) == ([], {})
    with pytest.raises(UsageError, match="one platform at a time"):
        platform_options(["win_amd64", "win32"])


def test_requirements_keep_their_extras_and_constraints_have_none() -> None:
    wanted = requirement("Demo[b,a]>=1,<2 ; python_version > '3'", ENVIRONMENT)
    assert isinstance(wanted, Wanted)
    assert requirements_text([wanted]) == "demo[a,b]<2,>=1\n"
    assert requirements_text([wanted], extras=False) == "demo<2,>=1\n"


def test_pins_get_the_hashes_that_all_asked_for_and_what_is_allowed() -> None:
    asked = [
        Wanted(ProjectName("demo"), SpecifierSet(">=1"), frozenset({"sha256:00", "sha256:11"}), frozenset({"x"})),
        Wanted(ProjectName("demo"), hashes=frozenset({"sha256:11"})),
    ]
    allowed = AllowedFiles().after("--only-binary", "other")
    found = pins("demo==1.5\n    # via nothing\nother==2.0+cpu\nmine @ file:///srv/mine\n-e .\n", asked, allowed, ENVIRONMENT)
    assert [str(one) for one in found] == ["demo==1.5", "other==2.0+cpu"]
    assert [one.hashes for one in found] == [{"sha256:11"}, frozenset()]
    assert [one.kinds for one in found] == [{"wheel", "sdist"}, {"wheel"}]
    assert all(one.is_resolved for one in found)


@pytest.mark.parametrize("text", ["demo\n", "???\n"])
def test_an_answer_that_is_no_set_of_pins_is_a_bug_of_ours(text: str) -> None:
    with pytest.raises(InternalError):
        pins(text, [], AllowedFiles(), ENVIRONMENT)


@pytest.mark.parametrize(
    "text",
    [
        "tool = 1",
        "[tool]\nuv = 1",
        "[tool.uv.sources]\na = 1",
        "[tool.uv.sources]\na = {index = 1}",
        "[",
        "[tool.uv]\nworkspace = 1",
    ],
)
def test_of_a_project_that_cannot_be_read_nothing_is_known(text: str) -> None:
    assert sources(text) == Sources(frozenset(), (), ())


def test_a_projects_indexes_and_paths_are_those_that_uv_heeds() -> None:
    text = (
        '[tool.uv.sources]\na = { index = "one" }\nb = [{ index = "two-2", marker = "x" }, { path = "../b" }]\n'
        'c = { git = "https://code.example/c" }\nd = { index = "https://index.example/=" }\n'
        '[tool.uv.workspace]\nmembers = ["m/*"]\n'
    )
    assert sources(text) == Sources(frozenset({"one", "two-2"}), ("../b",), ("m/*",))
    assert index_options("file:///x", ["b", "a"]) == [
        "--default-index",
        "file:///x",
        "--index=a=file:///x",
        "--index=b=file:///x",
    ]


def test_uv_is_told_what_may_be_taken() -> None:
    allowed = AllowedFiles().after("--only-binary", ":all:").after("--no-binary", "a").after("--all-releases", "b").after("--pre")
    assert choice_options(allowed) == [
        "--only-binary=:all:",
        "--no-binary=a",
        "--prerelease=allow",
        "--prerelease-package=b=allow",
    ]


def test_what_uv_says_is_shown_without_colours_warnings_and_our_address() -> None:
    text = "\x1b[1mwarning\x1b[0m: of old\nwarning: Python is old\nerror: no demo in file:///tmp/x/simple/demo\n\n  why\n"
    assert said(text, "file:///tmp/x/simple") == "no demo in the index/demo\n  why"
    assert warnings(text) == ["of old", "Python is old"]
    assert len(said("line\n" * 500, "x").splitlines()) == 60


def test_what_uv_says_of_our_own_offline_switch_is_not_passed_on() -> None:
    text = (
        "No solution found when resolving dependencies\n  cause: Because demo was not found in the cache and you require demo\n\n"
        "hint: Packages were unavailable because the network was disabled. When the network is disabled, registry packages may\n"
    )
    assert said(text, "x") == (
        "No solution found when resolving dependencies\n  cause: Because demo was not found in the index and you require demo"
    )
