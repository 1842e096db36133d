"""What command lines say that their programs will do with wheels."""

from __future__ import annotations

import shlex

import pytest

from wheelfs.core.fetch.purpose import Purpose, purpose_of


@pytest.mark.parametrize(
    "command",
    [
        "uv pip install numpy",
        "/home/me/.local/bin/uv --quiet pip sync requirements.txt",
        "uv --directory /work sync --frozen",
        "uv run -- pytest --dry-run",
        "uv run migrate.py --dry-run",
        "uvx ruff check",
        "uvx release --dry-run",
        "uv tool install ruff",
        "pip install -r requirements.txt",
        "/venv/bin/python3 /venv/bin/pip3.11 download numpy",
        "python -I -m pip wheel .",
        "/venv/bin/python /usr/lib/pip/__pip-runner__.py install numpy",
    ],
)
def test_installers_are_known(command: str) -> None:
    assert purpose_of(shlex.split(command)) is Purpose.INSTALLING


@pytest.mark.parametrize(
    "command",
    [
        "uv lock",
        "uv --directory build lock",
        "uv --project tool tree",
        "uv pip compile requirements.in",
        "uv pip install --dry-run numpy",
        "uv add --no-sync numpy",
        "uv tree --outdated",
        "pip install --dry-run numpy",
        "python -m pip lock numpy",
        "pip index versions numpy",
    ],
)
def test_those_that_only_resolve_are_known(command: str) -> None:
    assert purpose_of(shlex.split(command)) is Purpose.RESOLVING


@pytest.mark.parametrize(
    "command", ["", "cat numpy.whl", "python -m http.server", "uv --version", "uv pip list", "pip", "install uv"]
)
def test_of_others_nothing_is_known(command: str) -> None:
    assert purpose_of(shlex.split(command)) is Purpose.UNKNOWN
