"""What is asked for, read from words and files: requirements, requirements files with what they include, lock files."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from wheelfs.core.resolve.lock_files import read_lock
from wheelfs.core.resolve.requirements_txt import Ignored, Include, Prereleases, Problem, parse, requirement
from wheelfs.errors import InvalidInput
from wheelfs.model.wanted import Unfetchable, Wanted

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from wheelfs.core.platforms.targets import Target

MAX_FILE_BYTES: Final = 64 * 1024 * 1024
"""A lock of 1,000 packages takes about 5 MB."""
MAX_FILES: Final = 1_000
"""Requirements files that include each other."""
_SHOWN_PROBLEMS: Final = 20


@dataclass(slots=True)
class Wants:
    """All that is asked for, each thing once, and the options that had no effect.

    ``locked`` comes from lock files, which name dependencies themselves.  ``constraints`` say nothing of what is wanted: they
    are heeded in ``wanted`` already, and hold for its dependencies.
    """

    wanted: list[Wanted] = field(default_factory=list)
    locked: list[Wanted] = field(default_factory=list)
    constraints: list[Wanted] = field(default_factory=list)
    unfetchable: list[Unfetchable] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)


def read_wants(
    requirements: Sequence[str], files: Sequence[Path], locks: Sequence[Path], target: Target, *, prereleases: bool = False
) -> Wants:
    """Return what is asked for; raises `InvalidInput` with all problems of the words and requirements files."""
    reading = _Reading(target, prereleases=prereleases)
    for word in requirements:
        reading.take(requirement(word.strip(), target.environment), "the command line")
    for file in files:
        reading.file(file, constraints=False)
    for lock in locks:
        attempted = f"read {lock}"
        for entry in read_lock(attempted, _text(lock, attempted), target):
            reading.take_locked(entry)
    return reading.finish()


class _Reading:
    def __init__(self, target: Target, *, prereleases: bool) -> None:
        self._target = target
        self._prereleases = prereleases
        self._wants = Wants()
        self._seen: set[tuple[Path, bool]] = set()
        self._problems: list[str] = []

    def file(self, path: Path, *, constraints: bool) -> None:
        """Read a file and what it includes, each once: pip lets them include each other, too."""
        resolved = path.resolve()
        if (resolved, constraints) in self._seen:
            return
        self._seen.add((resolved, constraints))
        attempted = f"read {path}"
        if len(self._seen) > MAX_FILES:
            raise InvalidInput(attempted, f"more than {MAX_FILES} requirements files include each other")
        for entry in parse(_text(path, attempted), self._target.environment):
            if isinstance(entry, Include):
                if "://" in entry.path:
                    raise InvalidInput(attempted, f"it includes the URL {entry.path[:200]}", "get that first, and name the file")
                self.file(path.parent / entry.path, constraints=constraints or entry.constraints)
            else:
                self.take(entry, str(path), constraints=constraints)

    def take_locked(self, entry: Wanted | Unfetchable) -> None:
        if isinstance(entry, Wanted):
            self._wants.locked.append(entry)
        else:
            self._wants.unfetchable.append(entry)

    def take(
        self, entry: Wanted | Unfetchable | Prereleases | Ignored | Problem | None, where: str, *, constraints: bool = False
    ) -> None:
        match entry:
            case Wanted():
                (self._wants.constraints if constraints else self._wants.wanted).append(entry)
            case Prereleases():
                self._prereleases = True
            case Unfetchable() if not constraints:
                self._wants.unfetchable.append(entry)
            case Ignored(option):
                self._wants.ignored.append(option)
            case Problem(line, text, reason):
                self._problems.append(f"{where}, line {line}: {text[:200]}: {reason}")
            case _:
                pass

    def finish(self) -> Wants:
        if self._problems:
            more = len(self._problems) - _SHOWN_PROBLEMS
            shown = [*self._problems[:_SHOWN_PROBLEMS], *([f"and {more} more"] if more > 0 else [])]
            raise InvalidInput("read what to fetch", "; ".join(shown))
        self._wants.wanted = list(dict.fromkeys(self._constrained(one) for one in self._wants.wanted))
        self._wants.locked = list(dict.fromkeys(self._constrained(one) for one in self._wants.locked))
        self._wants.unfetchable = list(dict.fromkeys(self._wants.unfetchable))
        self._wants.ignored = list(dict.fromkeys(self._wants.ignored))
        return self._wants

    def _constrained(self, wanted: Wanted) -> Wanted:
        for other in self._wants.constraints:
            if other.project == wanted.project:
                wanted = replace(wanted, specifier=wanted.specifier & other.specifier, hashes=wanted.hashes | other.hashes)
        return replace(wanted, prereleases=self._prereleases)


def _text(path: Path, attempted: str) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
        if len(content) > MAX_FILE_BYTES:
            raise InvalidInput(attempted, f"it is larger than {MAX_FILE_BYTES} bytes")
        return content.decode("utf-8")
    except OSError as error:
        raise InvalidInput(attempted, error.strerror or str(error)) from None
    except UnicodeDecodeError:
        raise InvalidInput(attempted, "it is not UTF-8") from None
