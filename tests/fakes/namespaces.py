"""Network namespaces of our own: no packet can leave them, and each is gone with the last process that is in it."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import socket
import struct
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

_CLONE_NEWNET: Final = 0x40000000  # sched.h
_SIOCSIFFLAGS: Final = 0x8914  # linux/sockios.h
_UP_AND_RUNNING: Final = 0x1 | 0x40  # linux/if.h
_ELSEWHERE: Final = ("192.0.2.1", 80)  # RFC 5737: an address that no machine has
_HERE: Final = "/proc/thread-self/ns/net"

# `unshare -n` of util-linux makes the same call for a new process; here the test's own index must live inside too.
_libc: Final = ctypes.CDLL(None, use_errno=True)


class Namespace:
    """A namespace with a loopback; it has no name, so that the kernel forgets it with us, however we end.

    Raises OSError where making one is forbidden.
    """

    def __init__(self) -> None:
        with _back_afterwards():
            if _libc.unshare(_CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), f"cannot make a network namespace: {os.strerror(ctypes.get_errno())}")
            self._descriptor = os.open(_HERE, os.O_RDONLY | os.O_CLOEXEC)
            _raise_loopback()

    @property
    def path(self) -> str:
        """What other processes may call it by, as long as this one has it open."""
        return f"/proc/{os.getpid()}/fd/{self._descriptor}"

    @contextmanager
    def inside(self) -> Iterator[None]:
        """Put this thread inside, and the threads and processes that it starts there."""
        with _back_afterwards():
            _enter(self._descriptor)
            yield

    def close(self) -> None:
        """Leave it to the processes that are still inside."""
        os.close(self._descriptor)


@contextmanager
def without_route() -> Iterator[None]:
    """Put this thread, and what it starts, where only 127.0.0.1 can be reached; skip the test where that is forbidden.

    The index of a test must be started inside: its threads then listen on the inner loopback.
    """
    try:
        namespace = Namespace()
    except OSError as error:
        pytest.skip(f"needs root: {error}")
    try:
        with namespace.inside():
            _check_that_nothing_else_is_reachable()
            yield
    finally:
        namespace.close()


@contextmanager
def _back_afterwards() -> Iterator[None]:
    outside = os.open(_HERE, os.O_RDONLY | os.O_CLOEXEC)
    try:
        yield
    finally:
        try:
            # Who may not leave may not come back either.
            if Path(_HERE).stat().st_ino != os.fstat(outside).st_ino:
                _enter(outside)
        except OSError as error:
            # Every later test would run without a network and blame something else.
            pytest.exit(f"cannot leave the network namespace: {error}")
        finally:
            os.close(outside)


def _enter(descriptor: int) -> None:
    if _libc.setns(descriptor, _CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), f"cannot enter a network namespace: {os.strerror(ctypes.get_errno())}")


def _raise_loopback() -> None:
    with socket.socket() as any_socket:
        fcntl.ioctl(any_socket, _SIOCSIFFLAGS, struct.pack("16sh", b"lo", _UP_AND_RUNNING))


def _check_that_nothing_else_is_reachable() -> None:
    try:
        socket.create_connection(_ELSEWHERE, timeout=1.0).close()
    except OSError as error:
        assert error.errno == errno.ENETUNREACH, error
    else:
        raise AssertionError("there is a way out of the namespace")
