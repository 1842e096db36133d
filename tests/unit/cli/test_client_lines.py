"""tests/clients runs the lines that ``config`` prints; here: the guide shows the same ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from wheelfs.cli.clients import CLIENTS, USUAL_MOUNT, Client, client_lines, mount_lines
from wheelfs.config import load
from wheelfs.frontends.http.people import setup_lines

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
