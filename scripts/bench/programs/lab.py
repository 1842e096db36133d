"""A lab on one machine: a gateway, nodes with mounts and shaped links, all of which want the same wheels at once.

1. *open*: 64 processes on all nodes open one new wheel; exactly one fetch of it may reach the index.
2. *install*: uv installs a set on all nodes at once, through a gateway, from nginx, and from the index itself.
   *stocked*: the same, from nginx and from a gateway that has all alone, and beside it by mounts of another checkout.
3. *shares*: the same from a directory and from S3, in the same rounds.
4. *outage*: the gateway is killed or freezes in the midst of it and comes back.
"""

from __future__ import annotations

import hashlib
import statistics
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from scripts.bench.programs import figures, lab_installs, outage
from scripts.bench.programs.ground import arguments, wheels
from scripts.bench.programs.machines import lab
from scripts.bench.programs.measuring import section
from tests.fakes.network import why_not
from tests.fakes.readers import read_at_once
from tests.fakes.wheels import build_wheel, wheel_filename

if TYPE_CHECKING:
    import argparse

    from scripts.bench.programs.machines import Lab
    from tests.fakes.index import FakeIndex

PARTS = ("open", "install", "shares", "outage")
STOCKED = "stocked"
"""What *install* has within it: to be asked for by its name.  It takes a quarter of the time, so rounds can be many."""
_NEW_BYTES = 40_000_000
_READ_LIMIT_S = 120.0


def measure_opening(here: Lab, readers: int) -> list[str]:
    """Let all processes open one wheel that none of them has yet; return what was wrong."""
    content = build_wheel("brandnew", "1.0", big_bytes=_NEW_BYTES, compression="stored")
    filename = wheel_filename("brandnew", "1.0")
    here.index.add(filename, content)
    with (
        here.serving(here.on.directory / "gateway-open"),
        here.mounts("--share", here.gateway_url, "--index", f"main={here.gateway_url}/simple") as mounts,
    ):
        before, began = here.traffic(), time.perf_counter()
        paths = [mounts[number % here.size].path / "simple" / "brandnew" / filename for number in range(readers)]
        try:
            read = read_at_once(paths, within_s=_READ_LIMIT_S)
        except subprocess.TimeoutExpired:
            return [f"a reader hangs: not done in {_READ_LIMIT_S:.0f} s"]
        seconds = time.perf_counter() - began
        traffic = here.traffic_since(before)
    sent = times_sent(here.index, filename, len(content))
    figures.note("upstream fetches of a new wheel", [sent])
    right = read.count(hashlib.sha256(content).hexdigest())
    nodes = [received / len(content) for received in traffic.nodes]
    links_s = 8 * len(content) / here.rates.internet, 8 * here.size * len(content) / here.rates.inside
    print(
        f"  upstream: {sent} fetch(es), in {len(here.index.requests_for(filename))} requests for parts of it;"
        f" internet link {traffic.internet / len(content):.3f} of its size\n"
        f"  each node's link: {statistics.median(nodes):.3f} of its size ({min(nodes):.3f}-{max(nodes):.3f});"
        f" sha256 right: {right} of {readers}\n"
        f"  {seconds:.1f} s, {traffic.processor_s:.1f} processor s;"
        f" the links alone {links_s[0]:.1f} s (internet), {links_s[1]:.1f} s (from the gateway to all nodes)"
    )
    wrong = [f"{sent} upstream fetches of one wheel"] if sent != 1 else []
    return wrong + [f"a reader got {one}" for one in set(read) - {hashlib.sha256(content).hexdigest()}]


def times_sent(index: FakeIndex, filename: str, size_bytes: int) -> int:
    """Return how often the byte of a file was sent that was sent most often: requests for parts of it make up one fetch."""
    edges: Counter[int] = Counter()
    for request in index.requests_for(filename):
        first = 0
        if request.range is not None and request.status == 206:
            start, _, end = request.range.removeprefix("bytes=").partition("-")
            first = int(start) if start else size_bytes - int(end)
        edges[first] += 1
        edges[first + request.body_bytes_sent] -= 1
    most = now = 0
    for place in sorted(edges):
        now += edges[place]
        most = max(most, now)
    return most


def _more_options(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(set="large")
    parser.add_argument("--nodes", type=int, default=8, help="how many (default %(default)s)")
    parser.add_argument("--parts", default=",".join(PARTS), help="which, separated by commas (default %(default)s)")
    parser.add_argument("--readers", type=int, default=64, help="processes that open the new wheel (default %(default)s)")
    parser.add_argument("--mbit", type=float, default=200.0, help="internet link, Mbit/s (default %(default)s)")
    parser.add_argument("--inside-mbit", type=float, default=1000.0, help="each link inside (default %(default)s)")
    parser.add_argument("--delay-ms", type=float, default=30.0, help="of each request to the index (default %(default)s)")
    parser.add_argument(
        "--other", type=lambda text: Path(text).resolve(), help="another checkout, whose mounts *stocked* measures too"
    )
    parser.add_argument("--away-s", type=float, default=3.0, help="how long the killed gateway is away (default %(default)s)")


def main() -> None:
    """Run the parts, and end with 1 when something that must hold did not."""
    options = arguments(__doc__, rounds=1, add=_more_options)
    parts = options.parts.split(",")
    if unknown := set(parts) - {*PARTS, STOCKED}:
        raise SystemExit(f"no such part: {', '.join(unknown)}; there are {', '.join((*PARTS, STOCKED))}")
    if reason := why_not():
        raise SystemExit(reason)
    held = wheels(options.set)
    print(
        f"{held}\n{options.nodes} nodes; internet {options.mbit:g} Mbit/s, {options.delay_ms:g} ms a request and a connection;"
        f" each link inside {options.inside_mbit:g} Mbit/s; bytes from the kernel's counters of links"
    )
    wrong: list[str] = []
    with lab(held, options) as here:
        if "open" in parts:
            with section(f"{options.readers} processes on {options.nodes} nodes open one new wheel of {_NEW_BYTES / 1e6:.0f} MB"):
                wrong += measure_opening(here, options.readers)
        if installed := [part for part in ("install", STOCKED, "shares") if part in parts]:
            wrong += lab_installs.measure(here, options.rounds, installed, other=options.other)
    if "outage" in parts:
        # Of a small set: what is looked at is how installs end, not how long they take.
        with lab(wheels("small"), options) as here:
            wrong += outage.measure(here, options.away_s)
    for one in wrong:
        print(f"WRONG: {one}")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
