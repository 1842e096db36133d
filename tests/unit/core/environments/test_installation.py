"""Where members of wheels lie, and what is refused; the mount's tests compare the whole with uv."""

from __future__ import annotations

import io
import json
import sys
import zipfile
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes.many_kinds import NAME, many_kinds
from tests.fakes.processes import isolated_environment, run
from tests.fakes.wheels import build_wheel
from wheelfs.core.environments.assembling import assemble
from wheelfs.core.environments.installation import WheelInstallation, check_path, install
from wheelfs.core.environments.scripts import entry_point_scripts, is_wrapper, with_first_lines
from wheelfs.core.wheel import zip_layout
from wheelfs.core.wheel.metadata import converse, search_directory
from wheelfs.errors import InvalidInput
from wheelfs.model.environment import (
    EnvironmentWheel,
    Interpreter,
    WheelMember,
    WrittenFile,
    is_module,
    modules_below,
    own_modules,
    parse_label,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

PYTHON = Interpreter("/opt/python/bin/python3.11", "3.11.7", "cpython-311", b"abcd")
SITE = "lib/python3.11/site-packages"


def installed(wheel: bytes, project: str, number: int = 0) -> WheelInstallation:
    location, directory = converse(search_directory(len(wheel), 1 << 16), lambda at, size: wheel[at : at + size])
    members = zip_layout.parse_directory(directory, location)
    return install(number, f"{project}-1.0-py3-none-any.whl", project, members, PYTHON, lambda member: read(wheel, member))


def read(wheel: bytes, member: zip_layout.Member) -> bytes:
    return zip_layout.extract_member(member, wheel, 0)


def wheels(*projects: str) -> list[EnvironmentWheel]:
    return [EnvironmentWheel(one, f"{one}-1.0-py3-none-any.whl", "main", bytes(32), 1) for one in projects]


def renamed(wheel: bytes, names: dict[str, str]) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(wheel)) as given_, zipfile.ZipFile(made, "w") as archive:
        for entry in given_.infolist():
            archive.writestr(names.get(entry.filename, entry.filename), given_.read(entry))
    return made.getvalue()


def test_each_kind_has_its_place() -> None:
    made = installed(many_kinds(), "many-kinds")
    modes = {member.path: member.is_executable for member in made.members}
    assert (
        modes.items()
        >= {
            f"{SITE}/many_kinds/__init__.py": False,
            f"{SITE}/many_kinds/tool.sh": True,
            f"{SITE}/from_purelib.py": False,
            f"{SITE}/from_platlib.py": False,
            f"{SITE}/many_kinds-1.0.dist-info/METADATA": False,
            "include/site/python3.11/many-kinds/many.h": False,
            "share/many/read me.txt": False,
            "bin/in-shell": True,
        }.items()
    )
    written = {file.path: file for file in made.written}
    assert {path for path, file in written.items() if file.is_executable} == {
        "bin/many-kinds",
        "bin/many-nested",
        "bin/many-window",
        "bin/in-python",
    }
    assert written[f"{SITE}/many_kinds-1.0.dist-info/INSTALLER"].content == b"wheelfs\n"
    record = written[f"{SITE}/many_kinds-1.0.dist-info/RECORD"].content.decode()
    assert "\n../../../bin/many-kinds,sha256=" in record
    assert record.endswith("many_kinds-1.0.dist-info/RECORD,,\n")
    assert not any(path.endswith("/RECORD") for path in modes)


@pytest.mark.parametrize(
    ("name", "said"),
    [(one, "no path below") for one in ("/etc/passwd", "a/../../b", "..", "a//b", "./a", "", "a/.")]
    + [(one, "cannot be seen") for one in ("a\0b", "a\nb", "a\tb", "a\u200bb", "a\udcffb")]
    + [("a/" + "x" * 256, "more than 255 bytes"), ("a/" * 101 + "b", "more than 100 directories")],
)
def test_a_path_that_leads_elsewhere_is_refused(name: str, said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        check_path("install it", name)


def test_other_names_are_taken_as_they_are() -> None:
    for name in ("a\\b", "a b/ü", "a\u00a0b"):
        check_path("install it", name)


def test_what_is_below_a_link_of_virtual_environments_lies_where_it_leads() -> None:
    data = "demo-1.0.data/data"
    made = installed(build_wheel("demo", "1.0", files={f"{data}/lib64/x.txt": b"x"}), "demo")
    assert "lib/x.txt" in {member.path for member in made.members}
    for path in ("bin/python", "bin/python3/x.txt", "lib64"):
        part = installed(build_wheel("demo", "1.0", files={f"{data}/{path}": b"x"}), "demo")
        with pytest.raises(InvalidInput, match="make the environment"):
            assemble(PYTHON, wheels("demo"), [part], b"")


def test_so_is_a_wheel_that_has_one() -> None:
    wheel = renamed(build_wheel("demo", "1.0"), {"demo/__init__.py": "../demo.py"})
    with pytest.raises(InvalidInput, match=r"\.\./demo\.py"):
        installed(wheel, "demo")


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ({"demo-1.0.dist-info/METADATA": "x"}, "no METADATA"),
        ({"demo-1.0.dist-info/WHEEL": "x"}, "no demo-1.0.dist-info/WHEEL"),
        ({"demo-1.0.dist-info/RECORD": "x"}, "no demo-1.0.dist-info/RECORD"),
        ({"demo/__init__.py": "demo-1.0.data/nowhere/x"}, "no such place"),
        ({"demo/__init__.py": "demo-1.0.data/x"}, "no such place"),
    ],
)
def test_what_is_no_wheel_to_installers_is_refused(names: dict[str, str], said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        installed(renamed(build_wheel("demo", "1.0"), names), "demo")


@pytest.mark.parametrize(
    ("text", "said"), [(b"Wheel-Version: 2.0\n", "version 2.0 of the format"), (b"Generator: x\n", "does not say which version")]
)
def test_another_version_of_the_format_is_refused(text: bytes, said: str) -> None:
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(build_wheel("demo", "1.0"))) as given_, zipfile.ZipFile(made, "w") as archive:
        for entry in given_.infolist():
            archive.writestr(entry, text if entry.filename.endswith("/WHEEL") else given_.read(entry))
    with pytest.raises(InvalidInput, match=said):
        installed(made.getvalue(), "demo")


_names = st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "S"]), min_size=1, max_size=12)


@given(st.lists(st.lists(_names, min_size=1, max_size=3), max_size=6))
def test_whatever_is_accepted_lies_below_the_environment(paths: list[list[str]]) -> None:
    files = {"/".join(parts): b"x" for parts in paths}
    try:
        made = installed(build_wheel("demo", "1.0", files=files), "demo")
    except (InvalidInput, zip_layout.NotAZip):
        return
    places = [*(member.path for member in made.members), *(file.path for file in made.written)]
    assert len(places) == len(set(places))
    for path in places:
        assert not path.startswith("/")
        assert not {"", ".", ".."} & set(path.split("/"))


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("[console_scripts]\nA-b = m:f\nc=m.n:o.f [x]\n", ["A-b", "c"]),
        ("[gui_scripts]\nw = m:f\n[other]\nz = m\n", ["w"]),
        ("[console_scripts]\na = ö:ä\n", ["a"]),
        ("[console_scripts]\npip3.4 = pip:main\npip3 = pip:main\nx-pip3.4 = m:f\n", ["pip3.11", "pip3", "x-pip3.4"]),
        ("", []),
    ],
)
def test_entry_points_are_scripts(text: str, names: list[str]) -> None:
    made = dict(entry_point_scripts("install it", text, "3.11"))
    assert list(made) == names
    for body in made.values():
        compile(body, "script", "exec")


def test_an_entry_point_that_cannot_be_imported_is_a_script_too() -> None:
    [(name, body)] = entry_point_scripts("install it", "[console_scripts]\na = my-module:main\n", "3.11")
    assert (name, b"from my-module import main" in body) == ("a", True)


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_a_script_of_an_entry_point_may_start_processes_that_run_it_once_more(tmp_path: Path, method: str) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").symlink_to(sys.executable)
    (tmp_path / "many.py").write_text(
        "import multiprocessing\n\ndef nothing():\n    pass\n\ndef main():\n"
        f"    process = multiprocessing.get_context('{method}').Process(target=nothing)\n"
        "    process.start()\n    process.join()\n    return process.exitcode + 40\n"
    )
    [(name, body)] = entry_point_scripts("install it", "[console_scripts]\nmany = many:main\n", "3.11")
    script = tmp_path / "bin" / name
    script.write_bytes(body)
    script.chmod(0o755)
    environment = {**isolated_environment(tmp_path / "home"), "PYTHONPATH": str(tmp_path)}
    assert run([str(script)], environment=environment, cwd=tmp_path).returncode == 40


@pytest.mark.parametrize(
    "text", ["[console_scripts]\na/b = m:f\n", "[console_scripts]\na = m\n", "no section", "[console_scripts]\n.. = m:f"]
)
def test_entry_points_that_mean_nothing_are_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match=r"entry_points\.txt"):
        list(entry_point_scripts("install it", text, "3.11"))


@given(st.binary(max_size=60))
def test_only_a_first_line_that_asks_for_it_is_rewritten(rest: bytes) -> None:
    for first_line in (b"#!python", b"#!pythonw", b"#!python3", b"#!python3.11 -E", b"#!python\r"):  # as pip and uv do
        rewritten = with_first_lines(first_line + b"\n" + rest)
        assert rewritten is not None
        assert rewritten.endswith(rest)
        assert rewritten.startswith(b"#!/bin/sh\n")
        assert b"python3" not in rewritten.removesuffix(rest)
    assert with_first_lines(b"#!/usr/bin/env python\n" + rest) is None
    assert with_first_lines(b"#!python") is not None
    assert with_first_lines(b"#! python\n" + rest) is None


@pytest.mark.parametrize(
    ("script", "printed"),
    [
        (b'"""Usage."""\nprint(__doc__)\n', "Usage."),
        (b"print(__doc__)\n", "None"),
        (b'"""Usage."""\nfrom __future__ import annotations\nx: no_name\nprint(__doc__)\n', "Usage."),
        (b"# -*- coding: latin-1 -*-\nprint(ascii('\xe4'))\n", r"'\xe4'"),
        (b"\f # vim: set fileencoding=cp1252 :\r\nfrom __future__ import annotations\r\nprint(ascii('\x80'))\r\n", r"'\u20ac'"),
        (b"# no encoding\nimport sys\nprint(sys.argv[1:])\n", "['a b', '']"),
    ],
)
def test_a_rewritten_script_means_what_it_meant_wherever_it_lies(tmp_path: Path, script: bytes, printed: str) -> None:
    rewritten = with_first_lines(b"#!python\n" + script)
    assert rewritten is not None
    far = tmp_path / "has spaces and a '" / ("long" * 50) / "bin"
    far.mkdir(parents=True)
    (far / "python").symlink_to(sys.executable)
    (far / "script").write_bytes(rewritten)
    (far / "script").chmod(0o755)
    far = far.rename(far.with_name("moved"))
    (tmp_path / "linked").symlink_to(far / "script")
    for path in (far / "script", tmp_path / "linked"):
        done = run([str(path), "a b", ""], environment=isolated_environment(tmp_path / "home"), cwd=tmp_path).succeeded()
        assert (done.stdout, done.stderr) == (printed + "\n", "")


@pytest.mark.parametrize(
    ("script", "is_one"), [("a", True), ("a.exe", True), ("a-script.py", True), ("a.pya", True), ("a.py", False), ("b", False)]
)
def test_what_setuptools_made_of_entry_points_is_told_by_its_name(script: str, is_one: bool) -> None:
    assert is_wrapper(script, ["a", "x"]) == is_one


def test_later_wheels_cover_earlier_ones_and_say_so() -> None:
    same, one, two = (build_wheel("a", "1.0", files={"x.py": text, "y.py": b"same"}) for text in (b"1", b"1", b"2"))
    first, second, third = installed(same, "a"), installed(one, "a", 1), installed(two, "a", 2)
    tree, clashes = assemble(PYTHON, wheels("a", "b"), [first, second], b"")
    assert clashes == []
    tree, clashes = assemble(PYTHON, wheels("a", "b"), [first, third], b"")
    assert [(clash.path, clash.shown) for clash in clashes if clash.path.endswith(".py")] == [
        (f"{SITE}/x.py", "b-1.0-py3-none-any.whl")
    ]
    assert next(member for member in tree.members if member.path == f"{SITE}/x.py").wheel == 2


def test_an_environment_has_what_a_virtual_one_has() -> None:
    tree, _ = assemble(PYTHON, wheels("a"), [installed(build_wheel("a", "1.0"), "a")], b"")
    assert dict(tree.links) == {
        "bin/python": "/opt/python/bin/python3.11",
        "bin/python3": "python",
        "bin/python3.11": "python",
        "lib64": "lib",
    }
    [settings] = [file.content.decode() for file in tree.written if file.path == "pyvenv.cfg"]
    assert settings == "home = /opt/python/bin\ninclude-system-site-packages = false\nversion = 3.11.7\n"
    [described] = [json.loads(file.content) for file in tree.written if file.path == ".wheelfs/env.json"]
    assert described == {
        "layout": 2,
        "python": "3.11.7",
        "interpreter": "/opt/python/bin/python3.11",
        "wheels": [{"filename": "a-1.0-py3-none-any.whl", "sha256": "00" * 32, "origin": "main"}],
    }
    paths = [member.path for member in tree.members]
    assert paths == sorted(paths)


def test_a_file_where_another_wheel_has_a_directory_is_refused() -> None:
    parts: Sequence[WheelInstallation] = (
        WheelInstallation([WheelMember("lib/x", 0, 0, 0, 1, 1, 1, False)], []),
        WheelInstallation([], [WrittenFile("lib/x/y", b"")]),
    )
    with pytest.raises(InvalidInput, match=r"lib/x, which is a directory of b-1\.0"):
        assemble(PYTHON, wheels("a", "b"), parts, b"")


@pytest.mark.parametrize("text", ["", "-a", ".a", "a/b", "a b", "a" * 101, "ä", ".."])
def test_labels_are_names_of_directories(text: str) -> None:
    with pytest.raises(InvalidInput):
        parse_label(text)
    assert parse_label("a.B-1_c") == "a.B-1_c"


def test_modules_are_what_python_looks_up_bytecode_of() -> None:
    def member(path: str) -> WheelMember:
        return WheelMember(path, 0, 0, 0, 1, 1, 1, False)

    assert is_module(member(f"{SITE}/a/b.py"), modules_below(PYTHON))
    assert not is_module(member("bin/b.py"), modules_below(PYTHON))
    assert not is_module(member(f"{SITE}/a/b.so"), modules_below(PYTHON))


def test_the_name_of_the_wheel_is_in_what_is_said() -> None:
    assert NAME.startswith("many_kinds")
    with pytest.raises(InvalidInput, match=r"install other-1.0-py3-none-any\.whl"):
        installed(many_kinds(), "other")


@pytest.mark.parametrize(("version", "has"), [("3.7.17", False), ("3.8.0", True), ("3.14.2", True)])
def test_interpreters_that_can_run_it_have_the_importer(version: str, has: bool) -> None:
    python = Interpreter("/opt/python/bin/python3", version, "cpython", b"abcd")
    tree, _ = assemble(python, [], [], b"import marshal\n")
    own = {file.path: file.content for file in tree.written if file.path.startswith(python.site_packages)}
    name = f"{python.site_packages}/_wheelfs_environment"
    assert own == ({f"{name}.py": b"import marshal\n", f"{name}.pth": b"import _wheelfs_environment\n"} if has else {})
    assert [path for path, _, _ in own_modules(tree)] == ([f"{name}.py"] if has else [])
