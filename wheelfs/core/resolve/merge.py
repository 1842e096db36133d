"""Several requirements of one project are one requirement, wherever they stand: what installers make of a set of files."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from packaging.specifiers import SpecifierSet

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from wheelfs.model.wanted import Wanted


def as_one(wanted: Sequence[Wanted], constraints: Iterable[Wanted] = ()) -> list[Wanted]:
    """Return one requirement for each project of ``wanted``, in the order in which they are first named.

    Versions must satisfy all of them and all ``constraints``; extras add up; hashes must be among those of each that has some.
    What else is said of a file (kinds, filenames) is that of the first.
    """
    found: dict[str, Wanted] = {}
    for one in wanted:
        found[one.project] = narrowed(found[one.project], one) if one.project in found else one
    for other in constraints:
        if other.project in found:
            found[other.project] = narrowed(found[other.project], replace(other, extras=frozenset()))
    return list(found.values())


def narrowed(wanted: Wanted, other: Wanted) -> Wanted:
    """Return what both ask for; where their hashes exclude each other no file has them, and a hash that none has is left."""
    hashes = wanted.hashes or other.hashes
    if wanted.hashes and other.hashes:
        hashes = wanted.hashes & other.hashes or frozenset({"sha256:"})
    return replace(
        wanted,
        specifier=_both(wanted.specifier, other.specifier),
        hashes=hashes,
        extras=wanted.extras | other.extras,
        places=tuple(dict.fromkeys((*wanted.places, *other.places))),
    )


def _both(one: SpecifierSet, other: SpecifierSet) -> SpecifierSet:
    # Not `&`: a set keeps what it once said of pre-releases, and of two that say different things the operator makes an error.
    return SpecifierSet(",".join(sorted({str(single) for single in (*one, *other)})))
