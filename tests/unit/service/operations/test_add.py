"""Adding many files: several are at work at once, and are reported in their order, as if it had been one at a time."""

from __future__ import annotations

import signal
import threading
from collections import deque
from hashlib import sha256
from operator import attrgetter
from typing import TYPE_CHECKING

import pytest

from tests.fakes.waiting import eventually
from tests.fakes.wheels import build_wheel, incompressible, wheel_filename
from wheelfs.core.projects.index_scopes import IndexScopes
from wheelfs.errors import StoreDamaged, StoreFull
from wheelfs.model.links import FileLink, ProjectPage
from wheelfs.service.operations.add import AT_ONCE, add_paths
from wheelfs.store.catalog.records import PageRecord
from wheelfs.store.limits import Limits
from wheelfs.store.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from wheelfs.reports.files import AddedFile

WAIT_S = 30.0


class Watched:
    """Progress that calls ``on_begin`` in the thread that begins a file."""

    is_shown = False

    def __init__(self, on_begin: Callable[[str], object] = lambda name: None) -> None:
        self.on_begin = on_begin

    def begin(self, name: str, total_bytes: int | None) -> None:
        self.on_begin(name)

    def advance(self, name: str, more_bytes: int) -> None: ...

    def end(self, name: str) -> None: ...

    def overall(self, done_files: int, files: int, saved_bytes: int, total_bytes: int | None = None) -> None: ...


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "store") as opened:
        yield opened


def wheel(directory: Path, project: str, size_bytes: int, *, seed: str = "") -> Path:
    directory.mkdir(exist_ok=True)
    path = directory / wheel_filename(project, "1.0")
    path.write_bytes(build_wheel(project, "1.0", files={f"{project}/x": incompressible(size_bytes, project + seed)}))
    return path


def added(store: Store, *paths: Path, progress: Watched | None = None) -> Iterator[AddedFile]:
    return add_paths(store, paths, index=None, scopes=IndexScopes({}), progress=progress or Watched())


def test_files_are_told_of_in_their_order_and_are_stored_by_then(store: Store, tmp_path: Path) -> None:
    paths = [wheel(tmp_path / "house", f"p{number:02}", 3_000_000 if number % 4 == 0 else 1_000) for number in range(12)]
    told = []
    for file in added(store, tmp_path / "house", tmp_path / "nothing", wheel(tmp_path, "last", 100)):
        told.append(file.filename)
        assert file.result == "refused" or store.holds(bytes.fromhex(file.sha256 or ""))
    assert told == [*(path.name for path in paths), "nothing", wheel_filename("last", "1.0")]


def test_as_many_are_at_work_as_shall_be(store: Store, tmp_path: Path) -> None:
    for number in range(AT_ONCE):
        wheel(tmp_path / "house", f"p{number}", 1_000)
    # Each waits until all have begun; one at a time would break the barrier.
    together = threading.Barrier(AT_ONCE)
    told = list(added(store, tmp_path / "house", progress=Watched(lambda name: together.wait(WAIT_S))))
    assert [file.result for file in told] == ["added"] * AT_ONCE


def test_of_two_files_of_one_name_the_first_is_taken(store: Store, tmp_path: Path) -> None:
    first = wheel(tmp_path / "a", "demo", 8_000_000)
    second = wheel(tmp_path / "b", "demo", 1_000, seed="other")
    told = list(added(store, first, second, first))
    assert [file.result for file in told] == ["added", "refused", "present"]


def test_a_full_store_ends_it_and_no_thread_goes_on(tmp_path: Path) -> None:
    small, large = wheel(tmp_path, "small", 1_000), wheel(tmp_path, "zz-large", 3_000_000)
    more = [wheel(tmp_path / "more", f"p{number:02}", 1_000) for number in range(20)]
    begun: list[str] = []
    with Store.open(tmp_path / "store", limits=Limits(quota_bytes=2_000_000)) as store:
        told = added(store, small, large, *more, progress=Watched(begun.append))
        assert next(told).result == "added"
        with pytest.raises(StoreFull):
            list(told)
        assert not any(thread.name.startswith("add") for thread in threading.enumerate())
    assert small.name in begun


def test_an_interrupt_reports_what_has_begun_and_begins_no_more(store: Store, tmp_path: Path) -> None:
    names = [wheel(tmp_path / "house", f"p{number:02}", 1_000).name for number in range(40)]
    main = threading.main_thread().ident
    assert main is not None

    def interrupt(name: str) -> None:
        if name == names[1]:
            eventually(lambda: bool(reported))  # by then all of them are queued
            signal.pthread_kill(main, signal.SIGINT)

    reported: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        # Nothing but the generator runs in python, so it is interrupted there, as it is while it waits.
        deque(map(reported.append, map(attrgetter("filename"), added(store, tmp_path / "house", progress=Watched(interrupt)))))
    assert reported[:2] == names[:2]
    assert reported == [name.filename for name in store.catalog.names()]
    assert len(reported) < len(names)


def test_a_page_that_rotted_keeps_no_file_from_being_added(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = wheel(tmp_path / "in", "demo", 1_000)
    page = ProjectPage("demo", (FileLink(path.name, "https://index.example/demo", sha256=sha256(path.read_bytes()).digest()),))
    store.catalog.put_page("main", "demo", PageRecord(index_url="https://index.example", fetched_at_us=1, page=page)).result()

    def rotten(*_: object) -> None:
        raise StoreDamaged("read a page", "it has rotted")

    with monkeypatch.context() as patched:
        patched.setattr(store.catalog, "page", rotten)
        [one] = add_paths(store, [path], index=None, scopes=IndexScopes({"main": ()}), progress=Watched())
    assert one.result == "added"
    assert [name.private for name in store.catalog.stored_names("demo")] == [True]  # as if its index had never been asked
