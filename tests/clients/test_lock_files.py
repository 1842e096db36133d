"""Lock files as the real uv and pip write them: what they want for which machine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from packaging.markers import default_environment

from tests.fakes.commands import objects
from tests.fakes.index import FakeIndex
from tests.fakes.wheels import build_sdist, build_wheel, sdist_filename, wheel_filename
from wheelfs.core.platforms.targets import named
from wheelfs.core.resolve.lock_files import read_lock
from wheelfs.errors import InvalidInput
from wheelfs.model.wanted import LocalPath, Unfetchable

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import RunWheelfs
    from tests.fakes.clients import Clients, Uv
    from wheelfs.core.platforms.targets import Target

ENVIRONMENT = {key: str(value) for key, value in default_environment().items()}
LINUX, WINDOWS = "manylinux_2_28_x86_64", "win_amd64"


def target(python: str, platform: str) -> Target:
    return named(python, [platform], machine_platforms=[], environment=ENVIRONMENT)


@dataclass
class Locked:
    """A project that was locked, and exported."""

    uv_lock: str
    pylock: str

    def wants(self, python: str = "3.11", platform: str = LINUX) -> tuple[set[str], set[str]]:
        """Return what each of the two files wants: pins; after "own" and "no" what is skipped and what fails."""
        return names(self.uv_lock, python, platform), names(self.pylock, python, platform)


def names(text: str, python: str = "3.11", platform: str = LINUX) -> set[str]:
    found = set()
    for entry in read_lock("read it", text, target(python, platform)).asked:
        if isinstance(entry, Unfetchable):
            found.add(f"{'own' if entry.is_own_tree else 'no'} {entry.text}")
        elif isinstance(entry, LocalPath):
            found.add(f"path {entry.path.rpartition('/')[2]}")
        else:
            found.add(str(entry))
    return found


class Project:
    """Makes projects and locks them."""

    def __init__(self, uv: Uv, index: FakeIndex, where: Path) -> None:
        self._uv = uv
        self._index = index
        self.where = where

    def lock(self, described: str, *export: str) -> Locked:
        directory = self.where / "app"
        directory.mkdir(parents=True)
        (directory / "pyproject.toml").write_text(
            f'[project]\nname = "app"\nversion = "0.1"\nrequires-python = ">=3.11"\n{described}'
        )
        options = ("--project", str(directory), "--default-index", self._index.url)
        self._uv.run("lock", *options).succeeded()
        exported = self._uv.run("export", *options, "--format", "pylock.toml", "--no-emit-project", *export).succeeded()
        return Locked((directory / "uv.lock").read_text(), exported.stdout)


@pytest.fixture
def project(clients: Clients, fake_index: FakeIndex, tmp_path: Path) -> Project:
    for version in ("1.0", "2.0"):
        fake_index.add_wheel("lib", version)
    fake_index.add_wheel("lib", "3.0", requires_python=">=3.13")
    fake_index.add_wheel("demo", "1.0", requires=["lib", "color; sys_platform == 'win32'", "fancy; extra == 'fancy'"])
    for name in ("color", "fancy", "tool", "docs-tool"):
        fake_index.add_wheel(name, "1.0")
    return Project(clients.uv(), fake_index, tmp_path / "work")


def test_a_fork_is_taken_by_platform_and_python(project: Project) -> None:
    locked = project.lock("dependencies = [\"lib<2; sys_platform == 'win32'\", \"lib>=2; sys_platform != 'win32'\"]\n")
    assert locked.wants("3.11", LINUX) == ({"lib==2.0"}, {"lib==2.0"})
    assert locked.wants("3.13", LINUX) == ({"lib==3.0"}, {"lib==3.0"})
    assert locked.wants("3.13", WINDOWS) == ({"lib==1.0"}, {"lib==1.0"})


def test_extras_groups_and_markers_are_followed(project: Project) -> None:
    locked = project.lock(
        'dependencies = ["demo[fancy]"]\n'
        '[project.optional-dependencies]\nmore = ["tool"]\n[dependency-groups]\ndev = ["docs-tool"]\n',
        "--all-extras",
    )
    common = {"demo==1.0", "fancy==1.0", "tool==1.0", "docs-tool==1.0", "lib==2.0"}
    assert locked.wants() == (common, common)
    assert locked.wants("3.12", WINDOWS) == (common | {"color==1.0"}, common | {"color==1.0"})


def test_extras_that_exclude_each_other_are_all_brought(project: Project) -> None:
    locked = project.lock(
        'dependencies = ["demo"]\n[project.optional-dependencies]\nold = ["lib<2"]\nnew = ["lib>=2"]\n'
        '[tool.uv]\nconflicts = [[{ extra = "old" }, { extra = "new" }]]\n',
        *("--extra", "old"),
    )
    assert "extra-3-app-old" in locked.uv_lock
    assert locked.wants() == ({"demo==1.0", "lib==1.0", "lib==2.0"}, {"demo==1.0", "lib==1.0"})


def test_a_lock_is_refused_for_a_target_that_it_does_not_speak_of(project: Project) -> None:
    locked = project.lock('dependencies = ["lib"]\n[tool.uv]\nenvironments = ["sys_platform == \'linux\'"]\n')
    assert locked.wants() == ({"lib==2.0"}, {"lib==2.0"})
    for text in (locked.uv_lock, locked.pylock):
        with pytest.raises(InvalidInput, match=">=3"):
            names(text, "3.10")
        with pytest.raises(InvalidInput, match="environments"):
            names(text, "3.11", WINDOWS)


def test_what_is_no_file_of_an_index_is_told_and_the_rest_is_wanted(project: Project, fake_index: FakeIndex) -> None:
    fake_index.add(sdist_filename("source", "1.0"), build_sdist("source", "1.0"))
    fake_index.add_wheel("local", "1.5+special")
    member = project.where / "member"
    member.mkdir(parents=True)
    (member / "pyproject.toml").write_text('[project]\nname = "member"\nversion = "0.1"\ndependencies = ["tool"]\n')
    wheel = project.where / wheel_filename("bypath", "1.0")
    wheel.write_bytes(build_wheel("bypath", "1.0"))
    locked = project.lock(
        'dependencies = ["member", "bypath", "source", "local"]\n'
        f'[tool.uv.sources]\nmember = {{ path = "../member", editable = true }}\nbypath = {{ path = "../{wheel.name}" }}\n'
    )
    files = {"source==1.0", "local==1.5+special", "tool==1.0", f"path {wheel.name}"}
    assert locked.wants() == ({*files, "own member"}, {*files, "own member"})


def test_a_package_without_a_file_for_the_target_does_not_keep_the_others(project: Project, fake_index: FakeIndex) -> None:
    fake_index.add_wheel("compiled", "1.0", tag="cp311-cp311-win_amd64")
    locked = project.lock('dependencies = ["compiled", "tool"]\n')
    assert locked.wants("3.11", WINDOWS) == ({"compiled==1.0", "tool==1.0"}, {"compiled==1.0", "tool==1.0"})
    # Which file is taken of a uv.lock's pin is found out later.
    assert locked.wants("3.11", LINUX) == ({"compiled==1.0", "tool==1.0"}, {"no compiled==1.0", "tool==1.0"})


def test_the_lock_of_a_script_begins_with_its_requirements(clients: Clients, project: Project, fake_index: FakeIndex) -> None:
    project.where.mkdir()
    script = project.where / "script.py"
    script.write_text('# /// script\n# requires-python = ">=3.11"\n# dependencies = ["demo[fancy]"]\n# ///\n')
    clients.uv().run("lock", "--script", str(script), "--default-index", fake_index.url).succeeded()
    text = (project.where / "script.py.lock").read_text()
    assert names(text) == {"demo==1.0", "fancy==1.0", "lib==2.0"}
    assert names(text, "3.13", WINDOWS) == {"demo==1.0", "fancy==1.0", "lib==3.0", "color==1.0"}


def test_a_lock_of_pip_wants_what_pip_has_chosen(clients: Clients, fake_index: FakeIndex, tmp_path: Path) -> None:
    fake_index.add_wheel("lib", "1.0")
    fake_index.add_wheel("demo", "1.0", requires=["lib", "never; sys_platform == 'win32'"])
    lock = tmp_path / "pylock.toml"
    clients.pip().run("lock", "--index-url", fake_index.url, "-o", str(lock), "demo").succeeded()
    assert names(lock.read_text()) == {"demo==1.0", "lib==1.0"}


def test_a_wheel_that_the_index_does_not_have_is_missing_until_it_is_added(
    project: Project, fake_index: FakeIndex, run_wheelfs: RunWheelfs, store_dir: Path, tmp_path: Path
) -> None:
    filename, content = fake_index.add_wheel("demo", "2.0")
    project.lock('dependencies = ["demo"]\n')
    lock = str(project.where / "app" / "uv.lock")
    with FakeIndex() as other:
        other.add_wheel("demo", "1.0")
        ours = {"WHEELFS_INDEX": f"main={other.url}", "WHEELFS_STORE": str(store_dir)}
        refused = run_wheelfs("fetch", lock, env=ours)
        assert refused.returncode != 0
        assert "if they lie in a directory, wheelfs add them" in refused.stderr
        (tmp_path / filename).write_bytes(content)
        run_wheelfs("add", str(tmp_path / filename), env=ours).succeeded()
        run_wheelfs("fetch", lock, env=ours).succeeded()


def test_what_is_locked_beside_a_wheel_at_a_path_is_what_an_environment_has(
    project: Project, fake_index: FakeIndex, run_wheelfs: RunWheelfs, store_dir: Path
) -> None:
    """Its index has newer versions by then, and neither uv nor the index is asked again: as by ``uv sync --frozen``."""
    project.where.mkdir()
    wheel = project.where / wheel_filename("bypath", "1.0")
    wheel.write_bytes(build_wheel("bypath", "1.0", requires=["tool"]))
    project.lock(f'dependencies = ["bypath"]\n[tool.uv.sources]\nbypath = {{ path = "../{wheel.name}" }}\n')
    fake_index.add_wheel("tool", "2.0")
    lock = str(project.where / "app" / "uv.lock")
    ours = {"WHEELFS_INDEX": f"main={fake_index.url}", "WHEELFS_STORE": str(store_dir), "WHEELFS_PAGE_TTL_S": "0"}
    run_wheelfs("env", "create", "it", lock, "--complete", env=ours).succeeded()
    wheels = {wheel.name, wheel_filename("tool", "1.0")}
    assert {one["filename"] for one in objects(run_wheelfs("ls", "--json", env=ours).succeeded())} == wheels
    fake_index.stop()
    made = objects(run_wheelfs("--json", "env", "create", "it", lock, env=ours).succeeded())[-1]
    assert (made["result"], made["environment"]["wheels"]) == ("unchanged", len(wheels))


def test_what_a_lock_has_from_a_url_is_there_once_it_was_added(
    project: Project, run_wheelfs: RunWheelfs, fake_index: FakeIndex, store_dir: Path
) -> None:
    ours = {"WHEELFS_INDEX": f"main={fake_index.url}", "WHEELFS_STORE": str(store_dir)}
    with FakeIndex() as elsewhere:
        name, _ = elsewhere.add_wheel("direct", "1.0")
        url = elsewhere.file_url(name)
        locked = project.lock(f'dependencies = ["lib", "direct @ {url}"]\n')
        directory = project.where / "app"
        (directory / "pylock.toml").write_text(locked.pylock)
        locks = [str(directory / name) for name in ("uv.lock", "pylock.toml")]
        for lock in locks:
            for words in (("fetch",), ("check",), ("env", "create", "it")):
                done = run_wheelfs(*words, lock, env=ours)
                assert done.returncode != 0
                assert "it is no file of an index; wheelfs add takes files and URLs" in done.stderr + done.stdout
        run_wheelfs("add", url, env=ours).succeeded()
    for lock in locks:
        for words in (("fetch",), ("check",), ("env", "create", "it")):
            run_wheelfs(*words, lock, env=ours).succeeded()


def test_a_bound_above_the_pythons_of_a_dependency_is_none_as_for_uv(
    project: Project, clients: Clients, fake_index: FakeIndex, run_wheelfs: RunWheelfs, store_dir: Path
) -> None:
    filename, _ = fake_index.add_wheel("bounded", "2.0", requires_python=">=3.8,<3.11")
    fake_index.add_wheel("bounded", "1.0")
    project.lock('dependencies = ["bounded"]\n')
    client = clients.uv()
    into = {"UV_PROJECT_ENVIRONMENT": str(client.directory / "venv")}
    where = str(project.where / "app")
    client.run("sync", "--frozen", "--no-install-project", "--project", where, environment=into).succeeded()
    assert client.installed() == {"bounded": "2.0"}
    ours = {"WHEELFS_INDEX": f"main={fake_index.url}", "WHEELFS_STORE": str(store_dir)}
    asked = (("fetch", f"{where}/uv.lock"), ("fetch", "--with-deps", "bounded"), ("env", "create", "it", f"{where}/uv.lock"))
    for words in (*asked, ("env", "create", "other", "bounded"), ("check", f"{where}/uv.lock")):
        run_wheelfs(*words, env=ours).succeeded()
    assert [one["filename"] for one in objects(run_wheelfs("ls", "--json", env=ours).succeeded())] == [filename]
    fake_index.stop()
    run_wheelfs("env", "create", "stored", f"{where}/uv.lock", env=ours).succeeded()


@pytest.mark.parametrize(
    ("platform", "name"),
    [
        ("win_amd64", "x86_64-pc-windows-msvc"),
        ("win_arm64", "aarch64-pc-windows-msvc"),
        ("win32", "i686-pc-windows-msvc"),
        ("macosx_11_0_arm64", "aarch64-apple-darwin"),
        ("manylinux_2_28_aarch64", "aarch64-manylinux_2_28"),
    ],
)
def test_markers_see_a_named_platform_as_they_do_in_uv(clients: Clients, platform: str, name: str) -> None:
    keys = ("os_name", "sys_platform", "platform_system", "platform_machine", "platform_release", "platform_version")
    seen = target("3.11", platform).environment
    client = clients.uv()
    for key in keys:
        (client.directory / f"{key}.in").write_text(f"{key.replace('_', '-')} @ file:///nowhere ; {key} != '{seen[key]}'\n")
    files = [f"{key}.in" for key in keys]
    client.run("pip", "compile", "--quiet", "--offline", "--no-header", "--python-platform", name, *files).succeeded()
