"""Asking an interpreter what it is."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

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
_MAX_LINKS: Final = 40
"""As many links the kernel follows to one file."""


def find_interpreter(asked: str | None) -> Interpreter:
    """Return the CPython at a path, or ``pythonX.Y`` of PATH for a version; None stands for the one that runs wheelfs.

    Raises `NotKnown` where there is none, and `InvalidInput` for one that cannot run from a mounted environment.
    """
    with asked_interpreter(asked) as answer:
        return answer()


class Present(NamedTuple):
    """What is now at the path of the interpreter that an environment was made for.

    ``found`` is None where nothing there can be used, or it was not asked; ``problem`` is empty where nothing is known to keep
    the environment from running, else both sides in words.
    """

    found: Interpreter | None
    problem: str


def present(made_for: Interpreter) -> Present:
    """Ask what is at the path of an interpreter now: another minor version looks for modules elsewhere, and finds none."""
    path = made_for.executable
    try:
        found = find_interpreter(path)
    except (InvalidInput, NotKnown) as error:
        return Present(None, f"it was made for Python {made_for.version} at {path}, which cannot be used: {error.happened}")
    if (found.minor, found.magic) != (made_for.minor, made_for.magic):
        return Present(found, f"it was made for Python {made_for.version} at {path}, where Python {found.version} is now")
    return Present(found, "")


def shown(made_for: Interpreter) -> Present:
    """Do what `present` does for commands that only look.

    The path comes from the store, and so from a share or another user: what that user could have put there is not run for this
    one, nor what is not called python.
    """
    program = Path(made_for.executable)
    with suppress(OSError):  # which `present` puts into words
        # A pyvenv.cfg beside a link, or above it, says where Python loads its own modules from: the directories count, too.
        real = program.resolve(strict=True)
        owners = {place.lstat().st_uid for place in (program, *program.parents, real, *real.parents)}
        if not owners <= {0, os.getuid()} or not program.name.startswith("python"):
            return Present(None, "")
    return present(made_for)


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
    version = version.removesuffix("+")  # of a Python built from a checkout, which is no version
    return Interpreter(_beside_library(executable, version), version, cache_tag, bytes.fromhex(magic))


def _beside_library(executable: str, version: str) -> str:
    """Return the first of a program and what it links to from which Python finds its standard library, else the program.

    ``home`` of a pyvenv.cfg is where a Python without a place of its own looks for it, and no link is followed from there: uv
    puts links to such ones into ~/.local/bin, and finds a home for its virtual environments as it is done here.
    """
    library = Path("lib", f"python{'.'.join(version.split('.')[:2])}", "os.py")
    path = Path(executable)
    with suppress(OSError):  # a directory above it cannot be looked into
        for _ in range(_MAX_LINKS):
            if any((above / library).is_file() for above in path.parents[:-1]):
                return str(path)
            if not path.is_symlink():
                break
            path = Path(os.path.normpath(path.parent / path.readlink()))
    return executable


def _cannot_be_run(attempted: str, why: object) -> InvalidInput:
    return InvalidInput(attempted, f"it cannot be run: {why}", "name a Python with --python PATH")


def _path_of(asked: str | None, attempted: str) -> str:
    if asked is None:
        return sys.executable
    if "/" in asked:
        try:
            Path(asked).stat()
        except (FileNotFoundError, NotADirectoryError):
            raise NotKnown(attempted, "there is no such file", "name a Python with --python PATH") from None
        except OSError as error:  # it lies in another user's home, say
            raise _cannot_be_run(attempted, error.strerror) from None
        return str(Path(asked).absolute())
    name = f"python{'.'.join(asked.split('.')[:2])}" if asked[:1].isdigit() else asked
    found = shutil.which(name)
    if found is None:
        raise NotKnown(attempted, f"there is no {name} in PATH", "name a Python with --python PATH")
    return found
