"""A network namespace of our own: loopback and nothing else, so that no packet can go anywhere."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import socket
import struct
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

_CLONE_NEWNET: Final = 0x40000000  # sched.h
_SIOCSIFFLAGS: Final = 0x8914  # linux/sockios.h
_UP_AND_RUNNING: Final = 0x1 | 0x40  # linux/if.h
_ELSEWHERE: Final = ("192.0.2.1", 80)  # RFC 5737: an address that is nobody's

# `unshare -n` of util-linux makes the same call for a new process; here the test's own index must live inside too.
_libc: Final = ctypes.CDLL(None, use_errno=True)


@contextmanager
def without_route() -> Iterator[None]:
    """Put this thread, and what it starts, where only 127.0.0.1 can be reached; skip the test where that is forbidden.

    The index of a test must be started inside: its threads then listen on the inner loopback.
    """
    outside = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        if _libc.unshare(_CLONE_NEWNET):
            pytest.skip(f"cannot make a network namespace (needs root): {os.strerror(ctypes.get_errno())}")
        try:
            _raise_loopback()
            _check_that_nothing_else_is_reachable()
            yield
        finally:
            if _libc.setns(outside, _CLONE_NEWNET):
                # Every later test would run without a network and blame something else.
                pytest.exit(f"cannot leave the network namespace: {os.strerror(ctypes.get_errno())}")
    finally:
        os.close(outside)


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
