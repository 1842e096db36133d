"""An index without a network: files and pages in memory, and a script of what goes wrong."""

from __future__ import annotations

import hashlib
from collections import Counter, deque
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import trio

from tests.fakes.compositions import composition_of
from wheelfs.core.http.ranges import bounds_of
from wheelfs.errors import ContentChanged, OriginFault, OriginMissing
from wheelfs.model.links import FileLink, ProjectPage, Validators
from wheelfs.model.shared import FeedPage
from wheelfs.remote.origin import FileHead, PageAbsent, PageFound, RangeReply
from wheelfs.remote.share.verified_origin import VerifiedOrigin

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable

    from wheelfs.core.fetch.composition import Composition
    from wheelfs.core.http.ranges import ByteRequest
    from wheelfs.model.names import ProjectName
    from wheelfs.model.shared import SharedFile
    from wheelfs.remote.origin import PageOutcome

PIECE_BYTES = 16 * 1024


class Pause(Protocol):
    """A `trio.Event`, or what waits like one."""

    async def wait(self) -> None: ...


@dataclass(frozen=True)
class Trouble:
    """What happens to one answer: after ``after_bytes`` it raises ``error``, or stalls without end where that is None.

    ``content`` is sent in place of the file; ``ignores_range``: all of the file comes, whatever was asked for; ``at_most_bytes``:
    only the beginning of what was asked for comes, as a true answer.
    """

    after_bytes: int | None = None
    error: Exception | None = None
    content: bytes | None = None
    ignores_range: bool = False
    tells_size: bool = True
    at_most_bytes: int | None = None


@dataclass
class MemoryOrigin:
    """Serves ``files`` by filename; ``troubles`` are used up by range requests in order, ``page_troubles`` by page requests."""

    name: str = "corp"
    url: str = "https://corp.index.example/simple"
    files: dict[str, bytes] = field(default_factory=dict)
    pages: dict[str, ProjectPage] = field(default_factory=dict)
    troubles: deque[Trouble | None] = field(default_factory=deque)
    page_troubles: deque[Exception] = field(default_factory=deque)
    metadata: dict[str, bytes] = field(default_factory=dict)
    etags: bool = True
    max_age_s: float | None = None
    requests: Counter[str] = field(default_factory=Counter)
    asked: list[ByteRequest] = field(default_factory=list)
    sent_bytes: Counter[str] = field(default_factory=Counter)
    open_answers: int = 0
    fate: Callable[[], Trouble | None] | None = None
    gate: trio.Event | None = None
    """When set to an event, answers wait for it before their first byte."""
    pause: Pause | None = None
    """When set to an event, answers that begin now wait for it after their first piece."""

    def add(
        self,
        project: str,
        filename: str,
        content: bytes,
        *,
        hashed: bool = True,
        sized: bool = True,
        metadata: bytes | None = None,
    ) -> FileLink:
        """Add a file and list it on its project's page; ``metadata`` is offered beside it."""
        self.files[filename] = content
        if metadata is not None:
            self.metadata[f"{filename}.metadata"] = metadata
        link = FileLink(
            filename,
            f"https://files.{self.name}.example/{filename}",
            sha256=hashlib.sha256(content).digest() if hashed else None,
            size_bytes=len(content) if sized else None,
            has_metadata=metadata is not None,
        )
        before = self.pages.get(project)
        others = () if before is None else tuple(one for one in before.files if one.filename != filename)
        self.pages[project] = ProjectPage(project, (*others, link))
        return link

    async def project_page(self, project: ProjectName, *, validators: Validators | None = None) -> PageOutcome:
        self.requests["page"] += 1
        await trio.lowlevel.checkpoint()
        if self.page_troubles:
            raise self.page_troubles.popleft()
        page = self.pages.get(project)
        return PageAbsent() if page is None else PageFound(page, Validators(), self.max_age_s)

    @asynccontextmanager
    async def open_range(
        self, url: str, wanted: ByteRequest, *, validator: str | None = None, fresh: bool = False
    ) -> AsyncIterator[RangeReply]:
        self.requests["range"] += 1
        self.asked.append(wanted)
        trouble = self.troubles.popleft() if self.troubles else self.fate() if self.fate is not None else None
        trouble = trouble or Trouble()
        filename = url.rpartition("/")[2]
        await trio.lowlevel.checkpoint()
        if self.gate is not None:
            await self.gate.wait()
        if trouble.after_bytes == 0:
            await _end(trouble)
        content = self.files.get(filename) if trouble.content is None else trouble.content
        if content is None:
            raise OriginMissing(f"fetch {filename}", "404")
        etag = self.tag_of(content) if self.etags else None
        if validator not in (None, etag):
            raise ContentChanged(f"fetch {filename}", "another entity tag")
        start, end = (0, len(content)) if trouble.ignores_range else bounds_of(wanted, len(content))
        if start >= end and content:
            raise ContentChanged(f"fetch {filename}", "nothing there")
        end = end if trouble.at_most_bytes is None else min(end, start + trouble.at_most_bytes)
        total = len(content) if trouble.tells_size else None
        self.open_answers += 1
        try:
            async with aclosing(self._chunks(filename, content[start:end], trouble)) as chunks:
                yield RangeReply(start, total, (start, end) == (0, len(content)), etag, chunks)
        finally:
            self.open_answers -= 1

    async def _chunks(self, filename: str, content: bytes, trouble: Trouble) -> AsyncGenerator[bytes, None]:
        sent, pause = 0, self.pause
        while sent < len(content):
            if trouble.after_bytes is not None and sent >= trouble.after_bytes:
                await _end(trouble)
            piece = content[sent : sent + PIECE_BYTES]
            self.sent_bytes[filename] += len(piece)
            sent += len(piece)
            yield piece
            await trio.lowlevel.checkpoint()
            if pause is not None:
                await pause.wait()

    def tag_of(self, content: bytes) -> str:
        """Return the entity tag of a file as it is now."""
        return f'"{hashlib.sha256(content).hexdigest()[:8]}"'

    async def head(self, url: str) -> FileHead:
        self.requests["head"] += 1
        return FileHead(None)

    async def fetch_metadata(self, url: str) -> bytes:
        self.requests["metadata"] += 1
        await trio.lowlevel.checkpoint()
        filename = url.rpartition("/")[2]
        if filename not in self.metadata:
            raise OriginMissing(f"fetch {filename}", "404")
        return self.metadata[filename]

    async def aclose(self) -> None:
        """Nothing is open."""


async def _end(trouble: Trouble) -> None:
    if trouble.error is None:
        await trio.sleep_forever()
    raise trouble.error


@dataclass
class MemoryShare:
    """A share of whole files, known by their sha256; its origin's troubles and gate are those of a `MemoryOrigin`."""

    name: str = "lab"
    poll_s: float = 2.0
    files: tuple[SharedFile, ...] = ()
    tells_nonsense: bool = False
    hangs: bool = False
    """Whether it is silent when it is asked for news, too."""
    tells_manifests: bool = False
    """Whether it is a gateway of today."""

    def __post_init__(self) -> None:
        self.url = f"http://{self.name}.example:8080"
        self.origin = MemoryOrigin(name=self.name, url=self.url)

    def add(self, content: bytes) -> None:
        """Have a file."""
        self.origin.files[hashlib.sha256(content).hexdigest()] = content

    def file_url(self, sha256: bytes) -> str:
        return f"{self.url}/{sha256.hex()}"

    def part_url(self, sha256: bytes, project: str, filename: str) -> str:
        return self.file_url(sha256)

    async def composition(self, sha256: bytes) -> Composition | None:
        await trio.lowlevel.checkpoint()
        self.origin.requests["manifest"] += 1
        if self.hangs:
            await trio.sleep_forever()
        if self.tells_nonsense:
            raise OriginFault("ask how it is made", "invalid response")
        content = self.origin.files.get(sha256.hex())
        return composition_of(content) if self.tells_manifests and content is not None else None

    def checked(self, composition: Composition) -> VerifiedOrigin:
        return VerifiedOrigin(self.origin, composition)

    async def lacks(self, sha256: bytes) -> bool:
        return sha256.hex() not in self.origin.files

    async def events(self, cursor: str | None) -> FeedPage:
        await trio.lowlevel.checkpoint()
        if self.hangs:
            await trio.sleep_forever()
        return FeedPage(self.files if cursor is None else (), (), "all")

    async def aclose(self) -> None:
        """Nothing is open."""
