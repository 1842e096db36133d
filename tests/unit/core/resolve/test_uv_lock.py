"""Locks that real versions of uv have written, from the first on: see tests/world_files/make_locks.py."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from packaging.markers import default_environment

from tests.world_files.make_locks import LOCKS
from wheelfs.core.platforms.targets import named
from wheelfs.core.resolve.lock_files import read_lock
from wheelfs.core.resolve.uv_lock import MAX_OF_ONE_NAME
from wheelfs.errors import InvalidInput
from wheelfs.model.wanted import LocalPath, Unfetchable, Wanted

if TYPE_CHECKING:
    from pathlib import Path

    from wheelfs.core.resolve.requirements_txt import Asked

ENVIRONMENT = {key: str(value) for key, value in default_environment().items()}
EARLIEST = LOCKS / "uv-0.2.0.lock"
LATER = sorted(set(LOCKS.glob("uv-*.lock")) - {EARLIEST})


def asked(text: str, platform: str = "manylinux_2_28_x86_64", python: str = "3.11", **chosen: Any) -> list[Asked]:
    target = named(python, [platform], machine_platforms=[], environment=ENVIRONMENT)
    return list(read_lock("read it", text, target, where="uv.lock", **chosen).asked)


def pins(text: str, platform: str = "manylinux_2_28_x86_64") -> set[str]:
    return {str(one) for one in asked(text, platform) if isinstance(one, Wanted)}


@pytest.mark.parametrize("lock", LATER, ids=lambda lock: lock.name)
def test_a_lock_of_every_form_wants_the_same(lock: Path) -> None:
    text = lock.read_text()
    common = {"app==1.0", "docs-tool==1.0", "fancy==1.0", "liba==3.0", "source==1.0", "tool==1.0"}
    assert pins(text) == {*common, "libd==2.0"}
    assert pins(text, "win_amd64") == {*common, "libd==1.0", "color==1.0"}


def test_the_earliest_form() -> None:
    assert pins(EARLIEST.read_text()) == {"h2==4.1.0", "hpack==4.2.0", "hyperframe==6.1.0", "sniffio==1.3.1"}


def test_each_file_is_named_with_its_hashes() -> None:
    [source] = [one for one in asked(LATER[0].read_text()) if isinstance(one, Wanted) and one.project == "source"]
    assert source.filenames == {"source-1.0.tar.gz"}
    assert len(source.hashes) == 1
    assert source.places == ("uv.lock",)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ('{ registry = "https://index.example/simple" }', Wanted),
        ('{ registry = "../wheels" }', Wanted),
        ('{ path = "../a-1.0-py3-none-any.whl" }', LocalPath),
        ('{ git = "https://code.example/a?rev=1#2" }', Unfetchable),
        ('{ url = "https://files.example/a-1.0-py3-none-any.whl" }', Unfetchable),
        ('"registry+https://index.example/simple"', Wanted),
        ('"path+file:///srv/a-1.0-py3-none-any.whl"', LocalPath),
        ('"git+https://code.example/a"', Unfetchable),
        ('"direct+https://files.example/a-1.0-py3-none-any.whl"', Unfetchable),
    ],
)
def test_sources_of_either_form(source: str, expected: type[object]) -> None:
    [one] = asked(f'version = 1\n[[package]]\nname = "a"\nversion = "1.0"\nsource = {source}\n')
    assert isinstance(one, expected)


@pytest.mark.parametrize(
    ("source", "files", "filenames"),
    [
        ("url = 'https://files.example/a-1.0-py3-none-any.whl'", "wheels = [{ url = '«source»', hash = '«hash»' }]", 1),
        ("url = 'https://files.example/a-1.0.tar.gz'", "sdist = { hash = '«hash»' }", 1),
        ("git = 'https://code.example/a.zip?rev=1#2'", "", 0),
    ],
)
def test_what_was_added_of_a_url_or_a_repository_is_found_by_name_version_and_hashes(
    source: str, files: str, filenames: int
) -> None:
    url, told = source.split("'")[1], f"sha256:{'ab' * 32}"
    files = files.replace("«source»", url).replace("«hash»", told)
    [one] = asked(f'version = 1\n[[package]]\nname = "a"\nversion = "1.0"\nsource = {{ {source} }}\n{files}\n')
    assert isinstance(one, Unfetchable)
    assert one.file is not None
    assert (str(one.file), one.file.places) == ("a==1.0", ("uv.lock",))
    assert one.file.filenames == ({url.rpartition("/")[2]} if filenames else set())
    assert one.file.hashes == ({told} if filenames else set())


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("[metadata]\nlock-version = '2.1'\n", "poetry export"),
        ("[metadata]\nlock_version = '4.5'\n", "pdm export"),
        ('{"_meta": {}}', "pipenv requirements"),
        ("[project]\nname = 'a'\n", "it is a pyproject.toml"),
        ("version = 2\n", "neither a pylock.toml nor a uv.lock of version 1"),
        ("{", "no TOML"),
    ],
)
def test_what_is_not_read_is_told_apart(text: str, advice: str) -> None:
    with pytest.raises(InvalidInput, match=advice):
        asked(text)


@pytest.mark.parametrize("told", ["sha256:xyz", "sha256:00", "md5:00", "sha256:", ":", "", "00"])
def test_a_hash_that_no_file_can_have_is_refused_wherever_it_stands(told: str) -> None:
    """As uv does it, also of a package that is not reached."""
    root = '[[package]]\nname = "mine"\nsource = { virtual = "." }\n'
    other = '[[package]]\nname = "a"\nversion = "1.0"\nsource = { registry = "https://index.example/simple" }\n'
    files = f'wheels = [{{ url = "https://files.example/a-1.0-py3-none-any.whl", hash = "{told}" }}]\n'
    with pytest.raises(InvalidInput, match="of a it gives a hash that no file can have"):
        asked(f"version = 1\n{root}{other}{files}")


@pytest.mark.parametrize("lock", LATER, ids=lambda lock: lock.name)
def test_extras_and_groups_that_are_named_must_be_there(lock: Path) -> None:
    text = lock.read_text()
    everything = asked(text)
    assert asked(text, extras=["more"]) == asked(text, extras=["More"]) == asked(text, groups={"dev"}) == everything
    with pytest.raises(InvalidInput, match=r"it has no extra nosuch \(it has more\)"):
        asked(text, extras=["nosuch", "more"])
    with pytest.raises(InvalidInput, match=r"it has no dependency group nosuch \(it has dev\)"):
        asked(text, groups={"nosuch"})


def test_an_extra_without_dependencies_is_there_too() -> None:
    root = 'version = 1\n[[package]]\nname = "mine"\nsource = { virtual = "." }\n'
    metadata = '[package.metadata]\nprovides-extras = ["none"]\n[package.metadata.requires-dev]\nempty = []\n'
    assert asked(root + metadata, extras=["none"], groups={"empty"}) == []


def test_more_of_one_name_than_any_lock_has_is_refused_before_it_is_compared() -> None:
    package = '[[package]]\nname = "a"\nversion = "1.0"\nsource = { registry = "https://index.example/simple" }\n'
    assert len(pins("version = 1\n" + package * MAX_OF_ONE_NAME)) == 1
    with pytest.raises(InvalidInput, match="packages called a, more than"):
        asked("version = 1\n" + package * (MAX_OF_ONE_NAME + 1))


def test_a_marker_that_names_more_extras_than_any_lock_does_is_refused() -> None:
    def lock(extras: int) -> str:
        marker = " or ".join(f"extra == 'e{number}'" for number in range(extras))
        package = '[[package]]\nname = "a"\nsource = { virtual = "." }\n'
        return f'version = 1\n{package}dependencies = [{{ name = "a", marker = "{marker}" }}]\n'

    assert asked(lock(MAX_OF_ONE_NAME - 1)) == []
    with pytest.raises(InvalidInput, match=r"more than \d+ extras"):
        asked(lock(MAX_OF_ONE_NAME))


@pytest.mark.parametrize(
    ("marker", "holds"),
    [
        ("platform_release >= '20'", True),
        ("platform_release >= '3'", True),
        ("platform_release < '10'", False),
        ("platform_release < '9'", True),
        ("platform_release >= '6.2'", False),
        ("platform_release == '6.18.44-lab'", True),
        ("platform_release == '6.18.*'", False),
        ("platform_release != '5'", True),
        ("'lab' in platform_release", True),
        ("platform_version >= '#0' and platform_release > '6'", True),
        ("platform_version >= '2' or python_version < '3'", False),
        ("platform_version <= '#1 SMP'", True),
    ],
)
def test_releases_of_systems_are_compared_letter_by_letter_as_uv_does(marker: str, holds: bool) -> None:
    """Each was tried with uv 0.13.8 under Linux 6.18.44."""
    other = '[[package]]\nname = "a"\nversion = "1.0"\nsource = { registry = "https://index.example/simple" }\n'
    root = f'[[package]]\nname = "mine"\nsource = {{ virtual = "." }}\ndependencies = [{{ name = "a", marker = "{marker}" }}]\n'
    here = {"platform_release": "6.18.44-lab", "platform_version": "#1 SMP"}
    target = named("3.11", ["manylinux_2_28_x86_64"], machine_platforms=[], environment=ENVIRONMENT)
    target = replace(target, environment={**target.environment, **here})
    found = read_lock("read it", f"version = 1\n{root}{other}", target, where="uv.lock").asked
    assert bool([one for one in found if isinstance(one, Wanted)]) == holds


@pytest.mark.parametrize(("python", "expected"), [("3.14.0rc1", "new"), ("3.14.0a1", "new"), ("3.13.1", "old")])
def test_a_prerelease_of_a_python_takes_the_fork_of_its_release_as_in_uv(python: str, expected: str) -> None:
    """Tried with uv 0.13.8, by --python-version and with an interpreter that says that it is 3.14.0rc1."""
    markers = {"new": "python_full_version >= '3.14'", "old": "python_full_version < '3.14'"}
    dependencies = ", ".join(f'{{ name = "{name}", marker = "{marker}" }}' for name, marker in markers.items())
    text = f'version = 1\n[[package]]\nname = "mine"\nsource = {{ virtual = "." }}\ndependencies = [{dependencies}]\n'
    for name, marker in markers.items():
        source = 'version = "1"\nsource = { registry = "https://index.example/simple" }\n'
        text += f'[[package]]\nname = "{name}"\n{source}resolution-markers = ["{marker}"]\n'
    requires = ">=3.14" if expected == "new" else ">=3.13,<3.14"
    found = asked(f'requires-python = "{requires}"\n{text}', python=python)
    assert [one.project for one in found if isinstance(one, Wanted)] == [expected]
