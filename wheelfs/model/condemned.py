"""Lists of what is to be deleted from a share, so that pushers do not rely on it: as bytes, and what they mean.

``docs/design/share-format.md`` describes the bytes and the times, ``docs/design/decisions/0034-collecting-without-locks.md`` why
they are enough.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from wheelfs.model.framing import framed, unpacked

if TYPE_CHECKING:
    from collections.abc import Iterable

CONDEMNED: Final = "condemned"

MARGIN_S: Final = 3_600.0
"""Safety margin for clock skew, listing lag, slow writes and `FRESH_S`.  No grace period is shorter."""

FRESH_S: Final = 600.0
"""For this long after reading the lists a pusher may write what relies on them."""

RUN_S: Final = 1_800.0
"""The longest that one run may delete by what it has read."""

LAPSE_S: Final = 90 * 86_400.0
"""For this long after the grace period a list permits deletion; then the keys must be condemned again."""

_MAGIC: Final = b"WFC1"


class Condemned(msgspec.Struct, frozen=True, array_like=True):
    """Keys condemned at ``at_us`` (the place's clock), to be deleted ``grace_s`` later if nothing needs them then.

    ``is_void``: instead, what earlier lists say of these keys holds no more, since they are gone, or needed.  ``end``: as many
    records had the log when the list was written, and ``announcements`` of environments there were; a run that sees fewer does
    not see all of the share.
    """

    at_us: int
    grace_s: int
    keys: tuple[str, ...]
    is_void: bool = False
    end: int = 0
    announcements: int = 0

    @property
    def begins_s(self) -> float:
        """When deleting may begin, in seconds of the epoch."""
        return self.at_us / 1e6 + self.grace_s

    @property
    def ends_s(self) -> float:
        """When deleting must have ended."""
        return self.begins_s + LAPSE_S


def encode_condemned(condemned: Condemned) -> bytes:
    """Return a list as bytes."""
    return framed(_MAGIC, msgspec.msgpack.encode(condemned))


def decode_condemned(encoded: bytes) -> Condemned:
    """Read what `encode_condemned` wrote; raise `ShareFormatError` for anything else."""
    return unpacked(_MAGIC, encoded, Condemned, "list of what is condemned")


class Condemnations:
    """What all lists of a share say together.  Times are seconds of the epoch."""

    def __init__(self, lists: Iterable[Condemned]) -> None:
        self._lists: dict[str, list[Condemned]] = {}
        self._void_us: dict[str, int] = {}
        for one in lists:
            for key in one.keys:
                if one.is_void:
                    self._void_us[key] = max(one.at_us, self._void_us.get(key, 0))
                else:
                    self._lists.setdefault(key, []).append(one)

    def standing(self) -> set[str]:
        """Return what is condemned and not void."""
        return {key for key in self._lists if self._lists_of(key)}

    def is_condemned(self, key: str, *, since_s: float) -> bool:
        """Tell whether a list names ``key``, or did so since ``since_s``, whatever its times: nothing new is to rely on it."""
        return bool(self._entries_for(key, since_s))

    def is_pending_deletion(self, key: str, *, since_s: float, now_s: float) -> bool:
        """Tell whether ``key``, there at ``since_s``, may be gone, or go before what is written now is seen."""
        return any(
            # A list of later than now is by a clock that is ahead, by which the time may have come already.
            (one.begins_s - MARGIN_S <= now_s or one.at_us / 1e6 > now_s + MARGIN_S) and now_s <= one.ends_s + MARGIN_S
            for one in self._entries_for(key, since_s)
        )

    def may_delete(self, key: str, *, began_s: float, now_s: float) -> bool:
        """Tell whether ``key`` may be deleted at ``now_s`` if nothing needs it by what was read from ``began_s`` on."""
        return any(one.begins_s <= began_s and now_s <= one.ends_s for one in self._lists_of(key))

    def deletable_s(self, key: str, now_s: float) -> float | None:
        """Return from when on ``key`` may be deleted; None when it has to be condemned first."""
        return min((one.begins_s for one in self._lists_of(key) if now_s <= one.ends_s), default=None)

    def _lists_of(self, key: str) -> list[Condemned]:
        void_us = self._void_us.get(key, -1)
        return [one for one in self._lists.get(key, ()) if one.at_us > void_us]

    def _entries_for(self, key: str, since_s: float) -> list[Condemned]:
        # Another run that read less may still be deleting when a list has just become void.  A void entry does not prove the key
        # is safe: entries are also voided after deletion, which a machine that slept would miss.
        void_us = self._void_us.get(key, -1)
        return self._lists.get(key, []) if void_us / 1e6 + MARGIN_S > since_s else self._lists_of(key)
