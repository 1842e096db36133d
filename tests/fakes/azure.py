"""A real server of Azure's blobs on loopback, in a process of its own: Microsoft's azurite, which npm brings."""

from __future__ import annotations

import base64
import email.utils
import hashlib
import hmac
import shutil
import socket
import subprocess
import urllib.request
from typing import TYPE_CHECKING, Self

from tests.fakes.environments import cache_directory, made_once
from tests.fakes.processes import isolated_environment
from tests.fakes.s3 import is_granted
from tests.fakes.waiting import eventually

if TYPE_CHECKING:
    from pathlib import Path

PACKAGE = "azurite@3.35.0"
CONTAINER = "lab"
_ACCOUNT = "devstoreaccount1"
# Known to everybody: the one account of every emulator.
_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
_INSTALL_LIMIT_S = 600.0
_READY_S = 60.0
_STOP_S = 20.0


def has_npm() -> bool:
    """Tell whether azurite can be had here."""
    return shutil.which("npm") is not None


class AzureServer:
    """A server with one container, from ``__enter__`` to ``__exit__``; ``environment`` is what makes a client find it."""

    def __init__(self, directory: Path) -> None:
        self._program = _installed(directory)
        self._directory = directory
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port = free.getsockname()[1]
        self.url = f"az://{CONTAINER}/wheels"
        self._base = f"http://127.0.0.1:{self._port}"
        self.environment = {"AZURE_STORAGE_USE_EMULATOR": "true", "AZURITE_BLOB_STORAGE_URL": self._base}

    def __enter__(self) -> Self:
        command = [str(self._program), "--inMemoryPersistence", "--blobHost", "127.0.0.1", "--blobPort", str(self._port)]
        command += ["--disableProductStyleUrl", "--skipApiVersionCheck", "--silent"]
        environment = isolated_environment(self._directory / "azure-home")
        with (self._directory / "azure.log").open("wb") as log:
            self._process = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            self._make_container()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait(_STOP_S)

    def _make_container(self) -> None:
        eventually(lambda: is_granted(self._wish_for_container(), self._process), deadline_s=_READY_S)

    def _wish_for_container(self) -> urllib.request.Request:
        headers = {"x-ms-date": email.utils.formatdate(usegmt=True), "x-ms-version": "2021-08-06"}
        signed = "\n".join(
            [
                "PUT",
                *[""] * 11,
                *(f"{name}:{value}" for name, value in headers.items()),
                f"/{_ACCOUNT}/{_ACCOUNT}/{CONTAINER}",
                "restype:container",
            ]
        )
        signature = base64.b64encode(hmac.new(base64.b64decode(_KEY), signed.encode(), hashlib.sha256).digest()).decode()
        headers |= {"Authorization": f"SharedKey {_ACCOUNT}:{signature}", "Content-Length": "0"}
        url = f"{self._base}/{_ACCOUNT}/{CONTAINER}?restype=container"
        return urllib.request.Request(url, method="PUT", headers=headers)


def _installed(directory: Path) -> Path:
    """Return azurite's program, installed once, outside the checkout (186 MB)."""
    place = cache_directory() / PACKAGE.replace("@", "-")

    def install() -> None:
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        command = ["npm", "install", "--no-audit", "--no-fund", "--silent", "--prefix", str(place), PACKAGE]
        subprocess.run(command, cwd=directory, check=True, timeout=_INSTALL_LIMIT_S, stdin=subprocess.DEVNULL)

    made_once(place, install)
    return place / "node_modules" / ".bin" / "azurite-blob"
