"""The asking side of the control socket, whose protocol is in `wheelfs.service.process.control_socket`.

For short commands: it blocks, and needs no trio, which takes half as long to import as all else that a command needs.
"""

from __future__ import annotations

import json
import socket
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import msgspec

from wheelfs.errors import StoreReadOnly
from wheelfs.service.process.sockets import short_address

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

MAX_REPLY_BYTES: Final = 16 << 20
"""A status with thousands of origins still fits; more is not one of ours."""
MAX_SOCKETS: Final = 1024
"""Processes on one store that are looked at: LMDB allows as many readers."""

LOOK_TIMEOUT_S: Final = 2.0
"""Twice as long as a kernel believes a name that may change: by then a mount shows what is stored even if it does not answer."""


class Answered(msgspec.Struct, frozen=True):
    """A process's answer: the value of ``ok``."""

    pid: int
    value: Any


class Silent(msgspec.Struct, frozen=True):
    """A process that has a socket but gave no usable answer."""

    pid: int
    reason: str


class Unasked(msgspec.Struct, frozen=True):
    """A process of another user, which answers only that one and root; whether it lives is not known."""

    pid: int


def ask_all(run_dir: Path, request: Mapping[str, object], *, timeout_s: float) -> list[Answered | Silent | Unasked]:
    """Ask every process that listens in ``run_dir``, for ``timeout_s`` altogether; sockets of dead processes are left out.

    Raises `StoreReadOnly` where the store is another user's.
    """
    deadline = time.monotonic() + timeout_s
    replies: list[Answered | Silent | Unasked] = []
    for path in sockets_in(run_dir):
        pid = int(path.stem)
        try:
            replies.append(Answered(pid, ask(path, request, timeout_s=max(0.001, deadline - time.monotonic()))))
        except (ConnectionRefusedError, FileNotFoundError):
            continue
        except PermissionError:
            replies.append(Unasked(pid))
        except (OSError, ValueError) as error:
            replies.append(Silent(pid, str(error) or type(error).__name__))
    return replies


def let_mounts_look(run_dir: Path) -> None:
    """Return when the mounts of a store show what is stored now, at the latest after `LOOK_TIMEOUT_S`.

    Not waited for: a mount of an older build, which does not know the request, and those of another user.
    """
    with suppress(StoreReadOnly):
        ask_all(run_dir, {"do": "look"}, timeout_s=LOOK_TIMEOUT_S)


def ask(path: Path, request: Mapping[str, object], *, timeout_s: float) -> Any:
    """Return the answer of the process that listens on ``path``.

    Raises OSError (TimeoutError, ConnectionRefusedError: no process listens) and ValueError (refused, or not in our protocol).
    """
    deadline = time.monotonic() + timeout_s
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.settimeout(timeout_s)
        with short_address(path) as address:
            sock.connect(address)
        sock.sendall(json.dumps(dict(request)).encode() + b"\n")
        data = bytearray()
        while not data.endswith(b"\n"):
            # Renewed for every piece, so that a peer that drips bytes cannot stretch the bound.
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                raise TimeoutError("timed out")
            sock.settimeout(left_s)
            more = sock.recv(65536)
            if not more:
                raise ValueError("the connection was closed without an answer")
            data += more
            if len(data) > MAX_REPLY_BYTES:
                raise ValueError("the answer is too long")
    reply = msgspec.json.decode(data)
    if not isinstance(reply, dict) or "ok" not in reply:
        raise ValueError(str(reply.get("error")) if isinstance(reply, dict) else "the answer is no object")
    return reply["ok"]


def sockets_in(run_dir: Path) -> list[Path]:
    """Return the sockets of the processes of a store, those of dead ones too; raises `StoreReadOnly` for another user's."""
    try:
        return sorted(path for path in run_dir.iterdir() if path.suffix == ".sock" and path.stem.isdecimal())[:MAX_SOCKETS]
    except (FileNotFoundError, NotADirectoryError):
        return []
    except PermissionError as error:
        raise StoreReadOnly(
            f"look for processes of the store {run_dir.parent}", f"{error.strerror}", "check the directory's owner and mode"
        ) from None
