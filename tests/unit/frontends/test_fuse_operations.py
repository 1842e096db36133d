"""Handlers called without a kernel."""

from __future__ import annotations

import errno
import inspect
import os
import stat
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pyfuse3
import pytest
import trio
from msgspec.structs import replace

from tests.fakes.trees import FakeFilesystem, directory, file
from wheelfs import errors
from wheelfs.errors import OriginTimeout, WheelfsError
from wheelfs.frontends.fuse.operations.barrier import HANDLERS, guarded
from wheelfs.frontends.fuse.operations.inodes import ROOT, InodeTable
from wheelfs.frontends.fuse.operations.tree_operations import TreeOperations

if TYPE_CHECKING:
    from collections.abc import Callable

CTX: Any = SimpleNamespace(pid=0)


def operations_over(filesystem: FakeFilesystem) -> TreeOperations:
    return TreeOperations(filesystem, uid=1, gid=2)


def failing(error: Callable[[], BaseException]) -> Any:
    counted: list[tuple[str, WheelfsError]] = []

    async def fail(self: object, *args: object) -> None:
        raise error()

    body = dict.fromkeys(HANDLERS, fail) | {"count_error": lambda self, operation, known: counted.append((operation, known))}
    operations = guarded(type("Failing", (pyfuse3.Operations,), body))()
    operations.counted = counted
    return operations


def test_the_barrier_knows_every_request_handler_of_pyfuse3() -> None:
    assert {"lookup", "read", "readdir", "forget", "poll", "setxattr", "statfs"} <= set(HANDLERS)
    assert set(HANDLERS) == {name for name, value in inspect.getmembers(pyfuse3.Operations, inspect.iscoroutinefunction)}


@pytest.mark.parametrize("name", [name for name in HANDLERS if name != "forget"])
async def test_a_bug_in_any_handler_is_eio_logged_with_its_traceback(name: str, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(pyfuse3.FUSEError) as caught:
        await getattr(failing(lambda: ZeroDivisionError("oops")), name)(1, 2, 3)
    assert caught.value.errno == errno.EIO
    assert f"{name} failed by a bug" in caplog.text
    assert "ZeroDivisionError: oops" in caplog.text


async def test_forget_swallows_everything_since_nobody_can_be_told() -> None:
    await failing(lambda: ZeroDivisionError("oops")).forget([(1, 1)])


@pytest.mark.parametrize("name", HANDLERS)
async def test_cancellation_passes_every_handler(name: str) -> None:
    # An exception of trio's own that only trio can make, so a cancelled scope makes it.
    class Waiting(pyfuse3.Operations):
        async def _wait(self, *args: object) -> None:
            await trio.sleep_forever()

        def count_error(self, operation: str, error: WheelfsError) -> None:
            raise AssertionError

    for handler in HANDLERS:
        setattr(Waiting, handler, Waiting._wait)
    with trio.CancelScope() as scope:
        scope.cancel()
        await getattr(guarded(Waiting)(), name)(1)
    assert scope.cancelled_caught


async def test_our_errors_are_counted_under_the_operation() -> None:
    operations = failing(lambda: OriginTimeout("fetch", "silence"))
    with pytest.raises(pyfuse3.FUSEError) as caught:
        await operations.open(1, 0, CTX)
    assert caught.value.errno == errno.ETIMEDOUT
    assert [(operation, type(error)) for operation, error in operations.counted] == [("open", OriginTimeout)]


@pytest.mark.parametrize(
    "name",
    "setattr mknod mkdir unlink rmdir symlink rename link write create setxattr removexattr".split(),  # noqa: SIM905
)
async def test_handlers_that_change_something_say_erofs_by_themselves(name: str) -> None:
    with pytest.raises(pyfuse3.FUSEError) as caught:
        await getattr(operations_over(FakeFilesystem(directory())), name)(1, b"x", CTX)
    assert caught.value.errno == errno.EROFS


async def test_there_is_nothing_to_flush_or_sync_and_the_kernel_need_not_ask_again() -> None:
    operations = operations_over(FakeFilesystem(directory()))
    for call in (operations.flush(1), operations.fsync(1, False), operations.fsyncdir(1, False)):
        with pytest.raises(pyfuse3.FUSEError) as caught:
            await call
        assert caught.value.errno == errno.ENOSYS


@pytest.mark.parametrize("flags", [os.O_WRONLY, os.O_RDWR, os.O_RDONLY | os.O_TRUNC, os.O_APPEND])
async def test_open_for_writing_is_erofs(flags: int) -> None:
    with pytest.raises(pyfuse3.FUSEError) as caught:
        await operations_over(FakeFilesystem(directory())).open(ROOT, flags, CTX)
    assert caught.value.errno == errno.EROFS


async def test_timeouts_are_long_for_what_never_changes_and_short_for_the_rest() -> None:
    flat, wheel = file(b"x"), file(b"x")
    wheel.attributes = replace(wheel.attributes, keeps_name=False)
    root = directory({"flat": flat, "wheel": wheel, "page": file(b"x", immutable=False), "dir": directory()})
    operations = operations_over(FakeFilesystem(root, negative_ttl_s=7))
    named = [await operations.lookup(ROOT, name, CTX) for name in (b"flat", b"wheel", b"page", b"dir", b"none")]
    in_flat, in_project, page, below, nothing = named
    assert (in_flat.entry_timeout, in_flat.attr_timeout) == (86_400, 86_400)
    assert (in_project.entry_timeout, in_project.attr_timeout) == (1, 86_400)
    assert (page.entry_timeout, page.attr_timeout) == (1, 1)
    assert (below.entry_timeout, below.attr_timeout) == (1, 1)
    assert (nothing.st_ino, nothing.entry_timeout) == (0, 7)


async def test_links_and_programs_are_shown_as_such() -> None:
    link, program = file(b"to/there"), file(b"x")
    link.attributes, link.link_target = replace(link.attributes, is_link=True), "to/there"
    program.attributes = replace(program.attributes, is_executable=True)
    operations = operations_over(FakeFilesystem(directory({"link": link, "program": program, "file": file(b"x")})))
    shown = [await operations.lookup(ROOT, name, CTX) for name in (b"link", b"program", b"file")]
    assert [one.st_mode for one in shown] == [stat.S_IFLNK | 0o777, stat.S_IFREG | 0o555, stat.S_IFREG | 0o444]
    assert await operations.readlink(shown[0].st_ino, CTX) == b"to/there"
    assert [await operations.access(one.st_ino, os.X_OK, CTX) for one in shown[1:]] == [True, False]


async def test_only_what_never_changes_goes_through_the_page_cache() -> None:
    root = directory({"stored": file(b"x"), "remote": file(b"x", direct_io=True), "page": file(b"x", immutable=False)})
    operations = operations_over(FakeFilesystem(root))
    modes = {}
    for name in root.children:
        entry = await operations.lookup(ROOT, name.encode(), CTX)
        opened = await operations.open(entry.st_ino, os.O_RDONLY, CTX)
        modes[name] = (bool(opened.direct_io), bool(opened.keep_cache))
    assert modes == {"stored": (False, True), "remote": (True, False), "page": (True, False)}


@pytest.mark.parametrize("answer", [None, "text", 7, memoryview(b"abcdef")[::2]])
async def test_an_answer_that_pyfuse3_would_die_of_is_eio(answer: Any) -> None:
    root = directory({"file": file(b"x")})
    operations = operations_over(FakeFilesystem(root))
    opened = await operations.open((await operations.lookup(ROOT, b"file", CTX)).st_ino, 0, CTX)

    class Broken:
        async def read(self, offset: int, size: int) -> Any:
            return answer

        def close(self) -> None: ...

    operations._files[opened.fh] = Broken()  # type: ignore[assignment]
    with pytest.raises(pyfuse3.FUSEError) as caught:
        await operations.read(opened.fh, 0, 10)
    assert caught.value.errno == errno.EIO


async def test_an_answer_that_is_too_long_is_cut() -> None:
    operations = operations_over(FakeFilesystem(directory()))

    class Generous:
        async def read(self, offset: int, size: int) -> bytes:
            return b"x" * (size + 5)

    operations._files[9] = Generous()  # type: ignore[assignment]
    assert await operations.read(9, 0, 10) == b"x" * 10


@pytest.mark.parametrize("fails", [False, True])
async def test_a_name_that_means_another_file_by_now_is_looked_up_again(fails: bool) -> None:
    node = file(b"x", fails={"open": lambda: errors.OriginMissing("open it", "gone")} if fails else None)
    operations = operations_over(FakeFilesystem(directory({"file": node})))
    number = (await operations.lookup(ROOT, b"file", CTX)).st_ino
    node.superseded, node.superseded_once_failed = not fails, fails
    with pytest.raises(pyfuse3.FUSEError) as caught:
        await operations.open(number, os.O_RDONLY, CTX)
    assert caught.value.errno == errno.ESTALE


@pytest.mark.parametrize("immutable", [True, False])
@pytest.mark.parametrize("direct_io", [True, False])
async def test_a_stored_file_of_another_size_than_its_page_said_is_looked_up_again(immutable: bool, direct_io: bool) -> None:
    node = file(b"all of it", immutable=immutable, direct_io=direct_io)
    node.attributes = replace(node.attributes, size_bytes=3)
    operations = operations_over(FakeFilesystem(directory({"file": node})))
    number = (await operations.lookup(ROOT, b"file", CTX)).st_ino
    if direct_io and not immutable:  # a page, or a file of which nothing vouches for the size: read to its end
        assert (await operations.open(number, os.O_RDONLY, CTX)).direct_io
        return
    with pytest.raises(pyfuse3.FUSEError) as caught:
        await operations.open(number, os.O_RDONLY, CTX)
    assert caught.value.errno == errno.ESTALE


async def test_an_inode_that_was_forgotten_is_stale_and_the_root_never_is() -> None:
    root = directory({"file": file(b"x")})
    operations = operations_over(FakeFilesystem(root))
    number = (await operations.lookup(ROOT, b"file", CTX)).st_ino
    await operations.lookup(ROOT, b"file", CTX)
    await operations.forget([(number, 1), (ROOT, 99)])
    assert (await operations.getattr(number, CTX)).st_size == 1
    await operations.forget([(number, 1)])
    with pytest.raises(pyfuse3.FUSEError) as caught:
        await operations.getattr(number, CTX)
    assert caught.value.errno == errno.ESTALE
    assert len(operations.inodes) == 1
    assert (await operations.getattr(ROOT, CTX)).st_ino == ROOT


def test_numbers_are_shared_by_the_same_content_and_probed_for_another() -> None:
    table = InodeTable(directory())
    wheel, same, other = file(b"12", inode=5000), file(b"21", inode=5000), file(b"123", inode=5000)
    table.remember(table.number(wheel), wheel)
    assert table.number(same) == 5000
    number = table.number(other)
    table.remember(number, other)
    assert number == 5001
    assert table.number(other) == 5001
    neighbour = file(b"n", inode=5001)
    assert table.number(neighbour) == 5002
    assert table.numbers_of(5000) == (5000, 5001)
    table.forget(5001, 1)
    assert table.numbers_of(5000) == (5000,)


def test_the_root_is_number_one_by_whatever_inode_the_tree_calls_it() -> None:
    root = directory()
    table = InodeTable(root)
    assert table.number(root) == ROOT
    assert table.numbers_of(root.attributes.inode) == (ROOT,)
