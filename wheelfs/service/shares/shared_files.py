"""The files of a share that a user means."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wheelfs.service.selection import select

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wheelfs.model.shared import SharedFile


def select_shared(files: Sequence[SharedFile], attempted: str, words: Sequence[str], url: str) -> list[SharedFile]:
    """Return those of a share's files that are named; raises `InvalidInput` and `NotKnown`, and selects nothing then."""
    by_project: dict[str, list[SharedFile]] = {}
    for file in files:
        by_project.setdefault(file.project, []).append(file)
    return select(
        attempted,
        words,
        lambda name: by_project.get(name.project, []),
        happened=f"no file of the share {url} matches",
        advice="wheelfs pull without names lists all of them",
    )
