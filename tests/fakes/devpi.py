"""A devpi-server of PyPI's, in an environment and a directory of its own, mirroring an index on loopback."""

from __future__ import annotations

import base64
import json
import signal
import socket
import subprocess
import time
import urllib.request
from typing import TYPE_CHECKING, Any, Self

from tests.fakes.environments import programs_of
from tests.fakes.processes import isolated_environment, run
from tests.fakes.real_index import configured_index

if TYPE_CHECKING:
    from pathlib import Path

REQUIREMENTS = ["devpi-server==6.20.3"]
_READY_S = 60.0
_STOP_S = 20.0


class Devpi:
    """A server that runs from ``__enter__`` to ``__exit__``, with devpi's own defaults but for what is said here."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._programs = programs_of("devpi", REQUIREMENTS, configured_index())
        self._environment = isolated_environment(directory.with_name(directory.name + "-home"))
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._url = f"http://127.0.0.1:{free.getsockname()[1]}"

    def __enter__(self) -> Self:
        where = ["--serverdir", str(self.directory)]
        init = [str(self._programs / "devpi-init"), *where, "--no-root-pypi"]
        run(init, environment=self._environment).succeeded()
        serve = [str(self._programs / "devpi-server"), *where, "--port", self._url.rpartition(":")[2]]
        log = self.directory.with_name(self.directory.name + ".log").open("wb")
        self._process = subprocess.Popen(serve, env=self._environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        log.close()
        try:
            self._wait_until_it_answers()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(_STOP_S)

    @property
    def pid(self) -> int:
        """The server's process: it has one."""
        return self._process.pid

    def add_mirror(self, name: str, upstream: str, *, expiry_s: int | None = None) -> str:
        """Mirror an index and return the URL for clients; pages count as fresh for ``expiry_s`` (None: devpi's 30 min)."""
        settings: dict[str, Any] = {"type": "mirror", "mirror_url": f"{upstream}/", "volatile": False}
        if expiry_s is not None:
            settings["mirror_cache_expiry"] = expiry_s
        self._ask("PUT", f"/root/{name}", settings, auth=self._auth())
        return f"{self._url}/root/{name}/+simple/"

    def add_stage(self, name: str) -> str:
        """Make an index for uploads and return its path."""
        self._ask("PUT", f"/root/{name}", {"type": "stage", "bases": [], "acl_upload": ["root"]}, auth=self._auth())
        return f"/root/{name}/"

    def upload(self, stage: str, filename: str, content: bytes) -> None:
        """Upload a wheel, as ``devpi upload`` and twine do."""
        name, version = filename.split("-")[:2]
        fields = {
            ":action": "file_upload",
            "name": name,
            "version": version,
            "filetype": "bdist_wheel",
            "metadata_version": "2.1",
        }
        mark = "a-boundary-that-no-wheel-has"
        head = "".join(
            f'--{mark}\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{value}\r\n' for key, value in fields.items()
        )
        head += f'--{mark}\r\nContent-Disposition: form-data; name="content"; filename="{filename}"\r\n\r\n'
        body = head.encode() + content + f"\r\n--{mark}--\r\n".encode()
        headers = {"Content-Type": f"multipart/form-data; boundary={mark}", "X-Devpi-Auth": self._auth()}
        request = urllib.request.Request(f"{self._url}{stage}", data=body, headers=headers, method="POST")
        urllib.request.urlopen(request, timeout=_READY_S).close()

    def _auth(self) -> str:
        token = self._ask("POST", "/+login", {"user": "root", "password": ""})["result"]["password"]
        return base64.b64encode(f"root:{token}".encode()).decode()

    def _wait_until_it_answers(self) -> None:
        deadline_s = time.monotonic() + _READY_S
        while True:
            try:
                self._ask("GET", "/+api")
                return
            except OSError as error:
                if self._process.poll() is not None or time.monotonic() > deadline_s:
                    raise SystemExit(f"devpi-server does not answer ({error}); its log is {self.directory}.log") from error
                time.sleep(0.1)

    def _ask(self, method: str, path: str, body: object = None, *, auth: str | None = None) -> Any:
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if auth is not None:
            headers["X-Devpi-Auth"] = auth
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self._url}{path}", data=data, headers=headers, method=method)
        with urllib.request.urlopen(request, timeout=_READY_S) as reply:
            return json.load(reply)
