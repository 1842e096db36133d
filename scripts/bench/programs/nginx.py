"""Debian's nginx with one directory of plain files: the peer of servers."""

from __future__ import annotations

import os
import socket
import subprocess
from typing import TYPE_CHECKING, Self

from tests.fakes.waiting import eventually

if TYPE_CHECKING:
    from pathlib import Path

_END_S = 10.0

_CONFIGURATION = """
daemon off;
{user}
worker_processes {workers};
pid {scratch}/pid;
error_log {scratch}/log;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    sendfile on;
    tcp_nopush on;
    types {{ text/html html; }}
    default_type application/octet-stream;
    client_body_temp_path {scratch}/client;
    proxy_temp_path {scratch}/proxy;
    fastcgi_temp_path {scratch}/fastcgi;
    uwsgi_temp_path {scratch}/uwsgi;
    scgi_temp_path {scratch}/scgi;
    server {{ listen {address}:{port}; root {directory}; }}
}}
"""


class Nginx:
    """Serves ``directory`` at ``url`` from ``__enter__`` to ``__exit__``; what it needs itself lies in ``scratch``."""

    def __init__(self, directory: Path, scratch: Path, *, workers: int = 1, address: str = "127.0.0.1") -> None:
        scratch.mkdir(parents=True)
        self._scratch = scratch
        with socket.socket() as free:  # nginx cannot be told to choose
            free.bind((address, 0))
            port = free.getsockname()[1]
        # Started by root it would become another user, who may not look into a private scratch directory.
        user = "user root;" if os.geteuid() == 0 else ""
        text = _CONFIGURATION.format(user=user, workers=workers, scratch=scratch, address=address, port=port, directory=directory)
        (scratch / "conf").write_text(text)
        self._address = (address, port)
        self.url = f"http://{address}:{port}"

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(["nginx", "-c", str(self._scratch / "conf")], stdin=subprocess.DEVNULL)
        eventually(self._answers)
        return self

    def __exit__(self, *_: object) -> None:
        with self._process as process:
            process.terminate()
            process.wait(_END_S)

    @property
    def pid(self) -> int:
        """The master process; its workers are its children."""
        return self._process.pid

    def _answers(self) -> bool:
        if self._process.poll() is not None:
            raise SystemExit(f"nginx ended with exit code {self._process.returncode}")
        with socket.socket() as asking:
            return asking.connect_ex(self._address) == 0
