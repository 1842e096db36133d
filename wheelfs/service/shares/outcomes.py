"""What became of a stored file that was to be pushed to a share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wheelfs.errors import WheelfsError
    from wheelfs.store.catalog.records import StoredName


@dataclass(frozen=True, slots=True)
class Pushed:
    """It is in the share's catalog now; ``written_bytes`` are the sizes of its chunks that the share did not have."""

    name: StoredName
    written_bytes: int


@dataclass(frozen=True, slots=True)
class Present:
    """The share had it."""

    name: StoredName


@dataclass(frozen=True, slots=True)
class Failed:
    """It could not be pushed; others may have been."""

    name: StoredName
    error: WheelfsError


Outcome = Pushed | Present | Failed
