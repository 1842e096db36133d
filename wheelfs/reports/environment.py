"""Reports of ``wheelfs env``, in the words that scripts may rely on: fields may be added, never renamed."""

from __future__ import annotations

from typing import Literal

import msgspec

SharedResult = Literal["pushed", "pulled", "present", "listed"]


class EnvironmentState(msgspec.Struct, frozen=True, kw_only=True):
    """An environment: ``digest`` tells its tree, the same wherever it is made of the same files for the same interpreter.

    ``path`` is below a mount of this store.  ``files`` and ``size_bytes`` are what it unpacks to, bytecode not counted;
    ``created`` is when its name came to mean this tree (RFC 3339).  ``state``: whether all its wheels are stored, or come in
    parts as they are read; ``missing_wheels`` are not.
    """

    name: str
    path: str
    digest: str
    python: str
    interpreter: str
    wheels: int
    files: int
    size_bytes: int
    created: str
    state: Literal["complete", "lazy"]
    missing_wheels: int


class EnvironmentFile(msgspec.Struct, frozen=True, kw_only=True):
    """A wheel of an environment; ``origin`` is the index that it came from, or ``local``."""

    project: str
    version: str
    filename: str
    origin: str
    sha256: str
    size_bytes: int


class InterpreterState(msgspec.Struct, frozen=True, kw_only=True):
    """What is at ``path``, for whose Python ``made_for`` an environment was made.

    ``found`` is the version there now, None where it cannot be used, or is another user's program, which is not run to ask it.
    ``problem`` and ``mend`` are empty where nothing is known to be wrong.
    """

    path: str
    made_for: str
    found: str | None
    problem: str = ""
    mend: str = ""


class EnvironmentClash(msgspec.Struct, frozen=True, kw_only=True):
    """Two wheels have a file at one path of an environment, with other content: that of ``shown`` lies there."""

    path: str
    hidden: str
    shown: str


class MadeEnvironment(msgspec.Struct, frozen=True, kw_only=True):
    """An environment that was made.  ``result`` tells whether its name meant this tree before (``unchanged``).

    ``compiled``: modules of which no bytecode was there.
    """

    environment: EnvironmentState
    result: str
    compiled: int
    clashes: tuple[EnvironmentClash, ...] = ()


class CompiledEnvironment(msgspec.Struct, frozen=True, kw_only=True):
    """An environment whose wheels were fetched; ``compiled``: modules of which no bytecode was there."""

    environment: EnvironmentState
    compiled: int


class EnvironmentProfile(msgspec.Struct, frozen=True, kw_only=True):
    """The files of an environment that were opened; they have ``size_bytes`` unpacked and ``packed_bytes`` in their wheels.

    A module stands for its bytecode, too.
    """

    name: str
    files: tuple[str, ...]
    size_bytes: int
    packed_bytes: int


class SharedEnvironmentState(msgspec.Struct, frozen=True, kw_only=True):
    """An environment of a share.  ``runs_here``: its interpreter is on this machine.

    ``compiled``: modules whose bytecode went with it, or came and was not here.
    """

    name: str
    digest: str
    python: str
    interpreter: str
    runs_here: bool
    wheels: int
    filenames: tuple[str, ...]
    compiled: int
    result: SharedResult
