"""What chosen files need besides themselves: a copy of them installs without an index only with that."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Generic, Protocol, TypeVar

from wheelfs.model.names import project_and_version

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from wheelfs.model.wanted import Wanted

MAX_LOOKED_AT: Final = 100_000
"""Files and extras whose requirements are read: what a share or an index holds may need ever more."""


class NamedFile(Protocol):
    """A file of a project."""

    @property
    def project(self) -> str: ...

    @property
    def filename(self) -> str: ...


F = TypeVar("F", bound=NamedFile)


@dataclass(frozen=True, slots=True)
class Needed(Generic[F]):
    """Something that is needed and not chosen; ``by`` is the project that asks for it, ``files`` fit and are at hand, if any."""

    wanted: Wanted
    by: str
    files: tuple[F, ...]


def needed(
    chosen: Iterable[F],
    at_hand: Callable[[str], Iterable[F]],
    requirements_of: Callable[[F, frozenset[str]], Iterable[Wanted]],
    *,
    is_there: Callable[[Wanted], bool] = lambda _: False,
) -> list[Needed[F]]:
    """Return what ``chosen`` need, and what that needs in its turn, without what they are themselves; the nearest first.

    ``at_hand`` returns files of a project among which those that fit are taken, all of them: which version an installer will
    choose, and for which machine, is not known.  ``requirements_of`` returns what a file needs when extras of it are wanted.
    ``is_there`` says what need not be taken.
    """
    own: dict[str, list[F]] = {}
    for file in chosen:
        own.setdefault(file.project, []).append(file)
    queue: deque[tuple[F, frozenset[str]]] = deque((file, frozenset()) for files in own.values() for file in files)
    looked_at = {(file.filename, extras) for file, extras in queue}
    found: dict[str, Needed[F]] = {}
    while queue and len(looked_at) < MAX_LOOKED_AT:
        file, extras = queue.popleft()
        for wanted in requirements_of(file, extras):
            files = tuple(one for one in own.get(wanted.project, ()) if fits(wanted, one.filename))
            if not files and not is_there(wanted):
                files = tuple(one for one in at_hand(wanted.project) if fits(wanted, one.filename))
                found.setdefault(str(wanted), Needed(wanted, file.project, files))
            for one in files:
                if (one.filename, wanted.extras) not in looked_at:
                    looked_at.add((one.filename, wanted.extras))
                    queue.append((one, wanted.extras))
    return list(found.values())


def fits(wanted: Wanted, filename: str) -> bool:
    """Return whether a file's version is one that is wanted; pre-releases are, since they are what is at hand."""
    named = project_and_version(filename, wanted.project)
    return named is not None and wanted.specifier.contains(named[1], prereleases=True)
