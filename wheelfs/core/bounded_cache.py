"""A cache of what was used last, within a total weight.

Of our own since cachetools' refuses a value that is heavier than the whole cache; a page or recipe of that size is what someone
works with at the moment, and is to be kept until the next one comes.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

K = TypeVar("K", bound="Hashable")
V = TypeVar("V")


class BoundedCache(Generic[K, V]):
    """Values by key; the least recently used ones go first.  Threads that share one need a lock around it."""

    def __init__(self, limit: int, *, weight: Callable[[V], int] = lambda _value: 1) -> None:
        """Keep values of no more than ``limit`` together, or a single heavier one; each weighs 1 unless ``weight`` says more."""
        self._limit = limit
        self._weight = weight
        self._values: OrderedDict[K, V] = OrderedDict()
        self.weight = 0

    def get(self, key: K) -> V | None:
        """Return a value, which is used by that; None when there is none."""
        if key not in self._values:
            return None
        self._values.move_to_end(key)
        return self._values[key]

    def put(self, key: K, value: V) -> None:
        """Keep a value in place of the one before, as the one used last."""
        self.pop(key)
        self._values[key] = value
        self.weight += self._weight(value)
        while self.weight > self._limit and len(self._values) > 1:
            self.pop(next(iter(self._values)))

    def pop(self, key: K) -> V | None:
        """Forget a value and return it; None when there is none."""
        value = self._values.pop(key, None)
        if value is not None:
            self.weight -= self._weight(value)
        return value

    def clear(self) -> None:
        """Forget all values."""
        self._values.clear()
        self.weight = 0

    def __len__(self) -> int:
        return len(self._values)
