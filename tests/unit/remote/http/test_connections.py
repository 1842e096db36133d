"""What the environment says of proxies, as the HTTP library has it from us."""

from __future__ import annotations

import os
import ssl

import pytest

from wheelfs.remote.http.connections import connections, is_proxied
from wheelfs.remote.limits import HTTP_LIMITS


@pytest.mark.parametrize(
    ("exceptions", "host", "proxied"),
    [
        (".lab.example", "lab.example", False),
        ("localhost, .lab.example", "index.lab.example", False),
        (".lab.example", "lab.example:8080", False),
        (".lab.example", "my-lab.example", True),
        ("10.0.0.0/8,lab.example", "10.1.2.3", False),
        ("10.0.0.0/8,.", "11.1.2.3", True),
        ("fd00::1", "[fd00::1]", False),
        ("[fd00::1]", "[fd00::1]", False),
        ("[fd00::1]:8080", "[fd00::1]:8080", False),
        ("[fd00::1]:8081", "[fd00::1]:8080", True),
        ("fd00::/8", "[fd12::1]", False),
        ("fd00::/8", "[fe80::1]", True),
        ("::1", "[fd00::1]", True),
    ],
)
def test_exceptions_mean_what_they_mean_to_installers(
    exceptions: str, host: str, proxied: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.example:3128")
    monkeypatch.setenv("NO_PROXY", exceptions)
    client = connections(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), None, HTTP_LIMITS)
    assert is_proxied(client, f"http://{host}/simple/") == proxied
