"""A real S3 server, in a process and an environment of its own: moto's."""

from __future__ import annotations

import socket
import subprocess
import urllib.request
from typing import TYPE_CHECKING, Self

from tests.fakes.environments import programs_of
from tests.fakes.processes import isolated_environment
from tests.fakes.real_index import configured_index
from tests.fakes.waiting import eventually

if TYPE_CHECKING:
    from pathlib import Path

REQUIREMENTS = ["moto[s3,server]==5.2.5"]
BUCKET = "lab"
_ONE_BY_ONE = """
import threading
from moto.s3.responses import S3Response
from moto.server import main

lock, put = threading.Lock(), S3Response.put_object

def put_object(self):
    with lock:
        return put(self)

S3Response.put_object = put_object
main()
"""
"""moto looks whether an object is there, and then puts it: of two threads that do so at once both succeed, which S3 excludes."""
_READY_S = 60.0
_STOP_S = 20.0


def is_granted(request: urllib.request.Request, server: subprocess.Popen[bytes]) -> bool:
    """Tell whether a server that starts has done what it was asked for; fails when it has ended."""
    try:
        with urllib.request.urlopen(request, timeout=5):
            return True
    except OSError:
        assert server.poll() is None, "the server has ended"
        return False


class S3Server:
    """A server from ``__enter__`` to ``__exit__``, with an empty bucket at ``url``; clients find it by ``environment``."""

    def __init__(self, directory: Path, address: str = "127.0.0.1") -> None:
        self._programs = programs_of("moto", REQUIREMENTS, configured_index())
        self._directory = directory
        self._address = address
        self._made = 0
        with socket.socket() as free:
            free.bind((address, 0))
            self._port = free.getsockname()[1]
        self.url = f"s3://{BUCKET}/wheels"
        self.environment = {
            "AWS_ENDPOINT_URL": f"http://{address}:{self._port}",
            "AWS_ACCESS_KEY_ID": "anybody",
            "AWS_SECRET_ACCESS_KEY": "s3cret",
            "AWS_REGION": "us-east-1",
        }

    def __enter__(self) -> Self:
        command = [str(self._programs / "python"), "-c", _ONE_BY_ONE, "-H", self._address, "-p", str(self._port)]
        environment = isolated_environment(self._directory / "s3-home")
        with (self._directory / "s3.log").open("wb") as log:
            self._process = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            self._make(BUCKET)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait(_STOP_S)

    def another_url(self) -> str:
        """Return the URL of another empty bucket: starting a server for each test would take a second of the processor."""
        self._made += 1
        self._make(f"{BUCKET}-{self._made}")
        return f"s3://{BUCKET}-{self._made}/wheels"

    def _make(self, bucket: str) -> None:
        request = urllib.request.Request(f"{self.environment['AWS_ENDPOINT_URL']}/{bucket}", method="PUT")
        eventually(lambda: is_granted(request, self._process), deadline_s=_READY_S)
