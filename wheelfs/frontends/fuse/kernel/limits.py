"""How many requests of a mount may be under way at once, and how long its steps may take; every number with its reason.

Two places can run out of room while requests wait on the network: the kernel's ``max_background`` (read-ahead and other
background requests of a connection) and pyfuse3's ``max_tasks`` (every request holds one task until its reply).  Both are
raised to the same number, and the tree admits fewer waits than that, so that a getattr, a listing, a statfs or a cached read
always finds a free task and a free slot (docs/design/concurrency.md).
"""

from __future__ import annotations

from typing import Final

import msgspec


class FuseLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Bounds of one mount."""

    tasks: int = 512
    """Tasks that pyfuse3 may run; an idle one is a small coroutine, a hung one holds a request buffer of up to 1 MiB of address
    space."""

    background: int = 512
    """The kernel's bound on background requests of our connection (it starts at 12)."""

    congestion_threshold: int = 384
    """Where the kernel begins to hold back optional read-ahead: three quarters, the proportion that it uses itself."""

    network_waits: int = 384
    """Requests that the tree may let wait on the network, whether they are served or queue for a turn; the rest is the reserve.

    A queued request holds its task and its slot like a served one, so the bound counts both, and it counts waiting *callers*:
    sixty readers of one download are sixty."""

    read_ahead_kb: int = 1024
    """Requests grow with read-ahead up to 1 MiB; beyond that nothing is gained."""

    preflight_s: float = 10.0
    """For looking at the mount point, which may be on a mount that hangs."""

    automount_s: float = 60.0
    """The same where that triggers an automount: less than the 90 s that a daemon gets to be ready, else its own bound would hide
    what happened."""

    first_answer_s: float = 30.0
    """For the first answer through the kernel: a machine that swaps takes seconds, a broken one forever."""

    answer_s: float = 30.0
    """For a path on the command line to answer at all: a share of files that is far away takes seconds, a dead one forever."""

    dead_s: float = 2.0
    """For the kernel to say that a mount has no server, which it knows without asking."""

    fusermount_s: float = 30.0
    """For fusermount3 to end, which only talks to the kernel."""

    daemon_end_s: float = 10.0
    """What the process of a mount that was unmounted gets to end in: it closes its store."""

    processes: int = 65_536
    descriptors: int = 4096
    """How far processes, and the descriptors of each, are looked through: a bound on looking, not on what there may be."""

    words_bytes: int = 4096
    """Of what libfuse says when it refuses: a line or two."""

    tail_bytes: int = 2_000
    """Of the log of a daemon that has died, in a message: a traceback's end, which says what happened."""

    end_s: float = 5.0
    """What a daemon that is not wanted gets to end in, for each signal: unmounting takes a moment."""

    immutable_ttl_s: float = 86_400.0
    """For the kernel to believe attributes of files that never change, and entries of flat directories: uv stats every entry of
    one, 50,000 of them cost 1 s with a long time and 25 s with none."""

    changing_ttl_s: float = 1.0
    """The same of directories, pages and all names of a project's directory: changes by other processes have to show in 2 s
    even where an invalidation is lost.  A file's is while a program has it open: its dropped directory is then taken back."""

    absent_ttl_s: float = 86_400.0
    """For the kernel to believe that there is no such name, at most."""

    inode_probes: int = 64
    """Numbers that are tried for an inode: colliding at all is a matter of 1e-7 for a million files; a longer chain is a bug in
    the tree's numbering."""

    shown_users: int = 5
    """Programs that are named as users of a busy mount."""

    grace_s: float = 2.0
    """What requests under way get to finish in when the mount ends; a user waits for that."""

    deferred_changes: int = 4096
    """Changes that may wait for a look-up in their directory to end; without one, the entry's time-out ends it."""

    retry_s: float = 0.1
    """Deferred changes are looked at again this often: changes have to show within 2 s."""

    @property
    def reserve(self) -> int:
        """Tasks that are always there for requests that never wait on the network."""
        return self.tasks - self.network_waits


FUSE_LIMITS: Final = FuseLimits()
