"""Telling the kernel to forget, without a kernel: what becomes of that at the end of a mount."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pyfuse3
import trio

from tests.fakes.trees import FakeFilesystem, directory, file
from tests.fakes.waiting import until
from wheelfs.frontends.fuse.kernel.limits import FUSE_LIMITS
from wheelfs.frontends.fuse.operations.invalidation import Invalidator
from wheelfs.frontends.fuse.operations.tree_operations import TreeOperations
from wheelfs.service.vfs.protocol import EntryChanged

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest


def an_invalidator() -> tuple[FakeFilesystem, Invalidator]:
    filesystem = FakeFilesystem(directory({"a.whl": file(b"x")}))
    return filesystem, Invalidator(filesystem, TreeOperations(filesystem, uid=1, gid=2), FUSE_LIMITS)


async def test_no_notification_begins_after_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    notified: list[object] = []
    handed_over: list[object] = []

    async def at_once(work: Callable[[], None], **_: object) -> None:
        handed_over.append(work)
        work()

    monkeypatch.setattr(pyfuse3, "invalidate_entry", lambda *told: notified.append(told))
    monkeypatch.setattr(trio.to_thread, "run_sync", at_once)
    filesystem, invalidator = an_invalidator()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(invalidator.run)
        filesystem.add(filesystem.root, "before.whl", file(b"x"))
        await until(lambda: len(notified) == 1)
        invalidator.end(lambda: notified.append("cut off"), 60.0)
        filesystem.add(filesystem.root, "after.whl", file(b"x"))
        await until(lambda: len(handed_over) == 2)
        nursery.cancel_scope.cancel()
    assert len(notified) == 1, "it would reach a session that is gone"


async def test_a_notification_inside_the_kernel_is_cut_off_and_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    began, freed = threading.Event(), threading.Event()
    ended: list[bool] = []

    def hang(*_: object) -> None:
        began.set()
        ended.append(freed.wait(60.0))

    monkeypatch.setattr(pyfuse3, "invalidate_entry", hang)
    filesystem, invalidator = an_invalidator()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(invalidator.run)
        filesystem.add(filesystem.root, "new.whl", file(b"x"))
        await until(began.is_set)
        nursery.cancel_scope.cancel()
    invalidator.end(freed.set, 60.0)
    assert ended == [True]


async def test_a_directory_that_the_kernel_knows_keeps_its_name_and_one_that_may_be_absent_to_it_does_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    notified: list[object] = []
    monkeypatch.setattr(pyfuse3, "invalidate_entry", lambda _, name: notified.append(name))
    known, new = directory({}), directory({})
    filesystem = FakeFilesystem(directory({"known": known}))
    operations = TreeOperations(filesystem, uid=1, gid=2)
    invalidator = Invalidator(filesystem, operations, FUSE_LIMITS)
    operations.inodes.remember(operations.inodes.number(known), known)
    root = filesystem.root.attributes.inode
    changes = [
        EntryChanged(root, "known", known.attributes.inode),
        EntryChanged(root, "new", new.attributes.inode),
        EntryChanged(root, "last"),
    ]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(invalidator.run)
        for change in changes:
            filesystem._send.send_nowait(change)
        await until(lambda: b"last" in notified)
        nursery.cancel_scope.cancel()
    assert notified == [b"new", b"last"]
