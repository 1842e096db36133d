from __future__ import annotations

import socket
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from tests.fakes.index import FakeIndex
from tests.fakes.namespaces import without_route
from tests.fakes.processes import isolated_environment, run

HERE = Path("/proc/thread-self/ns/net")


def test_inside_only_loopback_answers_also_to_child_processes_and_outside_all_is_as_before(tmp_path: Path) -> None:
    before = HERE.readlink()
    with without_route(), FakeIndex() as index:
        index.add_wheel("numbers", "1.0")
        page = f"{index.url}/numbers/"
        script = f"exec 3<>/dev/tcp/127.0.0.1/{index.origin.rpartition(':')[2]} && ! exec 4<>/dev/tcp/192.0.2.1/80"
        reached = run(["bash", "-c", script], environment=isolated_environment(tmp_path / "home")).succeeded()
        assert "Network is unreachable" in reached.stderr
        with pytest.raises(socket.gaierror):
            socket.getaddrinfo("index.example", 443)
        urllib.request.urlopen(page).close()
        assert before != HERE.readlink()
    assert before == HERE.readlink()
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(page)
