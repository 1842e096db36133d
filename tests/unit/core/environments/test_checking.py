"""Environments that came from elsewhere are what this wheelfs would make, or are refused."""

from __future__ import annotations

from typing import Final

import msgspec
import pytest

from wheelfs.core.environments.assembling import assemble
from wheelfs.core.environments.checking import check_environment
from wheelfs.errors import InvalidInput
from wheelfs.model.environment import Environment, Interpreter, WrittenFile

_IMPORTER: Final = b"import marshal\n"
_SITE: Final = "lib/python3.11/site-packages"


def _tree() -> Environment:
    python = Interpreter("/opt/python/bin/python3.11", "3.11.7", "cpython-311", b"abcd")
    return assemble(python, [], [], _IMPORTER)[0]


def test_what_is_made_here_is_taken() -> None:
    check_environment("pull", _tree(), _IMPORTER)


def test_another_text_that_every_program_would_run_is_refused() -> None:
    tree = _tree()
    other = [
        msgspec.structs.replace(file, content=b"raise SystemExit\n") if file.path.endswith("_environment.py") else file
        for file in tree.written
    ]
    with pytest.raises(InvalidInput, match="an importer of its own"):
        check_environment("pull", msgspec.structs.replace(tree, written=tuple(other)), _IMPORTER)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"layout": 99}, "its layout is 99"),
        ({"links": (("bin/python", "/etc/passwd"),)}, "links that lead elsewhere"),
        ({"written": ()}, "does not describe itself"),
    ],
)
def test_other_trees_are_refused(change: dict[str, object], said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        check_environment("pull", msgspec.structs.replace(_tree(), **change), _IMPORTER)


@pytest.mark.parametrize("path", ["../x.py", "/etc/x.py", f"{_SITE}/../../../x.py"])
def test_paths_lie_below_it(path: str) -> None:
    tree = _tree()
    with pytest.raises(InvalidInput):
        check_environment("pull", msgspec.structs.replace(tree, written=(*tree.written, WrittenFile(path, b""))), _IMPORTER)
