"""What one process has seen of a host's pace, the next one knows: for a week, and without writing at every answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wheelfs.core.fetch.delta import Pace
from wheelfs.service.hosts.saved_rates import BELIEVED_US, RENEWED_US, KeptPaces
from wheelfs.store.catalog.rates import MAX_PACES, HostPace
from wheelfs.store.store import Store

if TYPE_CHECKING:
    from pathlib import Path

HOST = "https://files.example:8443"
PACE = Pace(0.03, 2e6)


class Clock:
    def __init__(self) -> None:
        self.us = 1_800_000_000_000_000

    def __call__(self) -> int:
        return self.us


def test_a_pace_is_known_to_the_next_process_until_it_is_old(tmp_path: Path) -> None:
    clock = Clock()
    with Store.open(tmp_path / "store") as store:
        assert KeptPaces(store.catalog, now_us=clock).known(HOST) is None
        KeptPaces(store.catalog, now_us=clock).keep(HOST, PACE)
    with Store.open(tmp_path / "store") as store:
        paces = KeptPaces(store.catalog, now_us=clock)
        assert paces.known(HOST) == PACE
        assert paces.known("https://files.example") is None
        clock.us += BELIEVED_US - 1
        assert paces.known(HOST) == PACE
        clock.us += 1
        assert paces.known(HOST) is None


def test_it_is_written_only_when_it_tells_something_new(tmp_path: Path) -> None:
    clock = Clock()
    with Store.open(tmp_path / "store") as store:
        paces = KeptPaces(store.catalog, now_us=clock)

        def after(*kept: Pace) -> HostPace | None:
            for pace in kept:
                paces.keep(HOST, pace)
            store.catalog.put_pace("behind them all", HostPace(1, 1, 0)).result()
            return store.catalog.pace(HOST)

        began_us = clock.us
        assert after(PACE) == HostPace(0.03, 2e6, began_us)
        clock.us += RENEWED_US - 1
        assert after(*(Pace(0.03 * factor, 2e6 / factor) for factor in (0.7, 1.0, 1.4))) == HostPace(0.03, 2e6, began_us)
        assert after(Pace(0.03, 1e6)) == HostPace(0.03, 1e6, clock.us)
        assert after(Pace(0.3, 1e6)) == HostPace(0.3, 1e6, clock.us)
        clock.us += RENEWED_US
        assert after(Pace(0.3, 1.1e6)) == HostPace(0.3, 1.1e6, clock.us)


def test_what_a_clock_that_was_wrong_or_a_bug_has_written_is_not_believed(tmp_path: Path) -> None:
    clock = Clock()
    with Store.open(tmp_path / "store") as store:
        paces = KeptPaces(store.catalog, now_us=clock)
        for kept in (HostPace(0.1, 1e6, clock.us + 1), HostPace(0, 1e6, clock.us), HostPace(0.1, -1, clock.us)):
            store.catalog.put_pace(HOST, kept).result()
            assert paces.known(HOST) is None


def test_a_store_that_may_not_be_written_is_no_obstacle(tmp_path: Path) -> None:
    with Store.open(tmp_path / "store") as store:
        KeptPaces(store.catalog).keep(HOST, PACE)
    with Store.open(tmp_path / "store", readonly=True) as store:
        paces = KeptPaces(store.catalog)
        paces.keep(HOST, Pace(5, 5))
        assert paces.known(HOST) == PACE


def test_hosts_that_pages_make_up_do_not_fill_the_catalog(tmp_path: Path) -> None:
    with Store.open(tmp_path / "store") as store:
        for number in range(MAX_PACES + 5):
            store.catalog.put_pace(f"https://{number}.example", HostPace(0.1, 1e6, number))
        store.catalog.put_pace(f"https://{'long' * 200}.example", HostPace(0.1, 1e6, 5)).result()
        known = [number for number in range(MAX_PACES + 5) if store.catalog.pace(f"https://{number}.example")]
        assert known == list(range(5, MAX_PACES + 5))
