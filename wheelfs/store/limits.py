"""How much a store may hold, and how much room something needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

LOW_WATER: Final = 0.8
"""How full a store is after an eviction, by default: a collection reads all recipes, so it is not to be done for every wheel."""


@dataclass(frozen=True, slots=True)
class Limits:
    """``quota_bytes`` bounds what is in the store's directory, ``min_free_bytes`` is what is left on the disk.

    ``low_water`` is the part of the quota that is full after an eviction.
    """

    quota_bytes: int | None = None
    min_free_bytes: int = 0
    low_water: float = LOW_WATER


NO_LIMITS: Final = Limits()


class Need(NamedTuple):
    """What is about to be taken: in the store's files, and by partly fetched files, which go when they are stored."""

    stored_bytes: int = 0
    spooled_bytes: int = 0

    def __add__(self, other: object) -> Need:
        """Both at the same time."""
        return Need(*map(sum, zip(self, other, strict=True))) if isinstance(other, Need) else NotImplemented


NOTHING: Final = Need()
