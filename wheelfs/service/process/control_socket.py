"""The control socket: how other processes on the same machine ask a mount how it is.

Protocol: a client connects to ``STORE/run/PID.sock``, sends one JSON object on one line (``{"do": "status"}``) and gets one JSON
object on one line: ``{"ok": ...}`` or ``{"error": "..."}``; then the connection is closed.  One question per connection keeps
both sides free of framing state.

The server is a task of its own that takes no lock and waits for nothing but its clients, so it answers while every read of the
mount hangs on the network (cvmfs has shown what that is worth).  Answers must therefore be plain functions that return at once.

The socket is mode 0600, and appears under its final name only when it listens: whatever is found under that name and refuses
connections is left from a dead process, and any process may remove it.
"""

from __future__ import annotations

import errno
import json
import logging
import os
import socket
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import msgspec
import trio

from wheelfs.errors import StoreReadOnly
from wheelfs.service.process.sockets import bound_socket, remove_stale, short_address

if TYPE_CHECKING:
    from pathlib import Path

Answer = Callable[[], object]
"""Returns, at once, what msgspec can encode."""

MAX_REQUEST_BYTES: Final = 64 << 10
"""A question is a few words."""
MAX_REPLY_BYTES: Final = 16 << 20
"""A status with thousands of origins still fits; more is not one of ours."""
MAX_SOCKETS: Final = 1024
"""Processes on one store that are looked at: LMDB allows as many readers."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ControlLimits:
    """How much clients of the socket may take up."""

    connections: int = 16
    """Each costs a task and a descriptor; others wait in the backlog, bounded by ``connection_s`` per turn."""

    connection_s: float = 5.0
    """What a client may take to send its request and to read the answer."""


CONTROL_LIMITS: Final = ControlLimits()
"""What a running wheelfs uses."""


async def serve_control(
    run_dir: Path,
    answers: Mapping[str, Answer],
    *,
    limits: ControlLimits = CONTROL_LIMITS,
    task_status: trio.TaskStatus[Path] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Answer on ``run_dir/PID.sock`` until cancelled; ``started`` with the socket's path.

    Creates ``run_dir`` (mode 0700) and removes sockets of dead processes.  ``ping`` is always answered.  Raises OSError when the
    socket cannot be made.
    """
    path = run_dir / f"{os.getpid()}.sock"
    everything = {"ping": _ping, **answers}
    sock = _listen(path, limits)
    try:
        async with trio.open_nursery() as nursery:
            slots = trio.Semaphore(limits.connections)
            task_status.started(path)
            while True:
                await slots.acquire()
                try:
                    client, _ = await sock.accept()
                except OSError as error:
                    slots.release()
                    if error.errno not in _ACCEPT_AGAIN:
                        raise
                    # Out of descriptors: closing connections will free some; without a pause this would spin.
                    await trio.sleep(0.1)
                    continue
                nursery.start_soon(_converse, client, everything, slots, limits.connection_s)
    finally:
        with suppress(OSError):
            path.unlink()
        sock.close()


_ACCEPT_AGAIN: Final = frozenset({errno.ECONNABORTED, errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EINTR})


def _listen(path: Path, limits: ControlLimits) -> trio.socket.SocketType:
    """Return a listening socket that has its final name only now."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    remove_stale(_sockets(path.parent))
    temporary = path.with_suffix(".new")
    temporary.unlink(missing_ok=True)
    sock = bound_socket(temporary)
    try:
        sock.setblocking(False)
        sock.listen(limits.connections)
        temporary.rename(path)
    except BaseException:
        sock.close()
        raise
    return trio.socket.from_stdlib_socket(sock)


async def _converse(
    client: trio.socket.SocketType, answers: Mapping[str, Answer], slots: trio.Semaphore, timeout_s: float
) -> None:
    """Read one request, answer it, close.  No client can end the server or keep its slot for longer than the bound."""
    stream = trio.SocketStream(client)
    try:
        with trio.move_on_after(timeout_s):
            line = await _read_line(stream)
            if line is not None:
                await stream.send_all(_answer(line, answers) + b"\n")
    except (trio.BrokenResourceError, trio.ClosedResourceError, OSError):
        _log.debug("a client of the control socket went away")
    finally:
        client.close()
        slots.release()


async def _read_line(stream: trio.SocketStream) -> bytes | None:
    """Return a request without its newline; None when the client closes first; what is too long comes back too long."""
    data = bytearray()
    while b"\n" not in data and len(data) <= MAX_REQUEST_BYTES:
        more = await stream.receive_some(8192)
        if not more:
            return None
        data += more
    return bytes(data.partition(b"\n")[0])


def _answer(line: bytes, answers: Mapping[str, Answer]) -> bytes:
    try:
        if len(line) > MAX_REQUEST_BYTES:
            raise ValueError(f"the request is longer than {MAX_REQUEST_BYTES} bytes")
        request = msgspec.json.decode(line)
        if not isinstance(request, dict) or not isinstance(request.get("do"), str):
            raise ValueError('a request is an object with "do"')
        if request["do"] not in answers:
            raise ValueError(f"{request['do'][:80]!r} is not one of {', '.join(sorted(answers))}")
        return msgspec.json.encode({"ok": answers[request["do"]]()})
    except (ValueError, RecursionError) as error:
        return msgspec.json.encode({"error": str(error)[:500]})
    except Exception:
        # A bug in an answer is worth a log line and an answer, not the mount.
        _log.exception("a request on the control socket failed")
        return msgspec.json.encode({"error": "internal error: see the mount's log"})


def _ping() -> object:
    return {"pid": os.getpid()}


# --- the asking side -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Answered:
    """A process's answer: the value of ``ok``."""

    pid: int
    value: Any


@dataclass(frozen=True, slots=True)
class Silent:
    """A process that has a socket but gave no usable answer."""

    pid: int
    reason: str


def ask_all(run_dir: Path, request: Mapping[str, object], *, timeout_s: float) -> list[Answered | Silent]:
    """Ask every process that listens in ``run_dir``, for ``timeout_s`` altogether; sockets of dead processes are left out.

    Raises `StoreReadOnly` where the store is another user's.
    """
    deadline = time.monotonic() + timeout_s
    replies: list[Answered | Silent] = []
    for path in _sockets(run_dir):
        pid = int(path.stem)
        try:
            replies.append(Answered(pid, ask(path, request, timeout_s=max(0.001, deadline - time.monotonic()))))
        except (ConnectionRefusedError, FileNotFoundError):
            continue
        except (OSError, ValueError) as error:
            replies.append(Silent(pid, str(error) or type(error).__name__))
    return replies


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


def _sockets(run_dir: Path) -> list[Path]:
    try:
        return sorted(path for path in run_dir.iterdir() if path.suffix == ".sock" and path.stem.isdecimal())[:MAX_SOCKETS]
    except (FileNotFoundError, NotADirectoryError):
        return []
    except PermissionError as error:
        raise StoreReadOnly(
            f"look for processes of the store {run_dir.parent}", f"{error.strerror}", "check the directory's owner and mode"
        ) from None
