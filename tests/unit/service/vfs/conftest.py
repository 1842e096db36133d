"""What tests of flat listings share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from wheelfs.service.vfs.flat_files import FlatFiles

if TYPE_CHECKING:
    from wheelfs.core.views.view import View
    from wheelfs.service.vfs.flat_files import FlatFile, Place


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[Place | None]:
    """The places after which batches are read from the store."""
    places: list[Place | None] = []
    after = FlatFiles.after

    def noted(self: FlatFiles, place: Place | None, limit: int, view: View) -> list[FlatFile]:
        places.append(place)
        return after(self, place, limit, view)

    monkeypatch.setattr(FlatFiles, "after", noted)
    return places
