"""Any text whatever is read to its end; what was written as requirements is read back."""

from __future__ import annotations

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.specifiers import SpecifierSet

from wheelfs.core.resolve.requirements_lines import words
from wheelfs.core.resolve.requirements_txt import Problem, parse
from wheelfs.model.names import ProjectName
from wheelfs.model.wanted import Wanted

LINES = st.text(alphabet=st.sampled_from("ab1=<;\\ #-r\n\t'\"[],@:/.!~éx"), max_size=120) | st.text(max_size=80)
HASHES = st.binary(min_size=32, max_size=32).map(lambda digest: f"sha256:{digest.hex()}")
NAMES = st.from_regex(r"[a-z][a-z0-9]{0,8}(-[a-z0-9]{1,4}){0,2}", fullmatch=True)
VERSIONS = st.tuples(st.integers(0, 99), st.integers(0, 99)).map(lambda pair: f"{pair[0]}.{pair[1]}")


@given(LINES)
def test_any_text_is_read_to_its_end(text: str) -> None:
    lines = len(text.splitlines())
    for entry in parse(text, {"python_version": "3.11"}):
        if isinstance(entry, Problem):
            assert 1 <= entry.line <= lines
            assert entry.reason


@given(st.lists(st.tuples(NAMES, VERSIONS, st.lists(HASHES, max_size=3)), max_size=6), st.booleans(), st.booleans())
def test_what_pip_compile_writes_is_read_back(wanted: list[tuple[str, str, list[str]]], crlf: bool, comments: bool) -> None:
    lines = []
    for name, version, hashes in wanted:
        lines.append(" \\\n".join([f"{name}=={version}", *(f"    --hash={one}" for one in hashes)]))
        if comments:
            lines.append("    # via something # else")
    text = "\n".join(lines)
    read = list(parse(text.replace("\n", "\r\n") if crlf else text, {}))
    assert read == [
        Wanted(ProjectName(name), SpecifierSet(f"=={version}"), frozenset(hashes)) for name, version, hashes in wanted
    ]


@given(st.text(alphabet=st.sampled_from("ab'\"\\ \t=é\x0b"), max_size=20) | st.text(max_size=20))
def test_the_words_of_a_line_are_those_that_a_shell_makes_of_it(line: str) -> None:
    try:
        expected = shlex.split(line)
    except ValueError:
        with pytest.raises(ValueError, match=r"backslash|quote"):
            words(line)
    else:
        assert words(line) == expected
