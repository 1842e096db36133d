"""The life of one mount: checked, mounted, tuned, answering, unmounted.

pyfuse3 keeps its session in module globals, so a process has one mount in its life.  However the session ends (a signal, an
unmount from outside, an abort, an exception), the mount is gone when `serve_mount` returns or raises.
"""

from __future__ import annotations

import logging
import os
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pyfuse3
import trio

from wheelfs.errors import FuseUnavailable, InternalError, MountPointError
from wheelfs.frontends.fuse.kernel import connections, control
from wheelfs.frontends.fuse.kernel.answers import is_dead, silence, stopped_servers
from wheelfs.frontends.fuse.kernel.fusermount import device_ends_first, find_fusermount
from wheelfs.frontends.fuse.kernel.lazy_umount import detach_lazily
from wheelfs.frontends.fuse.kernel.limits import FUSE_LIMITS
from wheelfs.frontends.fuse.kernel.mountinfo import FSTYPE, MountEntry, canonical, mount_at
from wheelfs.frontends.fuse.mount import preflight
from wheelfs.frontends.fuse.operations.invalidation import Invalidator
from wheelfs.frontends.fuse.operations.tree_operations import TreeOperations
from wheelfs.service.process.signals import obey_signals
from wheelfs.store.allocator import bound_memory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from wheelfs.frontends.fuse.kernel.limits import FuseLimits
    from wheelfs.service.vfs.protocol import Filesystem

log = logging.getLogger(__name__)


class MountOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What a user may choose.

    ``auto_unmount``: clean up after a killed daemon where libfuse can.  ``source``: what the list of mounts shows as the source;
    every user can read it, so it holds no credentials.
    """

    source: str = "wheelfs"
    allow_other: bool = False
    nonempty: bool = False
    auto_unmount: bool = True


async def serve_mount(
    filesystem: Filesystem,
    mountpoint: Path,
    options: MountOptions,
    *,
    on_ready: Callable[[], None],
    shutdown: trio.Event,
    reload: Callable[[], None] | None = None,
    limits: FuseLimits = FUSE_LIMITS,
) -> None:
    """Mount ``filesystem`` and serve it until ``shutdown``, a signal or an unmount.

    ``on_ready`` is called once the kernel got an answer through the mount, ``reload`` on SIGHUP.  Runs in the main thread
    (signals).  Raises `MountPointError` and `FuseUnavailable` before anything is mounted; an exception of a task is raised after
    unmounting.
    """
    bound_memory()
    place = Path(canonical(mountpoint))
    await _prepare(place, options, limits)
    operations = TreeOperations(filesystem, uid=os.getuid(), gid=os.getgid(), limits=limits)
    invalidator = Invalidator(filesystem, operations, limits)
    with _mounted(operations, invalidator, place, options, limits) as connection:
        try:
            async with trio.open_nursery() as nursery:
                await nursery.start(obey_signals, shutdown, reload)
                requests = trio.CancelScope()
                nursery.start_soon(_end_when, shutdown, requests, limits)
                nursery.start_soon(_start, invalidator, connection, on_ready, limits)
                with requests:
                    await pyfuse3.main(max_tasks=limits.tasks)
                log.info("%s: the mount has ended", place)
                nursery.cancel_scope.cancel()
        except ExceptionGroup as group:
            # One task failed and trio cancelled the rest: the caller wants that error, not its wrapping.
            raise (group.exceptions[0] if len(group.exceptions) == 1 else group) from None
        finally:
            operations.close_all()


async def _prepare(place: Path, options: MountOptions, limits: FuseLimits) -> None:
    """Check the mount point, create it, or clear the dead mount on it."""
    # One round clears a dead mount, the next creates or checks what is below; two mounts can lie on each other, not many.
    for _ in range(4):
        mounted = mount_at(str(place))
        if mounted is not None and (stopped := stopped_servers(mounted)):
            raise silence(f"mount on {place}", mounted, stopped)
        # Looking at an automount makes it mount, unless that is what has called us.
        bound_s = limits.automount_s if mounted is not None and mounted.is_automount else limits.preflight_s
        facts = None
        with trio.move_on_after(bound_s):
            facts = await trio.to_thread.run_sync(preflight.gather, place, abandon_on_cancel=True)
        if facts is None:
            raise MountPointError(
                f"mount on {place}",
                f"it does not answer within {bound_s:.0f} s",
                f"a mount there hangs: `wheelfs umount --lazy {place}`, or umount -l for one that is not ours",
            )
        step = preflight.decide(facts, allow_other=options.allow_other, nonempty=options.nonempty)
        if step == "mount":
            return
        if step == "create":
            preflight.make_mountpoint(place)
            continue
        log.warning("%s: clearing the dead mount of a daemon that was killed", place)
        await trio.to_thread.run_sync(detach_lazily, str(place))
    raise MountPointError(f"mount on {place}", "dead mounts keep appearing on it", f"see `grep {FSTYPE} /proc/self/mountinfo`")


@contextmanager
def _mounted(
    operations: TreeOperations, invalidator: Invalidator, place: Path, options: MountOptions, limits: FuseLimits
) -> Iterator[MountEntry]:
    children_before = connections.children()
    with device_ends_first(), _words_of_libfuse() as words:
        try:
            pyfuse3.init(operations, str(place), _libfuse_options(options))
        except RuntimeError as error:
            advice = "in a container: --device /dev/fuse --cap-add SYS_ADMIN; else see the messages of the kernel (dmesg)"
            raise FuseUnavailable(f"mount on {place}", f"libfuse refused: {words() or error}", advice) from None
    unmounters = connections.children() - children_before
    connection = None
    try:
        connection = mount_at(str(place))
        if connection is None or not connection.is_wheelfs:
            raise InternalError(f"mount on {place}", "the mount is not in /proc/self/mountinfo")
        with control.cutting_off(connection.minor) as cut_off:
            try:
                yield connection
            finally:
                invalidator.end(cut_off, limits.grace_s)
    finally:
        pyfuse3.close(unmount=True)
        # libfuse leaves the mount of an aborted connection alone, which is a dead one now.  One that lives is the next daemon's:
        # the kernel gives the number of a connection to it as soon as its mount is gone.
        left = mount_at(str(place))
        if connection is not None and left is not None and left.minor == connection.minor and is_dead(str(place)):
            with suppress(OSError):
                detach_lazily(str(place))
        for pid in unmounters:
            connections.end_unmounter(pid)


@contextmanager
def _words_of_libfuse() -> Iterator[Callable[[], str]]:
    """Yield what returns what libfuse and fusermount3 have said on stderr during the block; it is passed on afterwards."""
    stderr = os.dup(2)
    try:
        with os.fdopen(os.memfd_create("libfuse"), "rb", buffering=0) as said:
            os.dup2(said.fileno(), 2)
            try:
                yield lambda: "; ".join(os.pread(2, FUSE_LIMITS.words_bytes, 0).decode("utf-8", "replace").split("\n")).strip(
                    "; "
                )
            finally:
                os.dup2(stderr, 2)
                with suppress(OSError):  # a terminal that is gone
                    os.write(2, os.pread(said.fileno(), FUSE_LIMITS.words_bytes, 0))
    finally:
        os.close(stderr)


def _libfuse_options(options: MountOptions) -> set[str]:
    # No max_read: pyfuse3 cannot pass it on to the kernel consistently, and requests above it would be refused.
    # libfuse takes "," for the end of an option unless a backslash is before it (fuse_opt.h).
    shown = options.source.replace("\\", "\\\\").replace(",", "\\,")
    chosen = {f"fsname={shown}", "subtype=wheelfs", "ro", "nosuid", "nodev", "default_permissions"}
    if options.allow_other:
        chosen.add("allow_other")
    # libfuse 3.14 mounts with it through fusermount3, which after our death can only reach the mount as root or with allow_other.
    if options.auto_unmount and find_fusermount() is not None and (os.geteuid() == 0 or options.allow_other):
        chosen.add("auto_unmount")
    return chosen


async def _start(invalidator: Invalidator, connection: MountEntry, on_ready: Callable[[], None], limits: FuseLimits) -> None:
    """Wait for the first answer, tune the connection, say so, and then carry the tree's changes to the kernel."""
    device = None
    with trio.move_on_after(limits.first_answer_s):
        device = await trio.to_thread.run_sync(_device_of, connection.mountpoint, abandon_on_cancel=True)
    if device is None:
        raise FuseUnavailable(
            f"mount on {connection.mountpoint}", f"no answer through the kernel within {limits.first_answer_s:.0f} s"
        )
    if device != (connection.major, connection.minor):
        raise MountPointError(f"mount on {connection.mountpoint}", "something else was mounted over it at the same time")
    # Only now: the kernel's answer to INIT, which has come by now, resets these limits.
    tuning = await trio.to_thread.run_sync(control.tune, connection, limits)
    log.info("%s: serving, %s", connection.mountpoint, tuning)
    on_ready()
    await invalidator.run()


def _device_of(mountpoint: str) -> tuple[int, int]:
    device = os.stat(mountpoint).st_dev  # noqa: PTH116
    return os.major(device), os.minor(device)


async def _end_when(shutdown: trio.Event, requests: trio.CancelScope, limits: FuseLimits) -> None:
    await shutdown.wait()
    # Workers that wait for a request end now, those with one under way after their reply; the rest are cancelled, and unmounting
    # answers their callers with ENOTCONN.
    pyfuse3.terminate()
    await trio.sleep(limits.grace_s)
    requests.cancel()
