"""Parts of files that are not stored here, as a gateway gives them to other nodes: it fetches what they ask for, and no more.

They are not verified, which only the whole could be.  The nodes know that: they ask for parts by a name of their own, and compare
what they make of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wheelfs.service.tasks import Work, begin

if TYPE_CHECKING:
    from wheelfs.service.file_refs import FileRef
    from wheelfs.service.vfs.environments.wheels import LazyWheel, LazyWheels


class OpenPart:
    """A range of a file that is given as it comes; ``size`` is that of the whole file in bytes."""

    direct_io = True

    def __init__(self, size_bytes: int, wanted: tuple[int, int], wheel: LazyWheel, wheels: LazyWheels) -> None:
        """Take over ``wheel``."""
        self.size = size_bytes
        self._wanted = wanted
        self._wheel = wheel
        self._wheels = wheels
        self._bringing: Work | None = None

    async def read(self, offset: int, size: int) -> bytes | memoryview:
        """Return bytes; the first read that lacks some has all of the range fetched.  Raises `OriginError`."""
        wheel, end = self._wheel, min(offset + size, self.size)
        download = wheel.download
        if self._bringing is None and not wheel.has(offset, end):
            self._bringing = begin(download.context.nursery, self._bring, download.partial.attempted, download.partial.wake)
        if self._bringing is not None:
            with self._wheels.waiting(f"read {download.ref.filename}"), download.partial.awaiting(end):
                while not wheel.has(offset, end) and not self._bringing.done:
                    await download.partial.next_change()
        return await wheel.read(offset, end - offset)

    async def _bring(self) -> None:
        # One that hangs up takes nothing from the others.
        wheel = await self._wheels.open(self._wheel.download.ref, ahead=True, for_node=True)
        try:
            await wheel.secure(*self._wanted)
        finally:
            wheel.close()

    def close(self) -> None:
        """Give the file back."""
        self._wheel.close()


async def open_part(ref: FileRef, size_bytes: int, wanted: tuple[int, int], wheels: LazyWheels) -> OpenPart:
    """Open the range that is ``wanted`` of a file; raises `OriginError`, `ContentMismatch`, `StoreFull`."""
    wheel = await wheels.open(ref, for_node=True)
    try:
        # Anybody may ask a gateway, and a part does not wait for the space of the whole.
        await wheel.download.space.make_for_part(wheel.download.partial, *wanted)
    except BaseException:
        wheel.close()
        raise
    return OpenPart(size_bytes, wanted, wheel, wheels)
