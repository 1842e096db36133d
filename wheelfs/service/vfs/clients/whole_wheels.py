"""Whole wheels that are fetched while an installer still resolves, when its line would be idle.

What is fetched is what it has opened itself.  An installer that opens a second version of a project is looking for one that
fits: of that project nothing more is fetched ahead of it.  A resolver that installs nothing pays for none of this.  Ahead of an
installer that has ended, killed or not, nothing more comes, unless another program has the file open or a reader waited for it.
"""

from __future__ import annotations

import logging
import os
from collections import deque
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import trio

from wheelfs.core.bounded_cache import BoundedCache
from wheelfs.core.fetch import plan
from wheelfs.core.fetch.purpose import Purpose
from wheelfs.errors import ContentMismatch, WheelfsError
from wheelfs.service.tasks import failure

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wheelfs.model.names import ProjectName
    from wheelfs.service.fetch.download import Download
    from wheelfs.service.fetch.pool import DownloadPool
    from wheelfs.service.file_refs import FileRef
    from wheelfs.service.projects.projects import Projects
    from wheelfs.service.vfs.limits import VfsLimits

log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Installer:
    """A process that installs: the projects of which it has opened a file, and how many bytes may still come ahead of it."""

    left_bytes: int
    used_s: float
    seen: set[ProjectName] = field(default_factory=set)


class WholeWheels:
    """What one process of ours fetches ahead of installers."""

    def __init__(self, projects: Projects, downloads: DownloadPool, *, enabled: bool, limits: VfsLimits) -> None:
        """``enabled``: `[network] look-ahead`."""
        self._projects = projects
        self._downloads = downloads
        self._enabled = enabled
        self._limits = limits
        self._installers: BoundedCache[int, _Installer] = BoundedCache(limits.known_installers)
        self._waiting: deque[tuple[FileRef, int]] = deque()
        self._at_work = 0

    @property
    def is_idle(self) -> bool:
        """Whether nothing is being fetched ahead."""
        return not self._at_work and not self._waiting

    def opened(self, pid: int, ref: FileRef) -> None:
        """Fetch a wheel whole, if it is the first of its project that the installer has looked at."""
        size_bytes = self._downloads.context.facts.size_of(ref)
        if not self._enabled or ref.kind != "wheel" or size_bytes is None:
            return
        installer = self._installer(pid)
        if ref.project in installer.seen or len(self._waiting) >= self._limits.ahead_waiting:
            return
        installer.seen.add(ref.project)
        if plan.at_once_bytes(Purpose.INSTALLING) < size_bytes <= min(installer.left_bytes, self._limits.ahead_file_bytes):
            installer.left_bytes -= size_bytes
            self._waiting.append((ref, pid))
            if self._at_work < self._limits.ahead_at_once:
                self._at_work += 1
                self._downloads.context.nursery.start_soon(self._work)

    def _installer(self, pid: int) -> _Installer:
        now_s = trio.current_time()
        known = self._installers.get(pid)
        if known is None or now_s - known.used_s > self._limits.installer_s:  # numbers of processes are used again
            known = _Installer(self._limits.ahead_bytes, now_s)
            self._installers.put(pid, known)
        known.used_s = now_s
        return known

    async def _work(self) -> None:
        try:
            while self._waiting:
                ref, pid = self._waiting.popleft()
                try:
                    if self._projects.sealed(ref) is None:  # its reader may have been sooner
                        with suppress(ProcessLookupError), _watched(pid) as process:
                            await self._fetch(ref, process)
                except Exception as error:  # a task that fails here would end the mount
                    log.warning("%s", failure(f"fetch {ref.filename} ahead of an installer", error))
        finally:
            self._at_work -= 1

    async def _fetch(self, ref: FileRef, process: int | None) -> None:
        try:
            with self._downloads.using(ref) as download:
                async with trio.open_nursery() as nursery:
                    if process is not None:
                        nursery.start_soon(self._give_up_at_its_end, process, download)
                    try:
                        await download.until_sealed()
                    except WheelfsError as error:
                        log.debug("not fetched ahead: %s", error)  # who reads it is told
                    nursery.cancel_scope.cancel()
        except ContentMismatch as error:
            log.debug("not fetched ahead: %s", error)

    async def _give_up_at_its_end(self, process: int, download: Download) -> None:
        await trio.lowlevel.wait_readable(process)
        # The kernel closes its files in its own time, and another program that has this one open may end, too.
        while not self._downloads.give_up(download):  # noqa: ASYNC110 - neither is told
            await trio.sleep(self._limits.ended_s)


@contextmanager
def _watched(pid: int) -> Iterator[int | None]:
    """Lend a descriptor that is readable once the process has ended; None where the kernel gives none.

    Raises `ProcessLookupError` when it has ended.
    """
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        raise
    except OSError as error:
        log.debug("it is not known when process %d ends: %s", pid, error)
        yield None
        return
    try:
        yield descriptor
    finally:
        os.close(descriptor)
