"""An index in a directory, and that it brings nothing in from outside."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
import trio

from tests.fakes.waiting import DEADLINE_S, reached
from wheelfs.core.http.ranges import ByteRequest, From, Range, Suffix, Whole
from wheelfs.errors import ContentChanged, OriginDenied, OriginFault, OriginMissing, OriginUnreachable, UsageError
from wheelfs.model.names import ProjectName
from wheelfs.remote.index.file import FileIndex
from wheelfs.remote.index.http import HttpIndex
from wheelfs.remote.index.open import open_index
from wheelfs.remote.limits import HttpLimits
from wheelfs.remote.origin import PageAbsent, PageFound, PageUnchanged

DEMO = ProjectName("demo")
WHEEL = "demo-1.0-py3-none-any.whl"
CONTENT = bytes(range(256)) * 2000


@pytest.fixture
def root(tmp_path: Path) -> Path:
    simple = tmp_path / "srv" / "simple"
    (simple / "demo").mkdir(parents=True)
    (tmp_path / "srv" / "files").mkdir()
    (tmp_path / "srv" / "files" / WHEEL).write_bytes(CONTENT)
    (simple / "demo" / "index.html").write_text(f'<a href="../../files/{WHEEL}">{WHEEL}</a>')
    return simple


async def brought(
    index: FileIndex, url: str, wanted: ByteRequest, validator: str | None = None
) -> tuple[int, bytes, int | None, bool]:
    async with index.open_range(url, wanted, validator=validator) as reply:
        return reply.offset, b"".join([piece async for piece in reply.chunks]), reply.total_bytes, reply.is_whole


async def test_pages_and_files_are_read(root: Path) -> None:
    index = FileIndex("lab", root.as_uri() + "/")
    found = await index.project_page(DEMO)
    assert isinstance(found, PageFound)
    url = found.page.files[0].url
    size = len(CONTENT)
    assert await brought(index, url, Whole()) == (0, CONTENT, size, True)
    assert await brought(index, url, From(size - 3)) == (size - 3, CONTENT[-3:], size, False)
    assert await brought(index, url, Range(2, 9)) == (2, CONTENT[2:9], size, False)
    assert await brought(index, url, Suffix(5)) == (size - 5, CONTENT[-5:], size, False)
    assert (await index.head(url)).size_bytes == size
    assert await index.fetch_metadata(url) == CONTENT


async def test_an_unchanged_page_and_an_unknown_project_are_answers(root: Path) -> None:
    index = FileIndex("lab", root.as_uri())
    found = await index.project_page(DEMO)
    assert isinstance(found, PageFound)
    assert await index.project_page(DEMO, validators=found.validators) == PageUnchanged(None)
    assert await index.project_page(ProjectName("nothing")) == PageAbsent()


async def test_a_directory_that_is_not_there_is_no_answer(tmp_path: Path) -> None:
    with pytest.raises(OriginUnreachable):
        await FileIndex("lab", (tmp_path / "unmounted").as_uri()).project_page(DEMO)


async def test_files_outside_of_the_index_are_refused_also_through_links(root: Path, tmp_path: Path) -> None:
    index = FileIndex("lab", root.as_uri())
    (tmp_path / "secret-1.0.tar.gz").write_bytes(b"x")
    (root / "demo" / "demo-2.0.tar.gz").symlink_to(tmp_path / "secret-1.0.tar.gz")
    for path in (tmp_path / "secret-1.0.tar.gz", root / "demo" / "demo-2.0.tar.gz"):
        with pytest.raises(OriginDenied):
            await brought(index, path.as_uri(), Whole())


async def test_a_changed_and_an_absent_file_are_told_apart(root: Path) -> None:
    index = FileIndex("lab", root.as_uri())
    url = (root.parent / "files" / WHEEL).as_uri()
    with pytest.raises(ContentChanged):
        await brought(index, url, Whole(), validator='"other"')
    with pytest.raises(ContentChanged):
        await brought(index, url, From(len(CONTENT)))
    with pytest.raises(OriginMissing):
        await brought(index, url + "x", Whole())


async def test_metadata_beyond_the_limit_is_refused(root: Path) -> None:
    index = FileIndex("lab", root.as_uri(), limits=HttpLimits(metadata_bytes=10))
    with pytest.raises(OriginFault):
        await index.fetch_metadata((root.parent / "files" / WHEEL).as_uri())


async def test_the_address_decides_what_speaks_for_an_index(root: Path) -> None:
    assert isinstance(open_index("lab", root.as_uri(), {}), FileIndex)
    http = open_index("lab", "https://index.example/simple/", {})
    assert isinstance(http, HttpIndex)
    assert http.url == "https://index.example/simple"
    await http.aclose()
    for url in ("ftp://index.example/simple", "file://host/simple", "simple"):
        with pytest.raises(UsageError):
            open_index("lab", url, {})


@pytest.mark.parametrize("step", ["stat", "open", "resolve"])
async def test_a_file_system_that_hangs_holds_no_caller(root: Path, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    index, began, released, ended = FileIndex("lab", root.as_uri()), *(threading.Event() for _ in range(3))

    def hang(*_: object, **__: object) -> None:
        began.set()
        released.wait(DEADLINE_S)
        ended.set()

    async def ask() -> None:
        await (index.project_page(DEMO) if step == "stat" else brought(index, (root.parent / "files" / WHEEL).as_uri(), Whole()))

    monkeypatch.setattr(Path, step, hang)
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask)
            await reached(began.is_set)
            nursery.cancel_scope.cancel()
        assert not ended.is_set()
    finally:
        released.set()
