"""Real packages of pip's configured index through one real mount: resolved, installed, unplugged, installed again.

The stages are fixtures of the module and build on each other, so each file is fetched once: `empty`, `resolved`, `filled`,
`unplugged`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from tests.fakes.clients import Clients
from tests.fakes.mounts import Mounted
from tests.fakes.processes import run, wheelfs_command, wheelfs_environment
from tests.fakes.real_index import machine_settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.fakes.clients import Pip, Uv

pytestmark = pytest.mark.real_index

PACKAGES = ["numpy", "requests", "rich", "django", "pandas"]
IMPORTS = (
    "import django, numpy, pandas, requests, rich; assert numpy.ones(3).sum() == 3; assert pandas.DataFrame({'a': [1]}).a[0] == 1"
)
PROJECT = f"""
[project]
name = "mine"
version = "0"
requires-python = ">=3.11"
dependencies = {json.dumps(PACKAGES)}
"""


@dataclass(frozen=True)
class Shelf:
    """One store with one mount point: everything of this module happens on them."""

    directory: Path
    index_url: str

    @property
    def mount_point(self) -> Path:
        return self.directory / "mnt"

    def mounted(self, *options: str, **environment: str) -> Mounted:
        given = ["--index", f"main={self.index_url}", *options]
        everything = {**machine_settings(), **environment}
        return Mounted(self.mount_point, self.directory / "store", given, self.directory / "home", everything)

    def clients(self, name: str) -> Clients:
        return Clients(self.directory / "clients" / name)

    def project(self, name: str) -> Path:
        path = self.directory / name
        path.mkdir()
        (path / "pyproject.toml").write_text(PROJECT)
        return path

    def url(self, view: str) -> str:
        return (self.mount_point / view).as_uri()

    def counters(self) -> dict[str, int]:
        counters: dict[str, int] = json.loads((self.mount_point / ".wheelfs" / "status.json").read_text())["counters"]
        return counters

    def wheels(self) -> dict[str, int]:
        """Filename → size of what the flat directory lists."""
        return {path.name: path.stat().st_size for path in self.mount_point.iterdir() if path.suffix == ".whl"}


@pytest.fixture(scope="module")
def shelf(real_index_url: str, tmp_path_factory: pytest.TempPathFactory) -> Shelf:
    return Shelf(tmp_path_factory.mktemp("real"), real_index_url)


@pytest.fixture(scope="module")
def empty(shelf: Shelf) -> Iterator[Mounted]:
    mount = shelf.mounted()
    try:
        yield mount.start()
    finally:
        mount.clean_up()


@dataclass(frozen=True)
class Resolved:
    by_uv: str
    fetched_bytes: int


@pytest.fixture(scope="module")
def resolved(shelf: Shelf, empty: Mounted) -> Resolved:
    """uv and pip have resolved the set, installing nothing."""
    assert empty.path == shelf.mount_point
    clients = shelf.clients("resolve")
    requirements = shelf.directory / "requirements.in"
    requirements.write_text("\n".join(PACKAGES) + "\n")
    compiled = (
        clients.uv()
        .run("pip", "compile", "--no-annotate", "--no-header", "--default-index", shelf.url("here/simple"), str(requirements))
        .succeeded()
    )
    clients.pip().run("install", "--dry-run", "--index-url", shelf.url("here/simple"), *PACKAGES).succeeded()
    return Resolved(compiled.stdout, shelf.counters()["fetched_bytes"])


@dataclass(frozen=True)
class Filled:
    by_pip: dict[str, str]
    by_uv: dict[str, str]
    project: Path
    canonical: Path


@pytest.fixture(scope="module")
def filled(shelf: Shelf, resolved: Resolved) -> Filled:
    """pip and uv have installed the set, and uv has locked and synced a project with it, all through the mount.

    ``canonical`` is a project whose lock was made without the mount.
    """
    assert resolved.by_uv
    clients = shelf.clients("fill")
    pip, uv = clients.pip(), clients.uv()
    install(pip, "--index-url", shelf.url("here/simple"))
    install(uv, "--default-index", shelf.url("here/simple"))
    project, canonical = shelf.project("locked-through-the-mount"), shelf.project("locked-elsewhere")
    syncing = clients.uv()
    for verb in ("lock", "sync"):
        syncing.run(verb, "--default-index", shelf.url("simple"), cwd=project).succeeded()
    clients.uv().run("lock", "--default-index", shelf.index_url, cwd=canonical, environment=machine_settings()).succeeded()
    return Filled(pip.installed(), uv.installed(), project, canonical)


@pytest.fixture(scope="module")
def unplugged(shelf: Shelf, filled: Filled, empty: Mounted) -> Iterator[Mounted]:
    """The same store at the same place, with the network forbidden."""
    assert filled.by_uv
    assert empty.stop() == 0
    mount = shelf.mounted("--offline")
    try:
        yield mount.start()
    finally:
        mount.clean_up()


def install(tool: Pip | Uv, *source: str) -> None:
    # Compiling what is installed is no work of ours, and takes pip longer than all the rest.
    verb = ["pip", "install"] if type(tool).__name__ == "Uv" else ["install", "--no-compile"]
    tool.run(*verb, *source, *PACKAGES).succeeded()


def works(tool: Pip | Uv) -> None:
    run([str(tool.python), "-c", IMPORTS], environment=tool.environment).succeeded()


def test_resolving_fetches_at_most_a_twentieth_of_the_wheels_bytes(shelf: Shelf, resolved: Resolved, filled: Filled) -> None:
    versions = dict(line.split("==") for line in resolved.by_uv.splitlines())
    assert versions.keys() >= set(PACKAGES)
    assert versions == filled.by_uv
    wheels_bytes = sum(shelf.wheels().values())
    assert 0 < resolved.fetched_bytes <= wheels_bytes / 20


def test_pip_and_uv_install_the_same_and_it_is_kept(shelf: Shelf, filled: Filled) -> None:
    assert filled.by_pip == filled.by_uv
    assert filled.by_pip.keys() >= set(PACKAGES)
    kept = {name.split("-")[0].replace("_", "-") for name in shelf.wheels()}
    assert kept >= filled.by_pip.keys()
    log = (shelf.directory / "home" / "mnt.log").read_text()
    assert [line for line in log.splitlines() if " ERROR " in line or "no well-formed wheel" in line] == []


SOURCES = ["here/simple", "simple", "stored/simple", "no index"]


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("tool", ["pip", "uv"])
def test_unplugged_a_new_machine_installs_the_same_with_no_request(
    shelf: Shelf, filled: Filled, unplugged: Mounted, tool: str, source: str
) -> None:
    clients = shelf.clients(f"unplugged-{tool}-{source.replace('/', '-')}")
    fresh = clients.pip() if tool == "pip" else clients.uv()
    option = "--index-url" if tool == "pip" else "--default-index"
    if source == "no index":
        install(fresh, "--no-index", "--find-links", str(unplugged.path))
    else:
        install(fresh, option, shelf.url(source))
    assert fresh.installed() == filled.by_pip
    works(fresh)
    counters = shelf.counters()
    assert (counters["requests"], counters["fetched_bytes"]) == (0, 0)
    assert counters["saved_bytes"] > 0


def test_unplugged_a_lock_made_through_the_mount_syncs(shelf: Shelf, filled: Filled, unplugged: Mounted) -> None:
    lock = (filled.project / "uv.lock").read_text()
    uv = shelf.clients("sync").uv()
    uv.run(
        "sync", "--frozen", "--offline", "--active", "--default-index", (unplugged.path / "simple").as_uri(), cwd=filled.project
    ).succeeded()
    assert uv.installed().items() >= filled.by_uv.items()
    works(uv)
    assert (filled.project / "uv.lock").read_text() == lock
    assert shelf.counters()["requests"] == 0


def test_unplugged_a_lock_made_without_the_mount_installs_hash_checked_and_stays_as_it_is(
    shelf: Shelf, filled: Filled, unplugged: Mounted
) -> None:
    lock = (filled.canonical / "uv.lock").read_text()
    uv = shelf.clients("export").uv()
    uv.run("export", "--frozen", "--no-emit-project", "--quiet", "-o", "requirements.txt", cwd=filled.canonical).succeeded()
    source = ["--offline", "--no-index", "--find-links", str(unplugged.path), "--require-hashes"]
    uv.run("pip", "sync", *source, "requirements.txt", cwd=filled.canonical).succeeded()
    assert uv.installed() == filled.by_uv
    assert (filled.canonical / "uv.lock").read_text() == lock
    assert str(unplugged.path) not in lock
    assert shelf.counters()["requests"] == 0


def test_an_index_that_is_away_without_anybody_having_said_offline_is_no_hindrance(
    shelf: Shelf, filled: Filled, unplugged: Mounted
) -> None:
    unplugged.stop()
    nowhere = "http://127.0.0.1:9"
    mount = shelf.mounted(
        WHEELFS_PAGE_TTL_S="0", HTTPS_PROXY=nowhere, https_proxy=nowhere, HTTP_PROXY=nowhere, http_proxy=nowhere
    )
    mount.start()
    try:
        uv = shelf.clients("away").uv()
        install(uv, "--default-index", shelf.url("simple"))
        assert uv.installed() == filled.by_uv
        listed = run(
            wheelfs_command("--store", str(mount.store), "--json", "status"),
            environment=wheelfs_environment(shelf.directory / "home"),
        ).succeeded()
        assert [origin["state"] for origin in json.loads(listed.stdout)["origins"] if origin["name"] == "main"] == ["down"]
        assert shelf.counters()["fetched_bytes"] == 0
    finally:
        mount.clean_up()
