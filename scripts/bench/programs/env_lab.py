"""An environment on all nodes of a lab at once, of which none has anything, through a gateway that has nothing either."""

from __future__ import annotations

import os
import statistics
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from scripts.bench.programs import figures
from scripts.bench.programs.env_course import IMPORTS, lock_of
from scripts.bench.programs.env_nodes import TRUSTED
from scripts.bench.programs.machines import INSTALL_LIMIT_S
from scripts.bench.programs.measuring import Case, interleaved, section, show_times
from scripts.bench.programs.processors import used_s, waited_for_s
from tests.fakes.mounts import Mounted
from tests.fakes.nginx import Nginx
from tests.fakes.processes import run, wheelfs_environment

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from scripts.bench.programs.machines import Lab
    from tests.gateway.serving import Serving

_NAME = "set"
ONE = "one node: pull --env, mount, import"
ALL = "all nodes at once"


class Cost(NamedTuple):
    """Bytes that came over the uplink in a run, and the processor seconds of nodes, mounts and gateway."""

    uplink_bytes: int
    processor_s: float


class Costs(NamedTuple):
    """What each run of one node, and of all at once, cost."""

    one: list[Cost]
    all: list[Cost]


def measure(here: Lab, rounds: int) -> Costs:
    """Measure one node and all of them, by turns; every run has a new gateway and new stores.

    The site's share has the environment, its profile and the bytecode of that, and no wheel: these come through the gateway.
    """
    with section(f"an environment on {here.size} nodes at once"), ExitStack() as stack:
        share = _share(here)
        with here.network.gateway.inside():
            nginx = stack.enter_context(Nginx(share.parent, here.on.directory / "nginx", workers=2, address=here.gateway_address))
        made = Costs([], [])
        cases = [
            _case(here, name, many, f"{nginx.url}/{share.name}", runs)
            for name, many, runs in ((ONE, 1, made.one), (ALL, here.size, made.all))
        ]
        measured = interleaved(cases, rounds)
        show_times(measured, {ALL: ONE})
        for name, runs in ((ONE, made.one), (ALL, made.all)):
            _show(here, name, runs, measured[name])
        times = [whole.uplink_bytes / single.uplink_bytes for whole, single in zip(made.all, made.one, strict=True)]
        figures.note("uplink bytes, all nodes of one node's", times)
        print(f"  uplink bytes, all nodes: {statistics.median(times):.3f} of one node's ({min(times):.3f}-{max(times):.3f})")
        return made


def _share(here: Lab) -> Path:
    """Return a share below a directory of its own, with the environment as a machine with a way out has made and run it."""
    share = here.on.directory / "site" / "share"
    share.mkdir(parents=True)
    home, lock = here.on.directory / "maker", here.on.directory / "pylock.toml"
    home.mkdir()
    lock.write_text(lock_of(here.held))
    index = ("--index", f"main={here.index_url}")
    with here.network.internet.inside():
        here.wheelfs(home, "env", "create", _NAME, str(lock), *index)
        mounted = Mounted(home / "mnt", home / "store", index, home, {})
        try:
            _run(here, mounted)
        finally:
            mounted.clean_up()
        here.wheelfs(home, "env", "create", _NAME, str(lock), *index)  # compiles what came
        here.wheelfs(home, "push", "--share", share.as_uri(), "--env", _NAME)
    return share


def _case(here: Lab, name: str, many: int, share: str, runs: list[Cost]) -> Case:
    stack = ExitStack()

    def prepare() -> tuple[Serving, list[Path]]:
        gateway = stack.enter_context(here.serving(here.new_directory(stack, "gateway")))
        return gateway, [here.new_directory(stack, node.name) for node in here.network.nodes[:many]]

    def work(given: tuple[Serving, list[Path]]) -> None:
        gateway, homes = given
        before = here.network.gateway.received_bytes("wan"), waited_for_s() + used_s(gateway.pid)
        with ThreadPoolExecutor(many) as threads:
            mounts = list(threads.map(partial(_node, here, share), range(many), homes))
        used = waited_for_s() + used_s(gateway.pid) + sum(used_s(mounted.process.pid) for mounted in mounts)
        runs.append(Cost(here.network.gateway.received_bytes("wan") - before[0], used - before[1]))
        for mounted in mounts:
            stack.callback(mounted.clean_up)

    return Case(name, work, prepare, stack.close)


def _node(here: Lab, share: str, number: int, home: Path) -> Mounted:
    """Take the environment, mount it and import, on one node."""
    with here.network.nodes[number].inside():
        here.wheelfs(home, "pull", "--share", share, "--env", _NAME, environment=TRUSTED)
        options = ("--index", f"main={here.gateway_url}/simple", "--share", f"lab={here.gateway_url}")
        mounted = Mounted(home / "mnt", home / "store", options, home, {})
        try:
            _run(here, mounted)
        except BaseException:
            mounted.clean_up()
            raise
        return mounted


def _run(here: Lab, mounted: Mounted) -> None:
    python = mounted.start().path / "env" / _NAME / "bin" / "python"
    command = [str(python), "-B", "-c", IMPORTS[here.held.name]]
    run(command, environment=wheelfs_environment(here.on.directory / "home"), timeout_s=INSTALL_LIMIT_S).succeeded()


def _show(here: Lab, name: str, runs: Sequence[Cost], seconds: Sequence[float]) -> None:
    uplink = statistics.median(one.uplink_bytes for one in runs)
    used_s = statistics.median(one.processor_s for one in runs)
    busy = statistics.median(one.processor_s / took for one, took in zip(runs, seconds, strict=True)) / (os.cpu_count() or 1)
    print(
        f"  {name:<40} {uplink / 1e6:7.2f} MB over the uplink = {uplink / here.held.total_bytes:.3f} of the wheels,"
        f" {used_s:.1f} s of processor time ({busy:.0%} of all there is)",
        flush=True,
    )
