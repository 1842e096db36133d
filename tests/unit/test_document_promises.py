"""What documents promise of themselves: sizes, figures with their commands, the transcript, tests beside every promise."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

import pytest

from tests.unit.test_document_names import spans, wrong_path
from tests.unit.test_documents import DOCUMENTS, ROOT
from wheelfs.remote.share import gateway, origin

if TYPE_CHECKING:
    from pathlib import Path

DOCS = ROOT / "docs"
GENERATED = DOCS / "reference"
WIDTH = 130
README_LINES = 150

_FENCE = re.compile(r"^ *```.*?^ *```$", re.MULTILINE | re.DOTALL)


def text_of(path: Path) -> str:
    return path.read_text()


def rows(text: str) -> list[list[str]]:
    """The body rows of all tables, as cells."""
    lines = [line for line in text.splitlines() if line.startswith("|") and not set(line) <= set("|- ")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]


def between(text: str, begin: str, end: str) -> str:
    assert begin in text
    assert end in text
    return text.partition(begin)[2].partition(end)[0]


def can_be_wrapped(line: str) -> bool:
    """Whether a line of prose has a space, outside of code and of links, at which it could end in time."""
    indent = len(line) - len(line.lstrip(" -*0123456789."))
    solid = re.sub(r"`[^`]*`|\]\([^)]*\)", lambda match: "x" * len(match[0]), line)
    return " " in solid[indent:WIDTH].rstrip()


@pytest.mark.parametrize("path", [path for path in DOCUMENTS if GENERATED not in path.parents], ids=lambda path: path.name)
def test_prose_is_wrapped(path: Path) -> None:
    """Tables and code cannot be; what scripts/docs-reference writes is not wrapped by hand."""
    prose = _FENCE.sub("", text_of(path)).splitlines()
    long = [line for line in prose if len(line) > WIDTH and not line.startswith(("|", "![", "<!--", "#"))]
    assert [line for line in long if can_be_wrapped(line)] == []


def test_the_readme_is_short_enough_for_a_newcomer() -> None:
    assert len(text_of(ROOT / "README.md").splitlines()) <= README_LINES


# --- figures and the transcript -----------------------------------------------------------------------------------------


def test_every_section_of_figures_names_the_command_that_prints_them() -> None:
    figures = between(text_of(DOCS / "performance.md"), "<!-- figures", "<!-- end of figures -->")
    sections = re.findall(r"^### (.*)\n\n(.*(?:\n(?!#).*)*)", figures, re.MULTILINE)
    assert len(sections) > 15
    for title, text in sections:
        command = re.match(r"`(scripts/bench/[a-z]+)[^`]*`", text)
        assert command, title
        assert not wrong_path(command[1])


def test_the_readme_has_no_figures_of_its_own() -> None:
    """They would grow old there: what is measured stands in docs/performance.md, beside its command."""
    measured = re.findall(r"\d+(?:\.\d+)? ?(?:×|GB/s|MB/s|ms|MB)\b", text_of(ROOT / "README.md"))
    assert measured == []


def test_the_transcript_has_the_commands_of_the_demo_in_their_order() -> None:
    transcript = between(text_of(DOCS / "guide" / "first-install.md"), "<!-- transcript of", "<!-- end of transcript -->")
    shown = [shlex.split(line.removeprefix("$ ")) for line in transcript.splitlines() if line.startswith("$ ")]
    script = text_of(ROOT / "scripts" / "demo").replace('"${set_of_packages[@]}"', "numpy pandas requests rich")
    script = script.replace("$mount", "/mnt/wheels")
    run = [shlex.split(line) for line in script.splitlines() if line.startswith("show ")]
    assert shown == [[word for word in words[1:] if not word.startswith("--only=")] for words in run]
    headings = [line.partition("heading ")[2].strip('"') for line in script.splitlines() if line.startswith("heading ")]
    assert [
        line.removeprefix("# ") for line in transcript.splitlines() if line.startswith("# ") and line[2].isupper()
    ] == headings


# --- promises and the tests that hold them --------------------------------------------------------------------------------


def test_every_promise_of_what_must_survive_names_tests() -> None:
    promises = rows(text_of(ROOT / "SECURITY.md").partition("## What must survive")[2])[1:]
    assert len(promises) > 20
    for promise, tests in promises:
        paths = re.findall(r"`(tests/[\w/]+\.py)`", tests)
        assert paths, promise
        assert [path for path in paths if not (ROOT / path).is_file()] == []


def test_every_behaviour_of_the_mount_names_a_test() -> None:
    page = text_of(DOCS / "SEMANTICS.md")
    behaviours = [row for row in rows(page) if row != ["behaviour", "test"]]
    assert len(behaviours) > 35
    for behaviour, tests in behaviours:
        assert re.search(r"`(?:tests/[\w/]+\.py::)?test_\w+`", tests), behaviour
    here = set(re.findall(r"^def (test_\w+)", text_of(ROOT / "tests" / "mount" / "test_semantics.py"), re.MULTILINE))
    named = {span for span in spans(DOCS / "SEMANTICS.md") if re.fullmatch(r"test_\w+", span)}
    assert named == here


# --- changes ----------------------------------------------------------------------------------------------------------------


def test_fragments_of_the_changelog_are_items() -> None:
    for path in (ROOT / "changes").iterdir():
        if path.name == "README.md":
            continue
        assert re.fullmatch(r"[a-z0-9][a-z0-9-]*\.md", path.name), path.name
        lines = path.read_text().splitlines()
        assert lines, path.name
        assert [line for line in lines if not line.startswith(("- ", "  ")) or len(line) > WIDTH] == [], path.name


@pytest.mark.parametrize(
    ("guide", "promise", "poll_s", "within_s"),
    [
        ("gateway.md", "within five seconds of its arrival", gateway.POLL_S, 5.0),
        ("object-shares.md", "within some fifteen seconds of its arrival", origin.POLL_S, 15.0),
    ],
)
def test_shares_are_asked_as_often_as_the_guides_promise(guide: str, promise: str, poll_s: float, within_s: float) -> None:
    """To the time between two requests come the request, the journal of changes (.5 s) and the kernel's time-outs (1 s)."""
    assert promise in " ".join(text_of(DOCS / "guide" / guide).split())
    assert poll_s + 2.5 <= within_s
