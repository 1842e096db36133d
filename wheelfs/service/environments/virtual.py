"""Virtual environments on a disk whose packages are those of a mounted one, for what is installed on top of it."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING, Final

from wheelfs.errors import DestinationError
from wheelfs.service.environments.limits import ENVIRONMENT_LIMITS

if TYPE_CHECKING:
    from pathlib import Path

    from wheelfs.model.environment import Interpreter

_POINTER: Final = "wheelfs.pth"
_ADVICE: Final = "name a directory that can be made"


def check_place(directory: Path) -> None:
    """Raise `DestinationError` where no virtual environment can be made: only an earlier one of ours is written to."""
    attempted = f"make a virtual environment at {directory}"
    try:
        is_free = not directory.exists() or not any(directory.iterdir())
        there = next(path for path in (directory, *directory.absolute().parents) if path.exists())
    except OSError as error:
        raise DestinationError(attempted, error.strerror or str(error), _ADVICE) from None
    if not there.is_dir() or not os.access(there, os.W_OK):
        raise DestinationError(attempted, f"nothing can be made in {there}", _ADVICE)
    if not is_free and not any(directory.glob(f"lib/python3*/site-packages/{_POINTER}")):
        raise DestinationError(attempted, "something else is there", "name a directory that is not there yet")


def lay(directory: Path, interpreter: Interpreter, environment: Path) -> None:
    """Make a virtual environment that has the packages of the one at ``environment``, its own before them.

    One of ours that is there is pointed at that; what was installed into it stays.  Raises `DestinationError`.
    """
    check_place(directory)
    pointer = directory / interpreter.site_packages / _POINTER
    attempted = f"make a virtual environment at {directory}"
    try:
        command = [interpreter.executable, "-I", "-m", "venv", "--without-pip", str(directory)]
        subprocess.run(command, capture_output=True, text=True, check=True, timeout=ENVIRONMENT_LIMITS.venv_s)
        # Not the path alone: the files *.pth of that directory are to be obeyed, too.
        line = f"import site; site.addsitedir({str(environment / interpreter.site_packages)!r})\n"
        pointer.write_text(line, encoding="utf-8")
    except subprocess.CalledProcessError as error:
        raise DestinationError(attempted, " ".join((error.stderr or error.stdout).split())[-300:], _ADVICE) from None
    except (OSError, subprocess.TimeoutExpired) as error:
        raise DestinationError(attempted, str(error), _ADVICE) from None
