"""Which unit and property tests belong to a file; as a program it prints those of its arguments, or all when there are none."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

_ROOT: Final = Path(__file__).parents[2]
_UNIT: Final = Path("tests/unit")
_ALL: Final = (_UNIT, Path("tests/property"))


def belonging_to(path: Path, root: Path = _ROOT) -> set[Path]:
    """Return the tests of a file of the checkout ``root``; all paths are relative to it.

    A test is its own.  A module has those named after it, in its room of ``tests/unit`` and in ``tests/property``; without such
    ones, those of the nearest room that exists.  What is no module of ours (documents, scripts) has those of the whole project.
    """
    if path.parts[0] == "tests" and path.name.startswith("test_"):
        return {path}
    if path.parts[0] == "wheelfs":
        room = _UNIT.joinpath(*path.parent.parts[1:])
    elif path.parts[:2] == ("tests", "fakes"):
        room = _UNIT / "fakes"
    else:
        return {test.relative_to(root) for test in (root / _UNIT).glob("test_*.py")}
    name = f"test_{path.stem}.py"
    named = {directory / name for directory in (room, _ALL[1]) if (root / directory / name).is_file()}
    if named:
        return named
    while not (root / room).is_dir():
        room = room.parent
    return {room}


def main(arguments: list[str]) -> None:
    tests: set[Path] = set() if arguments else set(_ALL)
    for argument in arguments:
        path = Path(argument).resolve()
        if not path.is_relative_to(_ROOT):
            sys.exit(f"choose tests of {argument}: it is not in {_ROOT}; name files of this checkout")
        tests |= belonging_to(path.relative_to(_ROOT))
    print(*sorted(tests), sep="\n")


if __name__ == "__main__":
    main(sys.argv[1:])
