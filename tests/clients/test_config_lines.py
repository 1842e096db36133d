"""`wheelfs config CLIENT` prints lines that work: each is run here as it is printed, by the client that it is for."""

from __future__ import annotations

import itertools
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from uv import find_uv_bin

from tests.fakes.environments import pdm, poetry
from tests.fakes.processes import ROOT, run, wheelfs_command
from tests.fakes.waiting import eventually
from tests.gateway.serving import Serving
from wheelfs.cli.client_lines import mount_lines
from wheelfs.frontends.http.set_up import setup_lines

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.conftest import MountWheelfs, RunWheelfs
    from tests.fakes.clients import Clients, Pip, Uv
    from tests.fakes.index import FakeIndex
    from tests.fakes.mounts import Mounted
    from tests.fakes.processes import Finished

PROJECT = '[project]\nname = "mine"\nversion = "0"\nrequires-python = ">=3.11"\ndependencies = ["app"]\n'
EXPECTED = {"app": "1.0", "numbers": "2.0"}
RUN = {"app/__init__.py": b"def main():\n    import numbers_\n    print('works')\n"}


@pytest.fixture
def mount(mounted: MountWheelfs, fake_index: FakeIndex, tmp_path: Path) -> Mounted:
    """A mount whose path needs quoting, and an application with a program and a library on its index."""
    entry = {"app-1.0.dist-info/entry_points.txt": b"[console_scripts]\napp = app:main\n"}
    fake_index.add_wheel("app", "1.0", requires=["numbers<3"], files=RUN | entry)
    for version in ("1.0", "2.0", "3.0"):
        fake_index.add_wheel("numbers", version, files={"numbers_.py": b""}, big_bytes=300_000)
    return mounted(index=fake_index.url, path=tmp_path / "my wheels")


class Lines:
    """What ``config CLIENT`` printed."""

    def __init__(self, run_wheelfs: RunWheelfs, client: str, mount: Mounted) -> None:
        self.text = run_wheelfs("config", client, "--mount", str(mount.path)).succeeded().stdout

    def command(self, start: str) -> str:
        [line] = [line for line in self.text.splitlines() if line.startswith(f"# $ {start}")]
        return line.removeprefix("# $ ").replace("PACKAGE", "app").replace("TOOL", "app")

    def block(self, start: str) -> str:
        """Return a commented block with its marks taken off."""
        lines = self.text.splitlines()
        begun = lines[lines.index(f"# {start}") :]
        return "".join(line.removeprefix("# ") + "\n" for line in itertools.takewhile(bool, begun))


def shell(
    client: Pip | Uv, script: str, cwd: Path, programs: Path | None = None, more: Mapping[str, str] | None = None
) -> Finished:
    """Run a script as it stands, with the client's environment activated."""
    found_in = [*([programs] if programs else []), client.venv() / "bin", client.environment["PATH"], Path(find_uv_bin()).parent]
    environment = {**client.environment, **(more or {}), "PATH": ":".join(map(str, found_in))}
    return run(["bash", "-euc", script], environment=environment, cwd=cwd)


def wheelfs_program(directory: Path) -> Path:
    """Return a directory with a program ``wheelfs`` in it."""
    directory.mkdir()
    program = directory / "wheelfs"
    program.write_text(f'#!/bin/sh\nexec {shlex.join(wheelfs_command())} "$@"\n')
    program.chmod(0o755)
    return directory


def project(directory: Path, more: str = "") -> Path:
    directory.mkdir()
    (directory / "pyproject.toml").write_text(PROJECT + more)
    return directory


def configured_uv(clients: Clients, lines: Lines) -> Uv:
    """Return a uv whose user has the lines in uv.toml, and which reads the projects' own tables."""
    uv = clients.uv()
    del uv.environment["UV_NO_CONFIG"]
    file = Path(uv.environment["XDG_CONFIG_HOME"]) / "uv" / "uv.toml"
    file.parent.mkdir(parents=True)
    file.write_text(lines.text)
    return uv


def store_everything(mount: Mounted) -> None:
    for name in ("app", "numbers"):
        for file in (mount.path / "simple" / name).glob("*.whl"):
            file.read_bytes()
    eventually(lambda: len(list(mount.path.glob("*.whl"))) == 4)


def test_pips_lines(run_wheelfs: RunWheelfs, mount: Mounted, clients: Clients, fake_index: FakeIndex, tmp_path: Path) -> None:
    lines = Lines(run_wheelfs, "pip", mount)
    (tmp_path / "pip.conf").write_text(lines.text)
    for _ in ("index up", "index down"):
        pip = clients.pip()
        pip.run("install", "app", environment={"PIP_CONFIG_FILE": str(tmp_path / "pip.conf")}).succeeded()
        assert pip.installed() == EXPECTED
        fake_index.stop()
    pip = clients.pip()
    pip.run(*shlex.split(lines.command("pip install"))[1:]).succeeded()
    assert pip.installed() == EXPECTED


@pytest.mark.parametrize("client", ["pip", "uv"])
def test_what_is_installed_serves_pip_and_uv(
    run_wheelfs: RunWheelfs, mount: Mounted, clients: Clients, fake_index: FakeIndex, tmp_path: Path, client: str
) -> None:
    home = {"XDG_CONFIG_HOME": str(tmp_path / "config"), "PIP_CONFIG_FILE": ""}
    words = ("--store", str(mount.store), "config", "--install", client)
    assert "changed" in run_wheelfs(*words, env=home).succeeded().stdout, "it finds the mount that is running"
    if client == "pip":
        pip = clients.pip()
        # Else the tests' own settings go before it.
        pip.run("install", "app", environment={"PIP_CONFIG_FILE": str(tmp_path / "config/pip/pip.conf")}).succeeded()
        assert pip.installed() == EXPECTED
    else:
        uv = clients.uv()
        del uv.environment["UV_NO_CONFIG"]
        uv.environment["XDG_CONFIG_HOME"] = home["XDG_CONFIG_HOME"]
        uv.run("pip", "install", "app").succeeded()
        assert uv.installed() == EXPECTED
    assert fake_index.url not in (text := run_wheelfs(*words, "--undo", env=home).succeeded().stdout)
    assert "  - index-url = " in text


def test_uvs_file_serves_uv_pip_and_leaves_locks_alone(
    run_wheelfs: RunWheelfs, mount: Mounted, clients: Clients, fake_index: FakeIndex, tmp_path: Path
) -> None:
    lines = Lines(run_wheelfs, "uv", mount)
    uv = configured_uv(clients, lines)
    canonical, configured = project(tmp_path / "canonical"), project(tmp_path / "configured")
    clients.uv().run("lock", "--default-index", fake_index.url, cwd=canonical).succeeded()
    uv.run("lock", "--default-index", fake_index.url, cwd=configured).succeeded()
    assert (configured / "uv.lock").read_bytes() == (canonical / "uv.lock").read_bytes()
    (tmp_path / "requirements.in").write_text("app\n")
    fake_index.reset_counters()
    uv.run("pip", "install", "app").succeeded()
    assert uv.installed() == EXPECTED
    fake_index.stop()
    late = configured_uv(clients, lines)
    compiled = tmp_path / "requirements.txt"
    late.run("pip", "compile", "--generate-hashes", str(tmp_path / "requirements.in"), "-o", str(compiled)).succeeded()
    late.run("pip", "sync", "--require-hashes", str(compiled)).succeeded()
    assert late.installed() == EXPECTED
    only = clients.uv()
    shell(only, lines.command("uv pip install"), tmp_path).succeeded()
    assert only.installed() == EXPECTED


def test_uvs_lines_for_tools(
    run_wheelfs: RunWheelfs, mount: Mounted, clients: Clients, fake_index: FakeIndex, tmp_path: Path
) -> None:
    lines = Lines(run_wheelfs, "uv", mount)
    for _ in ("index up", "index down"):
        uv = clients.uv()
        assert shell(uv, lines.command("uvx"), tmp_path).succeeded().stdout == "works\n"
        bin_dir = tmp_path / "bin"
        uv.environment["UV_TOOL_BIN_DIR"] = str(bin_dir)
        shell(uv, lines.command("uv tool install"), tmp_path).succeeded()
        assert run([str(bin_dir / "app")], environment=uv.environment).succeeded().stdout == "works\n"
        shell(uv, "uv tool uninstall app", tmp_path).succeeded()
        fake_index.stop()


def test_uvs_recipe_for_a_lock_that_knows_no_mount(
    run_wheelfs: RunWheelfs, mount: Mounted, clients: Clients, fake_index: FakeIndex, tmp_path: Path
) -> None:
    lines = Lines(run_wheelfs, "uv", mount)
    where = project(tmp_path / "project")
    clients.uv().run("lock", "--default-index", fake_index.url, cwd=where).succeeded()
    lock = (where / "uv.lock").read_bytes()
    store_everything(mount)
    fake_index.stop()
    uv = clients.uv()
    shell(uv, lines.command("uv export"), where).succeeded()
    exported = (where / "requirements.txt").read_text()
    shell(uv, lines.command("uv pip sync"), where).succeeded()
    assert uv.installed() == EXPECTED
    assert (where / "uv.lock").read_bytes() == lock
    digest = exported.partition("sha256:")[2][:64]
    (where / "requirements.txt").write_text(exported.replace(digest, "0" * 64))
    refused = shell(clients.uv(), lines.command("uv pip sync"), where)
    assert refused.returncode != 0, "hashes are checked"
    assert "sha256:" + "0" * 64 in refused.stderr


def test_uvs_lines_for_a_project_whose_lock_may_name_the_mount(
    run_wheelfs: RunWheelfs, mount: Mounted, clients: Clients, fake_index: FakeIndex, tmp_path: Path
) -> None:
    lines = Lines(run_wheelfs, "uv", mount)
    where = project(tmp_path / "project", lines.block("[[tool.uv.index]]"))
    configured_uv(clients, lines).run("sync", cwd=where).succeeded()
    lock = (where / "uv.lock").read_bytes()
    assert fake_index.url.encode() not in lock
    fake_index.stop()
    uv = configured_uv(clients, lines)
    uv.run("sync", "--locked", "--active", cwd=where).succeeded()
    assert uv.installed() == EXPECTED
    assert (where / "uv.lock").read_bytes() == lock


@pytest.mark.parametrize("purpose", mount_lines(Path("/")))
def test_what_a_fresh_mount_tells(mount: Mounted, clients: Clients, fake_index: FakeIndex, tmp_path: Path, purpose: str) -> None:
    line = mount_lines(mount.path)[purpose].replace("PACKAGE", "app")
    if purpose == "without any index":
        store_everything(mount)
    if line.startswith("pip "):
        pip = clients.pip()
        pip.run(*shlex.split(line)[1:]).succeeded()
        assert pip.installed() == EXPECTED
    elif line.startswith("uv "):
        uv = clients.uv()
        shell(uv, line, tmp_path).succeeded()
        assert uv.installed() == EXPECTED
    else:
        uv, where = clients.uv(), project(tmp_path / "project")
        settings = {"WHEELFS_INDEX": f"main={fake_index.url}", "WHEELFS_STORE": str(tmp_path / "runs"), "PYTHONPATH": str(ROOT)}
        own = {"UV_DEFAULT_INDEX": fake_index.url}
        shell(uv, line, where, wheelfs_program(tmp_path / "programs"), {**settings, **own}).succeeded()
        lock = (where / "uv.lock").read_text()
        assert fake_index.url in lock
        assert str(mount.path) not in lock


@pytest.mark.real_index
def test_poetrys_lines(
    run_wheelfs: RunWheelfs, mount: Mounted, clients: Clients, fake_index: FakeIndex, real_index_url: str, tmp_path: Path
) -> None:
    programs = poetry(real_index_url)
    source = '[tool.poetry]\npackage-mode = false\n[[tool.poetry.source]]\nname = "lab"\nurl = "{}"\n'
    where = project(tmp_path / "project", source.format(fake_index.url))
    pip = clients.pip()
    shell(pip, "poetry lock", where, programs).succeeded()
    lock = (where / "poetry.lock").read_bytes()
    store_everything(mount)
    fake_index.stop()
    # pip as the user of an activated environment has it.
    (pip.venv() / "bin" / "pip").write_text(
        f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m pip --python "$VIRTUAL_ENV" "$@"\n'
    )
    (pip.venv() / "bin" / "pip").chmod(0o755)
    shell(pip, Lines(run_wheelfs, "poetry", mount).text, where, programs).succeeded()
    assert pip.installed() == EXPECTED
    assert (where / "poetry.lock").read_bytes() == lock
    other = project(tmp_path / "file-source", source.format((mount.path / "simple").as_uri()))
    refused = shell(clients.pip(), "poetry lock && poetry install", other, programs)
    assert refused.returncode != 0, "poetry can use file:// now: say so in the guide and in config poetry"


@pytest.mark.real_index
def test_poetrys_line_for_a_gateway_with_a_token(
    clients: Clients, fake_index: FakeIndex, real_index_url: str, tmp_path: Path
) -> None:
    programs = poetry(real_index_url)
    fake_index.add_wheel("app", "1.0", requires=["numbers<3"])
    fake_index.add_wheel("numbers", "2.0", big_bytes=300_000)
    where = project(tmp_path / "project", "[tool.poetry]\npackage-mode = false\n")
    (tmp_path / "token").write_text("s3cret-word")
    token = "export POETRY_HTTP_BASIC_WHEELFS_USERNAME=__token__ POETRY_HTTP_BASIC_WHEELFS_PASSWORD=s3cret-word\n"
    options = ["--index", f"main={fake_index.url}", "--token-file", str(tmp_path / "token")]
    with Serving(tmp_path / "gateway", *options) as serving:
        first = clients.uv()
        line = setup_lines(serving.url)["poetry"]
        shell(first, f"{token}{line}\npoetry lock\npoetry install", where, programs).succeeded()
        assert first.installed() == EXPECTED
        lock = (where / "poetry.lock").read_bytes()
        assert serving.url.encode() in lock, "poetry.lock is neutral now: say so in the guide"
        fake_index.stop()
        late = clients.uv()
        shell(late, f"{token}poetry install", where, programs).succeeded()
        assert late.installed() == EXPECTED
    assert (where / "poetry.lock").read_bytes() == lock


@pytest.mark.real_index
def test_pdms_line(
    run_wheelfs: RunWheelfs, mount: Mounted, clients: Clients, fake_index: FakeIndex, real_index_url: str, tmp_path: Path
) -> None:
    programs = pdm(real_index_url)
    straight, through = project(tmp_path / "straight"), project(tmp_path / "through")
    quiet = "export PDM_CHECK_UPDATE=false\n"
    shell(clients.uv(), f"{quiet} PDM_PYPI_URL={fake_index.url} pdm lock", straight, programs).succeeded()
    text = quiet + Lines(run_wheelfs, "pdm", mount).text
    uv = clients.uv()
    shell(uv, text + "pdm lock\npdm sync --no-self", through, programs).succeeded()
    assert uv.installed() == EXPECTED
    assert (through / "pdm.lock").read_bytes() == (straight / "pdm.lock").read_bytes(), "neither names an index"
    store_everything(mount)
    fake_index.stop()
    late = clients.uv()
    shell(late, text + "pdm sync --no-self", straight, programs).succeeded()
    assert late.installed() == EXPECTED
    # What else the guide says of pdm: the flat directory as a source of the project, with a lock of its own.
    source = f'[[tool.pdm.source]]\nname = "pypi"\nurl = "{mount.path.as_uri()}"\ntype = "find_links"\n'
    flat, other = project(tmp_path / "flat", source), clients.uv()
    shell(other, quiet + "pdm lock\npdm sync --no-self", flat, programs).succeeded()
    assert other.installed() == EXPECTED
    assert (flat / "pdm.lock").read_bytes() != (straight / "pdm.lock").read_bytes()
