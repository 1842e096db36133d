"""Comparing what is here with the hashes that were asked for, of whatever algorithm: an index need not tell any of them."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

import trio

from wheelfs.errors import ContentMismatch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from wheelfs.store.store import Store

_AT_ONCE_BYTES: Final = 1 << 20


async def check_stored(store: Store, sha256: bytes, hashes: frozenset[str], *, filename: str) -> None:
    """Raise `ContentMismatch` when stored content has none of ``hashes`` ("ALGORITHM:HEX"; none: nothing is compared).

    It is read only when its sha256 does not answer.
    """
    if not hashes or f"sha256:{sha256.hex()}" in hashes:
        return

    def digests() -> dict[str, str]:
        with store.reading(sha256) as sealed:
            return digests_of(lambda offset: bytes(sealed.read(offset, _AT_ONCE_BYTES)), sealed.size, _others(hashes))

    told = {"sha256": sha256.hex(), **(await trio.to_thread.run_sync(digests) if _others(hashes) else {})}
    check(told, hashes, filename=filename)


def check(told: dict[str, str], hashes: frozenset[str], *, filename: str) -> None:
    """Raise `ContentMismatch` when none of ``hashes`` is among ``told``, digests by algorithm."""
    if hashes and hashes.isdisjoint(f"{algorithm}:{digest}" for algorithm, digest in told.items()):
        asked = sorted({one.partition(":")[0] for one in hashes} & told.keys()) or ["sha256"]
        has = " and ".join(f"its {algorithm} is {told[algorithm]}" for algorithm in asked)
        raise ContentMismatch(f"fetch {filename}", f"{has}, which was not asked for")


def digests_of(read: Callable[[int], bytes], size_bytes: int, algorithms: Iterable[str]) -> dict[str, str]:
    """Return the digests of what ``read`` gives from an offset on, in pieces."""
    hashers = {algorithm: hashlib.new(algorithm) for algorithm in algorithms}
    offset = 0
    while offset < size_bytes:
        piece = read(offset)
        if not piece:
            break
        for hasher in hashers.values():
            hasher.update(piece)
        offset += len(piece)
    # A function of any length of output (shake) has no digest that a file could be known by.
    return {algorithm: hasher.hexdigest() for algorithm, hasher in hashers.items() if hasher.digest_size}


def _others(hashes: frozenset[str]) -> set[str]:
    return ({one.partition(":")[0] for one in hashes} & hashlib.algorithms_available) - {"sha256"}
