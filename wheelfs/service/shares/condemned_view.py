"""What a pusher may rely on in a share while other machines collect its garbage: all that is not about to be deleted."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from wheelfs.errors import OriginTimeout
from wheelfs.model.condemned import FRESH_S, LAPSE_S, Condemnations, Condemned
from wheelfs.model.share_objects import manifest_key, pack_key

if TYPE_CHECKING:
    from collections.abc import Callable

    from wheelfs.remote.share.share import WrittenShare

_ATTEMPTS: Final = 4


def running_s() -> float:
    """Return the seconds since this machine was started, asleep or not: what it holds to be the date may be wrong, or be set."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class CondemnedView:
    """Knows the lists of what is condemned, each read once.  Not for several threads at once."""

    def __init__(self, share: WrittenShare, *, clock_s: Callable[[], float] = running_s) -> None:
        """Nothing is read yet.  ``clock_s`` must keep running during suspend; wall-clock time comes from the share's storage."""
        self._share = share
        self._clock_s = clock_s
        self._offset_s: float | None = None
        """Offset of the storage's clock from ``clock_s``; measured once a list exists, whose times are the storage's."""
        self._current: dict[str, Condemned] = {}
        """The lists that existed when they were read last."""
        self._lists: dict[str, Condemned] = {}
        self._condemnations = Condemnations(())
        self._looked_at_s: float | None = None
        self._began_s = clock_s()

    def begin(self) -> None:
        """Begin to look up where chunks are; raises `OriginError`."""
        self._began_s = self._clock_s()
        self.freshen()
        # A list that has disappeared no longer binds anyone; objects deleted under it are found missing from now on.
        if self._lists != self._current:
            self._lists = self._current
            self._condemnations = Condemnations(self._lists.values())

    def freshen(self) -> None:
        """Read new lists, unless that was done a moment ago; to be called before something is written that relies on the share.

        Raises `OriginError`.
        """
        for _ in range(_ATTEMPTS):
            if self.is_fresh():
                return
            looked_at_s = self._clock_s()
            self._current = self._share.condemned(self._lists)
            self._lists = self._lists | self._current
            if self._offset_s is None and any(one.keys for one in self._lists.values()):
                offset_s = self._share.clock_s() - looked_at_s
                # The offset may be too large by as long as that took.
                self._offset_s = offset_s if self._clock_s() - looked_at_s <= FRESH_S else None
            self._condemnations = Condemnations(self._lists.values())
            self._looked_at_s = looked_at_s
        if not self.is_fresh():
            attempted, happened = f"see what is condemned in the share {self._share.url}", "that takes too long"
            raise OriginTimeout(attempted, happened, f"it must not take longer than {FRESH_S / 60:.0f} minutes; push again")

    def is_fresh(self) -> bool:
        """Tell whether what the other methods say may still be acted on."""
        return self._looked_at_s is not None and 0 <= self._clock_s() - self._looked_at_s <= FRESH_S

    def is_reliable(self, pack: bytes) -> bool:
        """Tell whether a manifest that is written soon may name a pack that was there when this began."""
        return not (
            self._has_lapsed() or self._condemnations.is_condemned(pack_key(pack), since_s=self._storage_s(self._began_s))
        )

    def is_pending_deletion(self, sha256: bytes) -> bool:
        """Tell whether a file's manifest, there when this began or written since, may be deleted soon, or has been."""
        return self.is_going(manifest_key(sha256))

    def is_going(self, key: str) -> bool:
        """Tell that of any object whose name comes back when it is written again."""
        since_s, now_s = self._storage_s(self._began_s), self._storage_s(self._clock_s())
        return self._has_lapsed() or self._condemnations.is_pending_deletion(key, since_s=since_s, now_s=now_s)

    def _storage_s(self, clock_s: float) -> float:
        """Return what the storage's clock, which lists go by, shows at a time of ours."""
        return clock_s + (self._offset_s or 0.0)

    def _has_lapsed(self) -> bool:
        """Tell whether a list may have come and gone since this began, and not have been seen."""
        return not 0 <= self._clock_s() - self._began_s < LAPSE_S
