"""The application as the command line sees it, for tests without a store."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from wheelfs.config import IndexSetting
from wheelfs.reports.mounts import MountReady
from wheelfs.reports.status import Counters, MountInfo, OriginState, Status

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from wheelfs.reports.files import AddedFile, ListedFile, ShownFile, ShownProject


@dataclass
class Result:
    code: int
    out: str
    err: str

    @property
    def objects(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines()]


@dataclass
class FakeApp:
    """Answers in the place of wheelfs.app and remembers what it was asked."""

    added: list[AddedFile] = field(default_factory=list)
    listed: list[ListedFile] = field(default_factory=list)
    shown: ShownFile | ShownProject | None = None
    failure: BaseException | None = None
    asked: dict[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def _note(self, **what: Any) -> None:
        self.asked.update(what)
        if self.failure is not None:
            raise self.failure

    def add(self, settings: Any, sources: Any, *, index: str | None, progress: Any) -> Iterator[AddedFile]:
        self._note(settings=settings, sources=sources, index=index)
        for file in self.added:
            progress.begin(file.filename, file.size_bytes)
            progress.advance(file.filename, 1)
            progress.end(file.filename)
            yield file

    def list_files(self, settings: Any, *, patterns: Any) -> Iterator[ListedFile]:
        self._note(settings=settings, patterns=patterns)
        return iter(self.listed)

    def show(self, settings: Any, name: str) -> Any:
        self._note(settings=settings, name=name)
        return self.shown

    def status(self, settings: Any) -> Status:
        self._note(settings=settings)
        return Status(
            version="9",
            store="/s",
            mounts=(MountInfo(path="/mnt/wheels", pid=7, since="2026-01-01T00:00:00Z"),),
            origins=(
                OriginState(
                    name="lab",
                    url="https://me:pw@lab.example/",
                    state="down",
                    since="2026-01-01T00:00:00Z",
                    last_error="refused\n",
                ),
            ),
            counters=Counters(requests=3, fetched_bytes=2048, errors=1, errors_by={"open ENETUNREACH": 1}),
            silent=(8,),
        )

    def effective_indexes(self, settings: Any) -> list[tuple[IndexSetting, str]]:
        return [(IndexSetting("lab", "https://me:hunter2@lab.example/simple"), "pip's configuration")]

    def index_notes(self, settings: Any, places: Any = None) -> tuple[str, ...]:
        self.asked.update(places=places)
        return self.notes

    def run_mount(
        self,
        settings: Any,
        mountpoint: Path,
        options: Any,
        *,
        ready: Callable[[MountReady], None],
        tell: Callable[[str], None],
        **_: Any,
    ) -> None:
        self._note(settings=settings, mountpoint=mountpoint, options=options)
        for note in self.notes:
            tell(note)
        ready(MountReady(path=str(mountpoint), pid=1, store="/s"))
