"""Hashes by which an index vouches for a file, or that are asked for: which can be checked here, and whether a file has them.

Any algorithm of hashlib with a digest of fixed length can be checked.  A hash of another algorithm that an index gives is kept
and passed on.  Of what an index gives, all has to be right; of what is asked for ("ALGORITHM:HEX", as in requirements files and
locks, which may name the hashes of several files), one.
"""

from __future__ import annotations

import hashlib
import re
from functools import cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

_WEAK: Final = frozenset({"md5", "sha1"})
"""Collisions of these can be made.  Beside a stronger hash that is right they decide nothing: some servers compute them wrong."""
_SIZED_BLAKE: Final = re.compile(r"(blake2[bs])_(\d{1,3})\Z")
_HEX: Final = re.compile(r"[0-9a-f]+\Z")


@cache
def digest_bytes(algorithm: str) -> int | None:
    """Return the length of the algorithm's digests; None when it cannot be checked here."""
    try:
        return new(algorithm).digest_size or None
    except ValueError:
        return None


def new(algorithm: str) -> hashlib._Hash:
    """Return a new hash object; raises `ValueError` for an algorithm that is not known here.

    ``blake2b_256`` is BLAKE2b with a digest of 256 bits, as PyPI calls it; ``blake2b`` alone has 512.
    """
    sized = _SIZED_BLAKE.match(algorithm)
    if sized is None:
        return hashlib.new(algorithm, usedforsecurity=False)
    blake = hashlib.blake2b if sized[1] == "blake2b" else hashlib.blake2s
    return blake(digest_size=int(sized[2]) // 8)  # type: ignore[return-value]  # the stubs know no common type


def checkable(told: Mapping[str, str] | None) -> dict[str, str]:
    """Return those of the hashes (hexadecimal by algorithm) whose algorithm is known here."""
    return {} if not told else {name: value for name, value in told.items() if digest_bytes(name) is not None}


def are_all_checkable(told: Mapping[str, str] | None) -> bool:
    """Return whether nothing stands among the hashes that would have to be believed unchecked."""
    return not told or len(checkable(told)) == len(told)


def impossible(told: Mapping[str, str] | None) -> str | None:
    """Return why no file can have these hashes, as a phrase; None when one may."""
    for name, value in checkable(told).items():
        if not is_possible(name, value):
            return f"its index gives {value[:80]!r} as its {name}, which no file can have"
    return None


def asked_for(text: str) -> str:
    """Return a hash that is asked for as "ALGORITHM:HEX" in lower case; raises `ValueError` when no file can have it.

    What uv calls ``blake2b`` has 256 bits.
    """
    algorithm, _, value = text.lower().partition(":")
    if not algorithm or not value:
        raise ValueError(f"{text[:80]!r} is no hash such as sha256:HEX")
    if algorithm == "blake2b" and len(value) == 64:
        algorithm = "blake2b_256"
    length = digest_bytes(algorithm)
    if length is not None and not is_possible(algorithm, value):
        raise ValueError(f"{value[:80]!r} is no {algorithm}, which has {2 * length} hexadecimal digits")
    return f"{algorithm}:{value}"


def is_possible(algorithm: str, value: str) -> bool:
    """Return whether the value can be a digest of the algorithm, as far as that is known here."""
    length = digest_bytes(algorithm)
    return length is None or (len(value) == 2 * length and _HEX.match(value) is not None)


def unchecked(told: Mapping[str, str] | None, got: Mapping[str, str] | None) -> frozenset[str]:
    """Return the algorithms of ``told`` that can be checked and are not among the digests ``got``."""
    return frozenset(checkable(told).keys() - (got or {}).keys())


def contradiction(told: Mapping[str, str] | None, got: Mapping[str, str], *, is_vouched: bool = False) -> str | None:
    """Return how the digests ``got`` contradict what was told, as a phrase; None when they do not.

    ``is_vouched``: a sha256 was compared besides.  A weak hash decides only where there is no other.
    """
    compared = {name: value == got[name] for name, value in checkable(told).items() if name in got}
    vouched = is_vouched or any(right for name, right in compared.items() if name not in _WEAK)
    for name, right in sorted(compared.items()):
        if not right and not (vouched and name in _WEAK):
            return f"its {name} is {got[name]}, expected {(told or {})[name]}"
    return None


def algorithms_of(asked: Iterable[str]) -> frozenset[str]:
    """Return the algorithms of hashes that are asked for, as far as they are known here."""
    return frozenset(name for name in _names(asked) if digest_bytes(name) is not None)


def has_one_of(asked: frozenset[str], told: Mapping[str, str]) -> bool | None:
    """Return whether a file of which these digests are told has one of the hashes that are asked for.

    None when nothing is asked for, and when it is open: of another algorithm than those that are told.
    """
    if not asked:
        return None
    if not asked.isdisjoint(f"{name}:{value}".lower() for name, value in told.items()):
        return True
    return False if _names(asked) <= told.keys() else None


def unasked(asked: frozenset[str], got: Mapping[str, str]) -> str | None:
    """Return how a file with the digests ``got`` has none of the hashes that are asked for, as a phrase; None when it has.

    ``got`` has its sha256, and its digests of all `algorithms_of` what is asked for.
    """
    if not asked or has_one_of(asked, got):
        return None
    compared = sorted(_names(asked) & got.keys()) or ["sha256"]
    return f"{' and '.join(f'its {name} is {got[name]}' for name in compared)}, which was not asked for"


def _names(asked: Iterable[str]) -> frozenset[str]:
    return frozenset(one.partition(":")[0] for one in asked)


def digests_of(pieces: Iterable[bytes | memoryview], algorithms: Iterable[str]) -> dict[str, str]:
    """Return the digests, in hexadecimal by algorithm, of a file that comes in pieces."""
    hashers = {name: new(name) for name in algorithms}
    for piece in pieces:
        for hasher in hashers.values():
            hasher.update(piece)
    return {name: hasher.hexdigest() for name, hasher in hashers.items()}


def pieces(read: Callable[[int, int], bytes | memoryview], size_bytes: int, *, piece_bytes: int) -> Iterable[bytes | memoryview]:
    """Yield what ``read(offset, size)`` gives of a file, in order."""
    for offset in range(0, size_bytes, piece_bytes):
        yield read(offset, min(piece_bytes, size_bytes - offset))
