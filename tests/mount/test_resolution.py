"""wheelfs fetch --with-deps: everything that an install needs, as the real uv resolves it against the configured indexes."""

from __future__ import annotations

import os
import signal
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.fakes.commands import error_of, objects
from tests.fakes.mounts import mount_points
from tests.fakes.processes import wheelfs_command, wheelfs_environment
from tests.fakes.terminals import shown_by
from tests.fakes.waiting import eventually
from tests.fakes.wheels import build_sdist, build_wheel, sdist_filename, wheel_filename

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import MountWheelfs, RunWheelfs
    from tests.fakes.clients import Clients
    from tests.fakes.index import FakeIndex
    from tests.fakes.processes import Finished


@pytest.fixture
def resolve(run_wheelfs: RunWheelfs, fake_index: FakeIndex, store_dir: Path, tmp_path: Path) -> Callable[..., Finished]:
    def resolve(*words: str, **settings: Any) -> Finished:
        command = ("--store", str(store_dir), "fetch", "--json", "--with-deps", "--index", f"main={fake_index.url}")
        # The commands' temporary directories: whether one leaves a mount can be seen.
        (tmp_path / "tmp").mkdir(exist_ok=True)
        settings["env"] = {"TMPDIR": str(tmp_path / "tmp"), **settings.get("env", {})}
        done = run_wheelfs(*command, *words, **settings)
        assert mount_points(tmp_path / "tmp") == []
        assert os.listdir(tmp_path / "tmp") == []
        return done

    return resolve


def children_of(pid: int) -> list[int]:
    """Return the processes that a process has started, from any of its threads."""
    return [int(child) for task in Path(f"/proc/{pid}/task").iterdir() for child in (task / "children").read_text().split()]


def error_told(done: Finished) -> dict[str, Any]:
    """The error alone: that opening a page failed is logged beside it."""
    return error_of(replace(done, stderr=""))


def versions(done: Finished) -> set[str]:
    files = [line["file"] for line in objects(done) if "file" in line]
    return {f"{file['project']} {file['version']} {file['result']}" for file in files}


def test_what_a_project_needs_comes_along_and_installs_offline(
    fake_index: FakeIndex, resolve: Callable[..., Finished], mounted: MountWheelfs, clients: Clients
) -> None:
    fake_index.add_wheel("app", "1.0", requires=["lib>=1,<2", "never; sys_platform == 'win32'", "plugin; extra == 'more'"])
    for version in ("1.0", "1.5", "1.6rc1", "2.0"):
        fake_index.add_wheel("lib", version, requires=["base"])
    fake_index.add_wheel("base", "3.0", big_bytes=400_000)
    fake_index.add_wheel("plugin", "1.0")
    done = resolve("app").succeeded()
    assert (versions(done), done.stderr) == ({"app 1.0 fetched", "lib 1.5 fetched", "base 3.0 fetched"}, "")
    assert versions(resolve("app[more]").succeeded()) == {
        *("app 1.0 present", "lib 1.5 present", "base 3.0 present", "plugin 1.0 fetched")
    }
    fake_index.stop()
    mount = mounted("--offline", index=fake_index.url)
    client = clients.uv()
    client.run("pip", "install", "--default-index", f"file://{mount.path}/simple", "app[more]").succeeded()
    assert client.installed() == {"app": "1.0", "lib": "1.5", "base": "3.0", "plugin": "1.0"}


def test_constraints_prereleases_and_hashes_of_a_requirements_file_hold(
    fake_index: FakeIndex, resolve: Callable[..., Finished], tmp_path: Path
) -> None:
    fake_index.add_wheel("app", "1.0", requires=["lib", "base"], big_bytes=300_000)
    for version in ("1.0", "1.5", "2.0b1"):
        fake_index.add_wheel("lib", version, big_bytes=300_000)
        fake_index.add_wheel("base", version, big_bytes=300_000)
    (tmp_path / "limits.txt").write_text("base<1.5\nunwanted==1\n")
    requirements = tmp_path / "req.txt"
    requirements.write_text("-c limits.txt\napp; python_version > '3'\n")
    assert versions(resolve("-r", str(requirements), "--dry-run").succeeded()) == {
        *("app 1.0 would-fetch", "lib 1.5 would-fetch", "base 1.0 would-fetch")
    }
    requirements.write_text("--pre\n-c limits.txt\napp\n")
    assert "lib 2.0b1 fetched" in versions(resolve("-r", str(requirements)).succeeded())
    requirements.write_text(f"app\nbase==1.5 --hash=sha256:{'0' * 64}\n")
    done = resolve("-r", str(requirements))
    assert done.returncode == 1
    [failed] = [file["file"] for file in objects(done) if file.get("file", {}).get("result") == "failed"]
    assert (failed["wanted"], failed["error_class"]) == ("base==1.5", "ContentMismatch")


def test_another_machine_is_resolved_for(fake_index: FakeIndex, resolve: Callable[..., Finished]) -> None:
    fake_index.add_wheel("app", "1.0", requires=["win; sys_platform == 'win32'", "old; python_version < '3.12'", "compiled"])
    for name in ("win", "old"):
        fake_index.add_wheel(name, "1.0")
    fake_index.add_wheel("compiled", "2.0", tag="cp313-cp313-manylinux_2_28_x86_64")
    fake_index.add_wheel("compiled", "1.0", tag="cp312-cp312-win_amd64")
    done = resolve("app", "--python", "3.12", "--platform", "win_amd64").succeeded()
    assert versions(done) == {"app 1.0 fetched", "win 1.0 fetched", "compiled 1.0 fetched"}
    error = error_told(resolve("app", "--platform", "macosx_11_0_universal2"))
    assert (error["class"], error["exit_code"]) == ("UsageError", 2)
    assert "uv has no name for this platform" in error["message"]


def test_versions_that_do_not_go_together_are_told_in_uvs_words(fake_index: FakeIndex, resolve: Callable[..., Finished]) -> None:
    fake_index.add_wheel("app", "1.0", requires=["lib>5"])
    fake_index.add_wheel("lib", "1.0")
    error = error_told(resolve("app"))
    assert (error["class"], error["exit_code"]) == ("Unresolvable", 10)
    assert "all versions of app cannot be used" in (words := " ".join(error["message"].split())), words
    assert "lib" in words.partition("Because")[2]
    assert "file://" not in error["message"]


def test_an_index_that_is_away_is_no_conflict(fake_index: FakeIndex, resolve: Callable[..., Finished]) -> None:
    fake_index.add_wheel("app", "1.0", requires=["lib"])
    fake_index.add_wheel("lib", "1.0")
    assert error_told(resolve("app", "--offline"))["exit_code"] == 21
    resolve("app").succeeded()
    fake_index.stop()
    assert versions(resolve("app", "--offline").succeeded()) == {"app 1.0 present", "lib 1.0 present"}
    fake_index.start()
    fake_index.add_wheel("new", "1.0", requires=["lib"])
    fake_index.stop()
    error = error_told(resolve("new"))
    assert (error["class"], error["exit_code"]) == ("OriginUnreachable", 21)


def test_users_settings_of_uv_change_nothing(fake_index: FakeIndex, resolve: Callable[..., Finished], tmp_path: Path) -> None:
    fake_index.add_wheel("app", "1.0", requires=["lib"])
    fake_index.add_wheel("lib", "1.0")
    settings = tmp_path / "home" / "config" / "uv" / "uv.toml"
    settings.parent.mkdir(parents=True)
    settings.write_text("no-index = true\n")
    foreign = {"UV_NO_INDEX": "1", "UV_CONSTRAINT": "/nowhere", "UV_NO_CONFIG": "0", "UV_CACHE_DIR": str(tmp_path / "cache")}
    assert versions(resolve("app", env=foreign).succeeded()) == {"app 1.0 fetched", "lib 1.0 fetched"}
    assert not (tmp_path / "cache").exists()


def test_an_sdist_is_built_for_what_it_needs_and_fetched(fake_index: FakeIndex, resolve: Callable[..., Finished]) -> None:
    fake_index.add(sdist_filename("source", "1.0"), build_sdist("source", "1.0"))
    fake_index.add_wheel("app", "1.0", requires=["source"])
    assert versions(resolve("app").succeeded()) == {"app 1.0 fetched", "source 1.0 fetched"}


def project(where: Path, described: str, name: str = "mine") -> Path:
    where.mkdir(parents=True, exist_ok=True)
    (where / "pyproject.toml").write_text(f'[project]\nname = "{name}"\nversion = "0.1"\nrequires-python = ">=3.9"\n{described}')
    return where


def wheel_at(where: Path, name: str, **build: Any) -> Path:
    where.mkdir(parents=True, exist_ok=True)
    (path := where / wheel_filename(name, "1.0")).write_bytes(build_wheel(name, "1.0", **build))
    return path


def test_what_a_project_has_at_paths_comes_along(
    fake_index: FakeIndex, resolve: Callable[..., Finished], run_wheelfs: RunWheelfs, store_dir: Path, tmp_path: Path
) -> None:
    """Relative to its own ``pyproject.toml``, or to that of another directory that it names."""
    for name in ("lib", "base", "deep-lib"):
        fake_index.add_wheel(name, "1.0")
    mine = tmp_path / "work" / "mine"
    wheel_at(mine / "dist", "beside", requires=["lib"])
    far = wheel_at(tmp_path / "far away", "far")
    wheel_at(tmp_path / "work", "deep", requires=["deep-lib"])
    sources = '[tool.uv.sources]\ndeep = { path = "../deep-1.0-py3-none-any.whl" }\n'
    project(tmp_path / "work" / "member", f'dependencies = ["deep"]\n{sources}', "member")
    project(
        mine,
        f'dependencies = ["base", "beside", "member", "far @ {far.as_uri()}"]\n[tool.uv.sources]\n'
        'beside = { path = "./dist/beside-1.0-py3-none-any.whl" }\nmember = { path = "../member", editable = true }\n',
    )
    done = resolve(str(mine)).succeeded()
    of_index, of_paths = ("lib", "base", "deep-lib"), ("beside", "far", "deep")
    files = [line["file"] for line in objects(done) if line.get("file", {}).get("result") == "fetched"]
    assert {file["project"]: file["origin"] for file in files} == {
        **dict.fromkeys(of_index, "main"),
        **dict.fromkeys(of_paths, "local"),
    }
    skipped = [line["file"]["wanted"] for line in objects(done) if line.get("file", {}).get("result") == "skipped"]
    assert skipped == [str(mine), "member"]
    ours = {"WHEELFS_INDEX": f"main={fake_index.url}", "WHEELFS_STORE": str(store_dir)}
    made = objects(run_wheelfs("--json", "env", "create", "it", str(mine), env=ours).succeeded())[-1]
    assert made["environment"]["wheels"] == len(files)


@pytest.mark.parametrize("place", ["itself", "member", "root", "path"])
def test_the_index_that_a_project_names_for_a_package_is_the_one_that_there_is(
    fake_index: FakeIndex, resolve: Callable[..., Finished], tmp_path: Path, place: str
) -> None:
    """Wherever uv heeds it: in the project, in a member of its workspace, at the workspace's root, in a directory at a path."""
    fake_index.add_wheel("lib", "2.0")
    source = 'lib = [{ index = "special", marker = "sys_platform == \'linux\'" }]\n'
    index = '[[tool.uv.index]]\nname = "special"\nurl = "https://index.example/whl"\nexplicit = true\n'
    needs, sources = 'dependencies = ["lib"]\n', "[tool.uv.sources]\n"
    workspace = '[tool.uv.workspace]\nmembers = ["pack*/*"]\n'
    top, below, beside = tmp_path / "work", tmp_path / "work" / "packages" / "below", tmp_path / "beside"
    if place == "itself":
        project(top, needs + sources + source + index)
    elif place == "member":
        project(top, f'dependencies = ["below"]\n{sources}below = {{ workspace = true }}\n{workspace}')
        project(below, needs + sources + source + index, "below")
    elif place == "root":
        project(top, f"{sources}{source}{index}{workspace}")
        project(below, needs, "below")
    else:
        project(top, f'dependencies = ["beside"]\n{sources}beside = {{ path = "../beside" }}\n')
        project(beside, needs + sources + source + index, "beside")
    done = resolve(str(below if place == "root" else top)).succeeded()
    assert "lib 2.0 fetched" in versions(done)


def test_what_a_project_needs_out_of_a_repository_is_missing(
    fake_index: FakeIndex, resolve: Callable[..., Finished], tmp_path: Path
) -> None:
    fake_index.add_wheel("lib", "1.0")
    other = project(tmp_path / "other", 'dependencies = ["lib"]\n', "other")
    for words in (("init", "-q"), ("add", "."), ("-c", "user.name=a", "-c", "user.email=a@b", "commit", "-q", "-m", "first")):
        subprocess.run(["git", "-C", str(other), *words], check=True)
    done = resolve(str(project(tmp_path / "mine", f'dependencies = ["other @ git+{other.as_uri()}"]\n')))
    assert done.returncode == 1
    [failed] = [line["file"] for line in objects(done) if line.get("file", {}).get("result") == "failed"]
    assert "it is built from a repository when it is installed" in failed["reason"]
    assert "lib 1.0 fetched" in versions(done)


def test_resolving_and_verifying_are_shown_on_a_terminal(
    fake_index: FakeIndex, store_dir: Path, tmp_path: Path, run_wheelfs: RunWheelfs
) -> None:
    fake_index.add_wheel("app", "1.0", requires=["lib"])
    fake_index.add_wheel("lib", "1.0")

    def bars(*words: str) -> bytes:
        return shown_by(store_dir, tmp_path / "home", *words)

    assert b"uv resolves" in bars("fetch", "--with-deps", "--index", f"main={fake_index.url}", "app")
    assert b"2 of 2 files" in bars("verify")
    assert b"2 of 2 files" in bars("export", str(tmp_path / "out"), "app", "lib")


def test_an_interrupt_while_resolving_ends_uv_and_the_mount(fake_index: FakeIndex, store_dir: Path, tmp_path: Path) -> None:
    fake_index.add_wheel("app", "1.0")
    fake_index.hang()
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    command = wheelfs_command("--store", str(store_dir), "fetch", "--with-deps", "--index", f"main={fake_index.url}", "app")
    environment = {**wheelfs_environment(tmp_path / "home"), "TMPDIR": str(temporary)}
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        eventually(lambda: bool(fake_index.requests_for("/app/")) or process.poll() is not None)
        [uv] = [pid for pid in children_of(process.pid) if Path(f"/proc/{pid}/comm").read_text().strip() == "uv"]
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does it
        assert process.wait(30) == 130
        assert process.stderr is not None
        assert process.stderr.read() == "wheelfs: interrupted; no file has been fetched yet\n"
    eventually(lambda: not Path(f"/proc/{uv}").exists())
    assert mount_points(temporary) == []
    assert list(temporary.iterdir()) == []
    fake_index.unhang()
