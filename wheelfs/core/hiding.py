"""Which files a view hides, and why: one comparison a file, and the sentences that tell a reader of a page what is not on it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from wheelfs.core.times import rfc3339

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from wheelfs.core.platforms import Machine
    from wheelfs.core.views import View
    from wheelfs.model.links import FileLink


class Hidden(Enum):
    """Why a file is not shown, in the order in which that is looked for."""

    NOT_STORED = "not stored"
    FOREIGN = "for other machines"
    UNDATED = "without an upload time"
    LATER = "uploaded later"


@dataclass(frozen=True, slots=True)
class Sieve:
    """What a view lets through of one index's files.  Equal sieves show the same of the same files.

    ``machine`` is None where files for any are shown, and ``before_us`` where those of any time are.
    """

    stored: bool
    machine: Machine | None
    before_us: int | None

    def hides(self, link: FileLink, *, is_stored: bool, is_private: bool) -> Hidden | None:
        """Return why a file is hidden, or None when it is shown.

        One without an upload time is hidden wherever time matters, as ``uv --exclude-newer`` does.  Files added by hand
        (``is_private``) have none and are shown: whoever put them there knows why, and an index cannot have slipped them in.
        """
        if self.stored and not is_stored:
            return Hidden.NOT_STORED
        if self.machine is not None and not self.machine.accepts(link.filename):
            return Hidden.FOREIGN
        if self.before_us is None:
            return None
        if link.upload_time_us is None:
            return None if is_private else Hidden.UNDATED
        return Hidden.LATER if link.upload_time_us >= self.before_us else None

    def explain(self, counts: Mapping[Hidden, int]) -> Iterator[str]:
        """Yield a sentence for each reason for which files are hidden."""
        for reason in Hidden:
            if count := counts.get(reason, 0):
                what = reason.value
                if reason is Hidden.LATER and self.before_us is not None:
                    what = f"uploaded at or after {rfc3339(self.before_us)}"
                yield f"hidden here: {count} file{'s' if count > 1 else ''} {what}"


def sieve_of(view: View, machine: Machine) -> Sieve:
    """Return what ``view`` lets through on this machine."""
    return Sieve(view.stored, machine if view.here else None, None if view.asof is None else view.asof.before_us)
