"""Programs that need an environment of their own (poetry, pdm): made once from pip's configured index, outside the checkout."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import uv

from tests.fakes.processes import isolated_environment, run
from tests.fakes.real_index import machine_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_INSTALL_LIMIT_S = 300.0
_POETRY = Path(__file__).parents[1] / "clients" / "poetry.txt"
_PDM = ["pdm[locked]==2.29.3"]


def poetry(index_url: str) -> Path:
    """Return the directory of poetry's programs, at the version that is tested with."""
    return programs_of("poetry", _POETRY.read_text().splitlines()[1:], index_url)


def pdm(index_url: str) -> Path:
    """Return the directory of pdm's programs, at the version that is tested with."""
    return programs_of("pdm", _PDM, index_url)


def cache_directory() -> Path:
    """Return where this user's cached environments are."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "wheelfs" / "environments"


def programs_of(name: str, requirements: Sequence[str], index_url: str) -> Path:
    """Return the directory of programs of an environment with exactly ``requirements``; other ones make another environment."""
    asked = hashlib.sha256("\n".join(requirements).encode()).hexdigest()[:8]
    directory = cache_directory() / f"{name}-{asked}-{sys.implementation.cache_tag}"
    made_once(directory, lambda: _make(directory, requirements, index_url))
    return directory / "bin"


def made_once(directory: Path, make: Callable[[], None]) -> None:
    """Return when ``directory`` is complete: ``make`` fills it, unless another process has."""
    directory.parent.mkdir(parents=True, exist_ok=True)
    # Several checkouts may want it at once; who comes second waits for the first.
    with directory.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (directory / "complete").exists():
            make()
            (directory / "complete").touch()


def _make(directory: Path, requirements: Sequence[str], index_url: str) -> None:
    shutil.rmtree(directory, ignore_errors=True)
    with tempfile.TemporaryDirectory() as home:
        environment = {**isolated_environment(Path(home)), **machine_settings()}
        command = uv.find_uv_bin()
        run([command, "venv", "-q", "--python", sys.executable, str(directory)], environment=environment).succeeded()
        install = [command, "pip", "install", "-q", "--python", str(directory / "bin" / "python"), "--default-index", index_url]
        run([*install, *requirements], environment=environment, timeout_s=_INSTALL_LIMIT_S).succeeded()
