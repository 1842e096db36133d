"""A first ``uv pip install`` through an empty mount, against uv straight from the index, over a slow line: time and bytes."""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from scripts.bench.programs import figures
from scripts.bench.programs.ground import Ground, Wheels, arguments, ground, index_of, wheels
from scripts.bench.programs.line import Line, slow_line
from scripts.bench.programs.measuring import Case, interleaved, section, show_times

if TYPE_CHECKING:
    import argparse

    from tests.fakes.clients import Uv
    from tests.fakes.index import FakeIndex
    from tests.fakes.mounts import Mounted

HABITS = {
    "core metadata offered (as PyPI does)": {"core_metadata": True},
    "no core metadata (as many private indexes): resolvers read ranges of wheels": {"core_metadata": False},
}


@dataclass(slots=True)
class _Meter:
    """What one case brought down the line, and how many requests it made, per run."""

    line: Line
    index: FakeIndex
    bytes_per_run: list[int] = field(default_factory=list)
    requests_per_run: list[int] = field(default_factory=list)
    _before: int = 0

    def begin(self) -> None:
        self.index.reset_counters()
        self._before = self.line.brought_bytes

    def end(self) -> None:
        self.bytes_per_run.append(self.line.brought_bytes - self._before)
        self.requests_per_run.append(len(self.index.requests))

    def show(self, name: str, total_bytes: int) -> None:
        brought = statistics.median(self.bytes_per_run)
        requests = statistics.median(self.requests_per_run)
        figures.note(f"bytes, {name}", [one / total_bytes for one in self.bytes_per_run])
        print(f"  {name:<58} {brought / 1e6:7.2f} MB = {brought / total_bytes:.3f} of the wheels, {requests:.0f} requests")


def measure(on: Ground, held: Wheels, index: FakeIndex, line: Line, rounds: int) -> None:
    """Measure one kind of index."""
    meters: dict[str, _Meter] = {}
    mounts: list[Mounted] = []

    def case(name: str, view: str | None) -> Case:
        meter = meters[name] = _Meter(line, index)

        def ready() -> tuple[Uv, str]:
            client, url = on.uv(), f"{line.origin}/simple"
            if view is not None:
                mounts.append(on.mount(url))
                url = f"file://{mounts[-1].path}/{view}simple"
            meter.begin()
            return client, url

        def install(given: tuple[Uv, str]) -> None:
            client, url = given
            client.run("pip", "install", "--default-index", url, *held.requirements, timeout_s=300.0).succeeded()
            meter.end()

        def clear() -> None:
            on.forget_clients()
            while mounts:
                on.throw_away(mounts.pop())

        return Case(name, install, ready, clear)

    peer = "uv straight from the index"
    cases = [case(peer, None), case("mount, empty store, here/simple", "here/"), case("mount, empty store, simple", "")]
    measured = interleaved(cases, rounds)
    show_times(measured, {one.name: peer for one in cases[1:]})
    for name, meter in meters.items():
        meter.show(name, held.total_bytes)


def _more_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--mbit", type=float, default=200.0, help="bandwidth of the line in Mbit/s (default %(default)s)")
    parser.add_argument("--delay-ms", type=float, default=30.0, help="delay of each request (default %(default)s)")


def main() -> None:
    """Measure both kinds of index."""
    options = arguments(__doc__, rounds=3, add=_more_options)
    held = wheels(options.set)
    print(f"{held}\nline: {options.mbit:g} Mbit/s, {options.delay_ms:g} ms a request and a connection; ratio: of times")
    for title, habits in HABITS.items():
        with (
            ground() as on,
            index_of(held, **habits) as index,
            section(title),
            slow_line(urlsplit(index.origin).port or 0, bits_per_s=options.mbit * 1e6, delay_s=options.delay_ms / 1e3) as line,
        ):
            measure(on, held, index, line, options.rounds)


if __name__ == "__main__":
    main()
