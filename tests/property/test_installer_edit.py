"""Whatever pip's or uv's file holds, adding the mount's index keeps all of it, and taking the index out gives the file back."""

from __future__ import annotations

import configparser
import tomllib
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from wheelfs.core.resolve.installer_edit import CannotEditError, Installer, with_index, without_index

URL = "file:///mnt/wheels/here/simple"
OTHER = "file:///srv/my%20wheels/here/simple"

PIECES = {
    "pip": [
        "[global]",
        " [global]",
        "[global] # all",
        "[install]",
        "timeout = 60",
        "  timeout = 60",
        "find-links =",
        "    a",
        "    b",
        "# a",
        "; b",
        "",
    ],
    "uv": [
        "[pip]",
        " [pip] # x",
        "[[index]]",
        'url = "a"',
        "offline = true",
        'x = """',
        '"""',
        "[pip.x]",
        "pip.y = 1",
        "# a",
        "",
    ],
}


def texts(installer: Installer) -> st.SearchStrategy[str]:
    lines = st.lists(st.sampled_from(PIECES[installer]), max_size=8)
    return st.builds(
        lambda lines, end, last: end.join(lines) + (end if last else ""), lines, st.sampled_from(["\n", "\r\n"]), st.booleans()
    )


def said(installer: Installer, text: str) -> dict[str, Any]:
    if installer == "uv":
        return {name: value for name, value in tomllib.loads(text).items() if value != {}}
    parser = configparser.RawConfigParser()
    parser.read_string(text)
    return {name: dict(parser[name]) for name in parser.sections() if parser[name]}


def check(installer: Installer, text: str) -> None:
    try:
        changed = with_index(installer, text, URL)
    except CannotEditError:
        return
    section = "global" if installer == "pip" else "pip"
    before = said(installer, text)
    assert said(installer, changed) == {**before, section: {**before.get(section, {}), "index-url": URL}}
    assert with_index(installer, changed, URL) == changed, "twice is once"
    moved = with_index(installer, changed, OTHER)
    assert said(installer, moved)[section]["index-url"] == OTHER
    assert without_index(installer, moved) == text
    assert without_index(installer, changed) == text


@given(texts("pip"))
@example("")
@example("[global]")
@example("[global]\n  timeout = 60\n")
@example("[global]\r\ntimeout = 60")
@example("[install]\ntimeout = 1\n")
def test_pips_file(text: str) -> None:
    check("pip", text)


@given(texts("uv"))
@example("")
@example("offline = true")
@example('[[index]]\nurl = "a"\n\n[pip]\n# a')
@example('x = """\n[pip]\n"""\n[pip]\n')
def test_uvs_file(text: str) -> None:
    check("uv", text)


@pytest.mark.parametrize("installer", ["pip", "uv"])
def test_a_file_that_was_made_for_it_goes_with_it(installer: Installer) -> None:
    changed = with_index(installer, None, URL)
    assert without_index(installer, changed) is None
    assert without_index(installer, with_index(installer, "", URL)) == ""


@pytest.mark.parametrize(("installer", "section"), [("pip", "global"), ("uv", "pip")])
def test_keys_that_were_added_below_stay_in_their_section(installer: Installer, section: str) -> None:
    changed = with_index(installer, None, URL) + 'prefer = "x"\n'
    assert without_index(installer, changed) == f'[{section}]\nprefer = "x"\n'


@pytest.mark.parametrize(
    ("installer", "text", "why"),
    [
        ("pip", "[install]\nindex_url = https://index.example/\n", "[install] index-url is there already"),
        ("pip", "[global]\nno-index = 1\n", "[global] no-index is there"),
        ("pip", "timeout = 60\n", "no valid pip configuration"),
        ("uv", 'index-url = "https://index.example/"\n', "index-url is there already"),
        ("uv", '[pip]\nindex-url = "https://index.example/"\n', "[pip] index-url is there already"),
        ("uv", '[[index]]\nurl = "https://index.example/"\ndefault = true\n', "[[index]] with default is there"),
        ("uv", "no-index = true\n", "no-index is there"),
        ("uv", "[pip\n", "no valid TOML"),
        ("uv", "pip.offline = true\n", "cannot be found in it safely"),
    ],
)
def test_what_would_not_work_or_cannot_be_done_is_refused(installer: Installer, text: str, why: str) -> None:
    with pytest.raises(CannotEditError, match=why.replace("[", r"\[")):
        with_index(installer, text, URL)


def test_lines_that_were_changed_are_not_taken_out() -> None:
    changed = with_index("pip", "", URL)
    with pytest.raises(CannotEditError, match="no lines"):
        without_index("pip", changed.replace("# wheelfs: end\n", "timeout = 60\n# wheelfs: end\n"))
    with pytest.raises(CannotEditError, match="no lines"):
        without_index("pip", "[global]\n")
