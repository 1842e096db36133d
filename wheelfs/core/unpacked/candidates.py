"""Which file of a project an unpacked distribution came from, as far as its own files tell."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wheelfs.errors import InvalidInput
from wheelfs.model.names import WheelName

if TYPE_CHECKING:
    from collections.abc import Iterable


def same_wheel(wheel: WheelName, filenames: Iterable[str]) -> str | None:
    """Return the one of ``filenames`` that is this wheel: its name, or another spelling of it with the same tags; or None.

    Where none has the same tags (builders forget to write into WHEEL what they have changed in the name), one that has a tag in
    common is taken, if it is the only one.
    """
    exact: list[str] = []
    near: list[str] = []
    for filename in filenames:
        if filename == wheel.filename:
            return filename
        try:
            other = WheelName(filename)
        except InvalidInput:
            continue
        if (other.version, other.build) == (wheel.version, wheel.build) and other.variant is None:
            if other.tags == wheel.tags:
                exact.append(filename)
            elif not other.tags.isdisjoint(wheel.tags):
                near.append(filename)
    if exact:
        return exact[0]
    return near[0] if len(near) == 1 else None
