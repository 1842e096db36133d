"""Which files of a page are tracked."""

from __future__ import annotations

import pytest

from wheelfs.core.platforms.machine import Machine
from wheelfs.core.projects.tracking import chosen
from wheelfs.model.links import FileLink
from wheelfs.model.tracked import Tracked

MACHINE = Machine(frozenset({"manylinux_2_17_x86_64", "linux_x86_64"}))
NATIVE = "a-1.0-cp311-cp311-manylinux_2_17_x86_64.whl"
FOREIGN = "a-1.0-cp311-cp311-win_amd64.whl"


def pure(version: str) -> str:
    return f"a-{version}-py3-none-any.whl"


def names(
    *files: str | FileLink, ranges: tuple[str, ...] = ("",), every_platform: bool = False, prereleases: bool = False
) -> list[str]:
    tracked = Tracked("a", ranges, 0, every_platform=every_platform, prereleases=prereleases)
    links = [one if isinstance(one, FileLink) else FileLink(one, "https://files.example/") for one in files]
    return [link.filename for link in chosen(tracked, links, MACHINE)]


def test_wheels_that_this_machine_can_use_are_tracked_and_others_when_they_are_asked_for() -> None:
    files = [NATIVE, FOREIGN, pure("1.0"), "a-1.0.tar.gz"]
    assert names(*files) == [NATIVE, pure("1.0")]
    assert names(*files, every_platform=True) == [NATIVE, FOREIGN, pure("1.0")]


@pytest.mark.parametrize(
    ("ranges", "versions"),
    [
        (("",), ["1.0", "2.0", "2.5", "3.0"]),
        ((">=2,<3",), ["2.0", "2.5"]),
        (("==1.0", ">=2.5"), ["1.0", "2.5", "3.0"]),
        (("<1",), []),
        (("no range", "==2.*"), ["2.0", "2.5"]),
    ],
)
def test_a_version_in_any_of_the_ranges_is_tracked(ranges: tuple[str, ...], versions: list[str]) -> None:
    assert names(*map(pure, ["1.0", "2.0", "2.5", "3.0"]), ranges=ranges) == [pure(version) for version in versions]


def test_prereleases_are_tracked_when_asked_for_or_when_there_is_nothing_else() -> None:
    files = [pure("1.0"), pure("2.0rc1")]
    assert names(*files) == [pure("1.0")]
    assert names(*files, prereleases=True) == files
    assert names(*files, ranges=(">=2.0rc1",)) == [pure("2.0rc1")]
    assert names(pure("2.0rc1"), FOREIGN) == [pure("2.0rc1")]


def test_a_yanked_file_is_tracked_only_by_its_version() -> None:
    yanked = FileLink(pure("2.0"), "https://files.example/", yanked="broken")
    assert names(pure("1.0"), yanked) == [pure("1.0")]
    assert names(pure("1.0"), yanked, ranges=("==2.0",)) == [pure("2.0")]
    assert names(pure("1.0"), yanked, ranges=(">=2", "==1.0")) == [pure("1.0")]


@pytest.mark.parametrize("name", ["b-1.0-py3-none-any.whl", "a-1.0-none-any.whl", "a--py3-none-any.whl", "a-x-py3-none-any.whl"])
def test_what_is_no_wheel_of_the_project_is_left_out(name: str) -> None:
    assert names(name, pure("1.0")) == [pure("1.0")]


def test_a_name_is_compared_in_its_normalized_form() -> None:
    link = FileLink("A_b.C-1.0-py3-none-any.whl", "https://files.example/")
    assert chosen(Tracked("a-b-c", ("",), 0), [link], MACHINE) == [link]


def test_tags_are_looked_at_once_and_not_for_each_version(monkeypatch: pytest.MonkeyPatch) -> None:
    looked_at: list[str] = []
    accepts = Machine.accepts

    def noted(self: Machine, filename: str) -> bool:
        looked_at.append(filename)
        return accepts(self, filename)

    monkeypatch.setattr(Machine, "accepts", noted)
    files = [name.replace("1.0", f"1.{number}") for number in range(5) for name in (NATIVE, FOREIGN, pure("1.0"))]
    assert names("a--cp311-cp311-manylinux_2_17_x86_64.whl", *files) == [name for name in files if "win" not in name]
    assert sorted(looked_at) == sorted([NATIVE, FOREIGN, pure("1.0")])
