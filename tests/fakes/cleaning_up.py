"""A pytest plugin: nothing that a run of the tests starts outlives it, however it ends."""

from __future__ import annotations

import os
import signal
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from tests.fakes.leftovers import Sweeper, command_of, processes_of
from tests.fakes.processes import end_fork_server

if TYPE_CHECKING:
    from collections.abc import Generator


class CleaningUp:
    """Marks what the run starts and sweeps it away at the end; registered where the run is controlled, not in xdist's workers."""

    def __init__(self) -> None:
        self._sweeper: Sweeper | None = None
        self._is_finished = False

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self, session: pytest.Session) -> None:
        """Before xdist starts its workers, which inherit the mark and the temporary directory."""
        config: Any = session.config
        # Private, but outside of fixtures pytest has no other name for the directory; xdist takes it from there, too.
        directory: Path = config._tmp_path_factory.getbasetemp()
        # What programs leave in "the" temporary directory goes with the run; unlike pytest's, other users may look into it.
        scratch = Path(tempfile.mkdtemp(prefix="wheelfs-tests-", dir=os.environ.get("PYTEST_DEBUG_TEMPROOT")))
        scratch.chmod(0o755)
        self._sweeper = Sweeper(directory, scratch)
        os.environ["TMPDIR"] = str(scratch)
        tempfile.tempdir = None  # it is looked up again
        signal.signal(signal.SIGTERM, _interrupt)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> Generator[None]:
        """After xdist's workers have ended, and the last fixture."""
        assert self._sweeper is not None
        self._is_finished = exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.NO_TESTS_COLLECTED)
        if not self._is_finished and session.config.pluginmanager.hasplugin("dsession"):
            self._sweeper.end_processes()  # xdist would wait for tests in the middle of which its workers are
        yield
        if not self._is_finished:
            return
        end_fork_server()
        for pid in processes_of(self._sweeper.run, self._sweeper.directory):
            session.config.get_terminal_writer().line(f"left over by a test, and ended: {command_of(pid)}", red=True)
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_unconfigure(self) -> None:
        if self._sweeper is not None:
            self._sweeper.sweep(keep_directory=self._is_finished)


def _interrupt(*_: object) -> NoReturn:
    raise KeyboardInterrupt
