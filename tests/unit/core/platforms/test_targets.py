from __future__ import annotations

import pytest
from packaging.markers import Marker, default_environment
from packaging.tags import Tag

from wheelfs.core.platforms.targets import Target, named, this_machine
from wheelfs.errors import UsageError

HERE = {key: str(value) for key, value in default_environment().items()}


def target(python: str | None, *platforms: str) -> Target:
    return named(python, platforms, machine_platforms=["linux_riscv64"], environment=HERE)


def test_a_manylinux_platform_stands_for_all_older_ones_and_their_older_names() -> None:
    tags = target("3.12", "manylinux_2_28_aarch64").ranks
    for platform in ("manylinux_2_28_aarch64", "manylinux_2_17_aarch64", "manylinux2014_aarch64", "linux_aarch64"):
        assert Tag("cp312", "cp312", platform) in tags
    assert Tag("cp312", "cp312", "manylinux_2_29_aarch64") not in tags
    assert Tag("cp312", "cp312", "linux_riscv64") not in tags
    assert Tag("cp38", "abi3", "manylinux_2_17_aarch64") in tags
    assert Tag("py3", "none", "any") in tags
    assert tags[Tag("cp312", "cp312", "manylinux_2_28_aarch64")] < tags[Tag("cp312", "cp312", "manylinux_2_17_aarch64")]


def test_a_mac_of_one_version_runs_what_was_built_for_older_ones() -> None:
    assert Tag("cp311", "cp311", "macosx_11_0_arm64") in target("3.11", "macosx_14_0_arm64").ranks


def test_only_a_python_leaves_the_platform_as_it_is_here() -> None:
    made = target("3.13")
    assert Tag("cp313", "cp313", "linux_riscv64") in made.ranks
    assert str(made.python) == made.environment["python_full_version"] == "3.13.0"
    assert made.environment["sys_platform"] == HERE["sys_platform"]


@pytest.mark.parametrize("python", ["3.14.0rc1", "3.14rc1", "3.14.0a2", "3.14.0"])
def test_a_prerelease_of_a_python_counts_as_its_release(python: str) -> None:
    here = {**HERE, "python_full_version": "3.14.0rc1", "python_version": "3.14"}
    for made in (target(python), this_machine([], here), named(None, [], machine_platforms=[], environment=here)):
        assert str(made.python) == made.environment["python_full_version"] == "3.14.0"
        holds = [Marker(f"python_full_version {how} '3.14'").evaluate(dict(made.environment)) for how in (">=", "<")]
        assert holds == [True, False]


def test_a_python_of_a_checkout_has_a_version() -> None:
    assert this_machine([], {**HERE, "python_full_version": "3.15.0a1+"}).environment["python_full_version"] == "3.15.0"


@pytest.mark.parametrize(
    ("platform", "marker"),
    [
        ("win_amd64", "sys_platform == 'win32' and os_name == 'nt' and platform_machine == 'AMD64'"),
        ("win_arm64", "sys_platform == 'win32' and platform_machine == 'ARM64'"),
        ("win32", "sys_platform == 'win32' and platform_machine == 'x86'"),
        ("win_arm64", "platform_release == '' and platform_version == ''"),
        ("macosx_11_0_arm64", "platform_system == 'Darwin' and platform_machine == 'arm64'"),
        ("manylinux2014_x86_64", "sys_platform == 'linux' and platform_machine == 'x86_64'"),
        ("musllinux_1_2_aarch64", "platform_system == 'Linux' and platform_machine == 'aarch64'"),
        ("linux_armv7l", "platform_machine == 'armv7l' and python_version == '3.12'"),
    ],
)
def test_markers_see_the_named_platform(platform: str, marker: str) -> None:
    assert Marker(marker).evaluate(dict(target("3.12", platform).environment))


@pytest.mark.parametrize("python", ["2.7", "3", "three", "3.12.1.1", "3.12+local", ""])
def test_what_is_no_python_is_a_usage_error(python: str) -> None:
    with pytest.raises(UsageError, match="--python"):
        target(python)


@pytest.mark.parametrize("platform", ["", "Linux", "a-b", "linux x86"])
def test_what_is_no_platform_tag_is_a_usage_error(platform: str) -> None:
    with pytest.raises(UsageError, match="--platform"):
        target("3.12", platform)


@pytest.mark.parametrize(
    ("platform", "meant"),
    [
        ("win_amd65", "win_amd64"),
        ("win_x86_64", "win_amd64"),
        ("windows", "win_amd64"),
        ("manylinux_2_28_x86-64", "manylinux_2_28_x86_64"),
        ("manylinux_2_28", "manylinux_2_28_x86_64"),
        ("manylinux_2_28_arm64", "manylinux_2_28_aarch64"),
        ("manylinx_2_28_x86_64", "manylinux_2_28_x86_64"),
        ("macosx_11_0_aarch64", "macosx_11_0_arm64"),
        ("macosx_14_arm64", "macosx_14_0_arm64"),
        ("linux/amd64", "linux_x86_64"),
    ],
)
def test_a_mistyped_platform_says_what_may_have_been_meant(platform: str, meant: str) -> None:
    with pytest.raises(UsageError, match=rf"did you mean {meant}\?"):
        target("3.12", platform)


@pytest.mark.parametrize(
    ("python", "meant"), [("3.99", "3.9"), ("312", "3.12"), ("3.1", "3.10"), ("cp312", "3.12"), ("3.122", "3.12")]
)
def test_a_mistyped_python_says_what_may_have_been_meant(python: str, meant: str) -> None:
    with pytest.raises(UsageError, match=rf"did you mean {meant}\?"):
        target(python)


@pytest.mark.parametrize(
    "platform",
    [
        *("win32", "win_arm64", "any", "linux_armv7l", "musllinux_1_2_riscv64", "manylinux1_i686", "freebsd_14_1_release_amd64"),
        *(
            "ios_13_0_arm64_iphoneos",
            "android_24_arm64_v8a",
            "pyodide_2025_0_wasm32",
            "macosx_11_0_universal2",
            "aix_7204_1806_64",
        ),
    ],
)
def test_rare_platforms_are_no_typing_errors(platform: str) -> None:
    assert Tag("cp312", "cp312", platform) in target("3.12", platform).ranks


def test_an_older_name_of_manylinux_stands_for_all_that_it_runs() -> None:
    tags = target("3.12", "manylinux2014_x86_64").ranks
    for platform in ("manylinux2014_x86_64", "manylinux_2_17_x86_64", "manylinux2010_x86_64", "manylinux1_x86_64"):
        assert Tag("cp312", "cp312", platform) in tags
    assert Tag("cp312", "cp312", "manylinux_2_18_x86_64") not in tags


def test_a_python_that_is_still_to_come_is_none_that_is_mistyped() -> None:
    assert target("3.16").environment["python_version"] == "3.16"
