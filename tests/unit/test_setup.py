"""What the scripts prepare in a checkout before they run it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

_SETUP = Path(__file__).parents[2] / "scripts" / "_setup"


@pytest.fixture
def compile_all(tmp_path: Path) -> Callable[[], None]:
    """Return what compiles the checkout in ``tmp_path``, which has a package with one module, where Python may write none."""
    (tmp_path / "scripts").mkdir()
    (tmp_path / "scripts" / "_setup").write_bytes(_SETUP.read_bytes())
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / ".venv" / "bin" / "python").symlink_to(sys.executable)
    (tmp_path / "wheelfs").mkdir()
    (tmp_path / "wheelfs" / "names.py").write_text("number = 1\n")

    def run() -> None:
        environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
        script = f"set -euo pipefail; . {tmp_path}/scripts/_setup; ensure_bytecode"
        subprocess.run(["bash", "-c", script], env=environment, check=True, timeout=60)

    return run


def test_what_is_added_to_an_environment_is_not_said_to_be_a_whole_one(tmp_path: Path) -> None:
    (tmp_path / "scripts").mkdir()
    (tmp_path / "scripts" / "_setup").write_bytes(_SETUP.read_bytes())
    for name in ("pyproject.toml", "constraints.txt"):
        (tmp_path / name).write_text("")
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / ".venv" / "bin" / "python").symlink_to(sys.executable)

    def said(script: str) -> str:
        # What is made is of no interest here: it ends before anything is.
        script = f"set -euo pipefail; . {tmp_path}/scripts/_setup; mktemp() {{ exit 1; }}; {script}"
        done = subprocess.run(["bash", "-c", script], stderr=subprocess.PIPE, check=False, timeout=60, text=True)
        return done.stderr

    made = 'fingerprint >"$venv/made-for-run"'
    assert "takes about a minute" in said("make_environment dev")
    assert "takes about a minute" in said("make_environment run")
    assert "adding to" in said(f"{made}; make_environment dev")
    assert "takes about a minute" in said(f"{made}; make_environment run")


def bytecode(checkout: Path) -> dict[str, bytes]:
    return {path.name.partition(".")[0]: path.read_bytes() for path in checkout.glob("wheelfs/__pycache__/*.pyc")}


def test_a_checkout_is_compiled_where_python_itself_may_not(tmp_path: Path, compile_all: Callable[[], None]) -> None:
    compile_all()
    assert list(bytecode(tmp_path)) == ["names"]


def test_what_has_changed_since_is_compiled_again(tmp_path: Path, compile_all: Callable[[], None]) -> None:
    compile_all()
    before = bytecode(tmp_path)["names"]
    module = tmp_path / "wheelfs" / "names.py"
    module.write_text("number = 1_000\n")
    later = (tmp_path / ".venv" / "compiled").stat().st_mtime + 10
    os.utime(module, (later, later))
    compile_all()
    assert bytecode(tmp_path)["names"] != before


def test_a_module_that_does_not_compile_keeps_no_other_from_it(tmp_path: Path, compile_all: Callable[[], None]) -> None:
    (tmp_path / "wheelfs" / "broken.py").write_text("def\n")
    compile_all()
    assert list(bytecode(tmp_path)) == ["names"]
