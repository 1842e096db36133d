"""Debian's nginx with one directory of plain files: the peer of servers in benchmarks, and what the guides name."""

from __future__ import annotations

import os
import shutil
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
    server {{ {server} }}
}}
"""


def nginx_program() -> str | None:
    """Return where nginx is; Debian has it where only root's PATH leads."""
    return shutil.which("nginx", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin")


class Nginx:
    """Serves ``directory`` at ``url`` from ``__enter__`` to ``__exit__``; what it needs itself lies in ``scratch``.

    ``location``: below which path, by `alias`; else at the root.  ``locations``: what it is to do besides, in its own words.
    ``tls``: a file with the certificate and its key.  ``login``: the user and password of those who may read it.
    """

    def __init__(
        self,
        directory: Path,
        scratch: Path,
        *,
        workers: int = 1,
        address: str = "127.0.0.1",
        location: str = "",
        locations: str = "",
        tls: Path | None = None,
        login: tuple[str, str] | None = None,
    ) -> None:
        scratch.mkdir(parents=True)
        self._scratch = scratch
        with socket.socket() as free:  # nginx cannot be told to choose
            free.bind((address, 0))
            port = free.getsockname()[1]
        server = [f"listen {address}:{port}{' ssl' if tls else ''};"]
        if tls:
            server.append(f"ssl_certificate {tls}; ssl_certificate_key {tls};")
        if login:
            (scratch / "logins").write_text(f"{login[0]}:{{PLAIN}}{login[1]}\n")
            server.append(f"auth_basic lab; auth_basic_user_file {scratch}/logins;")
        server.append(f"location {location}/ {{ alias {directory}/; }}" if location else f"root {directory};")
        server.append(locations)
        # Started by root it would become another user, who may not look into a private scratch directory.
        user = "user root;" if os.geteuid() == 0 else ""
        text = _CONFIGURATION.format(user=user, workers=workers, scratch=scratch, server="\n".join(server))
        (scratch / "conf").write_text(text)
        self._address = (address, port)
        self.url = f"{'https' if tls else 'http'}://{address}:{port}{location}"

    def __enter__(self) -> Self:
        command = [nginx_program() or "nginx", "-e", str(self._scratch / "log"), "-c", str(self._scratch / "conf")]
        self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
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
