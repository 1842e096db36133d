"""What every benchmark stands on: a scratch directory in memory, sets of real wheels, an index on loopback, mounts, clients."""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from packaging.utils import canonicalize_name

from tests.fakes.clients import Clients, Pip, Uv
from tests.fakes.index import FakeIndex
from tests.fakes.mounts import Mounted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SETS = {
    "small": ["numpy", "pandas", "requests", "rich"],
    "large": [
        *("pandas", "scipy", "pyarrow", "scikit-learn", "matplotlib", "seaborn", "statsmodels", "requests", "rich", "pydantic"),
        *("httpx", "jinja2", "pyyaml", "tqdm", "sqlalchemy", "networkx", "sympy"),
    ],
    # Pinned to a version of which a build for processors alone may lie where pip is configured to look: with its local version
    # pip prefers that to the index's, which is for graphics cards and brings 3 GB.
    "torch": ["torch==2.13.0", "transformers"],
}
"""Requirements by the name of a set; with dependencies 13 wheels of 32 MB, about 50 of 180 MB, and 38 of 249 MB."""

_DOWNLOAD_LIMIT_S = 600.0


class Wheels:
    """A directory of real wheels, and the requirements that it was downloaded for."""

    def __init__(self, name: str, directory: Path) -> None:
        self.name = name
        self.directory = directory
        self.requirements = SETS[name]
        self.paths = sorted(directory.glob("*.whl"))
        self.total_bytes = sum(path.stat().st_size for path in self.paths)

    def __str__(self) -> str:
        return f"set {self.name!r}: {len(self.paths)} wheels, {self.total_bytes / 1e6:.1f} MB ({' '.join(self.requirements)})"

    def copy_to(self, directory: Path) -> Path:
        """Return a copy below ``directory`` (in memory), so that no disk is measured."""
        target = directory / f"plain-{self.name}"
        shutil.copytree(self.directory, target, ignore=lambda _, names: [n for n in names if not n.endswith(".whl")])
        return target


def wheels(name: str) -> Wheels:
    """Return a set, downloaded once by pip from the index that this machine's pip is configured with."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "wheelfs" / "bench"
    directory = cache / f"{name}-{sys.implementation.cache_tag}"
    if not (directory / "complete").exists():
        print(f"downloading the set {name!r} to {directory}, once", file=sys.stderr)
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir(parents=True)
        command = [sys.executable, "-m", "pip", "download", "-q", "--only-binary", ":all:", "-d", str(directory), *SETS[name]]
        subprocess.run(command, check=True, timeout=_DOWNLOAD_LIMIT_S, stdout=sys.stderr)
        (directory / "complete").touch()
    return Wheels(name, directory)


def versions_before(held: Wheels) -> Wheels:
    """Return the versions before of every second project of a set, from the largest wheel on; downloaded once, likewise."""
    cache = held.directory.parent / f"{held.directory.name}-before"
    if not (cache / "complete").exists():
        print(f"downloading the versions before to {cache}, once", file=sys.stderr)
        shutil.rmtree(cache, ignore_errors=True)
        cache.mkdir()
        chosen = sorted(held.paths, key=lambda path: -path.stat().st_size)[::2]
        older = [f"{project_of(path)}<{path.name.split('-')[1]}" for path in chosen]
        command = [sys.executable, "-m", "pip", "download", "-q", "--only-binary", ":all:", "--no-deps", "-d", str(cache), *older]
        subprocess.run(command, check=True, timeout=_DOWNLOAD_LIMIT_S, stdout=sys.stderr)
        (cache / "complete").touch()
    return Wheels(held.name, cache)


@contextmanager
def index_of(held: Wheels, **habits: Any) -> Iterator[FakeIndex]:
    """Serve a set on loopback; ``habits`` are options of `FakeIndex`."""
    with FakeIndex(**habits) as index:
        for path in held.paths:
            index.add(path.name, path.read_bytes(), project=project_of(path))
        yield index


def project_of(wheel: Path) -> str:
    """Return the normalized project name of a wheel."""
    return canonicalize_name(wheel.name.split("-")[0])


class Ground:
    """A scratch directory in memory that goes away with everything on it; `ground` makes one."""

    def __init__(self, directory: Path, stack: ExitStack) -> None:
        self.directory = directory
        self._stack = stack
        self._made = 0
        self._clients = Clients(directory / "clients")

    def mount(
        self, index: str | None, *, store: Path | None = None, env: dict[str, str] | None = None, options: tuple[str, ...] = ()
    ) -> Mounted:
        """Start ``wheelfs mount -f`` over a new store, or over ``store``."""
        self._made += 1
        given = (["--index", f"main={index}"] if index else []) + list(options)
        where = self.directory / f"mnt-{self._made}"
        home = self.directory / "home"
        mounted = Mounted(where, store or self.directory / f"store-{self._made}", given, home, env or {})
        self._stack.callback(mounted.clean_up)
        return mounted.start()

    def throw_away(self, mounted: Mounted) -> None:
        """Unmount, and delete the store."""
        mounted.clean_up()
        shutil.rmtree(mounted.store, ignore_errors=True)

    def copy_of(self, store: Path) -> Path:
        """Return a copy of a store that no process uses."""
        self._made += 1
        copied = self.directory / f"copy-{self._made}"
        subprocess.run(["cp", "-a", str(store), str(copied)], check=True)
        return copied

    def uv(self) -> Uv:
        """Return a uv that has never run, with a bare virtual environment."""
        client = self._clients.uv()
        client.venv()
        return client

    def pip(self) -> Pip:
        """Return a pip that has never run, with a bare virtual environment."""
        client = self._clients.pip()
        client.venv()
        return client

    def forget_clients(self) -> None:
        """Throw away what the clients so far have installed and cached."""
        shutil.rmtree(self.directory / "clients", ignore_errors=True)


@contextmanager
def ground() -> Iterator[Ground]:
    """Yield a scratch directory on tmpfs; at the end every mount is gone, and the directory."""
    with ExitStack() as stack:
        # `ignore_cleanup_errors`: a mount that could not be taken away must not hide why.
        directory = stack.enter_context(
            tempfile.TemporaryDirectory(prefix="wheelfs-bench-", dir="/dev/shm", ignore_cleanup_errors=True)
        )
        yield Ground(Path(directory), stack)


def store_all(mounted: Mounted, held: Wheels) -> None:
    """Read every wheel of a set through ``simple/``, which stores it, and compare it with the original."""
    for path in held.paths:
        through = mounted.path / "simple" / project_of(path) / path.name
        if through.read_bytes() != path.read_bytes():
            raise SystemExit(f"{through} is not what was downloaded")


def arguments(
    description: str | None,
    *,
    rounds: int | None,
    sets: bool = True,
    add: Callable[[argparse.ArgumentParser], None] | None = None,
) -> argparse.Namespace:
    """Parse the options that the benchmarks have in common, and those that ``add`` adds; no ``rounds``: sizes, not times."""
    parser = argparse.ArgumentParser(description=description)
    if rounds is not None:
        parser.add_argument("--rounds", type=int, default=rounds, help="how often each case is measured (default %(default)s)")
    if sets:
        parser.add_argument("--set", choices=sorted(SETS), default="small", help="which packages (default %(default)s)")
    if add is not None:
        add(parser)
    return parser.parse_args()
