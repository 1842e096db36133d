"""Memory of the daemon: at rest, after a first install of a set, and after installing it again from the store."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from scripts.bench.programs import figures
from scripts.bench.programs.ground import arguments, ground, index_of, wheels

if TYPE_CHECKING:
    from tests.fakes.mounts import Mounted

_BETWEEN_LOOKS_S, _LOOKS = 4.0, 8
_FIELDS = ("Rss", "Pss", "Anonymous", "Private_Dirty")


def amounts_of(pid: int) -> dict[str, float]:
    """Return what the kernel says of a process (``smaps_rollup`` and ``status``: VmHWM is the peak), in MB."""
    process = Path("/proc") / str(pid)
    amounts = {}
    for line in (process / "smaps_rollup").read_text().splitlines()[1:] + (process / "status").read_text().splitlines():
        name, _, amount = line.partition(":")
        if amount.endswith(" kB"):
            amounts[name] = int(amount.split()[0]) / 1024
    return amounts


def await_rest(pid: int) -> None:
    """Wait until a process that has nothing to do takes no less memory than before: some seconds, half a minute at most."""
    least = amounts_of(pid)["Rss"]
    for _ in range(_LOOKS):
        time.sleep(_BETWEEN_LOOKS_S)
        before, least = least, amounts_of(pid)["Rss"]
        if least > before - 1:
            return


def show(moment: str, mounted: Mounted) -> None:
    """Print the memory of the daemon, in MB."""
    amounts = amounts_of(mounted.process.pid)
    threads = len(list(Path("/proc", str(mounted.process.pid), "task").iterdir()))
    figures.note(moment, [amounts["Rss"]])
    told = "  ".join(f"{name} {amounts[name]:6.1f}" for name in _FIELDS)
    print(f"  {moment:<44} {told}  peak (VmHWM) {amounts['VmHWM']:6.1f}  threads {threads}", flush=True)


def main() -> None:
    """Measure one daemon through its first hours."""
    options = arguments(__doc__, rounds=2)
    held = wheels(options.set)
    print(f"{held}\nMB; Rss counts the pages of the store that are mapped just now (the kernel's, given back on demand)")
    # The store on disk: pages of a tmpfs would count as memory that nothing can take back.
    with tempfile.TemporaryDirectory(prefix="wheelfs-bench-") as disk, ground() as on, index_of(held) as index:
        mounted = on.mount(index.url, store=Path(disk) / "store")
        here = ["--default-index", f"file://{mounted.path}/here/simple"]
        show("mounted", mounted)
        on.uv().run("pip", "install", *here, *held.requirements, timeout_s=300.0).succeeded()
        show("after the first uv pip install", mounted)
        for turn in range(options.rounds):
            on.uv().run("pip", "install", *here, *held.requirements, timeout_s=300.0).succeeded()
            show(f"after stored install {turn + 1}", mounted)
        await_rest(mounted.process.pid)
        show("at rest", mounted)
        on.pip().run("download", "-q", "-d", str(on.directory / "dl"), "--index-url", here[1], *held.requirements).succeeded()
        show("after pip download", mounted)
        mounted.stop()


if __name__ == "__main__":
    main()
