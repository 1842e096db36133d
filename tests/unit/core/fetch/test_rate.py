"""Estimates of how fast an origin responds, and whether parts of a file come sooner than the whole."""

from __future__ import annotations

from wheelfs.core.fetch.rate import RateEstimate, after_response, differs, pays


def test_parts_pay_on_a_slow_line_and_not_on_a_fast_or_far_one() -> None:
    few = [(0, 100_000), (5_000_000, 5_100_000)]
    assert pays(RateEstimate(0.03, 1e6), whole_bytes=8_000_000, ranges=few)
    assert not pays(RateEstimate(0.0005, 1e9), whole_bytes=8_000_000, ranges=few)
    many = [(start, start + 1000) for start in range(0, 8_000_000, 40_000)]
    assert pays(RateEstimate(0.03, 1e6), whole_bytes=8_000_000, ranges=many)
    assert not pays(RateEstimate(0.3, 4e6), whole_bytes=8_000_000, ranges=many)


def test_parts_do_not_pay_for_what_is_hardly_less() -> None:
    assert not pays(RateEstimate(0.01, 1e6), whole_bytes=200_000, ranges=[(0, 190_000)])
    assert not pays(RateEstimate(0.01, 1e6), whole_bytes=8_000_000, ranges=[(0, 8_000_000)])


def test_the_estimate_follows_an_origin_that_becomes_slow() -> None:
    estimate: RateEstimate | None = after_response(None, latency_s=0.01, size_bytes=10_000_000, duration_s=1)
    assert estimate == RateEstimate(0.01, 1e7)
    for _ in range(6):
        estimate = after_response(estimate, latency_s=0.1, size_bytes=1_000_000, duration_s=1)
    assert estimate is not None
    assert 1e6 <= estimate.bytes_per_s < 1.1e6
    assert 0.09 < estimate.latency_s <= 0.1


def test_a_response_counts_when_it_was_long_or_large() -> None:
    assert after_response(None, latency_s=0, size_bytes=64_000, duration_s=0.001) is None
    assert after_response(None, latency_s=0.1, size_bytes=64_000, duration_s=0.1) == RateEstimate(0.1, 640_000)
    fast = after_response(None, latency_s=0, size_bytes=10_000_000, duration_s=0)
    assert fast is not None
    assert fast.bytes_per_s > 1e9


def test_estimates_of_one_line_differ_only_by_more_than_they_vary() -> None:
    known = RateEstimate(0.03, 2e6)
    assert not any(differs(known, RateEstimate(0.03 * factor, 2e6 / factor)) for factor in (0.7, 1.0, 1.4))
    assert differs(known, RateEstimate(0.03, 1e6))
    assert differs(known, RateEstimate(0.3, 2e6))
