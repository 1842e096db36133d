"""How much of environments is in memory; every number with its reason."""

from __future__ import annotations

from typing import Final

import msgspec


class EnvironmentTreeLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Bounds of `wheelfs.service.vfs.environments`."""

    trees: int = 16
    """Trees that are in memory without being in use, each a few hundred bytes a file."""

    inflated_bytes: int = 64 << 20
    """Members that stay inflated in memory: what several processes open at the same time; later the kernel has them cached."""

    in_memory_bytes: int = 4 << 20
    """Larger members are inflated into an unnamed file on the store's disk instead."""

    inflating: int = 4
    """Large members that are inflated at a time."""

    piece_bytes: int = 1 << 20
    """What is read of a wheel and inflated at a time."""

    inline_bytes: int = 32 << 10
    """Up to this size a member is inflated without changing threads, which would cost more."""

    verified: int = 200_000
    """Members that are known to be right, so that opening them again reads nothing: a hundred bytes each."""

    label_ttl_s: float = 1.0
    """For the kernel to believe that there is no environment of a name."""

    absent_ttl_s: float = 86_400.0
    """For the kernel to believe that an environment lacks a name, which it then never gets: imports look up more of these than of
    all others."""


ENVIRONMENT_TREE_LIMITS: Final = EnvironmentTreeLimits()
"""What a running wheelfs uses."""
