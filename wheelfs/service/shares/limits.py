"""How much a share may tell, is told and is pushed at once, and how long its writer waits."""

from __future__ import annotations

from typing import Final

import msgspec


class FeedLimits(msgspec.Struct, frozen=True):
    """The tunable constants of `wheelfs.service.shares.feed`."""

    names: int = 1_000
    """Names, or changes of them, in one answer: some 200 KB, read by transactions of some milliseconds."""

    size_bytes: int = 2 << 20
    """An answer ends at about this size where names are long: nodes read no more than eight times that."""


class PushLimits(msgspec.Struct, frozen=True):
    """The tunable constants of `wheelfs.service.shares.push`."""

    pack_bytes: int = 32 << 20
    """A pack is written at this size; with the last chunk added it stays far below the greatest size of a pack."""

    chunks_at_once: int = 1_000_000
    """Files are pushed together up to this many chunks, so that small ones share packs: some 200 MB of digests."""

    attempts: int = 3
    """How often a file is put together again because packs that it needs are about to be deleted."""


class WriteThroughLimits(msgspec.Struct, frozen=True):
    """The tunable constants of `wheelfs.service.shares.write_through`."""

    poll_s: float = 0.5
    """Between looks at the catalog's last transaction, which cost nothing."""

    quiet_s: float = 2.0
    """Files are pushed when none has come for this long: an installation seals its wheels in one go, and they share packs."""

    longest_wait_s: float = 30.0
    """A waiting file is pushed after this time, also while more come, and however small the pack becomes."""

    files_at_once: int = 1_000
    """Files that are pushed together; more are looked for when these are pushed."""

    first_pause_s: float = 2.0
    longest_pause_s: float = 300.0
    """Between attempts while files cannot be pushed: doubled from the first to the longest."""

    elsewhere_s: float = 5.0
    """Between attempts to become the store's only pusher."""

    flush_s: float = 10.0
    """How long the end of wheelfs may take to push what waits; the rest is pushed at the next start."""

    operation_s: float = 300.0
    """The longest operation on the share's objects: within it a pack of 32 MiB is sent on a line of 1 Mbit/s."""

    operation_threads: int = 4
    """Operations under way at once, those that hang included."""


class ShareLimits(msgspec.Struct, frozen=True):
    """The tunable constants of `wheelfs.service.shares`."""

    portions: int = 100_000
    """The most answers, of about a thousand names each, that one share may give in a row."""

    max_files: int = 5_000_000
    """Files of all shares that are recorded: some 2 GB, five times what a node is built for; bounds a feed that never ends."""

    feed: FeedLimits = FeedLimits()
    push: PushLimits = PushLimits()
    write_through: WriteThroughLimits = WriteThroughLimits()


SHARE_LIMITS: Final = ShareLimits()
"""What a running wheelfs uses."""
