"""Which files of a project are most likely to have bytes in common with another one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from wheelfs.model.names import project_and_version

if TYPE_CHECKING:
    from collections.abc import Iterable

OF_ITS_KIND: Final = 4
OF_OTHERS: Final = 4
"""The last versions share most with a new one, and wheels of one version for several platforms what is pure Python in them."""


def similar_files(filename: str, others: Iterable[str]) -> list[str]:
    """Return those of ``others``, files of the same project, that are worth a look.

    These are a few of the nearest versions, first those for the same machines.
    """
    version = project_and_version(filename)
    known = [(found[1], other) for other in others if other != filename and (found := project_and_version(other)) is not None]
    if version is None:
        return []
    # Rank by rank away from its own version, older ones first: 1.2 is nearer to 1.3 than to 2.0 whatever the numbers are.
    older = sorted((one for one in known if one[0] <= version[1]), reverse=True)
    newer = sorted(one for one in known if one[0] > version[1])
    ranked = sorted([*enumerate(older), *((rank + 1, one) for rank, one in enumerate(newer))], key=lambda one: one[0])
    ordered = [other for _, (_, other) in ranked]
    kind = _kind(filename)
    return [
        *[other for other in ordered if _kind(other) == kind][:OF_ITS_KIND],
        *[other for other in ordered if _kind(other) != kind][:OF_OTHERS],
    ]


def _kind(filename: str) -> str:
    """Return what says for which machines a wheel is (``cp311-cp311-linux_x86_64.whl``); of an sdist, its suffix."""
    return "-".join(filename.split("-")[-3:]) if filename.endswith(".whl") else filename.rpartition(".")[2]
