"""Habits that wheelfs gets wrong today, each with what is wrong: the table only shrinks, since a habit that comes right fails."""

from __future__ import annotations

from typing import Final

KNOWN_WRONG: Final[dict[str, str]] = {}
