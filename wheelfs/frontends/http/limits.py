"""What clients of a gateway may cost, and how its processes are started and ended; every number with its reason."""

from __future__ import annotations

from typing import Final

import msgspec


class HttpLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Bounds on clients."""

    requests: int = 1024
    """Requests under way at once; each may hold a piece of ``piece_bytes``.  Further ones are answered with 503."""

    network_waits: int = 768
    """Requests that may wait for an index at once; three quarters of all, so that what is stored is always served."""

    piece_bytes: int = 262_144
    """Bytes read and sent at a time: a block of the store, as near as makes no difference."""

    large_piece_bytes: int = 1 << 20
    """The same for a stored file while there are few requests: a fifth less processor time a byte.  What is still being fetched
    is passed on sooner."""

    large_pieces: int = 256
    """As many requests at once may hold a large piece: that is as much memory as ``requests`` small ones take."""

    connections: int = 4_096
    """An idle one takes 40 kB, and is closed after some seconds; further clients wait to be accepted until then."""

    accepted_at_once: int = 64
    """Clients taken in one turn of the loop, so that those that are served go on in between."""

    descriptors: int = 16_384
    """Wanted where the system allows it: a connection takes one, and so do files being fetched, indexes, and the head."""

    backlog: int = 1_024
    """A lab's nodes connect all at once; what does not fit here is a second's delay for its client."""

    header_bytes: int = 16 * 1024
    """Of a request's line and fields: a browser with many cookies stays below."""

    headers_s: float = 10.0
    """What a client may take to send a request, and between two: a slow one costs a task and a descriptor no longer."""

    stalled_ms: int = 60_000
    """How long a client may leave sent bytes unacknowledged or its window shut, before the kernel breaks the connection off."""

    end_s: float = 3.0
    """What requests under way get to finish in: with closing the store, the end of the process comes within five seconds."""

    full_pause_s: float = 0.1
    """Out of descriptors or memory: closing connections will free some; without a pause this would spin."""


class WorkerLimits(msgspec.Struct, frozen=True, kw_only=True):
    """How long workers may take, and how soon they are replaced."""

    ready_s: float = 60.0
    """A worker opens the store and imports what it needs; a busy machine takes seconds for that."""

    first_pause_s: float = 0.5
    """Before a worker that has ended is replaced; doubled each time, up to ``longest_pause_s``."""

    longest_pause_s: float = 30.0
    """What makes every worker end is rarely over sooner, and a start costs a second of processor time."""

    steady_s: float = 60.0
    """A worker that lived this long died of something new: it is replaced soon."""

    end_s: float = 4.0
    """What requests under way get to finish in (`HttpLimits.end_s`), and some more to close the store."""


HTTP_LIMITS: Final = HttpLimits()
WORKER_LIMITS: Final = WorkerLimits()
