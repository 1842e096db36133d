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


PIP = f"""#!/bin/bash
case "$*" in
"-m pip wheel "*) echo built >&2; touch "$7/pyfuse3-1.0-abi.whl" ;;
"-c "*) echo abi ;;
*) exec {sys.executable} "$@" ;;
esac
"""
"""A Python of which pip builds something at once, and is the real one in all else."""


@pytest.fixture
def with_pip(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Return what runs a script in a checkout whose Python is that of `PIP`; with these variables, those of None being unset."""
    python = tmp_path / ".venv" / "bin" / "python"
    for file in (tmp_path / "scripts" / "_setup", python):
        file.parent.mkdir(parents=True)
    (tmp_path / "scripts" / "_setup").write_bytes(_SETUP.read_bytes())
    (tmp_path / "constraints.txt").write_text("pyfuse3==1.0\n")
    python.write_text(PIP)
    python.chmod(0o755)

    def run(script: str, **variables: str | None) -> subprocess.CompletedProcess[str]:
        cleared: dict[str, str | None] = dict.fromkeys(("XDG_CACHE_HOME", "PIP_CONFIG_FILE", "PIP_INDEX_URL"))
        environment = {name: value for name, value in (os.environ | cleared | variables).items() if value is not None}
        # What these say of the machine is of no interest here, and nothing is to be written where root has no home.
        stubs = "can_compile() { :; }; fusermount3() { echo 3; }; mkdir() { [[ $* != *' /.cache/'* ]] && command mkdir \"$@\"; }"
        script = f"set -euo pipefail; . {tmp_path}/scripts/_setup; {stubs}; log=$checkout/log; choose_pip; {script}"
        return subprocess.run(["bash", "-c", script], env=environment, capture_output=True, check=True, timeout=60, text=True)

    return run


@pytest.mark.parametrize("home", ["/proc", None])
def test_where_no_home_can_be_written_the_wheel_that_was_built_is_kept_in_the_checkout(
    home: str | None, tmp_path: Path, with_pip: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    built = Path(with_pip("pyfuse3_wheel base", HOME=home).stdout.strip())
    assert built.is_file()
    assert tmp_path in built.parents
    (tmp_path / "log").unlink()
    assert with_pip("pyfuse3_wheel base", HOME=home).stdout.strip() == str(built)
    assert not (tmp_path / "log").exists(), "it is built once"


def test_pips_index_is_not_used_where_it_is_a_mount_that_is_not_there(
    tmp_path: Path, with_pip: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    simple = tmp_path / "my mount" / "here" / "simple"
    config = tmp_path / "pip.conf"
    config.write_text(f"[global]\nindex-url = {simple.as_uri()}\n")

    def chosen() -> subprocess.CompletedProcess[str]:
        return with_pip('printf "%s " "${pip[@]}"', PIP_CONFIG_FILE=str(config))

    assert "PIP_CONFIG_FILE=/dev/null" in chosen().stdout
    assert f"pip's index is not there, {simple.as_uri()}" in chosen().stderr
    simple.mkdir(parents=True)
    assert "PIP_CONFIG_FILE" not in chosen().stdout
    config.write_text("[global]\nindex-url = https://index.example/simple\n")
    assert "PIP_CONFIG_FILE" not in chosen().stdout
