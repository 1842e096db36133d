"""What a user wants to have here: a project, which versions of it, and which bytes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from packaging.specifiers import SpecifierSet

if TYPE_CHECKING:
    from wheelfs.model.names import Kind, ProjectName

WHEELS_AND_SDISTS: Final[frozenset[Kind]] = frozenset(("wheel", "sdist"))


@dataclass(frozen=True, slots=True)
class Synced:
    """What of a lock is wanted beside extras and groups that are named, each as the option of ``uv sync`` has it.

    ``packages`` are members of a workspace (none: its first project), ``no_groups`` are left out whatever else names them, and
    ``only_groups`` are taken without the project itself.
    """

    packages: tuple[str, ...] = ()
    all_packages: bool = False
    all_extras: bool = False
    all_groups: bool = False
    no_default_groups: bool = False
    no_groups: tuple[str, ...] = ()
    only_groups: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Chosen:
    """What of files that group requirements is wanted: ``groups`` are NAME, of pyproject.toml, or FILE:NAME.

    ``as_synced``: of a ``uv.lock`` no more than ``uv sync`` takes with these options; None: all of it.
    """

    groups: tuple[str, ...] = ()
    as_synced: Synced | None = None


@dataclass(frozen=True, slots=True)
class Wanted:
    """One file of a project.

    ``hashes`` are "ALGORITHM:HEX", any of which its file must have; none: any file will do.  ``filenames``: a lock's own choice,
    the best of which for the target it must be; none: any.  ``is_resolved``: uv has chosen the version.  ``extras`` matter only
    to what it depends on.  ``prereleases``: they are as good as other versions (None: only where a version asks for one, or there
    is nothing else; False: never).  ``kinds`` may be taken; ``prefers_wheels``: an older wheel goes before a newer sdist.
    ``places`` say where it was asked for, and compare as equal.
    """

    project: ProjectName
    specifier: SpecifierSet = field(default_factory=SpecifierSet)
    hashes: frozenset[str] = frozenset()
    extras: frozenset[str] = frozenset()
    prereleases: bool | None = None
    kinds: frozenset[Kind] = WHEELS_AND_SDISTS
    prefers_wheels: bool = False
    filenames: frozenset[str] = frozenset()
    is_resolved: bool = False
    places: tuple[str, ...] = field(default=(), compare=False)

    def __str__(self) -> str:
        extras = f"[{','.join(sorted(self.extras))}]" if self.extras else ""
        return f"{self.project}{extras}{self.specifier}"


@dataclass(frozen=True, slots=True)
class LocalPath:
    """A file or directory of the user's, as it was written in ``text``; ``path`` is relative to the working directory, or not.

    ``project`` is the one that is said to be there, where that is said.
    """

    text: str
    path: str
    project: ProjectName | None = None
    hashes: frozenset[str] = frozenset()
    extras: frozenset[str] = frozenset()
    is_editable: bool = False
    place: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Unfetchable:
    """Something that is wanted and cannot be had ahead, in the user's words, and why.

    ``is_own_tree``: it is the user's own directory, which needs no fetching to be installed.  ``project`` where it is known:
    what else asks for that project is answered by this one.  ``file`` is how a lock names the file that a user may have added all
    the same; without ``filenames`` there is none of its own, and a wheel of its version stands for it.
    """

    text: str
    reason: str
    is_own_tree: bool = False
    project: ProjectName | None = None
    place: str = field(default="", compare=False)
    file: Wanted | None = field(default=None, compare=False)
