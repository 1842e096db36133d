"""How much of everything a fetch may use, and how long it waits before it tries something else."""

from __future__ import annotations

from typing import Final

import msgspec


class FetchLimits(msgspec.Struct, frozen=True):
    """The tunable constants of `wheelfs.service.fetch`."""

    # --- sources --------------------------------------------------------------------------------------------------

    hedge_delay_s: float = 1.0
    """How long the first source may be silent before the next one is asked as well; each further delay is half of the one before.

    A gateway in the same building answers within milliseconds, a busy one within some tenths of a second.
    """

    stall_divisor: int = 4
    """A share that has begun to respond may stall for the progress timeout divided by this, the next one for half of that:
    together they take less than one timeout, however many there are."""

    quarantine_s: float = 15.0
    """How long a content that twice did not match its hash is refused before its origin is asked again: mirrors are mended, and
    an installer's own attempts are over by then."""

    share_again_s: float = 15.0
    """How long a share that did not serve a file is not asked for it again by those who open it: shares are mended, too."""

    # --- streams --------------------------------------------------------------------------------------------------

    side_streams: int = 4
    """Requests that readers may have open at once for one file besides the main stream; further ones wait."""

    whole_streams: int = 16
    """Requests for whole files, or most of one, that an index has to answer at once: half of the connections to it.  Further ones
    wait for their turn, and that is no silence of the index."""

    retries: int = 2
    """Attempts after a broken stream that brought nothing new; a stream that brought something may be resumed again."""

    range_rounds: int = 10
    """How often ranges that break off are resumed, as long as they bring something; after that the usual fetch takes over."""

    read_attempts: int = 4
    """A read is repeated when its bytes were stored or dropped meanwhile, which cannot happen often."""

    progress_bytes: int = 16 * 1024
    """A stream that brings less than this within the timeout makes no progress (a slow-loris origin sends one byte at a time)."""

    ahead_bytes: int = 2 * 1024 * 1024
    """A read less than this ahead of a running stream waits for it; one further away makes a request of its own."""

    skip_bytes: int = 256 * 1024
    """A stream that reaches this many bytes that are already here ends, and a new request asks for what follows them.

    Fewer are received again, since a request costs as much as some hundred kilobytes.
    """

    max_unsized_bytes: int = 16 * 1024 * 1024 * 1024
    """A response without a length must end at some point: no package file comes near this."""

    parse_at_once_bytes: int = 1024 * 1024
    """A longer part of a wheel's directory is parsed in a thread: one of a million members takes a second."""

    # --- memory, disk and threads ---------------------------------------------------------------------------------

    claims_poll_s: float = 0.02
    """How often a process looks whether what another one fetches has come: two system calls, as long as it waits for that."""

    flush_bytes: int = 256 * 1024
    flush_after_s: float = 0.25
    """Received bytes are written to the spool once there are this many, they are this old, or a reader waits for the last of
    them: a hop to a thread costs 0.1 ms, and then everything that waits for the file looks whether it has enough."""

    sync_bytes: int = 64 * 1024 * 1024
    """How much a power failure may cost; a kill costs nothing, since the kernel has the spool's writes at once."""

    copy_bytes: int = 4 * 1024 * 1024
    """Bytes from the store written to the partial file at once."""

    lookup_chunks: int = 10_000
    """Chunks that are looked up in the store in one transaction."""

    disk_threads: int = 8

    copying_threads: int = 4
    """Files that are copied from the store at a time, beside what disk threads do: a disk that seeks gains nothing by more."""

    packing_threads: int = 2
    """Unpacked wheels that are packed at a time: each takes up to four processors."""

    seal_threads: int = 2
    """Sealing is hashing: more threads than processors only take turns."""

    idle_downloads: int = 64
    """Unused downloads that are kept, since they know the file's tail; each costs three file descriptors, or four."""

    max_names: int = 32
    """Names recorded for one content when it is stored; one that was left out is recorded when it is opened the next time."""

    known_unreadable: int = 10_000
    """Wheels whose METADATA cannot be read: each is a few dozen bytes."""

    known_digests: int = 10_000
    """Digests of METADATA that pages promise, in memory: a page of many stored wheels is rendered whenever one is added."""

    known_directories: int = 10_000
    """Projects whose directory size is remembered."""

    # --- tails ----------------------------------------------------------------------------------------------------

    end_bytes: int = 16 * 1024
    """How much of a wheel's end is made available when it is opened, even if its directory is shorter: uv reads 2 KiB."""


FETCH_LIMITS: Final = FetchLimits()
"""What a running wheelfs uses."""
