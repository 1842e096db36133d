"""Whether what came of a wheel that no hash vouches for is a wheel at all: a page of a proxy, say, is not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio

from wheelfs.core.fetch import plan
from wheelfs.core.wheel import metadata, zip_layout
from wheelfs.errors import OriginFault

if TYPE_CHECKING:
    from wheelfs.service.fetch.partial_file import PartialFile


async def check_is_wheel(partial: PartialFile) -> None:
    """Raise `OriginFault`, and drop what is here, when a wheel without a hash cannot be read as a ZIP."""
    if partial.ref.kind != "wheel" or partial.ref.is_vouched:
        return
    spool, size_bytes = partial.spool, partial.size_bytes or 0
    try:
        await trio.to_thread.run_sync(
            metadata.read_from, spool.read, size_bytes, plan.TAIL_BYTES, partial.ref.project, limiter=partial.context.disk
        )
    except zip_layout.NotAZip as error:
        partial.start_over()
        raise OriginFault(partial.attempted, f"what it serves is no wheel: {error}", "its index is broken") from None
