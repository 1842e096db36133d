"""Asking an interpreter what it is."""

from __future__ import annotations

import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from wheelfs.errors import InvalidInput, NotKnown
from wheelfs.model.environment import Interpreter
from wheelfs.service.environments.limits import ENVIRONMENT_LIMITS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_QUESTION: Final = """
import importlib.util, json, platform, sys, sysconfig
print(json.dumps([
    getattr(sys, "_base_executable", None) or sys.executable,
    platform.python_version(),
    sys.implementation.name,
    sys.implementation.cache_tag,
    importlib.util.MAGIC_NUMBER.hex(),
    bool(sysconfig.get_config_var("Py_GIL_DISABLED")),
    sys.platform,
]))
"""


def find_interpreter(asked: str | None) -> Interpreter:
    """Return the CPython at a path, or ``pythonX.Y`` of PATH for a version; None stands for the one that runs wheelfs.

    Raises `NotKnown` where there is none, and `InvalidInput` for one that cannot run from a mounted environment.
    """
    with asked_interpreter(asked) as answer:
        return answer()


@contextmanager
def asked_interpreter(asked: str | None) -> Iterator[Callable[[], Interpreter]]:
    """Start to ask what `find_interpreter` does, and lend what waits for the answer: the caller may do something meanwhile.

    Both raise what that does.
    """
    attempted = f"use the interpreter {asked or sys.executable}"
    path = _path_of(asked, attempted)
    command = [path, "-I", "-S", "-c", _QUESTION]
    try:
        child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    except OSError as error:
        raise _cannot_be_run(attempted, error.strerror) from None
    with child:
        try:
            yield lambda: _answer(child, path, attempted)
        finally:
            child.kill()  # nothing where it has ended, as it has once it has answered


def _answer(child: subprocess.Popen[str], path: str, attempted: str) -> Interpreter:
    try:
        stdout, stderr = child.communicate(timeout=ENVIRONMENT_LIMITS.probe_s)
    except (OSError, subprocess.TimeoutExpired, UnicodeDecodeError) as error:
        raise _cannot_be_run(attempted, error) from None
    try:
        said = msgspec.json.decode(stdout, type=tuple[str, str, str, str, str, bool, str])
    except msgspec.DecodeError:
        # What quotes the question has not understood it.
        quotes = "sysconfig" in stderr
        words = "it is another program" if quotes else " ".join(stderr.split())[:300] or "it says nothing"
        raise InvalidInput(attempted, f"{path} does not behave like Python: {words}", "name another with --python") from None
    executable, version, implementation, cache_tag, magic, free_threaded, platform = said
    if implementation != "cpython" or platform != "linux" or free_threaded:
        kind = f"{implementation} on {platform}" + (", without its lock" if free_threaded else "")
        raise InvalidInput(attempted, f"it is {kind}; environments are for CPython on Linux, with its lock")
    return Interpreter(executable, version, cache_tag, bytes.fromhex(magic))


def _cannot_be_run(attempted: str, why: object) -> InvalidInput:
    return InvalidInput(attempted, f"it cannot be run: {why}", "name a Python with --python PATH")


def _path_of(asked: str | None, attempted: str) -> str:
    if asked is None:
        return sys.executable
    if "/" in asked:
        if not Path(asked).exists():
            raise NotKnown(attempted, "there is no such file", "name a Python with --python PATH")
        return str(Path(asked).absolute())
    name = f"python{'.'.join(asked.split('.')[:2])}" if asked[:1].isdigit() else asked
    found = shutil.which(name)
    if found is None:
        raise NotKnown(attempted, f"there is no {name} in PATH", "name a Python with --python PATH")
    return found
