"""Settings, as if they had come from elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from wheelfs.config import Settings


def as_given(settings: Settings) -> Settings:
    """Return settings that files gave as if flags had: a daemon reads the files itself, and is given only the rest."""
    places = {name: place if place == "default" else "--flag" for name, place in settings.provenance.items()}
    return msgspec.structs.replace(settings, provenance=places)
