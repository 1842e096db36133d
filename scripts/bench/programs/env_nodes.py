"""A node that has nothing stored, at the far end of a line: from a share's environment to the first import, beside uv."""

from __future__ import annotations

import shutil
import statistics
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from scripts.bench.programs import figures
from scripts.bench.programs.env_course import locked_project
from scripts.bench.programs.line import slow_line
from scripts.bench.programs.measuring import Case, interleaved, show_times
from scripts.bench.programs.processors import used_s, waited_for_s
from tests.fakes.nginx import Nginx
from tests.fakes.processes import run, wheelfs_command, wheelfs_environment

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from scripts.bench.programs.env_course import Course
    from scripts.bench.programs.line import Line
    from tests.fakes.index import FakeIndex

_NAME = "set"
_PEER = "uv sync from the index, import"
_WITH = "pull --env, mount, import; with a profile"
_WITHOUT = "the same without a profile and its bytecode"
TRUSTED = {"WHEELFS_NO_INDEX": "true"}
"""What lets a node take bytecode from its share."""


@dataclass(slots=True)
class _Meter:
    """What a case cost, per run."""

    line: Line
    requests: Callable[[], int]
    brought: list[int] = field(default_factory=list)
    asked: list[int] = field(default_factory=list)
    processor_s: list[float] = field(default_factory=list)

    def show(self, name: str, total_bytes: int) -> None:
        figures.note(f"bytes, {name}", [one / total_bytes for one in self.brought])
        brought, asked, seconds = (statistics.median(runs) for runs in (self.brought, self.asked, self.processor_s))
        print(
            f"  {name:<46} {brought / 1e6:7.2f} MB = {brought / total_bytes:.3f} of the wheels, {asked:.0f} requests,"
            f" {seconds:.2f} s of processor time",
            flush=True,
        )


class Lab:
    """Two shares of the set's environment, one with the profile of a run, and ``project``, that uv syncs."""

    def __init__(self, course: Course, project: Path) -> None:
        """Make and run the environment in the course's store, and push it before and after that."""
        self.course = course
        self.shares = {False: course.on.directory / "share-bare", True: course.on.directory / "share-profiled"}
        name = course.create(_NAME)
        self._wheelfs(course.store, "env", "profile", name, "--clear")  # that of the parts before
        for is_profiled, share in self.shares.items():
            share.mkdir()
            if is_profiled:
                mounted = course.on.mount(None, store=course.store, options=("--no-index",))
                for _ in range(2):
                    course.run_import(mounted.path / "env" / name / "bin" / "python")
                mounted.stop()
            self._wheelfs(course.store, "push", "--share", share.as_uri(), "--env", name)
        self.project = project

    def _wheelfs(self, store: Path, *words: str, environment: Mapping[str, str] | None = None) -> None:
        whole = {**wheelfs_environment(self.course.on.directory / "home"), **(environment or {})}
        run(wheelfs_command("--store", str(store), *words), environment=whole, timeout_s=600.0).succeeded()

    def sync(self) -> float:
        """Install by a uv that has never run, and import; return processor seconds."""
        before_s = waited_for_s()
        self.course.import_synced(self.project)
        return waited_for_s() - before_s

    def pull(self, share: str) -> float:
        """Take the environment from a share to a new store, mount that and import; return processor seconds."""
        store = self.course.on.directory / f"node-{next(self.course.numbers)}"
        before_s = waited_for_s()
        self._wheelfs(store, "pull", "--share", share, "--env", _NAME, environment=TRUSTED)
        mounted = self.course.on.mount(None, store=store, options=("--no-index", "--share", f"lab={share}"))
        try:
            self.course.run_import(mounted.path / "env" / _NAME / "bin" / "python")
            return waited_for_s() - before_s + used_s(mounted.process.pid)
        finally:
            mounted.clean_up()
            shutil.rmtree(store)


def measure_node(course: Course, index: FakeIndex, rounds: int, *, mbit: float, delay_ms: float) -> None:
    """Measure one node that has nothing, at the far end of a line."""
    with slow_line(urlsplit(index.origin).port or 0, bits_per_s=mbit * 1e6, delay_s=delay_ms / 1e3) as to_index:
        project = locked_project(course.on, course.held, course.environment, f"{to_index.origin}/simple")
        lab = Lab(course, project)
        meters = {_PEER: _Meter(to_index, lambda: len(index.requests))}
        cases = [_case(_PEER, meters[_PEER], lab.sync, course.clear)]
        log = course.on.directory / "requests.log"
        with (
            Nginx(course.on.directory, course.on.directory / "nginx", locations=f"access_log {log};") as nginx,
            slow_line(urlsplit(nginx.url).port or 0, bits_per_s=mbit * 1e6, delay_s=delay_ms / 1e3) as to_share,
        ):
            for name, is_profiled in ((_WITH, True), (_WITHOUT, False)):
                meters[name] = _Meter(to_share, lambda: log.read_bytes().count(b"\n"))
                share = f"{to_share.origin}/{lab.shares[is_profiled].name}"
                cases.append(_case(name, meters[name], partial(lab.pull, share), course.clear))
            measured = interleaved(cases, rounds)
        show_times(measured, {_WITH: _PEER, _WITHOUT: _PEER})
        for name, meter in meters.items():
            meter.show(name, course.held.total_bytes)


def _case(name: str, meter: _Meter, work: Callable[[], float], clear: Callable[[], None]) -> Case:
    def counted(_: object) -> None:
        brought, asked = meter.line.brought_bytes, meter.requests()
        meter.processor_s.append(work())
        meter.brought.append(meter.line.brought_bytes - brought)
        meter.asked.append(meter.requests() - asked)

    return Case(name, counted, clear=clear)
