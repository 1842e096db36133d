"""A stored set installed by uv from wheelfs and from what else keeps wheels: plain files, nginx, devpi, proxpi, pypiserver."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import urllib.error
import urllib.request
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Final

from scripts.bench.programs.ground import arguments, ground, index_of, project_of, store_all, wheels
from scripts.bench.programs.install import flat, static_index, uv_case
from scripts.bench.programs.measuring import interleaved, section, show_times
from tests.fakes.devpi import Devpi
from tests.fakes.environments import programs_of
from tests.fakes.nginx import Nginx
from tests.fakes.processes import isolated_environment
from tests.fakes.real_index import configured_index
from tests.fakes.waiting import eventually
from tests.gateway.serving import Serving

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from scripts.bench.programs.ground import Ground, Wheels

_PEER: Final = "plain directory, --no-index --find-links"
PROXPI: Final = ("proxpi==1.3.1", "gunicorn==27.0.1")
"""A proxy of Flask's; its image runs it under gunicorn, with 2 threads."""
PYPISERVER: Final = ("pypiserver==2.4.2", "gunicorn==27.0.1")
"""A server of a directory, under the same server of WSGI."""
_READY_S: Final = 60.0
_STOP_S: Final = 20.0


def free_port() -> int:
    """Return a port of loopback on which nothing listens now."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


@contextmanager
def server(name: str, command: Sequence[str], url: str, on: Ground, environment: Mapping[str, str]) -> Iterator[str]:
    """Run a server on loopback until the block ends and yield its URL, once it answers."""
    with (on.directory / f"{name}.log").open("wb") as log:
        process = subprocess.Popen(command, env=dict(environment), stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def answers() -> bool:
        if process.poll() is not None:
            raise SystemExit(f"{name} ended: {(on.directory / f'{name}.log').read_text()}")
        try:
            urllib.request.urlopen(url, timeout=5.0).close()
        except urllib.error.HTTPError:
            return True  # proxpi, of an index that has no list of its projects
        except OSError:
            return False
        return True

    try:
        eventually(answers, deadline_s=_READY_S)
        yield url
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(_STOP_S)


@contextmanager
def proxpi(on: Ground, index: str) -> Iterator[str]:
    """Run proxpi over an index, with a cache of its own."""
    programs = programs_of("proxpi", PROXPI, configured_index())
    address = f"127.0.0.1:{free_port()}"
    environment = isolated_environment(on.directory / "proxpi-home") | {
        "PROXPI_INDEX_URL": f"{index}/",
        "PROXPI_CACHE_DIR": str(on.directory / "proxpi-cache"),
        "PROXPI_CACHE_SIZE": str(1 << 30),
    }
    command = [str(programs / "gunicorn"), "--threads", "2", "--bind", address, "proxpi.server:app"]
    with server("proxpi", command, f"http://{address}/index/", on, environment) as url:
        yield url


@contextmanager
def pypiserver(on: Ground, directory: Path) -> Iterator[str]:
    """Run pypiserver over a directory of wheels."""
    programs = programs_of("pypiserver", PYPISERVER, configured_index())
    port = str(free_port())
    command = [str(programs / "pypi-server"), "run", "-i", "127.0.0.1", "-p", port, "--server", "gunicorn", str(directory)]
    environment = isolated_environment(on.directory / "pypiserver-home")
    with server("pypiserver", command, f"http://127.0.0.1:{port}/simple/", on, environment) as url:
        yield url


def site_of(on: Ground, static: Path) -> Path:
    """Return a root for nginx with the pages and wheels that wheelfs shows, as plain files below ``simple/``."""
    root = on.directory / "site"
    root.mkdir()
    shutil.move(static, root / "simple")
    return root


def measure(on: Ground, held: Wheels, rounds: int) -> None:
    """Measure all of them by turns; each has installed the set once before, so that it has everything."""
    with index_of(held) as index, ExitStack() as stack:
        plain = held.copy_to(on.directory)
        mounted = on.mount(index.url)
        store_all(mounted, held)
        site = site_of(on, static_index(on, mounted, held))
        gateway = stack.enter_context(Serving(on.directory / "gateway", "--index", f"main={index.url}"))
        devpi = stack.enter_context(Devpi(on.directory / "devpi"))
        urls = {
            "wheelfs, here/simple": f"file://{mounted.path}/here/simple",
            "wheelfs, gateway": f"{gateway.url}/simple",
            "nginx": f"{stack.enter_context(Nginx(site, on.directory / 'nginx')).url}/simple",
            "devpi": devpi.add_mirror("main", index.url),
            "proxpi": stack.enter_context(proxpi(on, index.url)),
            "pypiserver": stack.enter_context(pypiserver(on, plain)),
        }
        cases = [
            uv_case(on, _PEER, held.requirements, flat(plain)),
            uv_case(on, "wheelfs, flat", held.requirements, flat(mounted.path)),
            *(uv_case(on, name, held.requirements, ["--default-index", url]) for name, url in urls.items()),
        ]
        warm(urls["devpi"], held)
        interleaved(cases, 1)
        with section("uv pip install of what is stored"):
            show_times(interleaved(cases, rounds), {case.name: _PEER for case in cases[1:]})
        mounted.stop()


def warm(mirror: str, held: Wheels) -> None:
    """Ask a mirror for one page after the other: a new devpi that many ask at once says of some projects that there are none."""
    for path in held.paths:
        urllib.request.urlopen(f"{mirror}{project_of(path)}/", timeout=_READY_S).close()


def main() -> None:
    """Measure all of them."""
    options = arguments(__doc__, rounds=3)
    held = wheels(options.set)
    print(f"{held}\neverything in memory, on loopback; a new cache and environment each time; ratio: of times")
    with ground() as on:
        measure(on, held, options.rounds)


if __name__ == "__main__":
    main()
