"""Making an environment of what its wheels give."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, NamedTuple

import msgspec

from wheelfs.errors import InvalidInput
from wheelfs.model.environment import LAYOUT, Environment, WrittenFile

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from wheelfs.core.environments.installation import WheelInstallation
    from wheelfs.model.environment import EnvironmentWheel, Interpreter, WheelMember


DESCRIPTION: Final = ".wheelfs/env.json"
"""What the environment is made of, for those who have the directory alone."""

_IMPORTER: Final = "_wheelfs_environment"
"""The module that a ``.pth`` file of that name imports as an interpreter starts."""

_IMPORTER_SINCE: Final = (3, 8)


class Clash(NamedTuple):
    """Two wheels have a file at one path, with other content; the one of ``shown`` lies there."""

    path: str
    hidden: str
    shown: str


def assemble(
    interpreter: Interpreter,
    wheels: Sequence[EnvironmentWheel],
    installed: Sequence[WheelInstallation],
    importer: bytes,
) -> tuple[Environment, list[Clash]]:
    """Return the environment of wheels, of which ``installed`` says in the same order what each gives; and their clashes.

    ``importer`` is the text of the module that makes imports quick.  Of two files at one path that of the later wheel is taken.
    Raises `InvalidInput` where one's file is another's directory.
    """
    clashes: list[Clash] = []
    found: dict[str, tuple[str, WheelMember | WrittenFile]] = {}
    for wheel, one in zip(wheels, installed, strict=True):
        files: list[WheelMember | WrittenFile] = [*one.members, *one.written]
        for file in files:
            before = found.get(file.path)
            if before is not None and _content(before[1]) != _content(file):
                clashes.append(Clash(file.path, before[0], wheel.filename))
            found[file.path] = wheel.filename, file
    for own in own_files(interpreter, wheels, importer):
        found[own.path] = "the environment itself", own
    links = links_of(interpreter)
    for path, _ in links:
        if path in found:
            happened = f"{found[path][0]} has a file {path}, where a virtual environment has a link"
            raise InvalidInput("make the environment", happened, "leave it out")
    owners = {path: whose for path, (whose, _) in found.items()}
    check_directories({**owners, **dict.fromkeys((path for path, _ in links), "the environment itself")})
    kept = [found[path][1] for path in sorted(found)]
    members = tuple(file for file in kept if not isinstance(file, WrittenFile))
    written = tuple(file for file in kept if isinstance(file, WrittenFile))
    return Environment(LAYOUT, interpreter, tuple(wheels), members, written, links), clashes


def links_of(interpreter: Interpreter) -> tuple[tuple[str, str], ...]:
    """Return path and target of each symbolic link of an environment."""
    return (
        ("bin/python", interpreter.executable),
        ("bin/python3", "python"),
        (f"bin/python{interpreter.minor}", "python"),
        ("lib64", "lib"),  # which distributors' sysconfig may name
    )


def with_state(content: bytes, *, is_complete: bool) -> bytes:
    """Return the description of an environment with whether all its bytes are here: that changes, and is not of the tree."""
    described = msgspec.json.decode(content, type=dict[str, object])
    return _formatted({"state": state_of(is_complete=is_complete)} | described)


def state_of(*, is_complete: bool) -> Literal["complete", "lazy"]:
    """Return how it is called that all wheels of an environment are stored, or not."""
    return "complete" if is_complete else "lazy"


def _formatted(described: dict[str, object]) -> bytes:
    return msgspec.json.format(msgspec.json.encode(described)) + b"\n"


def _content(file: WheelMember | WrittenFile) -> object:
    return file.content if isinstance(file, WrittenFile) else (file.size, file.crc)


def own_files(interpreter: Interpreter, wheels: Sequence[EnvironmentWheel], importer: bytes) -> Iterator[WrittenFile]:
    """Yield the files that no wheel has: they say what an environment is, and import its modules."""
    # What PEP 405 asks for; "version" is what virtual environments' tools look at.
    home = interpreter.executable.rpartition("/")[0]
    text = f"home = {home}\ninclude-system-site-packages = false\nversion = {interpreter.version}\n"
    yield WrittenFile("pyvenv.cfg", text.encode())
    if tuple(int(part) for part in interpreter.minor.split(".")) >= _IMPORTER_SINCE:
        yield WrittenFile(f"{interpreter.site_packages}/{_IMPORTER}.py", importer)
        yield WrittenFile(f"{interpreter.site_packages}/{_IMPORTER}.pth", f"import {_IMPORTER}\n".encode())
    described: dict[str, object] = {
        "layout": LAYOUT,
        "python": interpreter.version,
        "interpreter": interpreter.executable,
        "wheels": [{"filename": one.filename, "sha256": one.sha256.hex(), "origin": one.origin} for one in wheels],
    }
    yield WrittenFile(DESCRIPTION, _formatted(described))


def check_directories(owners: dict[str, str]) -> None:
    """Raise `InvalidInput` where one's file is another's directory; ``owners`` says by path whose a file is."""
    seen: set[str] = set()
    for path, whose in owners.items():
        parent = path.rpartition("/")[0]
        while parent and parent not in seen:
            seen.add(parent)
            if parent in owners:
                happened = f"{owners[parent]} has a file {parent}, which is a directory of {whose}"
                raise InvalidInput("make the environment", happened, "leave one of them out")
            parent = parent.rpartition("/")[0]
