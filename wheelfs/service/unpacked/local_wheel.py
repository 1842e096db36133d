"""The unpacked files of a wheel as a source of its bytes: members are packed again as their builder has packed them.

What comes of it is speculative, like what is copied from stored wheels (`wheelfs.core.fetch.delta`): a file counts when its size
and CRC-32 are those of the wheel's directory, and its packed size, too; whether the bytes are right is told by the sha256 of the
whole wheel alone.
"""

from __future__ import annotations

import os
import zlib
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

import msgspec

from wheelfs.core.fetch.spans import Spans
from wheelfs.core.unpacked.encoders import CANDIDATES, OF_RUST, is_the_original, recognised, samples_of
from wheelfs.core.unpacked.members import lies_at
from wheelfs.core.wheel.unpacking import DEFLATED, STORED
from wheelfs.errors import InvalidInput
from wheelfs.service.unpacked.reading import opened, pieces

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from wheelfs.core.fetch.delta import PlacedMember
    from wheelfs.core.unpacked.distribution import Distribution
    from wheelfs.core.unpacked.encoders import Encoder
    from wheelfs.core.wheel.zip_layout import Member
    from wheelfs.service.unpacked.places import Unpacked

THREADS: Final = max(1, min(4, os.cpu_count() or 1))
"""Members packed at a time; each takes some 3 MiB of memory."""
_NAME_BYTES: Final = 46 + 8
_END_BYTES: Final = 22 + 1_024
"""What a directory has of each member beside its name, and at its end, with something to spare."""


class LocalWheel(msgspec.Struct, frozen=True):
    """Where a wheel is unpacked.  ``is_asked_for``: a user wants it for that, so it has to be worth it."""

    unpacked: Unpacked
    distribution: Distribution
    is_asked_for: bool = False

    @property
    def tail_bytes(self) -> int:
        """How much of the wheel's end its directory will take, by the names that are to be in it."""
        names = [one.path for one in self.distribution.recorded]
        return _END_BYTES + sum(_NAME_BYTES + len(name.encode("utf-8", "replace")) for name in names)

    def rebuild(self, found: Sequence[PlacedMember], here: Spans, write: Callable[[int, bytes], None]) -> Spans:
        """Write the members that are unpacked here, except what is in ``here``, and return where they are now; blocks.

        ``write(offset, data)`` may be called by several threads, also for what proves wrong and is not returned.
        """
        encoder = self._encoder(found)
        wanted = [entry for entry in found if _is_wanted(entry, here, encoder)]
        with ThreadPoolExecutor(THREADS, thread_name_prefix="pack") as threads:
            done = threads.map(lambda entry: self._write(entry, encoder, write), wanted)
            spans = Spans.from_iterable(span for span in done if span is not None)
        if spans.total:
            # All header, and so predicted as a whole: worth nothing where nothing else is here.
            for entry in found:
                if entry.shape is not None and not entry.member.size and not entry.member.compressed_size:
                    write(entry.member.header_offset, b"".join(entry.shape))
                    spans.add(entry.member.header_offset, entry.end)
        return spans

    def _encoder(self, found: Sequence[PlacedMember]) -> Encoder | None:
        deflated = {number: one.member for number, one in enumerate(found) if one.member.method == DEFLATED}
        samples = []
        for number in samples_of((number, member.size) for number, member in deflated.items()):
            content = b"".join(self._content(deflated[number]))
            if zlib.crc32(content) == deflated[number].crc:
                samples.append((content, deflated[number].compressed_size))
        # Where another library is in the place of zlib, what it gives is nothing that builders have made.
        return recognised(samples, CANDIDATES if is_the_original() else OF_RUST)

    def _content(self, member: Member) -> Iterator[bytes]:
        """Yield the content of the file that may be ``member``; nothing where there is none of its size."""
        path = lies_at(member.name, self.distribution, self.unpacked.layout)
        if path is None:
            return
        try:
            with opened(self.unpacked.attempted, self.unpacked.root / path) as (descriptor, status):
                if status.st_size == member.size:
                    yield from pieces(descriptor)
        except (OSError, InvalidInput):  # gone, of another user, or no file: then it is fetched
            return

    def _write(self, entry: PlacedMember, encoder: Encoder | None, write: Callable[[int, bytes], None]) -> tuple[int, int] | None:
        assert entry.shape is not None
        member, (head, trailer) = entry.member, entry.shape
        at = entry.member.header_offset + len(head)
        begin, left, crc = at, member.compressed_size, 0
        packing = None if member.method == STORED else encoder

        def checked(content: Iterable[bytes]) -> Iterator[bytes]:
            nonlocal crc
            for piece in content:
                crc = zlib.crc32(piece, crc)
                yield piece

        content = checked(self._content(member))
        for data in content if packing is None else packing.pack(content):
            if len(data) > left:
                return None  # another encoder's, or the file has grown meanwhile
            write(at, data)
            at, left = at + len(data), left - len(data)
        if left or crc != member.crc:
            return None
        write(begin - len(head), head)
        write(at, trailer)
        return begin - len(head), entry.end


def _is_wanted(entry: PlacedMember, here: Spans, encoder: Encoder | None) -> bool:
    member = entry.member
    if entry.shape is None or not member.compressed_size or here.covers(member.header_offset, entry.end):
        return False
    if member.method == STORED:
        return member.size == member.compressed_size
    return member.method == DEFLATED and encoder is not None
