"""A bounded cache keeps what was used last, within its weight, and never less than the last value."""

from __future__ import annotations

from wheelfs.core.bounded_cache import BoundedCache


def test_the_least_recently_used_goes_first() -> None:
    cache: BoundedCache[str, int] = BoundedCache(2)
    cache.put("a", 1)
    cache.put("b", 2)
    assert cache.get("a") == 1
    cache.put("c", 3)
    assert (cache.get("a"), cache.get("b"), cache.get("c")) == (1, None, 3)
    assert len(cache) == cache.weight == 2


def test_weights_are_summed_and_a_value_that_is_replaced_weighs_nothing() -> None:
    cache: BoundedCache[str, bytes] = BoundedCache(10, weight=len)
    cache.put("a", b"12345678")
    cache.put("a", b"1")
    cache.put("b", b"123456789")
    assert (cache.get("a"), cache.get("b"), cache.weight) == (b"1", b"123456789", 10)
    cache.put("c", b"1")
    assert cache.get("a") is None
    assert cache.weight == 10


def test_a_value_heavier_than_all_is_kept_alone_until_the_next() -> None:
    cache: BoundedCache[str, bytes] = BoundedCache(4, weight=len)
    cache.put("small", b"1")
    cache.put("large", b"123456")
    assert (cache.get("small"), cache.get("large")) == (None, b"123456")
    cache.put("small", b"1")
    assert (cache.get("small"), cache.get("large"), cache.weight) == (b"1", None, 1)


def test_what_is_forgotten_weighs_nothing() -> None:
    cache: BoundedCache[str, bytes] = BoundedCache(4, weight=len)
    cache.put("a", b"123")
    assert cache.pop("a") == b"123"
    assert cache.pop("a") is None
    assert (len(cache), cache.weight) == (0, 0)
