"""How far long work is: what commands draw as a bar on a terminal."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Shows long work, file by file; names may overlap in time.  ``is_shown``: somewhere, so it is worth finding totals out."""

    @property
    def is_shown(self) -> bool: ...

    def begin(self, name: str, total_bytes: int | None) -> None: ...

    def advance(self, name: str, more_bytes: int) -> None: ...

    def end(self, name: str) -> None: ...

    def overall(self, done_files: int, files: int, saved_bytes: int, total_bytes: int | None = None) -> None:
        """Show how far all of it is, where that is known beforehand; ``saved_bytes`` did not have to be fetched.

        ``total_bytes``: what all names together will have been advanced by at the end, None while that is not known.
        """
