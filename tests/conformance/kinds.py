"""Each kind of origin, with the same wheel in it."""

from __future__ import annotations

import hashlib
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from tests.fakes.compositions import composition_of
from tests.fakes.index import FakeIndex
from tests.fakes.origins import MemoryOrigin, Trouble
from tests.fakes.web import WebServer
from tests.fakes.wheels import build_wheel, incompressible, wheel_filename
from tests.gateway.serving import Serving
from wheelfs.errors import OriginUnreachable
from wheelfs.model.names import ProjectName
from wheelfs.remote.http.tls import DEFAULT_ACCESS
from wheelfs.remote.index.file import FileIndex
from wheelfs.remote.index.http import HttpIndex
from wheelfs.remote.limits import HttpLimits
from wheelfs.remote.origin import PageFound
from wheelfs.remote.share.http import HttpShare
from wheelfs.remote.share.objects import open_objects
from wheelfs.remote.share.origin import ObjectOrigin
from wheelfs.remote.share.share import ObjectShare, WrittenShare
from wheelfs.remote.share.verified_origin import VerifiedOrigin
from wheelfs.service.shares.push import push
from wheelfs.store.catalog.records import StoredName
from wheelfs.store.store import Store

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from wheelfs.remote.origin import Origin

DEMO: Final = ProjectName("demo")
NAME: Final = wheel_filename("demo", "1.0")
CONTENT: Final = build_wheel(
    "demo", "1.0", files={f"demo/part{number}.txt": incompressible(3_000, f"{number}") for number in range(40)}, big_bytes=600_000
)
SHA256: Final = hashlib.sha256(CONTENT).digest()
METADATA: Final = b"Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n"
LIMITS: Final = HttpLimits(read_timeout_s=10.0)


@dataclass(frozen=True)
class Speaker:
    """An origin that has `CONTENT` at ``url``, nothing at ``missing``; ``vanish`` takes away what it speaks for."""

    origin: Origin
    url: str
    missing: str
    vanish: Callable[[], None]
    metadata: str | None = None
    """Where `METADATA` is, for those that have such files."""


@asynccontextmanager
async def http_index(where: Path, *, ranges: str = "yes") -> AsyncIterator[Speaker]:
    with FakeIndex() as index:
        index.ranges = ranges  # type: ignore[assignment]
        index.add(NAME, CONTENT, metadata=METADATA)
        origin = HttpIndex("lab", index.url, {}, limits=LIMITS)
        url = index.file_url(NAME)
        try:
            yield Speaker(origin, url, f"{url}x", index.stop, f"{url}.metadata")
        finally:
            await origin.aclose()


def index_that(ranges: str) -> Callable[[Path], AbstractAsyncContextManager[Speaker]]:
    return lambda where: http_index(where, ranges=ranges)


@asynccontextmanager
async def file_index(where: Path) -> AsyncIterator[Speaker]:
    project = where / "srv" / "simple" / "demo"
    project.mkdir(parents=True)
    (project / NAME).write_bytes(CONTENT)
    (project / f"{NAME}.metadata").write_bytes(METADATA)
    (project / "index.html").write_text(f'<!DOCTYPE html><title>Links for demo</title><a href="{NAME}">{NAME}</a>')
    origin = FileIndex("lab", project.parent.as_uri())
    page = await origin.project_page(DEMO)
    assert isinstance(page, PageFound)
    url = page.page.files[0].url

    def vanish() -> None:
        project.parent.rename(where / "elsewhere")

    yield Speaker(origin, url, f"{url}x", vanish, f"{url}.metadata")


@asynccontextmanager
async def verified_origin(where: Path) -> AsyncIterator[Speaker]:
    async with http_index(where) as inner:
        yield replace(inner, origin=VerifiedOrigin(inner.origin, composition_of(CONTENT)))


@asynccontextmanager
async def object_share(where: Path) -> AsyncIterator[Speaker]:
    share = _pushed(where)
    origin = ObjectOrigin("lab", ObjectShare(open_objects(share.as_uri())))

    def vanish() -> None:
        share.rename(where / "elsewhere")

    yield Speaker(origin, origin.file_url(SHA256), origin.file_url(bytes(32)), vanish)


@asynccontextmanager
async def object_share_over_http(where: Path) -> AsyncIterator[Speaker]:
    with WebServer(_pushed(where)) as server:
        async with _http_share(server.url, server.stop) as speaker:
            yield speaker


@asynccontextmanager
async def gateway(where: Path) -> AsyncIterator[Speaker]:
    with ExitStack() as stack:
        serving = Serving(where / "gateway", "--index", "lab=http://127.0.0.1:1/simple")
        with Store.open(serving.store) as store:
            _store(store, where)
        stack.enter_context(serving)

        def vanish() -> None:
            stack.close()

        async with _http_share(serving.url, vanish) as speaker:
            yield speaker


@asynccontextmanager
async def memory(where: Path) -> AsyncIterator[Speaker]:
    """The tests' own: what it does differently would make other tests wrong."""
    origin = MemoryOrigin()
    link = origin.add("demo", NAME, CONTENT, metadata=METADATA)

    def vanish() -> None:
        origin.fate = lambda: Trouble(after_bytes=0, error=OriginUnreachable("ask it", "it has gone"))

    yield Speaker(origin, link.url, f"{link.url}x", vanish, f"{link.url}.metadata")


@asynccontextmanager
async def _http_share(url: str, vanish: Callable[[], None]) -> AsyncIterator[Speaker]:
    share = HttpShare("lab", url, {}, access=DEFAULT_ACCESS, limits=LIMITS)
    try:
        yield Speaker(share.origin, share.file_url(SHA256), share.file_url(bytes(32)), vanish)
    finally:
        await share.aclose()


def _pushed(where: Path) -> Path:
    share = where / "share"
    share.mkdir()
    with Store.open(where / "pusher") as store:
        _store(store, where)
        assert [file.result for file in push(store, WrittenShare(open_objects(share.as_uri())), [], private=True)] == ["pushed"]
    return share


def _store(store: Store, where: Path) -> None:
    (where / "input").write_bytes(CONTENT)
    name = StoredName(project="demo", filename=NAME, index="lab", size_bytes=len(CONTENT), added_at_us=1)
    with (where / "input").open("rb") as file:
        store.add_content(file.fileno(), len(CONTENT), expected_sha256=SHA256, names=[name])


KINDS: Final[dict[str, Callable[[Path], AbstractAsyncContextManager[Speaker]]]] = {
    "http-index": http_index,
    "http-index-without-ranges": index_that("ignore"),
    "http-index-refusing-ranges": index_that("refuse"),
    "http-index-without-suffixes": index_that("suffix-unsupported"),
    "file-index": file_index,
    "verified-origin": verified_origin,
    "object-share": object_share,
    "object-share-over-http": object_share_over_http,
    "gateway": gateway,
    "memory": memory,
}
