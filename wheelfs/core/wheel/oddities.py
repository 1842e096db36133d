"""What is odd in a wheel that installers take all the same: things that another tool, or the next version, may refuse."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from wheelfs.core.wheel import zip_layout
from wheelfs.core.wheel.metadata import converse, search_directory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

_TAIL_BYTES: Final = 1 << 20
"""Looked at first: all but the largest directories are within."""
_SINGLE: Final = ("metadata-version", "name", "version", "summary", "requires-python", "license", "author")
_SHOWN: Final = 3


def oddities(read: Callable[[int, int], bytes], size_bytes: int, metadata: bytes | None) -> tuple[str, ...]:
    """Return what is odd in the wheel that ``read(offset, size)`` reads and whose METADATA is given, in words."""
    found = []
    if metadata is not None:
        found += [f"its METADATA has {field} {count} times; the first counts" for field, count in _repeated(metadata)]
    try:
        location, directory = converse(search_directory(size_bytes, _TAIL_BYTES), read)
        members = zip_layout.parse_directory(directory, location)
    except zip_layout.NotAZip as error:
        return (*found, f"it is no readable ZIP: {error}")
    behind_bytes = zip_layout.bytes_behind(read(max(0, size_bytes - _TAIL_BYTES), _TAIL_BYTES))
    if behind_bytes:
        found.append(f"{behind_bytes} bytes follow the end of the ZIP")
    if location.prepended:
        found.append(f"{location.prepended} bytes stand before the ZIP")
    twice = [name for name, count in Counter(member.name for member in members).items() if count > 1]
    if twice:
        found.append(f"it has {_named(twice)} more than once; the last counts")
    owners = {member.name.partition("/")[0] for member in members}
    infos = sorted(owner for owner in owners if owner.endswith(".dist-info"))
    if len(infos) > 1:
        found.append(f"it has {len(infos)} .dist-info directories ({_named(infos)}), which pip refuses")
    return tuple(found)


def _repeated(metadata: bytes) -> Iterator[tuple[str, int]]:
    from packaging.metadata import parse_email

    _, unread = parse_email(metadata)
    for field in _SINGLE:
        if len(unread.get(field, ())) > 1:
            yield field.title(), len(unread[field])


def _named(names: Iterable[str]) -> str:
    shown = sorted(names)
    more = f" and {len(shown) - _SHOWN} more" if len(shown) > _SHOWN else ""
    return ", ".join(name.encode("ascii", "backslashreplace").decode()[:120] for name in shown[:_SHOWN]) + more
