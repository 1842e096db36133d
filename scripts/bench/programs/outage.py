"""A gateway is killed or freezes while all nodes install, and comes back: how each install ends, and all succeed afterwards."""

from __future__ import annotations

import os
import re
import signal
import threading
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

from scripts.bench.programs.machines import INSTALL_LIMIT_S
from scripts.bench.programs.measuring import section
from tests.fakes.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scripts.bench.programs.machines import Lab
    from tests.fakes.processes import Finished
    from tests.gateway.serving import Serving

_KILL_AT = 0.3
"""After this part of all bytes that the nodes will get from the gateway."""

_CLEAR = re.compile("Network is unreachable|Connection timed out|Remote I/O error|Connection refused")
_BACK_S = 60.0
_LOOK_S = 0.005


def measure(here: Lab, away_s: float) -> list[str]:
    """Do it with nodes that have only the gateway, and with nodes that have an index of their own; return what was wrong."""
    wrong = []
    with section(f"the gateway has nothing yet, is killed in the midst and away for {away_s:g} s; nodes have nothing else"):
        wrong += _round(here, away_s, online=False)
    with section(f"the gateway has all, is killed in the midst and away for {away_s:g} s; nodes have an index of their own"):
        wrong += _round(here, away_s, online=True)
    with section("the gateway has all and freezes in the midst until all have ended; nodes have an index of their own"):
        wrong += _round(here, None, online=True)
    return wrong


def _round(here: Lab, away_s: float | None, *, online: bool) -> list[str]:
    with ExitStack() as stack:
        if online:
            here.network.let_nodes_out()
            stack.callback(here.network.keep_nodes_in)
        where = here.new_directory(stack, "gateway-outage")
        if online:
            here.stock(where)
        gateway = stack.enter_context(here.serving(where))
        own = here.index_url if online else f"{here.gateway_url}/simple"
        mounts = stack.enter_context(here.mounts("--share", here.gateway_url, "--index", f"main={own}"))
        if online:
            here.wait_until_known(mounts)
        urls = [f"file://{mounted.path}/here/simple" for mounted in mounts]
        ends: dict[int, tuple[Finished, float]] = {}
        began = time.perf_counter()

        def ended(number: int, finished: Finished) -> None:
            ends[number] = finished, time.perf_counter() - began

        disturbing = threading.Thread(target=_disturb, args=(here, gateway, away_s, ends))
        disturbing.start()
        try:
            here.install_everywhere(here.uvs(), urls, ended)
        finally:
            disturbing.join()
        wrong = _judge(ends, must_succeed=online)
        began = time.perf_counter()
        eventually(lambda: all(mounted.is_all_up() for mounted in mounts), deadline_s=_BACK_S)
        print(f"  all nodes see the gateway again {time.perf_counter() - began:.1f} s after the last install ended")
        ends.clear()
        began = time.perf_counter()
        here.install_everywhere(here.uvs(), urls, ended)
        print(f"  installed again, by new uvs: {sum(one.returncode == 0 for one, _ in ends.values())} of {here.size} succeed")
        here.on.forget_clients()
        return wrong + [f"after the return: {one.stderr}" for one, _ in ends.values() if one.returncode]


def _disturb(here: Lab, gateway: Serving, away_s: float | None, ends: Mapping[int, object]) -> None:
    """Once the gateway has sent its part, kill it for ``away_s`` seconds; None: let it freeze until all have ended."""
    before, enough = here.network.gateway.sent_bytes(), _KILL_AT * here.size * here.held.total_bytes
    latest = time.monotonic() + INSTALL_LIMIT_S
    while here.network.gateway.sent_bytes() - before < enough and len(ends) < here.size and time.monotonic() < latest:
        time.sleep(_LOOK_S)
    if away_s is None:
        os.kill(gateway.pid, signal.SIGSTOP)
    else:
        gateway.kill()
    sent = (here.network.gateway.sent_bytes() - before) / (here.size * here.held.total_bytes)
    print(f"  away after it had sent {sent:.2f} of all that the nodes need, when {len(ends)} had ended", flush=True)
    if away_s is None:
        while len(ends) < here.size and time.monotonic() < latest:
            time.sleep(_LOOK_S)
        os.kill(gateway.pid, signal.SIGCONT)
        return
    time.sleep(away_s)
    with here.network.gateway.inside():
        gateway.start()


def _judge(ends: dict[int, tuple[Finished, float]], *, must_succeed: bool) -> list[str]:
    wrong = []
    for number, (finished, seconds) in sorted(ends.items()):
        said = "" if finished.returncode == 0 else _message(finished.stderr)
        print(f"  node {number + 1}: {'failed' if said else 'installed'} after {seconds:.1f} s{said and ': '}{said}")
        if said and (must_succeed or not _CLEAR.search(said)):
            wrong.append(f"node {number + 1}: {finished.stderr}")
    return wrong


def _message(said: str) -> str:
    """Return the innermost cause that uv tells."""
    causes = [line.strip() for line in said.splitlines() if "cause:" in line or line.startswith("error:")]
    return re.sub(r"`/[^`]*/", "`.../", causes[-1] if causes else said.strip())
