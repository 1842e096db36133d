"""What one directory shows: a view is a value, made by the names on the way to it.  A view hides; it never deletes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

if TYPE_CHECKING:
    from wheelfs.core.times import AsOf


class View(msgspec.Struct, frozen=True):
    """What a directory is restricted to.

    ``asof``: what had been uploaded at that time; ``index``: that configured index by itself, nothing merged; ``stored``: only
    what needs no network; ``here``: only what this machine can use.
    """

    asof: AsOf | None = None
    index: str | None = None
    stored: bool = False
    here: bool = False

    @property
    def path(self) -> str:
        """The view's own directory inside the mount, without leading or trailing slash; empty for the plain view."""
        parts = [f"asof/{self.asof.name}"] if self.asof is not None else []
        parts += [f"index/{self.index}"] if self.index is not None else []
        parts += ["stored"] if self.stored else []
        parts += ["here"] if self.here else []
        return "/".join(parts)

    @property
    def is_whole(self) -> bool:
        """Whether this is the plain view, now or as of some time: the one that has ``index/``."""
        return self.index is None and not self.stored and not self.here

    @property
    def is_flat(self) -> bool:
        """Whether the view's own directory lists wheels for ``--find-links``."""
        return self.index is None and not self.here

    def narrower(self, name: str) -> View | None:
        """Return the view that the sub-directory ``name`` of this view's directory shows, or None when there is no such view."""
        if name == "here" and not self.here:
            return replace(self, here=True)
        if name == "stored" and not self.stored and not self.here:
            return replace(self, stored=True)
        return None
