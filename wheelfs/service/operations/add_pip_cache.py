"""``wheelfs add --pip-cache``: taking in the wheels that pip has kept of what it fetched.

pip's cache (since 23.3) has each answer's body as it came, under a hash of its URL: no name and no address is left.  A body is
taken when an index lists its sha256, under the name and the index that it has there.  What no index lists is refused: as a
private file it would own its project's name, which the user has not asked for.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Final

import trio

from wheelfs.core.projects.index_scopes import IndexScopes
from wheelfs.core.projects.ownership import Undecided
from wheelfs.core.wheel.identity import filename_of
from wheelfs.core.wheel.zip_layout import NotAZip
from wheelfs.errors import InvalidInput
from wheelfs.model.names import WheelName
from wheelfs.reports.files import AddedFile
from wheelfs.service.operations.add import add_one
from wheelfs.service.operations.add_checks import Source
from wheelfs.service.operations.index_match import listed_name

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from wheelfs.reports.progress import Progress
    from wheelfs.service.running import Running
    from wheelfs.store.store import Store

AT_ONCE: Final = 8
"""Bodies at work at a time; most of them wait for an index."""
HASHING_THREADS: Final = 2
_HASHED_AT_ONCE_BYTES: Final = 1 << 20


def bodies(directory: Path) -> list[Path]:
    """Return the bodies of the answers in a cache of pip, in order; raises `InvalidInput` when it is not one."""
    answers = directory / "http-v2"
    try:
        is_there = answers.is_dir()
    except OSError as error:
        raise InvalidInput(f"add pip's cache {directory}", error.strerror or str(error), "check its permissions") from None
    if not is_there:
        advice = "name the directory that `pip cache dir` prints; pip before 23.3 had another cache"
        raise InvalidInput(f"add pip's cache {directory}", "there is no directory http-v2 in it", advice)
    return sorted(answers.glob("?/?/?/?/?/*.body"))


@dataclass(slots=True)
class Taking:
    """One run; ``report`` is called for every wheel."""

    node: Running
    store: Store
    private: bool
    report: Callable[[AddedFile], None]
    progress: Progress
    _others: int = 0
    _turns: trio.Semaphore = field(default_factory=lambda: trio.Semaphore(AT_ONCE))
    _threads: trio.CapacityLimiter = field(default_factory=lambda: trio.CapacityLimiter(HASHING_THREADS))

    async def run(self, bodies: Sequence[Path]) -> int:
        """Store all wheels and return how many bodies are something else.  Raises `StoreError`."""
        async with trio.open_nursery() as nursery:
            for path in bodies:
                await self._turns.acquire()
                nursery.start_soon(self._take, path)
        return self._others

    async def _take(self, path: Path) -> None:
        try:
            found = await trio.to_thread.run_sync(_identify, path, limiter=self._threads)
            if found is None:
                self._others += 1
                return
            wheel, sha256 = found
            stored = self.store.catalog.content(sha256)
            known = self.store.catalog.names_of(sha256) if stored is not None and stored.poisoned is None else []
            if known:
                self.report(
                    AddedFile(
                        filename=known[0].filename,
                        project=known[0].project,
                        version=str(wheel.version),
                        sha256=sha256.hex(),
                        size_bytes=known[0].size_bytes,
                        result="present",
                    )
                )
                return
            ownership = await self.node.projects.find(wheel.project)  # also keeps the page that is looked at below
            listed = listed_name(self.store, self.node.projects.scopes, wheel.project, sha256, filename=None)
            if listed is None and not self.private:
                self.report(_unlisted(wheel, sha256, ownership.error if isinstance(ownership, Undecided) else None))
                return
            source = Source(path, wheel.filename if listed is None else listed.filename, str(path))
            scopes = IndexScopes({} if listed is None else {listed.index: ()})
            add = partial(add_one, self.store, source, index=None, scopes=scopes, progress=self.progress)
            self.report(await trio.to_thread.run_sync(add, limiter=self._threads))
        finally:
            self._turns.release()


def _unlisted(wheel: WheelName, sha256: bytes, obstacle: Exception | None) -> AddedFile:
    reason = (
        "not listed by any configured index" if obstacle is None else f"it cannot be found out which index lists it: {obstacle}"
    )
    return AddedFile(
        filename=wheel.filename,
        project=wheel.project,
        version=str(wheel.version),
        sha256=sha256.hex(),
        result="refused",
        reason=f"{reason} (--private takes it as a file added by hand, which then owns its project's name)",
        error_class="InvalidInput" if obstacle is None else type(obstacle).__name__,
    )


def _identify(path: Path) -> tuple[WheelName, bytes] | None:
    """Return which wheel a body is and its sha256, or None for anything else: a page, an sdist, half a file, one that is gone."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        return None
    try:
        size_bytes = os.fstat(descriptor).st_size
        wheel = WheelName(filename_of(lambda offset, size: os.pread(descriptor, size, offset), size_bytes))
        digest = hashlib.sha256()
        for offset in range(0, size_bytes, _HASHED_AT_ONCE_BYTES):
            digest.update(os.pread(descriptor, _HASHED_AT_ONCE_BYTES, offset))
        return wheel, digest.digest()
    except (NotAZip, InvalidInput, OSError):
        return None
    finally:
        os.close(descriptor)
