"""What a running mount or gateway takes over of its configuration when it is read again, on SIGHUP."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from wheelfs.config import OPTIONS
from wheelfs.errors import WheelfsError

if TYPE_CHECKING:
    from collections.abc import Callable

    from wheelfs.config import Settings

log = logging.getLogger(__name__)

RELOADED: Final = frozenset(
    {"log_level", "offline", "quota_bytes", "low_water", "min_free_bytes", "serve_access_log", "serve_token_file"}
)
"""Fields of `Settings` that are taken over.  Others decide what was opened and listed at the start: indexes, shares, views."""


class Reloader:
    """Reads the configuration again and gives it to those that take parts of it over."""

    def __init__(self, settings: Settings, read: Callable[[], Settings]) -> None:
        """``settings`` are those in force; ``read`` reads them again, and takes over what concerns the log itself."""
        self._settings = settings
        self._read = read
        self._takers: list[Callable[[Settings], None]] = []

    def give_to(self, take: Callable[[Settings], None]) -> None:
        """Call ``take`` with each new configuration; what it raises (`WheelfsError`) is logged, and what was in force stays."""
        self._takers.append(take)

    def reload(self) -> None:
        """Read it again, and say in the log what was taken over and what needs a restart."""
        try:
            new = self._read()
            for take in self._takers:
                take(new)
        except (WheelfsError, OSError) as error:
            log.error("SIGHUP: the configuration could not be taken over, and stays as it was: %s", error)
            return
        names = {option.field: ".".join(option.toml) for option in OPTIONS}
        changed = [field for field in names if getattr(new, field) != getattr(self._settings, field)]
        taken = ", ".join(names[field] for field in changed if field in RELOADED) or "nothing that changed"
        left = ", ".join(names[field] for field in changed if field not in RELOADED)
        log.warning("SIGHUP: taken over: %s%s", taken, f"; needs a restart: {left}" if left else "")
        self._settings = replace(self._settings, **{field: getattr(new, field) for field in changed if field in RELOADED})
