"""What a mistyped word was probably meant to be."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return ``, did you mean X?`` or nothing."""
    near = get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f", did you mean {near[0]!r}?" if near else ""


def unknown_key(key: str, known: Iterable[str]) -> str:
    """Return the sentence for a key that no option has."""
    return f"unknown key {key[:80]!r}{did_you_mean(key, known)}"


def mistyped_variable(name: str, known: Iterable[str]) -> str:
    """Return the sentence for a ``WHEELFS_`` variable that no option has, or nothing: other programs use that prefix, too.

    A container's image says WHEELFS_VERSION and a cluster WHEELFS_PORT, so only a name very similar to one of ours is a mistake,
    and none that Kubernetes gives for a service, as WHEELFS_SHARE_PORT for wheelfs-share.
    """
    if name.endswith("_PORT"):
        return ""
    prefix, _, rest = name.partition("_")
    near = get_close_matches(rest, [variable.removeprefix(f"{prefix}_") for variable in known], n=1, cutoff=0.75)
    return f"no option has this variable, did you mean {prefix}_{near[0]}?" if near else ""
