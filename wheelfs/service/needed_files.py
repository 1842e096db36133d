"""The stored files that other stored files need, for copies that install without an index."""

from __future__ import annotations

from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING

from packaging.markers import default_environment

from wheelfs.core.platforms.targets import of_release
from wheelfs.core.resolve.closure import fits, needed
from wheelfs.core.resolve.dependencies import python_of, requirements
from wheelfs.errors import NotKnown, StoreDamaged
from wheelfs.model.content import key_of_sha256
from wheelfs.model.names import kind_of
from wheelfs.reports.left_out import LeftOut

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from wheelfs.core.resolve.closure import F, Needed
    from wheelfs.model.wanted import Wanted
    from wheelfs.store.catalog.records import StoredName
    from wheelfs.store.store import Store


def requirements_of_stored(store: Store, filename: str, sha256: bytes, extras: Iterable[str]) -> list[Wanted]:
    """Return what a stored wheel needs, on this kind of machine and the Python that the wheel is for; nothing of other files."""
    metadata = None
    if kind_of(filename) == "wheel":
        with suppress(NotKnown, StoreDamaged):  # then what it needs is not known
            metadata = store.catalog.metadata(key_of_sha256(sha256)) or store.metadata_of_stored(sha256)
    if metadata is None:
        return []
    environment = of_release({key: str(value) for key, value in default_environment().items()})
    python = python_of(filename)
    if python is not None:
        environment |= {"python_version": python, "python_full_version": f"{python}.0"}
    return requirements(metadata, environment, extras)


def needed_of_stored(
    store: Store, chosen: Iterable[StoredName], there: Callable[[str], Iterable[str]]
) -> list[Needed[StoredName]]:
    """Return what stored files need besides themselves; ``there`` returns the filenames of a project at the destination."""
    names_there = cache(lambda project: tuple(there(project)))
    return needed(
        chosen,
        store.catalog.stored_names,
        lambda name, extras: requirements_of_stored(store, name.filename, name.sha256, extras),
        is_there=lambda wanted: any(fits(wanted, filename) for filename in names_there(wanted.project)),
    )


def left_out(
    found: Sequence[Needed[F]], is_taken: Callable[[F], bool], *, is_withheld: Callable[[F], bool] = lambda _: False
) -> list[LeftOut]:
    """Return the reports of what is needed and of which no file is taken along; one for each project.

    ``is_withheld`` says of files that could be taken why they are not: they are private.
    """
    reports: dict[str, LeftOut] = {}
    for one in found:
        if not any(map(is_taken, one.files)):
            report = LeftOut(
                project=one.wanted.project,
                requirement=str(one.wanted),
                needed_by=one.by,
                at_hand=bool(one.files),
                private=bool(one.files) and all(map(is_withheld, one.files)),
            )
            reports.setdefault(report.project, report)
    return list(reports.values())
