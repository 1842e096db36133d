"""Wheels with everything that installers treat in a way of its own."""

from __future__ import annotations

import io
import zipfile
from typing import TYPE_CHECKING, Any

from tests.fakes.wheels import build_wheel, wheel_filename

if TYPE_CHECKING:
    from collections.abc import Collection

NAME = wheel_filename("many-kinds", "1.0")

MODULE = b"""
import importlib.resources, sys

def main():
    data = importlib.resources.files("many_kinds").joinpath("data.txt").read_text()
    print("many kinds", data, sys.argv[1:], sys.prefix)
    return 3

class Nested:
    run = staticmethod(main)
"""


def with_modes(wheel: bytes, executable: Collection[str]) -> bytes:
    """Return a wheel whose members of these names have exec bits."""
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(wheel)) as given, zipfile.ZipFile(made, "w") as archive:
        for entry in given.infolist():
            entry.external_attr = (0o100755 if entry.filename in executable else 0o100644) << 16
            archive.writestr(entry, given.read(entry))
    return made.getvalue()


def many_kinds(**more: Any) -> bytes:
    """Return a wheel with scripts, data files, headers, a package and a namespace package, Python 2 code and exec bits."""
    data = "many_kinds-1.0.data"
    files = {
        "many_kinds/__init__.py": MODULE,
        "many_kinds/data.txt": b"read",
        "many_kinds/old.py": b"print 'no module of Python 3'\n",
        "many_kinds/tool.sh": b"#!/bin/sh\necho ran\n",
        "spread/first/__init__.py": b"HERE = 'first'\n",
        f"{data}/purelib/from_purelib.py": b"X = 1\n",
        f"{data}/platlib/from_platlib.py": b"X = 2\n",
        f"{data}/scripts/in-python": (
            b'#!python\n# coding: latin-1\n"""script \xe4"""\nfrom __future__ import annotations\n'
            b"import many_kinds\nprint(ascii(__doc__), many_kinds.__name__)\n"
        ),
        f"{data}/scripts/in-shell": b"#!/bin/sh\necho shell\n",
        f"{data}/headers/many.h": b"/* */\n",
        f"{data}/data/share/many/read me.txt": b"shared\n",
        "many_kinds-1.0.dist-info/entry_points.txt": (
            b"[console_scripts]\nmany-kinds = many_kinds:main\nmany-nested = many_kinds:Nested.run [extra]\n"
            b"[gui_scripts]\nmany-window = many_kinds:main\n[other.group]\nx = many_kinds\n"
        ),
        "many_kinds-1.0.dist-info/licenses/LICENSE": b"free\n",
    }
    return with_modes(build_wheel("many-kinds", "1.0", files={**files, **more.pop("files", {})}, **more), {"many_kinds/tool.sh"})


def odd_kinds() -> bytes:
    """Return a wheel as old builders have written it: names unescaped, rows of RECORD missing, first lines of their own."""
    info, data = "odd-kinds-1.0.dist-info", "odd-kinds-1.0.data"
    files = {
        "odd_kinds/__init__.py": b"",
        "odd_kinds/a b\\c:*.txt": b"a name",
        "odd_kinds/linked.py": b"__init__.py",
        "odd_kinds.pth": b"import sys\n",
        f"{data}/scripts/in-python3": b"#!python3 -u\nprint('odd')\n",
        f"{data}/scripts/in-nothing": b"no first line\n",
        **{f"{data}/scripts/odd-broken{end}": b"#!python\n" for end in ("", "-script.py", ".exe", ".pya")},
        f"{data}/data/lib64/odd/there": b"",
        f"{data}/data/include/odd.h": b"/* */\n",
        f"{info}/entry_points.txt": "[console_scripts]\nodd-broken = odd-kinds:main\nodd-ünicode = ödd_kinds:mäin\n".encode(),
        f"{info}/INSTALLER": b"another\n",
    }
    wheel = with_modes(build_wheel("odd-kinds", "1.0", files=files), {f"{data}/data/include/odd.h"})
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(wheel)) as given, zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for entry in given.infolist():
            content = given.read(entry)
            entry.filename = entry.filename.replace("odd_kinds-1.0", "odd-kinds-1.0")
            if entry.filename == "odd_kinds/linked.py":
                entry.external_attr = 0o120777 << 16  # a symbolic link, which installers make a file of
            archive.writestr(entry, content)
    return made.getvalue()
