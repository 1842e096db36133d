"""A mounted environment: what its tree is made of.  It names members of wheels, so it is small, and the same on every node.

All of it but the label follows from the files, the interpreter and `LAYOUT`; the tree's digest is that of its encoding.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Final

import msgspec

from wheelfs.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Iterator

LAYOUT: Final = 2
"""The version of where things are put; another one makes other digests."""

_LABEL: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


def parse_label(text: str) -> str:
    """Return ``text`` if it can be the name of an environment: 1 to 100 of A-Z a-z 0-9 . _ - (`InvalidInput`)."""
    if _LABEL.fullmatch(text) is None:
        happened = "it has to be 1 to 100 of the characters A-Z a-z 0-9 . _ -, beginning with a letter or digit"
        raise InvalidInput(f"name an environment {text[:120]!r}", happened)
    return text


class Interpreter(msgspec.Struct, frozen=True, array_like=True):
    """A CPython: the absolute path of its program, its full version, and what marks its bytecode (PEP 3147).

    ``magic`` are the first four bytes of its ``.pyc`` files, ``cache_tag`` is what their names hold (``cpython-311``).
    """

    executable: str
    version: str
    cache_tag: str
    magic: bytes

    @property
    def minor(self) -> str:
        """``3.11`` of ``3.11.7``."""
        return ".".join(self.version.split(".")[:2])

    @property
    def site_packages(self) -> str:
        """Where modules lie below the environment, as ``venv`` has it on POSIX."""
        return f"lib/python{self.minor}/site-packages"


class EnvironmentWheel(msgspec.Struct, frozen=True, array_like=True):
    """A wheel of an environment: ``origin`` is the index that it came from, or ``local``."""

    project: str
    filename: str
    origin: str
    sha256: bytes
    size_bytes: int


class WheelMember(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A file that is a member of the environment's wheel number ``wheel``; ``path`` is below the environment.

    The other fields are those of the ZIP's central directory (APPNOTE 4.3.12), and ``sha256`` is what the wheel's RECORD says of
    the content, empty where it says none: a claim, which is compared before it is relied on.
    """

    path: str
    wheel: int
    header_offset: int
    method: int
    compressed_size: int
    size: int
    crc: int
    is_executable: bool
    sha256: bytes = b""


class WrittenFile(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A file that an installer writes: a script, RECORD, INSTALLER, ``pyvenv.cfg``."""

    path: str
    content: bytes
    is_executable: bool = False


class Environment(msgspec.Struct, frozen=True, array_like=True):
    """All files of an environment, each path once and in order of path; ``links`` are ``(path, target)``."""

    layout: int
    interpreter: Interpreter
    wheels: tuple[EnvironmentWheel, ...]
    members: tuple[WheelMember, ...]
    written: tuple[WrittenFile, ...]
    links: tuple[tuple[str, str], ...]

    @property
    def size_bytes(self) -> int:
        """What the files have together, unpacked, bytecode not counted."""
        return sum(member.size for member in self.members) + sum(len(file.content) for file in self.written)


class EnvironmentLabel(msgspec.Struct, frozen=True, array_like=True):
    """A name for an environment: ``digest`` is that of its encoding, ``contents`` are the sha256 of its wheels.

    New fields go to the end and have a default: stored ones of older builds must still read.
    """

    name: str
    digest: bytes
    created_us: int
    contents: tuple[bytes, ...]


def modules_below(interpreter: Interpreter) -> str:
    """Return how paths of modules begin."""
    return f"{interpreter.site_packages}/"


def is_module(member: WheelMember | WrittenFile, below: str) -> bool:
    """Return whether Python looks for bytecode of a member, in ``__pycache__`` beside it (PEP 3147); for ``below`` see above."""
    return member.path.endswith(".py") and member.path.startswith(below)


def modules(tree: Environment) -> Iterator[WheelMember]:
    """Yield the modules whose bytecode is kept: it has their sha256 in its key, so those of which RECORD says none have none."""
    below = modules_below(tree.interpreter)
    return (member for member in tree.members if member.sha256 and is_module(member, below))


def own_modules(tree: Environment) -> Iterator[tuple[str, bytes, bytes]]:
    """Yield path, sha256 and text of the modules that no wheel has; their bytecode is kept, too."""
    below = modules_below(tree.interpreter)
    for file in tree.written:
        if is_module(file, below):
            yield file.path, hashlib.sha256(file.content).digest(), file.content
