"""One row of the table: files, the command, and what pip, uv and wheelfs take of the index."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal

from tests.fakes.wheels import build_sdist, build_wheel, sdist_filename, wheel_filename
from tests.world_files.shelf import digest

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.fakes.index import FakeIndex

Told = str | None
"""Files, in the short form of `short` and with spaces between; "error"; or None: that program has no part in the row."""
REFUSED: Final = "error"
ALIKE: Final = "="
SYNC: Final = ("sync",)
"""Words for uv that stand for ``uv sync`` of the uv.lock in the directory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """``files`` are written below the working directory of all three; ``words`` are the command's.

    ``takes`` is what wheelfs takes; pip and uv the same unless something else is given, which needs a ``why``.  ``says``: what
    wheelfs must say, each a part of a line of stderr or of a reason.  ``names``: what it says cannot be had ahead, as wanted.
    ``deps``: with dependencies.  ``quick`` ones run in every run of the tests.
    """

    name: str
    files: Mapping[str, str | bytes] = field(default_factory=dict)
    words: tuple[str, ...] = ("-r", "req.txt")
    takes: str = ""
    pip: Told = ALIKE
    uv: Told = ALIKE
    why: str = ""
    says: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    deps: bool = False
    quick: bool = False
    environ: Mapping[str, str] = field(default_factory=dict)
    pip_words: tuple[str, ...] | None = None
    uv_words: tuple[str, ...] | None = None

    @property
    def is_lock(self) -> bool:
        """Whether what is asked for is a lock, which names the addresses of an index's files."""
        return any(".toml" in word or ".lock" in word for word in self.words)

    def expected(self, program: Literal["pip", "uv", "wheelfs"]) -> str | None:
        """Return what a program must take, in the order of `taken`."""
        told = self.takes if program == "wheelfs" else getattr(self, program)
        told = self.takes if told == ALIKE else told
        return None if told is None else " ".join(sorted(told.split()))


def short(filename: str) -> str:
    """Return a filename without what most wheels' end with."""
    return filename.removesuffix("-py3-none-any.whl")


def write(case: Case, directory: Path, index: FakeIndex) -> None:
    """Write a row's files, with what stands in guillemets replaced (origin, dir, sha256 NAME VERSION, wheel, sdist)."""
    for name, content in case.files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if content == "«wheel»":
            path.write_bytes(build_wheel(*path.name.split("-")[:2]))
        elif content == "«sdist»":
            path.write_bytes(build_sdist(*path.name.removesuffix(".tar.gz").split("-")))
        else:
            path.write_bytes(filled(content if isinstance(content, bytes) else content.encode(), directory, index))


def filled(content: bytes, directory: Path, index: FakeIndex) -> bytes:
    """Return ``content`` with its marks replaced."""

    def replaced(match: re.Match[bytes]) -> bytes:
        word, _, rest = match[1].decode().partition(" ")
        if word == "origin":
            return index.origin.encode()
        if word == "dir":
            return str(directory).encode()
        project, version = rest.split()
        source = word.startswith("s:")
        content = build_sdist(project, version) if source else build_wheel(project, version)
        filename = sdist_filename(project, version) if source else wheel_filename(project, version)
        algorithm = word.removeprefix("s:")
        told = digest(filename, content, "sha256" if algorithm == "hex" else algorithm)
        return told.removeprefix("sha256:" if algorithm == "hex" else "").encode()

    return re.sub("«([^»]+)»".encode(), replaced, content)
