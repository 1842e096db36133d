"""The watch on the store: what caches have forgotten when a look has ended that was asked for."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import trio
import trio.testing

from tests.fakes.rot import flip
from tests.fakes.wheels import build_wheel, wheel_filename
from wheelfs.errors import StoreDamaged
from wheelfs.model.content import inode_of_path
from wheelfs.model.environment import LAYOUT, Environment, EnvironmentLabel, Interpreter
from wheelfs.service.vfs.change_feed import ChangeWatcher
from wheelfs.service.vfs.protocol import EntryChanged
from wheelfs.store.catalog.mounted_environments import encoded
from wheelfs.store.catalog.records import StoredName
from wheelfs.store.store import Store

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def label(store: Store, name: str, *, python: str, at_us: int = 1) -> None:
    """Give a name to an environment without wheels for that version of Python."""
    interpreter = Interpreter("/opt/python/bin/python3", python, "cpython-311", b"abcd")
    digest, encoding = encoded(Environment(LAYOUT, interpreter, (), (), (), ()))
    store.mounted.put(EnvironmentLabel(name, digest, at_us, ()), encoding).result()


def add(store: Store, version: str, at: Path) -> str:
    """Store a wheel of that version; returns its name."""
    filename = wheel_filename("demo", version)
    content = build_wheel("demo", version)
    at.write_bytes(content)
    name = StoredName(project="demo", filename=filename, index="local", size_bytes=len(content), added_at_us=1, private=True)
    with at.open("rb") as opened:
        store.add_content(opened.fileno(), len(content), expected_sha256=None, names=[name])
    return filename


class Cache:
    """Forgets the names in one directory that a watcher names, which looks only when it is asked to."""

    def __init__(self, watcher: ChangeWatcher, path: str = "env") -> None:
        self._watcher = watcher
        self._inode = inode_of_path(path)
        self.forgotten: list[str] = []
        self.may_forget = trio.Event()
        self.may_forget.set()

    async def follow(self) -> None:
        async for change in self._watcher.changes():
            await self.may_forget.wait()
            if isinstance(change, EntryChanged) and change.parent_inode == self._inode:
                self.forgotten.append(change.name)

    async def told(self) -> list[str]:
        await self._watcher.look()
        told, self.forgotten = self.forgotten, []
        return sorted(told)


async def test_a_look_tells_of_labels_that_mean_something_else(tmp_path: Path) -> None:
    with Store.open(tmp_path / "s") as store:
        label(store, "there", python="3.11.7")
        cache = Cache(ChangeWatcher(store, (), poll_s=math.inf))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(cache.follow)
            assert await cache.told() == []
            label(store, "new", python="3.11.7")
            assert await cache.told() == ["new"]
            label(store, "there", python="3.11.8")
            assert await cache.told() == ["there"]
            label(store, "there", python="3.11.8", at_us=2)
            assert await cache.told() == [], "the kernel keeps the names below a tree that stays"
            store.mounted.remove("new").result()
            assert await cache.told() == ["new"]
            nursery.cancel_scope.cancel()


async def test_a_look_ends_when_it_is_forgotten_and_not_before(tmp_path: Path) -> None:
    with Store.open(tmp_path / "s") as store:
        cache = Cache(ChangeWatcher(store, (), poll_s=math.inf))
        cache.may_forget = trio.Event()
        ended: list[list[str]] = []

        async def told() -> None:
            ended.append(await cache.told())

        async with trio.open_nursery() as nursery:
            nursery.start_soon(cache.follow)
            async with trio.open_nursery() as looking:
                label(store, "first", python="3.11.7")
                looking.start_soon(told)
                await trio.testing.wait_all_tasks_blocked()
                label(store, "second", python="3.11.7")  # after the look that is under way has read the store
                looking.start_soon(told)
                await trio.testing.wait_all_tasks_blocked()
                assert ended == []
                cache.may_forget.set()
            assert ended == [["first"], ["second"]]
            nursery.cancel_scope.cancel()


async def test_a_store_that_cannot_be_read_for_a_moment_ends_nothing(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    autojump_clock: trio.testing.MockClock,
) -> None:
    with Store.open(tmp_path / "s") as store:
        cache = Cache(ChangeWatcher(store, (), poll_s=1.0))
        read, failing = store.catalog.last_transaction, [StoreDamaged("read", "no page there"), ValueError("a bug")] * 2

        def last_transaction() -> int:
            if failing:
                raise failing.pop()
            return read()

        monkeypatch.setattr(store.catalog, "last_transaction", last_transaction)
        label(store, "new", python="3.11.7")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(cache.follow)
            assert await cache.told() == ["new"], "by the first look that succeeds, and no look ends before"
            assert failing == []
            label(store, "second", python="3.11.7")
            assert await cache.told() == ["second"]
            nursery.cancel_scope.cancel()
    assert caplog.text.count("it is tried again every 1 s") == 1


async def test_changes_that_are_lost_are_taken_for_any(tmp_path: Path) -> None:
    with Store.open(tmp_path / "s") as store:
        cache = Cache(ChangeWatcher(store, (), poll_s=math.inf), "")
        names = [add(store, version, tmp_path / "wheel") for version in ("1.0", "2.0")]
        flip(store, "changes", 0)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(cache.follow)
            assert await cache.told() == sorted(["asof", *names]), "the kernel keeps these names for a day"
            name = add(store, "3.0", tmp_path / "wheel")
            assert await cache.told() == sorted(["asof", name])
            nursery.cancel_scope.cancel()


async def test_a_damaged_label_hides_no_other(tmp_path: Path) -> None:
    with Store.open(tmp_path / "s") as store:
        label(store, "damaged", python="3.11.7")
        flip(store, "environments", 1)
        cache = Cache(ChangeWatcher(store, (), poll_s=math.inf))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(cache.follow)
            label(store, "new", python="3.11.7")
            assert await cache.told() == ["new"]
            label(store, "damaged", python="3.11.7")
            assert await cache.told() == ["damaged"]
            nursery.cancel_scope.cancel()
