"""Compiling the modules of an environment, in a child process of its own interpreter.

The code is of the unchecked kind (PEP 552): the tree never changes, so there is nothing to compare.  Which path stands in it does
not matter, since importing puts the right one there.
"""

from __future__ import annotations

import struct
import subprocess
from typing import TYPE_CHECKING, Final

from wheelfs.errors import InvalidInput
from wheelfs.service.environments.limits import ENVIRONMENT_LIMITS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wheelfs.model.environment import Interpreter

_COMPILER: Final = """
import importlib.util, marshal, struct, sys, warnings
warnings.simplefilter("ignore")
given, made = sys.stdin.buffer, sys.stdout.buffer
head = importlib.util.MAGIC_NUMBER + struct.pack("<I", 1)
while size := given.read(4):
    source = given.read(struct.unpack("<I", size)[0])
    try:
        code = compile(source, "<environment>", "exec", dont_inherit=True)
        content = head + importlib.util.source_hash(source) + marshal.dumps(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        content = b""
    made.write(struct.pack("<I", len(content)) + content)
"""
_SIZE: Final = struct.Struct("<I")


def compile_modules(interpreter: Interpreter, sources: Sequence[bytes]) -> list[bytes]:
    """Return the ``.pyc`` files of modules, empty for what is no Python of that version.  Raises `InvalidInput`.

    What is compiled is only read, never run.
    """
    given = b"".join(_SIZE.pack(len(source)) + source for source in sources)
    command = [interpreter.executable, "-I", "-S", "-B", "-c", _COMPILER]
    attempted = f"compile modules with {interpreter.executable}"
    try:
        done = subprocess.run(command, input=given, capture_output=True, check=True, timeout=ENVIRONMENT_LIMITS.compile_s)
    except (OSError, subprocess.SubprocessError) as error:
        raise InvalidInput(attempted, str(error)) from None
    made: list[bytes] = []
    position = 0
    while position + _SIZE.size <= len(done.stdout):
        (size,) = _SIZE.unpack_from(done.stdout, position)
        position += _SIZE.size
        made.append(done.stdout[position : position + size])
        position += size
    if len(made) != len(sources) or position != len(done.stdout):
        raise InvalidInput(attempted, f"it gave {len(made)} results for {len(sources)} modules")
    return made
