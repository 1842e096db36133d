"""The server under `FakeIndex`: threads, connections, and the faults that happen on the wire."""

from __future__ import annotations

import contextlib
import socket
import struct
import sys
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Protocol

from tests.fakes import faults

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator

_PIECE_BYTES = 64 * 1024
_POLL_S = 0.02
_JOIN_S = 5.0
_NO_LINGER = struct.pack("ii", 1, 0)


@dataclass(slots=True)
class Request:
    """One request as it came in, and how it was answered (``status`` 0: not at all).

    ``began_s`` and ``ended_s``: when it came in and when the last of its answer was given to the kernel (`time.perf_counter`).
    """

    method: str
    path: str
    range: str | None
    headers: dict[str, str]
    status: int = 0
    body_bytes_sent: int = 0
    began_s: float = 0.0
    ended_s: float = 0.0


@dataclass(slots=True)
class Answer:
    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    chunked: bool = False


class Site(Protocol):
    """What the server asks of the index it asks; called by connection threads."""

    requests: list[Request]
    tls_context: ssl.SSLContext | None
    answering: threading.Event

    def next_fault(self, method: str, path: str) -> faults.Action | None: ...

    def answer(self, request: Request, action: faults.Action | None) -> Answer: ...


class Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 512

    def __init__(self, site: Site, address: str, port: int) -> None:
        self.site = site
        self.ending = threading.Event()
        self._serving: set[threading.Thread] = set()
        self._connections: set[socket.socket] = set()
        super().__init__((address, port), _Connection)

    def begin(self) -> None:
        self._accepting = threading.Thread(target=self.serve_forever, args=(_POLL_S,), daemon=True)
        self._accepting.start()

    def end(self) -> None:
        self.ending.set()
        self.shutdown()
        self.server_close()
        self._accepting.join(_JOIN_S)
        for connection in list(self._connections):
            with contextlib.suppress(OSError):  # the client was quicker
                connection.shutdown(socket.SHUT_RDWR)
        for thread in list(self._serving):
            thread.join(_JOIN_S)

    def process_request(self, request: Any, client_address: Any) -> None:
        # A small send buffer keeps "bytes sent" near "bytes received" when a client stops reading.
        request.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _PIECE_BYTES)
        request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._connections.add(request)
        thread = threading.Thread(target=self._serve, args=(request, client_address), daemon=True)
        self._serving.add(thread)
        thread.start()

    def _serve(self, request: socket.socket, client_address: Any) -> None:
        tls = self.site.tls_context
        try:
            stream = tls.wrap_socket(request, server_side=True) if tls else request
            self._connections.add(stream)
            self.process_request_thread(stream, client_address)
            self._connections.discard(stream)
        except OSError:
            pass  # a handshake that the client refused, or a connection cut
        finally:
            request.close()
            self._connections.discard(request)
            self._serving.discard(threading.current_thread())

    def shutdown_request(self, request: Any) -> None:
        """Close; a connection that lingers for 0 s was reset on purpose and must not say goodbye (FIN) first."""
        lingering = request.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, 8) == _NO_LINGER
        (self.close_request if lingering else super().shutdown_request)(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Connections cut by clients are everyday; anything else is a defect of this fake and must be seen."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


class _Cut(OSError):
    """The connection ends here, on purpose."""


class _Connection(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def do_GET(self) -> None:
        site = self.server.site
        headers = {key.lower(): value for key, value in self.headers.items()}
        request = Request(self.command, self.path, headers.get("range"), headers, began_s=time.perf_counter())
        site.requests.append(request)
        self._wait(site.answering, None)
        action = site.next_fault(self.command, self.path)
        if isinstance(action, faults.Stall) and action.after_bytes is None:
            self._wait(action.until, action.seconds)
        if isinstance(action, faults.Reset) and action.after_bytes is None:
            self._reset()
        answer = site.answer(request, action)
        if isinstance(action, faults.Changed):
            answer = action.change(request, answer)
        request.status = answer.status
        if isinstance(action, faults.Wire):
            self._send_raw(action, answer)
        self.send_response(answer.status)
        for key, value in answer.headers.items():
            self.send_header(key, value)
        if answer.chunked:
            self.send_header("Transfer-Encoding", "chunked")
        elif answer.status != 304:
            self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        if self.command == "HEAD" or answer.status == 304:
            return
        for piece in self._pieces(answer.body, action):
            # Counted first: a client that has a byte can be sure to find it counted.
            request.body_bytes_sent += len(piece)
            self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece) if answer.chunked else piece)
            request.ended_s = time.perf_counter()
        if answer.chunked:
            self.wfile.write(b"0\r\n\r\n")

    def do_PUT(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.do_GET()

    def date_time_string(self, timestamp: float | None = None) -> str:
        """Return what Date says, by the site's clock."""
        return super().date_time_string(time.time() + getattr(self.server.site, "ahead_s", 0.0))

    do_HEAD = do_GET  # noqa: N815 - the name that http.server looks for

    def _pieces(self, body: bytes, action: faults.Action | None) -> Iterator[bytes]:
        """Yield the body in pieces, doing what ``action`` does within a body where its place comes."""
        view = memoryview(body)
        at = action.after_bytes if isinstance(action, faults.Stall | faults.Reset | faults.Truncate) else None
        piece_bytes = max(1, action.bytes_per_second // 20) if isinstance(action, faults.Slow) else _PIECE_BYTES
        head = len(body) if at is None else min(at, len(body))
        for start in range(0, head, piece_bytes):
            yield bytes(view[start : min(start + piece_bytes, head)])
            if isinstance(action, faults.Slow):
                self._wait(None, 0.05)
        if at is None:
            return
        if isinstance(action, faults.Stall):
            self._wait(action.until, action.seconds)
        elif isinstance(action, faults.Reset):
            self._reset()
        else:
            raise _Cut
        for start in range(head, len(body), piece_bytes):
            yield bytes(view[start : start + piece_bytes])

    def _send_raw(self, action: faults.Wire, answer: Answer) -> None:
        """Send what the script says instead of the answer, and end the connection."""
        for step in action.script(answer):
            if isinstance(step, bytes):
                self.wfile.write(step)
            else:
                self._wait(None, step)
        if action.resets:
            self._reset()
        raise _Cut

    def _wait(self, until: threading.Event | None, seconds: float | None) -> None:
        """Wait for ``until`` or ``seconds``, whichever comes first; the end of the index cuts the connection."""
        awaited = until or threading.Event()
        turns = None if seconds is None else max(1, round(seconds / _POLL_S))
        while not awaited.wait(_POLL_S if seconds is None else min(seconds, _POLL_S)):
            if self.server.ending.is_set():
                raise _Cut
            if turns is not None:
                turns -= 1
                if turns <= 0:
                    return

    def _reset(self) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
        raise _Cut

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: `FakeIndex.requests` is the log."""
