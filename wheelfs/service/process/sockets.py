"""Sockets in a directory, for processes on the same machine: however deep the directory is, and whatever killed processes left.

A path does not fit into the 107 bytes of a ``sockaddr_un`` (unix(7)) when a store lies deep, so addresses are made of a
descriptor of the directory.  Whether a socket is in use is decided by connecting, not by a process number in its name: numbers
are reused, and mean something else in another container.
"""

from __future__ import annotations

import os
import socket
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path


@contextmanager
def short_address(path: Path) -> Iterator[str]:
    """Yield an address for ``path`` that is short enough; raises OSError where there is no such directory."""
    directory = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)
    try:
        yield address_in(directory, path.name)
    finally:
        os.close(directory)


def address_in(directory: int, name: str) -> str:
    """Return the address of a socket in the directory of an open descriptor."""
    return f"/proc/self/fd/{directory}/{name}"


def bound_socket(path: Path) -> socket.socket:
    """Return a socket bound to ``path`` (which must not exist) that only this user may connect to; raises OSError."""
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        # On Linux bind() gives the file the socket's own mode; setting the umask instead would race with other threads.
        os.fchmod(made.fileno(), 0o600)
        with short_address(path) as address:
            made.bind(address)
    except BaseException:
        made.close()
        raise
    return made


def remove_stale(paths: Iterable[Path]) -> None:
    """Remove the sockets among ``paths`` on which no process listens any more; others, and what is no socket, stay."""
    for path in paths:
        if not path.is_socket():  # connecting to any other file is refused, too
            continue
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asking, suppress(OSError):
            asking.setblocking(False)
            try:
                with short_address(path) as address:
                    asking.connect(address)
            except ConnectionRefusedError:
                path.unlink(missing_ok=True)
