"""Measure cases turn by turn, and show medians and ratios: on a shared machine only ratios of one run mean anything."""

from __future__ import annotations

import statistics
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from scripts.bench.programs import figures

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Measured = dict[str, list[float]]


@dataclass(frozen=True, slots=True)
class Case:
    """One thing to measure.  ``prepare`` is not timed and its result is given to ``work``, whose result is given to ``clear``."""

    name: str
    work: Callable[[Any], Any]
    prepare: Callable[[], Any] = field(default=lambda: None)
    clear: Callable[[], None] = field(default=lambda: None)


def interleaved(cases: list[Case], rounds: int, *, clock_s: Callable[[], float] = time.perf_counter) -> Measured:
    """Run all cases ``rounds`` times, a round after the other and every second one backwards; return seconds by name.

    ``clock_s`` may be `time.thread_time` for what computes in this thread alone: others on the machine then count for less.
    """
    seconds: Measured = {case.name: [] for case in cases}
    for turn in range(rounds):
        for case in cases if turn % 2 == 0 else reversed(cases):
            given = case.prepare()
            began_s = clock_s()
            case.work(given)
            seconds[case.name].append(clock_s() - began_s)
            case.clear()
    return seconds


def ratio(measured: Measured, name: str, peer: str) -> tuple[float, float, float]:
    """Return the median of the ratios of each round, with the least and the largest: noise that lasts a round cancels out."""
    found = ratios(measured, name, peer)
    return statistics.median(found), min(found), max(found)


def ratios(measured: Measured, name: str, peer: str) -> list[float]:
    """Return the ratio of each round."""
    return [mine / its for mine, its in zip(measured[name], measured[peer], strict=True)]


def show_times(measured: Measured, peers: dict[str, str], *, data_bytes: int | None = None) -> None:
    """Print a line for each case: median, spread, and ratio of times to its peer; with ``data_bytes`` the rate as well."""
    print(f"  {'case':<58} {'median s':>9} {'min-max':>13}{'     MB/s' if data_bytes else ''}   ratio (min-max)")
    for name, seconds in measured.items():
        middle = statistics.median(seconds)
        rate = f" {data_bytes / middle / 1e6:8.0f}" if data_bytes else ""
        spread = f"{min(seconds):.2f}-{max(seconds):.2f}" if middle >= 0.5 else f"{min(seconds):.3f}-{max(seconds):.3f}"
        peer = peers.get(name)
        figures.note(name, seconds, [] if peer is None else ratios(measured, name, peer))
        text = "the peer"
        if peer is not None:
            times, least, largest = ratio(measured, name, peer)
            text = f"{times:.2f} ({least:.2f}-{largest:.2f})" + ("" if len(set(peers.values())) == 1 else f" of {peer}")
        print(f"  {name:<58} {middle:9.3f} {spread:>13}{rate}   {text}", flush=True)


@contextmanager
def section(title: str) -> Iterator[None]:
    """Print a title, and at the end how long the section took."""
    began = time.perf_counter()
    print(f"\n{title}", flush=True)
    figures.begin(title)
    yield
    print(f"  ({time.perf_counter() - began:.0f} s)", flush=True)
