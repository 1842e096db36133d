"""Members of a wheel are found in what was made of them: by our own installation, whose inverse this is."""

from __future__ import annotations

import hashlib
import io
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes.many_kinds import many_kinds
from tests.fakes.wheels import build_wheel
from wheelfs.core.environments.installation import install
from wheelfs.core.environments.scripts import with_first_lines
from wheelfs.core.unpacked.distribution import DESCRIBING, Distribution, described
from wheelfs.core.unpacked.members import Layout, lies_at, members, with_original_first_line
from wheelfs.core.wheel import zip_layout
from wheelfs.core.wheel.metadata import converse, search_directory
from wheelfs.errors import InvalidInput
from wheelfs.model.environment import Interpreter

PYTHON = Interpreter("/opt/python/bin/python3.11", "3.11.7", "cpython-311", b"abcd")
LAYOUT = Layout(PYTHON.site_packages, "3.11")
DIGEST = "sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU"


def contents(wheel: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(wheel)) as archive:
        return {name: archive.read(name) for name in archive.namelist() if not name.endswith("/")}


def environment(wheel: bytes, project: str) -> dict[str, bytes]:
    """Return the files that installing a wheel leaves, by their path."""
    location, directory = converse(search_directory(len(wheel), 1 << 16), lambda at, size: wheel[at : at + size])
    found = zip_layout.parse_directory(directory, location)

    def read(member: zip_layout.Member) -> bytes:
        return zip_layout.extract_member(member, wheel, 0)

    made = install(0, f"{project}-1.0-py3-none-any.whl", project, found, PYTHON, read)
    by_header = {member.header_offset: member for member in found}
    files = {member.path: read(by_header[member.header_offset]) for member in made.members}
    return files | {file.path: file.content for file in made.written}


def distribution(files: dict[str, bytes], dist_info: str, site: str = f"{LAYOUT.site}/") -> Distribution:
    below = f"{site}{dist_info}/"
    return described("take it", dist_info, {name: files[below + name] for name in DESCRIBING if below + name in files})


def made_again(files: dict[str, bytes], dist_info: str) -> dict[str, bytes]:
    entry_points = files.get(f"{LAYOUT.site}/{dist_info}/entry_points.txt", b"")
    found = {}
    for one in members("take it", distribution(files, dist_info), entry_points, LAYOUT):
        content = files[one.path]
        assert hashlib.sha256(content).digest() == one.recorded.digest
        found[one.name] = with_original_first_line(content) if one.is_script else content
    return found


def test_all_kinds_of_members_are_found_again() -> None:
    wheel = contents(many_kinds())
    info = "many_kinds-1.0.dist-info"
    expected = {
        # Both lie in site-packages, so nothing tells them from what stood beside the package.
        name.replace("many_kinds-1.0.data/purelib/", "").replace("many_kinds-1.0.data/platlib/", ""): content
        for name, content in wheel.items()
        if name not in (f"{info}/RECORD", f"{info}/INSTALLER", f"{info}/direct_url.json", f"{info}/REQUESTED")
    }
    assert made_again(environment(many_kinds(), "many-kinds"), info) == expected


NAMES = st.from_regex(r"\A[a-zA-Z_][a-zA-Z0-9_ -]{0,8}(/[a-zäöA-Z_]{1,5}){0,2}\.(py|so|txt|pyc)\Z")


@given(st.dictionaries(NAMES, st.binary(max_size=200), min_size=1, max_size=8))
def test_whatever_a_wheel_holds_is_found_where_it_was_put(files: dict[str, bytes]) -> None:
    wheel = build_wheel("demo", "1.0", files={f"demo/{name}": content for name, content in files.items()})
    info = "demo-1.0.dist-info"
    installed = environment(wheel, "demo")
    expected = {name: content for name, content in contents(wheel).items() if name != f"{info}/RECORD"}
    assert made_again(installed, info) == expected
    known = distribution(installed, info)
    assert all(installed[lies_at(name, known, LAYOUT) or ""] == content for name, content in expected.items())


def test_a_wheel_that_is_unpacked_as_it_is_has_its_members_at_their_names() -> None:
    files = contents(many_kinds())
    info = "many_kinds-1.0.dist-info"
    known = distribution(files, info, "")
    found = {one.name: one.path for one in members("take it", known, files[f"{info}/entry_points.txt"], None)}
    moved = {"from_purelib.py", "from_platlib.py"}
    assert {name for name, path in found.items() if name != path} == moved
    assert "many_kinds-1.0.data/scripts/in-python" in found
    assert f"{info}/RECORD" not in found
    assert lies_at("many_kinds-1.0.data/scripts/in-python", known, None) == "many_kinds-1.0.data/scripts/in-python"


@pytest.mark.parametrize("name", ["../x.py", "/etc/passwd", "a/../../b", "a\nb"])
@pytest.mark.parametrize("layout", [None, LAYOUT])
def test_a_member_that_could_not_have_been_unpacked_lies_nowhere(name: str, layout: Layout | None) -> None:
    known = distribution(environment(build_wheel("demo", "1.0"), "demo"), "demo-1.0.dist-info")
    assert lies_at(name, known, layout) is None


def recorded(*rows: str) -> Distribution:
    files = environment(build_wheel("demo", "1.0"), "demo")
    files[f"{LAYOUT.site}/demo-1.0.dist-info/RECORD"] = "".join(f"{row}\n" for row in rows).encode()
    return distribution(files, "demo-1.0.dist-info")


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (f"../../../../other/x.py,{DIGEST},0", "outside of the environment"),
        (f"/etc/passwd,{DIGEST},0", "outside of the environment"),
        ("demo/data.bin,,", "does not vouch for 'demo/data.bin'"),
        ("demo/data.bin,md5=abc,", "does not vouch for 'demo/data.bin'"),
    ],
)
def test_what_cannot_be_undone_is_refused_by_name(row: str, reason: str) -> None:
    with pytest.raises(InvalidInput, match=reason):
        list(members("take it", recorded(row), b"", LAYOUT))


def test_bytecode_without_a_hash_was_no_member() -> None:
    rows = recorded("demo/__pycache__/a.cpython-311.pyc,,", f"demo/kept.pyc,{DIGEST},0")
    assert [one.name for one in members("take it", rows, b"", LAYOUT)] == ["demo/kept.pyc"]


@pytest.mark.parametrize("rest", [b"x\n", b"# coding: latin-1\nx\n", b""])
def test_first_lines_of_our_environments_are_undone(rest: bytes) -> None:
    script = b"#!python\n" + rest
    assert with_original_first_line(with_first_lines(script) or b"") == script


@pytest.mark.parametrize(
    ("now", "before"),
    [
        (b"#!/venv/bin/python\nx\n", b"#!python\nx\n"),
        (b"#!/opt/my env/bin/python3.11\nx\n", b"#!python\nx\n"),
        (b"#!/venv/bin/pythonw\nx\n", b"#!pythonw\nx\n"),
        (b"#!/bin/sh\n'''exec' /very/long/python \"$0\" \"$@\"\n' '''\nx\n", b"#!python\nx\n"),
        (b"#!/bin/sh\n'''exec' '/with space/python3' \"$0\" \"$@\"\n' '''\nx\n", b"#!python\nx\n"),
        (b"#!/usr/bin/env python3\nx\n", None),
        (b"#!/usr/bin/python3\nx\n", None),
        (b"#!/bin/sh\nexec python\n", None),
        (b"\x7fELF", None),
        (b"", None),
    ],
)
def test_first_lines_that_installers_write_are_undone(now: bytes, before: bytes | None) -> None:
    assert with_original_first_line(now) == (now if before is None else before)
