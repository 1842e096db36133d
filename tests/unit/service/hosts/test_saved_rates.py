"""Rate estimates of hosts outlive the process: for a week, and without a write for every response."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wheelfs.core.fetch.rate import RateEstimate
from wheelfs.service.hosts.limits import HOST_LIMITS
from wheelfs.service.hosts.saved_rates import SavedRates
from wheelfs.store.catalog.rates import MAX_RATES, HostRate
from wheelfs.store.store import Store

if TYPE_CHECKING:
    from pathlib import Path

HOST = "https://files.example:8443"
RATE = RateEstimate(0.03, 2e6)


class Clock:
    def __init__(self) -> None:
        self.us = 1_800_000_000_000_000

    def __call__(self) -> int:
        return self.us


def test_a_rate_is_known_to_the_next_process_until_it_expires(tmp_path: Path) -> None:
    clock = Clock()
    with Store.open(tmp_path / "store") as store:
        assert SavedRates(store.catalog, now_us=clock).load(HOST) is None
        SavedRates(store.catalog, now_us=clock).save(HOST, RATE)
    with Store.open(tmp_path / "store") as store:
        rates = SavedRates(store.catalog, now_us=clock)
        assert rates.load(HOST) == RATE
        assert rates.load("https://files.example") is None
        clock.us += HOST_LIMITS.rate_valid_us - 1
        assert rates.load(HOST) == RATE
        clock.us += 1
        assert rates.load(HOST) is None


def test_it_is_written_only_when_it_tells_something_new(tmp_path: Path) -> None:
    clock = Clock()
    with Store.open(tmp_path / "store") as store:
        rates = SavedRates(store.catalog, now_us=clock)

        def after(*seen: RateEstimate) -> HostRate | None:
            for rate in seen:
                rates.save(HOST, rate)
            store.catalog.put_host_rate("after them all", HostRate(1, 1, 0)).result()
            return store.catalog.host_rate(HOST)

        began_us = clock.us
        assert after(RATE) == HostRate(0.03, 2e6, began_us)
        clock.us += HOST_LIMITS.rate_rewritten_us - 1
        assert after(*(RateEstimate(0.03 * factor, 2e6 / factor) for factor in (0.7, 1.0, 1.4))) == HostRate(0.03, 2e6, began_us)
        assert after(RateEstimate(0.03, 1e6)) == HostRate(0.03, 1e6, clock.us)
        assert after(RateEstimate(0.3, 1e6)) == HostRate(0.3, 1e6, clock.us)
        clock.us += HOST_LIMITS.rate_rewritten_us
        assert after(RateEstimate(0.3, 1.1e6)) == HostRate(0.3, 1.1e6, clock.us)


def test_what_a_clock_that_was_wrong_or_a_bug_has_written_is_not_believed(tmp_path: Path) -> None:
    clock = Clock()
    with Store.open(tmp_path / "store") as store:
        rates = SavedRates(store.catalog, now_us=clock)
        for kept in (HostRate(0.1, 1e6, clock.us + 1), HostRate(0, 1e6, clock.us), HostRate(0.1, -1, clock.us)):
            store.catalog.put_host_rate(HOST, kept).result()
            assert rates.load(HOST) is None


def test_a_store_that_may_not_be_written_is_no_obstacle(tmp_path: Path) -> None:
    with Store.open(tmp_path / "store") as store:
        SavedRates(store.catalog).save(HOST, RATE)
    with Store.open(tmp_path / "store", readonly=True) as store:
        rates = SavedRates(store.catalog)
        rates.save(HOST, RateEstimate(5, 5))
        assert rates.load(HOST) == RATE


def test_hosts_that_pages_make_up_do_not_fill_the_catalog(tmp_path: Path) -> None:
    with Store.open(tmp_path / "store") as store:
        for number in range(MAX_RATES + 5):
            store.catalog.put_host_rate(f"https://{number}.example", HostRate(0.1, 1e6, number))
        store.catalog.put_host_rate(f"https://{'long' * 200}.example", HostRate(0.1, 1e6, 5)).result()
        known = [number for number in range(MAX_RATES + 5) if store.catalog.host_rate(f"https://{number}.example")]
        assert known == list(range(5, MAX_RATES + 5))
