"""Processes that run wheelfs, forked from one that has imported it and its libraries, which costs a new interpreter 0.5 s.

Arguments, environment, directory, streams, signals and network namespace are those that were asked for.  What differs:
`/proc/PID/cmdline`, that all modules are imported, whether a command needs them or not, and that they are not taken apart at the
end.  Where these matter, and for commands with an interpreter configured otherwise, an interpreter is started
(`processes.spawn`); ``--fresh-interpreters`` does so for all.

Run as ``python -P -m tests.fakes.forking SOCKET``, which waits for requests and forks for each.
"""

from __future__ import annotations

import ast
import atexit
import contextlib
import ctypes
import gc
import importlib
import json
import os
import pkgutil
import runpy
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_ROOT: Final = Path(__file__).parents[2]
_REQUEST_BYTES: Final = 128 * 1024
_END_S: Final = 20.0
_NETWORK: Final = "/proc/thread-self/ns/net"
_CLONE_NEWNET: Final = 0x40000000  # sched.h


class Streams(NamedTuple):
    """File descriptors."""

    stdin: int
    stdout: int
    stderr: int


class ForkServer:
    """Forks processes for this one; used by any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "tests.fakes.forking", str(theirs.fileno())],
                env={**_INTERPRETER, **{name: value for name, value in os.environ.items() if not _configures(name)}},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
            )
        atexit.register(self.close)

    def start(self, arguments: Sequence[str], environment: Mapping[str, str], cwd: Path | None, streams: Streams) -> Forked:
        """Run ``python -m wheelfs ARGUMENTS``."""
        request = {"arguments": list(arguments), "environment": dict(environment), "cwd": str(cwd or Path.cwd())}
        network = os.open(_NETWORK, os.O_RDONLY)
        try:
            pid = self._ask(request, [*streams, network])
        finally:
            os.close(network)
        return Forked(self, pid)

    def reap(self, pid: int) -> int | None:
        """Return the exit code of a process that has ended (negative: the signal), once; None while it runs."""
        code: int | None = self._ask({"reap": pid}, [])
        return code

    def _ask(self, request: object, descriptors: list[int]) -> Any:
        with self._lock:
            socket.send_fds(self._socket, [json.dumps(request).encode()], descriptors)
            answer = self._socket.recv(_REQUEST_BYTES)
        assert answer, "the fork server has ended; what it said is above"
        return json.loads(answer)

    def close(self) -> None:
        """End the server; processes that still run go on."""
        atexit.unregister(self.close)
        self._socket.close()
        self._process.wait(_END_S)


class Forked:
    """A process, with the methods of `subprocess.Popen` that need no pipes."""

    def __init__(self, server: ForkServer, pid: int) -> None:
        self._server = server
        self.pid = pid
        self.returncode: int | None = None
        self._lock = threading.Lock()
        # Its number is not given to another before the server has reaped it.
        self._ended = os.pidfd_open(pid)

    def poll(self) -> int | None:
        """Return the exit code, or None while it runs."""
        with self._lock:
            if self.returncode is None and select.select([self._ended], [], [], 0)[0]:
                self.returncode = self._server.reap(self.pid)
                os.close(self._ended)
            return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Return the exit code once it has ended; raises `subprocess.TimeoutExpired`."""
        waiting = select.poll()
        if self.returncode is None:
            waiting.register(self._ended, select.POLLIN)
            if not waiting.poll(None if timeout is None else timeout * 1000):
                assert timeout is not None
                raise subprocess.TimeoutExpired(f"wheelfs, process {self.pid}", timeout)
        code = self.poll()
        assert code is not None
        return code

    def send_signal(self, sig: int) -> None:
        """Send a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, sig)

    def terminate(self) -> None:
        """SIGTERM."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL."""
        self.send_signal(signal.SIGKILL)


# How the interpreter of the server is configured: one that is to be configured otherwise is started, not forked.
_INTERPRETER: Final = {"PYTHONPATH": str(_ROOT), "LANG": "C.UTF-8"}


def _configures(name: str) -> bool:
    return name.startswith(("PYTHON", "LC_", "LANG", "MALLOC_", "LD_"))


def is_forkable(environment: Mapping[str, str]) -> bool:
    """Tell whether a process with that environment is as one forked by the server would be."""
    return {name: value for name, value in environment.items() if _configures(name)} == _INTERPRETER


# --- in the server ---------------------------------------------------------------------------------------------------


def imported_libraries() -> set[str]:
    """Return the modules that wheelfs imports and that are not its own, also those that only some commands need."""
    found = set()
    for path in (_ROOT / "wheelfs").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                found.add(node.module)
    return {name for name in found if name.partition(".")[0] not in ("wheelfs", "pip", "__future__")}


def serve(asking: socket.socket) -> list[str] | None:
    """Fork for each request.  Returns None when no process can ask any more, and in a forked process its arguments."""
    network = Path(_NETWORK).stat().st_ino
    while True:
        data, descriptors, _, _ = socket.recv_fds(asking, _REQUEST_BYTES, 4)
        if not data:
            return None
        request = json.loads(data)
        if "reap" in request:
            pid, status = os.waitpid(request["reap"], os.WNOHANG)
            answer = os.waitstatus_to_exitcode(status) if pid else None
        elif not (answer := os.fork()):
            asking.close()
            _become(request, descriptors, network)
            arguments: list[str] = request["arguments"]
            return arguments
        for descriptor in descriptors:
            os.close(descriptor)
        asking.send(json.dumps(answer).encode())


def _become(request: dict[str, Any], descriptors: list[int], network: int) -> None:
    *streams, namespace = descriptors
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
    if os.fstat(namespace).st_ino != network and ctypes.CDLL(None, use_errno=True).setns(namespace, _CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "cannot enter the network namespace of the test")
    for descriptor in descriptors:
        os.close(descriptor)
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["environment"])
    time.tzset()
    signal.signal(signal.SIGINT, signal.default_int_handler)


def main(descriptor: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the tests; the server ends with them
    for name in sorted(imported_libraries()):
        # What only some machines have, or is a name in a module and no module.
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    assert len(list(Path("/proc/self/task").iterdir())) == 1, "a library has started a thread, which a fork would lose"
    for module in pkgutil.walk_packages([str(_ROOT / "wheelfs")], "wheelfs."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    gc.freeze()
    with socket.socket(fileno=descriptor) as asking:
        arguments = serve(asking)
    if arguments is not None:
        _run(arguments)


def _run(arguments: list[str]) -> None:
    """Run wheelfs and end as an interpreter does, but for taking apart what all forks share: most commands take less time."""
    sys.argv = ["wheelfs", *arguments]
    try:
        runpy.run_module("wheelfs", run_name="__main__", alter_sys=True)
    except SystemExit as ended:
        if ended.code is not None and not isinstance(ended.code, int):
            raise
        code = ended.code or 0
    else:
        code = 0
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError:
        sys.exit(code)  # the interpreter says what is lost, and changes the code
    os._exit(code)


if __name__ == "__main__":
    main(int(sys.argv[1]))
