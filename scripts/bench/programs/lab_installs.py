"""A set installed by uv on all nodes at once, from everywhere that a lab can have it from: time, and bytes on each link."""

from __future__ import annotations

import os
import statistics
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from scripts.bench.programs import figures
from scripts.bench.programs.ground import project_of
from scripts.bench.programs.measuring import Case, Measured, interleaved, ratio, ratios, section
from tests.fakes.environments import programs_of
from tests.fakes.nginx import Nginx
from tests.fakes.real_index import configured_index
from tests.fakes.s3 import REQUIREMENTS, S3Server
from tests.fakes.server import Request

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from pathlib import Path

    from scripts.bench.programs.machines import Lab, Traffic
    from tests.fakes.clients import Uv
    from tests.fakes.mounts import Mounted
    from tests.fakes.processes import Finished

_PEER = "nginx: plain files and pages"

Way = Callable[[], AbstractContextManager[list[str]]]
"""Gets everything ready and yields the index URL that each node's uv is given."""


@dataclass(slots=True)
class _Meter:
    """What one case cost, per run."""

    here: Lab
    runs: list[Traffic] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def took(self, url: str, number: int, ended: Finished) -> None:
        if ended.returncode:
            mount = next((one for one in self.here.mounted if url.startswith(f"file://{one.path}/")), None)
            said = f"the mount's log:\n{mount.log}" if mount is not None else ""
            self.failures.append(f"node {number + 1}: {ended.stderr}{said}")


def measure(here: Lab, rounds: int, parts: Collection[str], *, other: Path | None) -> list[str]:
    """Measure the ways of ``parts`` in the same rounds, *stocked* by mounts of ``other`` too; return what was wrong."""
    shares = "shares" in parts
    if shares:
        programs_of("moto", REQUIREMENTS, configured_index())  # made where there is a way out
    with ExitStack() as stack:
        site = _plain_files(here)
        with here.network.gateway.inside():
            nginx = stack.enter_context(Nginx(site, here.on.directory / "nginx", workers=2, address=here.gateway_address))
        stocked = here.on.directory / "gateway-stocked"
        with section("fetch the set into a gateway's store"):
            here.stock(stocked)
        ways: dict[str, Way] = {_PEER: lambda: _urls([f"{nginx.url}/simple"] * here.size)}
        if "install" in parts:
            ways["every node from the index itself"] = lambda: _everybody_out(here)
            ways["mounts, gateway that has nothing yet"] = lambda: _gateway(here, None)
        if "install" in parts or "stocked" in parts:
            ways["mounts, gateway that has all"] = lambda: _gateway(here, stocked)
        if "stocked" in parts and other is not None:
            ways["the other build's mounts, gateway that has all"] = lambda: _gateway(here, stocked, {"PYTHONPATH": str(other)})
        if shares:
            with section("push it to a directory and to S3"):
                directory = here.on.directory / "share"
                directory.mkdir()
                _push(here, stocked, directory.as_uri(), {})
                with here.network.gateway.inside():
                    s3 = stack.enter_context(S3Server(here.on.directory, here.gateway_address))
                    _push(here, stocked, s3.url, s3.environment)
            ways["mounts, share in a directory"] = lambda: _share(here, directory.as_uri(), {})
            ways["mounts, share in S3 (moto)"] = lambda: _share(here, s3.url, s3.environment)
        meters = {name: _Meter(here) for name in ways}
        cases = [_case(here, name, way, meters[name]) for name, way in ways.items()]
        with section(f"uv pip install on {here.size} nodes at once"):
            _show(here, interleaved(cases, rounds), meters)
        return [f"{name}: {failure}" for name, meter in meters.items() for failure in meter.failures]


def _case(here: Lab, name: str, way: Way, meter: _Meter) -> Case:
    stack = ExitStack()
    before: list[Traffic] = []

    def prepare() -> tuple[list[Uv], list[str]]:
        urls = stack.enter_context(way())
        uvs = here.uvs()
        before.append(here.traffic())
        return uvs, urls

    def work(given: tuple[list[Uv], list[str]]) -> None:
        here.install_everywhere(*given, lambda number, ended: meter.took(given[1][number], number, ended))

    def clear() -> None:
        meter.runs.append(here.traffic_since(before.pop()))
        stack.close()
        here.on.forget_clients()

    return Case(name, work, prepare, clear)


# --- ways ----------------------------------------------------------------------------------------------------------------


@contextmanager
def _urls(urls: list[str]) -> Iterator[list[str]]:
    yield urls


@contextmanager
def _everybody_out(here: Lab) -> Iterator[list[str]]:
    here.network.let_nodes_out()
    try:
        yield [here.index_url] * here.size
    finally:
        here.network.keep_nodes_in()


@contextmanager
def _gateway(here: Lab, stocked: Path | None, environment: Mapping[str, str] | None = None) -> Iterator[list[str]]:
    """Yield mounts that have the gateway for a share and for their index; no ``stocked`` store: with a new one."""
    with ExitStack() as stack:
        where = stocked or here.new_directory(stack, "gateway")
        stack.enter_context(here.serving(where))
        options = ("--share", here.gateway_url, "--index", f"main={here.gateway_url}/simple")
        mounts = stack.enter_context(here.mounts(*options, environment=environment))
        if stocked is not None:
            here.wait_until_known(mounts)
        yield _views(mounts)


@contextmanager
def _share(here: Lab, url: str, environment: Mapping[str, str]) -> Iterator[list[str]]:
    """Yield mounts that have a share of objects alone: an index that does not answer would hide what only the share names."""
    with here.mounts("--share", url, "--no-index", environment=environment) as mounts:
        here.wait_until_known(mounts)
        yield _views(mounts)


def _views(mounts: list[Mounted]) -> list[str]:
    return [f"file://{mounted.path}/here/simple" for mounted in mounts]


# --- what they stand on -----------------------------------------------------------------------------------------------------


def _plain_files(here: Lab) -> Path:
    """Write what the index serves as plain files, and return their directory."""
    site = here.on.directory / "plain"
    (site / "files").mkdir(parents=True)
    for wheel in here.held.paths:
        page = site / "simple" / project_of(wheel) / "index.html"
        page.parent.mkdir(parents=True)
        page.write_bytes(here.index.answer(Request("GET", f"/simple/{project_of(wheel)}/", None, {}), None).body)
        for name in (wheel.name, f"{wheel.name}.metadata"):
            (site / "files" / name).write_bytes(here.index.answer(Request("GET", f"/files/{name}", None, {}), None).body)
    return site


def _push(here: Lab, where: Path, url: str, environment: Mapping[str, str]) -> None:
    here.wheelfs(where, "push", "--share", url, environment=environment)


# --- what is printed ----------------------------------------------------------------------------------------------------------


def _show(here: Lab, measured: Measured, meters: Mapping[str, _Meter]) -> None:
    size = here.held.total_bytes
    cores = os.cpu_count() or 1
    links = (8 * size / here.rates.internet, 8 * size * here.size / here.rates.inside)
    print(
        f"  the links alone: {links[0]:.1f} s to bring the set over the internet's once, {links[0] * here.size:.1f} s for each"
        f" node, {links[1]:.1f} s from the gateway to all nodes\n"
        f"  {'case':<46} {'median s':>8} {'of nginx':>17}   {'internet':>8} {'each node':>17}   processor s (of all; anyone's):"
        " gateway, mounts, rest"
    )
    for name, seconds in measured.items():
        runs = meters[name].runs
        internet = statistics.median(one.internet for one in runs) / size
        nodes = [received / size for one in runs for received in one.nodes]
        used = statistics.median(one.processor_s for one in runs)
        busy, all_busy = (
            statistics.median(used / (cores * took) for used, took in zip(share, seconds, strict=True))
            for share in ([one.processor_s for one in runs], [one.machine_s for one in runs])
        )
        figures.note(name, seconds, ratios(measured, name, _PEER))
        times, least, largest = ratio(measured, name, _PEER)
        print(
            f"  {name:<46} {statistics.median(seconds):8.1f} {f'{times:.2f} ({least:.2f}-{largest:.2f})':>17}"
            f"   {internet:8.3f} {f'{statistics.median(nodes):.3f} ({min(nodes):.2f}-{max(nodes):.2f})':>17}"
            f"   {used:6.2f} ({busy:.0%} of {all_busy:.0%}): {_parts(runs)}",
            flush=True,
        )
    print(
        "  internet, each node: bytes on that link over the size of the set; where the processors are busy, they are the bound;\n"
        "  anyone's: how busy the whole machine was, which others may have at work, too"
    )


def _parts(runs: Sequence[Traffic]) -> str:
    """Return the processor seconds of the gateway, of all mounts, and of the rest: uv, nginx, S3, the kernel on their behalf."""
    parts = [(one.gateway_s, one.mounts_s, one.processor_s - one.gateway_s - one.mounts_s) for one in runs]
    return ", ".join(f"{statistics.median(part):.2f}" for part in zip(*parts, strict=True))
