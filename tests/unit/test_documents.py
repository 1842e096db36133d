"""What documents point at is there, and the commands in them exist."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from tests.unit.test_project_rules import project_files
from wheelfs.cli.command import all_commands
from wheelfs.cli.main import cli

ROOT = Path(__file__).parents[2]
DOCUMENTS = [path for path in project_files() if path.suffix == ".md"]

_LINK = re.compile(r"\]\((?!https?://)([^)\s#]*)(?:#([^)\s]*))?\)")
_COMMAND = re.compile(r"^\$ (?:\S*/)?wheelfs ((?:--?\w[\w-]* )*)(\w+)(.*)$", re.MULTILINE)


def without_code(text: str) -> str:
    return re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)


def anchors(path: Path) -> set[str]:
    """As the usual renderers make them of headings."""
    headings = re.findall(r"^#+ (.*)$", without_code(path.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def options_of(command: click.Command) -> set[str]:
    return {option for parameter in command.params for option in parameter.opts}


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_leads_somewhere(path: Path) -> None:
    for target, anchor in _LINK.findall(without_code(path.read_text())):
        there = (path.parent / target) if target else path
        assert there.exists(), target
        if anchor:
            assert anchor in anchors(there), f"{target}#{anchor}"


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_command_that_is_shown_exists_with_its_options(path: Path) -> None:
    assert isinstance(cli, click.Group)
    for _, name, rest in _COMMAND.findall(path.read_text()):
        assert name in cli.commands, f"wheelfs {name}"
        command = all_commands(cli).get(f"{name} {rest.split()[0]}" if rest.split() else name) or cli.commands[name]
        known = options_of(command) | options_of(cli)
        ours = re.split(r"#| -- ", rest)[0]  # what follows is the command of `wheelfs run`
        assert set(re.findall(r"(?<=\s)--[a-z-]+", ours)) <= known, rest


def test_the_documents_are_found_and_show_commands() -> None:
    assert len(DOCUMENTS) > 10
    assert sum(len(_COMMAND.findall(path.read_text())) for path in DOCUMENTS) > 80
