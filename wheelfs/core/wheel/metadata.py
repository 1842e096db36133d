"""Where in a wheel its METADATA stands, as a conversation without IO.

The logic asks for ranges, its caller brings the bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Final, TypeVar

import msgspec

from wheelfs.core.wheel import zip_layout

MAX_DIRECTORY_BYTES: Final = 64 * 1024 * 1024
"""The directory of 70,000 members takes 8 MB; one above this is not read into memory."""

_LIKELY_EXTRAS: Final = zip_layout.LOCAL_HEADER_BYTES + 4_096
"""A local header, and more than the extra fields that wheels have; it can announce 64 KiB of them (APPNOTE 4.3.7)."""

_Answer = TypeVar("_Answer")

Search = Generator[tuple[int, int], bytes, "Found"]
"""Yields ``(start, end)``, is sent exactly those bytes, returns `Found`; raises `zip_layout.NotAZip`."""


class Found(msgspec.Struct, frozen=True):
    """The METADATA, and how many bytes of the file's end its central directory and end records take."""

    metadata: bytes
    directory_bytes: int


DirectorySearch = Generator[tuple[int, int], bytes, tuple[zip_layout.DirectoryLocation, bytes]]
"""Yields ``(start, end)``, is sent exactly those bytes, returns where the directory is, and it; raises `zip_layout.NotAZip`."""


def search_directory(size_bytes: int, tail_bytes: int) -> DirectorySearch:
    """Find the central directory of a file of ``size_bytes``, looking at its last ``tail_bytes`` first."""
    start = max(0, size_bytes - tail_bytes)
    for _ in range(4):  # the tail, the rest of a zip64 record, the rest of the directory: never more
        tail = yield start, size_bytes
        found = zip_layout.find_directory(tail, size_bytes)
        if isinstance(found, zip_layout.NeedMore):
            start = found.start
        elif found.offset < start:
            start = found.offset
        else:
            return found, tail[found.offset - start : found.offset - start + found.size_bytes]
        if size_bytes - start > MAX_DIRECTORY_BYTES:
            raise zip_layout.NotAZip(f"its central directory takes more than {MAX_DIRECTORY_BYTES} bytes")
    raise zip_layout.NotAZip("its end records lead nowhere")


def search(size_bytes: int, tail_bytes: int, project: str) -> Search:
    """Find the METADATA of a wheel of ``size_bytes``, looking at its last ``tail_bytes`` first; at most a handful of ranges."""
    found, directory = yield from search_directory(size_bytes, tail_bytes)
    members = zip_layout.parse_directory(directory, found, ending=b".dist-info/METADATA")
    metadata = yield from _metadata(zip_layout.Directory(found, members), project)
    return Found(metadata, size_bytes - found.offset)


def _metadata(directory: zip_layout.Directory, project: str) -> Generator[tuple[int, int], bytes, bytes]:
    found = directory.location
    member = zip_layout.metadata_member(directory.members, project)
    if member is None:
        raise zip_layout.NotAZip(f"it has no {project.replace('-', '_')}-*.dist-info/METADATA")
    if member.header_offset + member.compressed_size > found.offset:
        raise zip_layout.NotAZip(f"the data of {member.name!r} lies outside the file")
    # Where the next member begins is not looked for: the local header says how long it is, and mostly it has a short extra.
    first = member.header_offset
    likely = _LIKELY_EXTRAS + len(member.name.encode("utf-8", "surrogateescape")) + member.compressed_size
    if likely > zip_layout.MAX_METADATA_BYTES:
        raise zip_layout.NotAZip(f"its METADATA takes {member.compressed_size} bytes")
    window = yield first, min(found.offset, first + likely)
    last = min(found.offset, zip_layout.data_offset(member, window[: zip_layout.LOCAL_HEADER_BYTES]) + member.compressed_size)
    if last > first + len(window):
        window = yield first, last
    return zip_layout.extract_member(member, window, first)


def converse(asking: Generator[tuple[int, int], bytes, _Answer], read: Callable[[int, int], bytes | memoryview]) -> _Answer:
    """Answer a search from a file that can be read at once by ``read(offset, size)``; return what it finds.

    Raises `zip_layout.NotAZip`.
    """
    try:
        start, end = next(asking)
        while True:
            start, end = asking.send(bytes(read(start, end - start)))
    except StopIteration as done:
        answer: _Answer = done.value
        return answer


def read_all_from(
    read: Callable[[int, int], bytes | memoryview], size_bytes: int, tail_bytes: int, project: str
) -> tuple[bytes, zip_layout.Directory]:
    """Return the METADATA and the whole directory of a wheel that can be read at once by ``read(offset, size)``.

    Raises `zip_layout.NotAZip`, also where the directory says of any member what cannot be: no installer could unpack the wheel.
    """
    location, data = converse(search_directory(size_bytes, tail_bytes), read)
    directory = zip_layout.Directory(location, zip_layout.parse_directory(data, location))
    return converse(_metadata(directory, project), read), directory


def step(asking: Search, data: bytes | memoryview) -> tuple[int, int] | Found:
    """Send what was asked for; return what is asked for next, or the end.  Raises `zip_layout.NotAZip`."""
    try:
        return asking.send(bytes(data))
    except StopIteration as done:
        found: Found = done.value
        return found


def read_from(read: Callable[[int, int], bytes | memoryview], size_bytes: int, tail_bytes: int, project: str) -> bytes:
    """Return the METADATA of a wheel that can be read at once by ``read(offset, size)``.  Raises `zip_layout.NotAZip`."""
    return converse(search(size_bytes, tail_bytes, project), read).metadata
