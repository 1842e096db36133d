"""What ``wheelfs doctor`` reports, in words that scripts may rely on: fields may be added, never renamed."""

from __future__ import annotations

from typing import Literal

import msgspec


class FoundState(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was looked at; ``mend`` says what to do about it, where it is not "ok".

    "broken" is what keeps something that is asked for from working, a "note" what works less well than it could, or otherwise
    than one may expect.
    """

    level: Literal["ok", "note", "broken"]
    subject: str
    what: str
    mend: str = ""
