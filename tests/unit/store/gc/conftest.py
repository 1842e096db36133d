"""The store that the tests of solid blocks have."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.unit.store.gc.shelf import Shelf, history

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def shelf(tmp_path: Path) -> Iterator[Shelf]:
    made = Shelf(tmp_path / "store")
    yield made
    made.store.close()


@pytest.fixture
def wheels(shelf: Shelf) -> list[bytes]:
    """A history in the store."""
    made = history(4)
    for number, wheel in enumerate(made):
        shelf.add(number, wheel)
    return made
