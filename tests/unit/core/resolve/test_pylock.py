"""What a ``pylock.toml`` (PEP 751) wants of each kind of source, for one target."""

from __future__ import annotations

from typing import Any

import pytest
from packaging.markers import default_environment
from packaging.specifiers import SpecifierSet

from wheelfs.core.platforms.targets import named
from wheelfs.core.resolve.allowed_files import AllowedFiles
from wheelfs.core.resolve.lock_files import Locked, read_lock
from wheelfs.core.resolve.uv_lock import AsSynced
from wheelfs.errors import InvalidInput
from wheelfs.model.names import ProjectName
from wheelfs.model.wanted import LocalPath, Synced, Unfetchable, Wanted

ENVIRONMENT = {key: str(value) for key, value in default_environment().items()}
DIGEST = "ab" * 32
HEAD = """
lock-version = "1.0"
created-by = "a test"
extras = ["docs", "fast"]
dependency-groups = ["test", "lint"]
default-groups = ["test"]
"""


def package(name: str, *lines: str, version: str | None = "1.0") -> str:
    head = [f'name = "{name}"'] + ([f'version = "{version}"'] if version else [])
    return "\n".join(["[[packages]]", *head, *lines, ""])


def wheel(filename: str, hashes: str = f'sha256 = "{DIGEST}"', at: str | None = None) -> str:
    where = at or f'url = "https://files.example/{filename}"'
    return f'[[packages.wheels]]\nname = "{filename}"\n{where}\nhashes = {{ {hashes} }}'


def read(text: str, *, python: str = "3.12", **options: Any) -> Locked:
    target = named(python, ["manylinux_2_28_x86_64"], machine_platforms=[], environment=ENVIRONMENT)
    return read_lock("read it", HEAD + text, target, where="pylock.toml", **options)


def test_of_several_wheels_the_best_for_the_target_is_wanted_with_its_hashes() -> None:
    tagged = "a-1.0-cp312-cp312-manylinux_2_28_x86_64.whl"
    [found] = read(package("a", wheel("a-1.0-py3-none-any.whl"), wheel(tagged))).asked
    assert isinstance(found, Wanted)
    assert str(found) == "a==1.0"
    assert found.filenames == {tagged}
    assert found.hashes == {f"sha256:{DIGEST}"}
    assert found.places == ("pylock.toml",)


def test_a_hash_that_can_be_compared_is_enough_and_without_any_it_cannot_be_fetched() -> None:
    name = "a-1.0-py3-none-any.whl"
    [found] = read(package("a", wheel(name, f'sha256 = "{DIGEST.upper()}", of-tomorrow = "00"'))).asked
    assert isinstance(found, Wanted)
    assert found.hashes == {f"sha256:{DIGEST}"}
    [found] = read(package("a", wheel(name, 'of-tomorrow = "00"'))).asked
    assert isinstance(found, Unfetchable)
    assert "of-tomorrow" in found.reason


@pytest.mark.parametrize("digest", ["zz", "00", DIGEST[1:]])
def test_a_digest_that_no_file_can_have_is_refused(digest: str) -> None:
    with pytest.raises(InvalidInput, match=r"of a it gives a hash that no file can have: .* is no sha256"):
        read(package("a", wheel("a-1.0-py3-none-any.whl", f'sha256 = "{digest}"')))


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ('[packages.archive]\nurl = "https://code.example/a.zip"\nhashes = { sha256 = "' + DIGEST + '" }', Unfetchable),
        ('[packages.archive]\npath = "../a.zip"\nhashes = { sha256 = "' + DIGEST + '" }', LocalPath),
        ('[packages.vcs]\ntype = "git"\nurl = "https://code.example/a"\ncommit-id = "1234567"', Unfetchable),
        ('[packages.directory]\npath = "."', Unfetchable),
        (wheel("a-1.0-py3-none-any.whl", at='path = "wheels/a-1.0-py3-none-any.whl"'), LocalPath),
    ],
    ids=["archive at a URL", "archive at a path", "repository", "directory", "wheel at a path"],
)
def test_what_is_in_no_index_is_a_path_or_cannot_be_fetched(source: str, expected: type) -> None:
    [found] = read(package("a", source)).asked
    assert isinstance(found, expected)
    assert isinstance(found, LocalPath | Unfetchable)
    assert found.place == "pylock.toml"
    if isinstance(found, Unfetchable):
        assert found.is_own_tree == ("[packages.directory]" in source)


def test_what_was_added_of_a_url_or_a_repository_is_found_by_name_version_and_hashes() -> None:
    archive = f'[packages.archive]\nurl = "https://code.example/get/a-1.0.zip?x=y"\nhashes = {{ sha256 = "{DIGEST}" }}'
    [found] = read(package("a", archive)).asked
    assert isinstance(found, Unfetchable)
    one, hashes = SpecifierSet("==1.0"), frozenset({f"sha256:{DIGEST}"})
    assert found.file == Wanted(ProjectName("a"), one, hashes, filenames=frozenset({"a-1.0.zip"}))
    [found] = read(package("a", '[packages.vcs]\ntype = "git"\nurl = "https://code.example/a"\ncommit-id = "1234567"')).asked
    assert isinstance(found, Unfetchable)
    assert found.file == Wanted(ProjectName("a"), one)


def test_a_package_without_a_version_is_named_by_its_name_alone() -> None:
    [found] = read(package("a", '[packages.directory]\npath = "."', version=None)).asked
    assert isinstance(found, Unfetchable)
    assert found.text == "a"


def test_where_wheels_are_not_allowed_the_sdist_is_wanted() -> None:
    sdist = (
        f'[packages.sdist]\nname = "a-1.0.tar.gz"\nurl = "https://files.example/a-1.0.tar.gz"\nhashes = {{ sha256 = "{DIGEST}" }}'
    )
    text = package("a", sdist, wheel("a-1.0-py3-none-any.whl"))
    [found] = read(text).asked
    assert isinstance(found, Wanted)
    assert found.filenames == {"a-1.0-py3-none-any.whl"}
    [found] = read(text, allowed=AllowedFiles().after("--no-binary", "a")).asked
    assert isinstance(found, Wanted)
    assert found.filenames == {"a-1.0.tar.gz"}


def test_a_package_without_a_file_for_the_target_keeps_nothing_of_the_others_back() -> None:
    text = package("a", wheel("a-1.0-cp312-cp312-win_amd64.whl")) + package("b", wheel("b-1.0-py3-none-any.whl"))
    without, found = sorted(read(text).asked, key=lambda one: isinstance(one, Wanted))
    assert isinstance(without, Unfetchable)
    assert without.text == "a==1.0"
    assert str(found) == "b==1.0"


def test_two_versions_for_one_target_are_refused() -> None:
    text = package("a", wheel("a-1.0-py3-none-any.whl")) + package("a", wheel("a-2.0-py3-none-any.whl"), version="2.0")
    with pytest.raises(InvalidInput, match="more than one a for this target"):
        read(text)


def test_extras_and_groups_choose_packages_and_notes_say_what_was_left_out() -> None:
    text = (
        package("docs-tool", "marker = \"'docs' in extras\"", wheel("docs_tool-1.0-py3-none-any.whl"))
        + package("tester", "marker = \"'test' in dependency_groups\"", wheel("tester-1.0-py3-none-any.whl"))
        + package("linter", "marker = \"'lint' in dependency_groups\"", wheel("linter-1.0-py3-none-any.whl"))
    )
    default = read(text)
    assert [str(one) for one in default.asked] == ["tester==1.0"]
    assert any("extra docs" in note and "extra fast" in note and "group lint" in note for note in default.notes)
    chosen = read(text, extras=["docs"], groups=["lint"])
    assert sorted(str(one) for one in chosen.asked) == ["docs-tool==1.0", "linter==1.0"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"extras": ["dosc"]}, r"no extra dosc \(it has docs, fast\)"),
        ({"groups": ["tset"]}, r"no dependency group tset \(it has test, lint"),
    ],
    ids=["extra", "group"],
)
def test_an_extra_or_group_that_it_does_not_have_is_refused_with_those_it_has(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        read(package("a", wheel("a-1.0-py3-none-any.whl")), **options)


@pytest.mark.parametrize(
    ("options", "named", "expected"),
    [
        (Synced(), {}, {"tester"}),
        (Synced(all_extras=True), {}, {"docs-tool", "tester"}),
        (Synced(all_groups=True), {}, {"tester", "linter"}),
        (Synced(all_groups=True, no_groups=("test",)), {}, {"linter"}),
        (Synced(no_groups=("test",)), {}, set()),
        (Synced(no_default_groups=True), {}, set()),
        (Synced(no_default_groups=True), {"groups": {"lint"}, "extras": {"docs"}}, {"linter", "docs-tool"}),
        (Synced(), {"groups": {"lint"}}, {"linter"}),
    ],
)
def test_what_an_environment_takes_of_its_extras_and_groups(options: Synced, named: dict[str, Any], expected: set[str]) -> None:
    """Groups that are named take the place of the default ones: so do those of ``uv pip sync``."""
    text = (
        package("docs-tool", "marker = \"'docs' in extras\"", wheel("docs_tool-1.0-py3-none-any.whl"))
        + package("tester", "marker = \"'test' in dependency_groups\"", wheel("tester-1.0-py3-none-any.whl"))
        + package("linter", "marker = \"'lint' in dependency_groups\"", wheel("linter-1.0-py3-none-any.whl"))
    )
    found = read(text, as_synced=AsSynced(options, lambda _: frozenset()), **named)
    assert {str(one.project) for one in found.asked if isinstance(one, Wanted)} == expected


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (Synced(packages=("a",)), "of the uv.lock beside it --package takes them"),
        (Synced(all_packages=True), "no workspace"),
        (Synced(only_groups=("test",)), "--group leaves out the default groups"),
        (Synced(no_groups=("tset",)), r"no dependency group tset \(it has test, lint"),
    ],
)
def test_what_it_cannot_tell_is_refused_with_what_to_do(options: Synced, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        read(package("a", wheel("a-1.0-py3-none-any.whl")), as_synced=AsSynced(options, lambda _: frozenset()))
