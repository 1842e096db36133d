"""What a user wants to see of a project in the flat directories before any of it is fetched."""

from __future__ import annotations

import msgspec


class Tracked(msgspec.Struct, frozen=True, array_like=True):
    """Which files of a project are tracked: those whose version is in one of ``ranges`` (PEP 440; "" is any version).

    ``every_platform``: not only what this machine can use.  ``prereleases``: also those that no range asks for.
    New fields go to the end and have a default: stored ones of older builds must still read.
    """

    project: str
    ranges: tuple[str, ...]
    added_at_us: int
    every_platform: bool = False
    prereleases: bool = False

    def __str__(self) -> str:
        return ", ".join(f"{self.project}{one}" for one in self.ranges)
