"""The control socket: how other processes on the same machine ask a mount how it is (`wheelfs.service.process.control_client`).

Protocol: a client connects to ``STORE/run/PID.sock``, sends one JSON object on one line (``{"do": "status"}``) and gets one JSON
object on one line: ``{"ok": ...}`` or ``{"error": "..."}``; then the connection is closed.  One question per connection keeps
both sides free of framing state.

The server is a task of its own that takes no lock and waits for nothing but its clients, so it answers while every read of the
mount hangs on the network (cvmfs has shown what that is worth).  Answers must therefore return at once; one that has to wait for
something is a coroutine, and holds its own connection alone, within the connection's bound.

The socket is mode 0600, and appears under its final name only when it listens: whatever is found under that name and refuses
connections is left from a dead process, and any process may remove it.
"""

from __future__ import annotations

import errno
import logging
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from inspect import isawaitable
from typing import TYPE_CHECKING, Final

import msgspec
import trio

from wheelfs.service.process.control_client import sockets_in
from wheelfs.service.process.sockets import bound_socket, remove_stale

if TYPE_CHECKING:
    from pathlib import Path

Answer = Callable[[], object]
"""Returns, at once, what msgspec can encode, or a coroutine that does."""

MAX_REQUEST_BYTES: Final = 64 << 10
"""A question is a few words."""

_log = logging.getLogger(__name__)


class ControlLimits(msgspec.Struct, frozen=True):
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
    remove_stale(sockets_in(path.parent))
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
                await stream.send_all(await _answer(line, answers) + b"\n")
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


async def _answer(line: bytes, answers: Mapping[str, Answer]) -> bytes:
    try:
        if len(line) > MAX_REQUEST_BYTES:
            raise ValueError(f"the request is longer than {MAX_REQUEST_BYTES} bytes")
        request = msgspec.json.decode(line)
        if not isinstance(request, dict) or not isinstance(request.get("do"), str):
            raise ValueError('a request is an object with "do"')
        if request["do"] not in answers:
            raise ValueError(f"{request['do'][:80]!r} is not one of {', '.join(sorted(answers))}")
        answer = answers[request["do"]]()
        return msgspec.json.encode({"ok": await answer if isawaitable(answer) else answer})
    except (ValueError, RecursionError) as error:
        return msgspec.json.encode({"error": str(error)[:500]})
    except Exception:
        # A bug in an answer is worth a log line and an answer, not the mount.
        _log.exception("a request on the control socket failed")
        return msgspec.json.encode({"error": "internal error: see the mount's log"})


def _ping() -> object:
    return {"pid": os.getpid()}
