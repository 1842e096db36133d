"""How long look-ups wait, what stays rendered in memory, and how often changes are announced to the kernel's caches."""

from __future__ import annotations

from typing import Final

import msgspec


class VfsLimits(msgspec.Struct, frozen=True):
    """The tunable constants of `wheelfs.service.vfs`."""

    absent_ttl_s: float = 1.0
    """How long a kernel may remember that a name is absent; new names are announced besides."""

    wait_burst_s: float = 0.3
    """How long look-ups in ``simple/`` may wait for indexes in a row: for one directory the kernel sends one at a time."""

    wait_refill: float = 0.1
    """Seconds of waiting that become available again each second."""

    wait_cost: float = 6.0
    """What a second of waiting takes away: so one look-up may use the whole burst, and a run of short waits soon ends.

    With answers after 30 ms, resolving 13 projects for the first time took 0.25 s longer at a cost of 1.
    """

    poll_s: float = 0.5
    """How often changes in the store are looked for: they show within two seconds (the contract), one of them the kernel's."""

    listing_batch: int = 512
    """Entries of a large directory that are read in one transaction and kept."""

    whole_listings_entries: int = 200_000
    """Files of flat directories that are kept together for the next reader.

    They are nodes that a mount has for as long as the kernel remembers their inodes; else they take some 0.8 KB each.
    """

    names_batch: int = 512
    """Stored names that are read in one transaction for a flat directory."""

    rendered_bytes: int = 16 << 20
    """Rendered pages kept in memory: a full page of numpy has 1.6 MB, one of what a machine can use a fifth of that."""

    large_page_files: int = 500
    """A page of more files is rendered in a thread: 5,000 take 20 to 50 ms, in which no other request would be answered."""

    ahead_at_once: int = 4
    """Wheels that are fetched whole ahead of installers at once: one fills a line, and requests of theirs stay in front."""

    ahead_waiting: int = 256
    ahead_file_bytes: int = 128 << 20
    """A larger wheel is not fetched ahead: resolving takes a second, and a wrong one of these a minute."""

    ahead_bytes: int = 512 << 20
    """How much may be fetched ahead of one installer, at most: what a guess that is wrong may cost."""

    ended_s: float = 1.0
    """How often it is looked whether another program still has open what was to come ahead of an installer that has ended."""

    known_installers: int = 64
    installer_s: float = 60.0
    """A process that has opened nothing for this long may be another one by now."""

    repairs: int = 2
    """How often a read fetches a damaged file again before it fails; the second time is for a recipe that was only moved."""


VFS_LIMITS: Final = VfsLimits()
"""What a running wheelfs uses."""
