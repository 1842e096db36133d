"""The unpacked wheels of one process: those that are offered by name, and those in directories that the user has named."""

from __future__ import annotations

import logging
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, NamedTuple

from packaging.utils import canonicalize_name

from wheelfs.core.unpacked.candidates import same_wheel
from wheelfs.core.unpacked.distribution import SUFFIX
from wheelfs.errors import InvalidInput
from wheelfs.model.names import project_and_version
from wheelfs.service.unpacked.local_wheel import LocalWheel
from wheelfs.service.unpacked.places import in_source, marks_of
from wheelfs.service.unpacked.reading import read_distribution

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from wheelfs.model.content import ContentKey
    from wheelfs.service.file_refs import FileRef
    from wheelfs.service.unpacked.places import Unpacked

log = logging.getLogger(__name__)

LIST_AGAIN_S: Final = 30.0
"""An installer adds an entry for each wheel that it takes, and listing a cache of thousands takes seconds: what is missed is
fetched."""


class _Listing(NamedTuple):
    marks: object
    again_s: float
    by_project: dict[str, list[Unpacked]]


class UnpackedSources:
    """Says where a wheel is unpacked.  A directory is listed again when something was added to it, and some time has passed."""

    def __init__(self, directories: Sequence[Path] = (), *, clock_s: Callable[[], float] = time.monotonic) -> None:
        """``directories`` are caches of uv and environments."""
        self._directories = directories
        self._clock_s = clock_s
        self._offered: dict[ContentKey, LocalWheel] = {}
        self._listed: dict[Path, _Listing] = {}

    @property
    def is_any(self) -> bool:
        """Whether anything can be found at all."""
        return bool(self._directories or self._offered)

    @contextmanager
    def offering(self, ref: FileRef, wheel: LocalWheel) -> Iterator[None]:
        """Say for the duration of the block that ``ref`` is unpacked there."""
        self._offered[ref.key] = wheel
        try:
            yield
        finally:
            del self._offered[ref.key]

    def of(self, ref: FileRef) -> LocalWheel | None:
        """Return where a wheel is unpacked, None where it is nowhere.

        It reads directories, so call it in a thread; in one at a time, or all of them list the same ones.
        """
        if (offered := self._offered.get(ref.key)) is not None:
            return offered
        named = project_and_version(ref.filename)
        if named is None or not self._directories:
            return None
        for unpacked in self._named(named[0]):
            try:
                distribution = read_distribution(unpacked)
            except InvalidInput as error:
                log.debug("%s", error)
                continue
            if same_wheel(distribution.wheel, [ref.filename]) is not None:
                return LocalWheel(unpacked, distribution)
        return None

    def _named(self, project: str) -> Iterator[Unpacked]:
        for directory in self._directories:
            yield from self._list(directory).get(project, ())

    def _list(self, directory: Path) -> dict[str, list[Unpacked]]:
        kept = self._listed.get(directory)
        if kept is not None and self._clock_s() < kept.again_s:
            return kept.by_project
        marks = marks_of(directory)
        if kept is not None and kept.marks == marks:
            return kept.by_project
        by_project: dict[str, list[Unpacked]] = {}
        try:
            for unpacked in in_source(directory):
                name = unpacked.dist_info.removesuffix(SUFFIX).partition("-")[0]
                by_project.setdefault(canonicalize_name(name), []).append(unpacked)
        except InvalidInput as error:
            log.warning("%s", error)
        self._listed[directory] = _Listing(marks, self._clock_s() + LIST_AGAIN_S, by_project)
        return by_project
