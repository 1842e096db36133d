"""What is not imported before it is needed: a run that finds everything stored never asks an index."""

from __future__ import annotations

import subprocess
import sys

_MADE = """
import sys
from wheelfs.remote.http.relay import Relay
from wheelfs.remote.index.http import HttpIndex
HttpIndex("lab", "https://index.example/simple", {})
Relay({}, read_timeout_s=1.0)
print(*sorted({name.partition(".")[0] for name in sys.modules} & {"httpx2", "httpcore2", "h2", "anyio"}))
"""


def test_clients_that_ask_nothing_do_without_the_http_library() -> None:
    done = subprocess.run([sys.executable, "-c", _MADE], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.split() == []
