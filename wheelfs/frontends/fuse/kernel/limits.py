"""How many requests may be under way at once; the argument is in docs/design/concurrency.md.

Two places can run out of room while requests wait on the network: the kernel's ``max_background`` (read-ahead and other
background requests of a connection) and pyfuse3's ``max_tasks`` (every request holds one task until its reply).  Both are
raised to the same number, and the tree admits fewer waits than that, so that a getattr, a listing, a statfs or a cached read
always finds a free task and a free slot.
"""

from __future__ import annotations

from typing import Final

MAX_TASKS: Final = 512
"""Tasks that pyfuse3 may run; an idle one is a small coroutine, a hung one holds a request buffer of up to 1 MiB of address
space."""

MAX_BACKGROUND: Final = 512
"""The kernel's bound on background requests of our connection (it starts at 12)."""

CONGESTION_THRESHOLD: Final = 384
"""Where the kernel begins to hold back optional read-ahead: three quarters, the proportion that it uses itself."""

MAX_NETWORK_WAITS: Final = 384
"""Requests that the tree may let wait on the network, whether they are served or queue for a turn; the rest is the reserve.

A queued request holds its task and its slot like a served one, so the bound counts both, and it counts waiting *callers*: sixty
readers of one download are sixty.
"""

RESERVE: Final = MAX_TASKS - MAX_NETWORK_WAITS
"""Tasks that are always there for requests that never wait on the network."""
