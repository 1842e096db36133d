"""Fixtures that every test may use; tests/README.md lists them."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Protocol

import pytest
from hypothesis import HealthCheck, settings

from tests.fakes import real_index
from tests.fakes.cleaning_up import CleaningUp
from tests.fakes.clients import Clients
from tests.fakes.index import FakeIndex
from tests.fakes.mounts import Mounted, mount_points, unmount_lazily
from tests.fakes.patient_clock import patient_clock
from tests.fakes.processes import Finished, fork_from_now_on, run, wheelfs_command, wheelfs_environment

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from trio.testing import MockClock

# The same examples every time and no clock: what fails, fails for everybody, however busy the machine is.  For new ones:
# scripts/test --hypothesis-profile=searching tests/property
settings.register_profile("searching", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("repeatable", settings.get_profile("searching"), derandomize=True)
settings.load_profile("repeatable")

_SLOW = {"clients", "mount", "shares", "gateway", "conformance", "world", "matrix", "test_linters.py"}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--real-index", action="store_true", help="run the tests that need pip's configured index")
    parser.addoption("--lint", action="store_true", help="run the linters too")
    parser.addoption("--fresh-interpreters", action="store_true", help="start an interpreter for each wheelfs instead of a fork")


def pytest_configure(config: pytest.Config) -> None:
    # A shell that is no person's has its background jobs ignore Ctrl-C, and what they start ignores it, too.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGQUIT, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
    # By files, as scripts/test has it: what is expensive to set up is shared by a file's tests, and each process that gets some
    # of the habits (tests/world) would run all that come before them, for minutes in which its first test seems to hang.
    if config.getoption("dist", "no") == "load":
        config.option.dist = "loadfile"
    if not hasattr(config, "workerinput"):  # xdist's workers are part of the run that their controller cleans up after
        config.pluginmanager.register(CleaningUp(), "wheelfs-cleaning-up")
    if not config.getoption("--fresh-interpreters"):
        fork_from_now_on()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not config.getoption("--real-index"):
        for item in items:
            if item.get_closest_marker("real_index"):
                item.add_marker(pytest.mark.skip(reason="needs --real-index (scripts/test gives it when pip's index answers)"))
    for marker in ("soak", "world"):
        if marker not in config.option.markexpr:
            for item in items:
                if (found := item.get_closest_marker(marker)) and not found.kwargs.get("quick"):
                    item.add_marker(pytest.mark.skip(reason=f"long: asked for with -m {marker}"))
    # Slow ones first: several processes share the tests, and none shall begin a long one when the others are done.
    items.sort(key=lambda item: _SLOW.isdisjoint({item.path.parent.name, item.path.name}))


@pytest.fixture(scope="session", autouse=True)
def _no_mount_is_left(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Only below our own temporary directory: other people's mounts on this machine are not ours to judge."""
    yield
    left = mount_points(tmp_path_factory.getbasetemp())
    for path in left:
        unmount_lazily(path)
    assert not left, f"mounts were left over: {left}"


@pytest.fixture
def autojump_clock() -> MockClock:
    """Take the place of pytest-trio's, which jumps while threads are at work."""
    return patient_clock()


@pytest.fixture
def fake_index() -> Iterator[FakeIndex]:
    """A running index with every option at its kindest."""
    with FakeIndex() as index:
        yield index


@pytest.fixture
def store_dir(tmp_path: Path) -> Path:
    """Where a store may be made: the directory does not exist yet."""
    return tmp_path / "store"


@pytest.fixture
def clients(tmp_path: Path) -> Clients:
    """Fresh pips and uvs."""
    return Clients(tmp_path / "clients")


@pytest.fixture(scope="session")
def real_index_url() -> str:
    """pip's configured index, for tests marked ``real_index``."""
    return real_index.configured_index()


class RunWheelfs(Protocol):
    """Runs the command to its end, isolated from this machine's configuration."""

    def __call__(self, *arguments: str, env: Mapping[str, str] | None = None, timeout_s: float = 300.0) -> Finished: ...


@pytest.fixture
def run_wheelfs(tmp_path: Path) -> RunWheelfs:
    def run_it(*arguments: str, env: Mapping[str, str] | None = None, timeout_s: float = 300.0) -> Finished:
        environment = {**wheelfs_environment(tmp_path / "home"), **(env or {})}
        return run(wheelfs_command(*arguments), environment=environment, cwd=tmp_path, timeout_s=timeout_s)

    return run_it


class MountWheelfs(Protocol):
    """Mounts; ``index`` is a URL (named ``main``), ``options`` go to the command as they are."""

    def __call__(
        self,
        *options: str,
        index: str | None = None,
        store: Path | None = None,
        path: Path | None = None,
        env: Mapping[str, str] | None = None,
    ) -> Mounted: ...


@pytest.fixture
def mounted(tmp_path: Path, store_dir: Path) -> Iterator[MountWheelfs]:
    made: list[Mounted] = []

    def mount(
        *options: str,
        index: str | None = None,
        store: Path | None = None,
        path: Path | None = None,
        env: Mapping[str, str] | None = None,
    ) -> Mounted:
        where = path or tmp_path / f"mnt-{len(made) + 1}"
        given = ["--index", f"main={index}", *options] if index else list(options)
        one = Mounted(where, store or store_dir, given, tmp_path / "home", env or {})
        made.append(one)
        return one.start()

    yield mount
    for one in reversed(made):
        one.clean_up()
