"""tests/clients runs the lines that ``config`` prints; here: the guide shows the same ones."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from wheelfs.cli.client_lines import CLIENTS, USUAL_MOUNT, Client, client_lines, mount_lines
from wheelfs.config import load
from wheelfs.frontends.http.set_up import setup_lines
from wheelfs.reports.mounts import GatewayReady

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.unit.cli.fake_app import Result

GUIDE = (Path(__file__).parents[3] / "docs" / "guide" / "clients.md").read_text()


@pytest.mark.parametrize("client", CLIENTS)
def test_the_guide_shows_what_config_prints(client: Client) -> None:
    shown = {line.removeprefix("$ ") for line in GUIDE.splitlines()}
    # Remarks are worded otherwise in the guide; commands and blocks among them are not.
    lines = [line.removeprefix("# ").removeprefix("$ ") for line in client_lines(client, USUAL_MOUNT)]
    assert {line for line in lines if line and not line.endswith(":") and "; " not in line and "(" not in line} <= shown


def test_the_guide_shows_what_a_fresh_mount_tells() -> None:
    running_text = " ".join(GUIDE.split())
    for purpose, line in mount_lines(USUAL_MOUNT).items():
        assert line in running_text or purpose == "uv lock", line


def test_poetry_is_told_the_same_line_as_by_a_gateway_with_its_default_address() -> None:
    default = load(environ={}).serve_listen
    assert f"# $ {setup_lines(f'http://{default}')['poetry']}" in client_lines("poetry", USUAL_MOUNT)


@pytest.mark.parametrize(
    ("url", "trusted"),
    [
        ("http://head:8080", "head:8080"),
        ("http://10.0.0.1:8080", "10.0.0.1:8080"),
        ("http://[fd00::1]:8080", "[fd00::1]:8080"),
        ("https://head:8443", None),
        ("http://127.0.0.1:8080", None),
        ("http://[::1]:8080", None),
        ("http://localhost:8080", None),
    ],
)
def test_pip_is_told_to_trust_a_gateway_where_it_would_else_leave_it_out(url: str, trusted: str | None) -> None:
    trust = f"--trusted-host {trusted} " if trusted else ""
    assert setup_lines(url)["pip"] == f"pip install {trust}--index-url {url}/simple/ PACKAGE"


@pytest.mark.parametrize("listening", ["0.0.0.0", "[::]"])
def test_lines_of_a_gateway_at_all_addresses_name_its_machine_and_say_what_to_do_with_a_token(
    run: Callable[..., Result], monkeypatch: pytest.MonkeyPatch, listening: str
) -> None:
    def serving(*_: object, ready: Callable[[GatewayReady], None], **__: object) -> None:
        ready(GatewayReady(urls=(f"http://{listening}:8080",), pid=1, store="/s", open=False))

    monkeypatch.setattr("wheelfs.app.gateway.run_gateway", serving)
    place = f"{socket.gethostname()}:8080/simple/"
    first, *lines, token = run("serve").out.splitlines()
    assert first == f"serving at http://{listening}:8080"
    assert len(lines) == 3
    pip, uv, poetry = lines
    assert all(f"http://__token__:TOKEN@{place}" in line for line in (pip, uv))
    assert f"http://{place}" in poetry
    assert token.startswith("TOKEN stands for the token")
