"""An environment on all nodes of a lab at once, as ``scripts/bench/env`` measures it."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import pytest

from scripts.bench.programs import env_course, env_lab, ground
from scripts.bench.programs.ground import Wheels
from scripts.bench.programs.machines import lab
from tests.fakes.network import why_not
from tests.fakes.processes import ROOT, run, wheelfs_environment
from tests.fakes.wheels import build_wheel, incompressible, wheel_filename

NODES = 3
DATA_BYTES = 3_000_000
MODULE = b"import importlib.resources as r\nSIZE = len(r.files(__name__).joinpath('data').read_bytes())\n"


def measured(directory: Path) -> None:
    """Print how many bytes came over the uplink for one node, and for all."""
    ground.SETS["made"] = ["one", "two"]
    env_course.IMPORTS["made"] = f"import one, two; assert one.SIZE == two.SIZE == {DATA_BYTES}"
    options = argparse.Namespace(nodes=NODES, mbit=1000.0, inside_mbit=1000.0, delay_ms=1.0)
    with lab(Wheels("made", directory), options) as here:
        [one], [all_at_once] = env_lab.measure(here, 1)
    print(json.dumps([one.uplink_bytes, all_at_once.uplink_bytes]))


def test_what_nodes_open_at_once_comes_over_the_uplink_once(tmp_path: Path) -> None:
    if reason := why_not():
        pytest.skip(reason)
    for name in ("one", "two"):
        files = {f"{name}/__init__.py": MODULE, f"{name}/data": incompressible(DATA_BYTES, name)}
        (tmp_path / wheel_filename(name, "1.0")).write_bytes(build_wheel(name, "1.0", files=files))
    # In a process of its own: the line's relay leaves its process something that lasts as long as that.
    command = [sys.executable, "-m", "tests.gateway.test_lab_environments", str(tmp_path)]
    said = run(command, environment=wheelfs_environment(tmp_path / "home"), cwd=ROOT).succeeded().stdout
    one, all_at_once = json.loads(said.splitlines()[-1])
    # No byte of the data comes again; headers are counted, and what is asked for beside the data.
    assert 2 * DATA_BYTES < one < 2.4 * DATA_BYTES
    assert 2 * DATA_BYTES < all_at_once < 2.4 * DATA_BYTES


if __name__ == "__main__":
    measured(Path(sys.argv[1]))
