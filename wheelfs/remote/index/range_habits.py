"""Which hosts answered requests for a part with nonsense, so that they are asked in a way that they understand at once."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Final

from wheelfs.core.http.ranges import Range, Suffix, Whole

if TYPE_CHECKING:
    from collections.abc import Callable

    from wheelfs.core.http.ranges import ByteRequest

log = logging.getLogger(__name__)

FORGET_S: Final = 600.0
"""Servers are mended, and one address may lead to several."""
_MAX_HOSTS: Final = 1_000


class RangeHabits:
    """Remembers for a while which hosts know no suffixes, or no ranges at all."""

    def __init__(self, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._clock_s = clock_s
        self._until_s: dict[tuple[str, type[ByteRequest]], float] = {}

    def way(self, host: str, wanted: ByteRequest) -> ByteRequest | None:
        """Return what to ask ``host`` for to get ``wanted``; None for an explicit range, once the size is known."""
        if isinstance(wanted, Whole):
            return wanted
        if self._is_useless(host, Range):
            return Whole()
        return None if isinstance(wanted, Suffix) and self._is_useless(host, Suffix) else wanted

    def made_no_sense(self, host: str, asked: ByteRequest, what: str) -> None:
        """Note that ``host`` answered a request for ``asked`` with nonsense; ``what`` is for the log."""
        log.info("%s; it is asked in another way", what)
        self._until_s[host, Suffix if isinstance(asked, Suffix) else Range] = self._clock_s() + FORGET_S
        if len(self._until_s) > _MAX_HOSTS:
            self._until_s.pop(next(iter(self._until_s)))

    def _is_useless(self, host: str, way: type[ByteRequest]) -> bool:
        return self._until_s.get((host, way), 0.0) > self._clock_s()
