"""Scripts of an environment: those of entry points, and those that a wheel brings.

Their first lines find the interpreter beside them, so that one tree is right below every mount point.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from wheelfs.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Iterator

_GROUPS: Final = ("console_scripts", "gui_scripts")
_REFERENCE: Final = re.compile(r"\s*([A-Za-z_][\w.]*)\s*:\s*([A-Za-z_][\w.]*)\s*(?:\[[^\]]*\])?\s*")
"""``module:attribute [extras]``: the entry points specification; extras have no meaning any more."""
_NAME: Final = re.compile(r"[^/\0]{1,255}")

_FIRST_LINES: Final = b"""#!/bin/sh
'''exec' "$(dirname -- "$(realpath -- "$0")")/python" "$0" "$@"
' '''
"""
"""Two lines that a shell obeys and that are a string to Python: first lines hold no more than 127 bytes, and no relative path."""


def entry_point_scripts(attempted: str, text: str) -> Iterator[tuple[str, bytes]]:
    """Yield name and content of each script that ``entry_points.txt`` wants; raises `InvalidInput`."""
    import configparser  # every store imports this module, and few processes make an environment

    parser = configparser.ConfigParser(delimiters=("=",), interpolation=None, strict=False)
    parser.optionxform = str  # type: ignore[assignment,method-assign]  # names keep their case
    try:
        parser.read_string(text)
    except configparser.Error as error:
        raise InvalidInput(attempted, f"its entry_points.txt cannot be read ({error})".replace("\n", " ")) from None
    for group in _GROUPS:
        if not parser.has_section(group):
            continue
        for name, reference in parser.items(group):
            found = _REFERENCE.fullmatch(reference)
            if found is None or _NAME.fullmatch(name) is None or name in (".", ".."):
                raise InvalidInput(attempted, f"its entry_points.txt has a script {name[:100]!r} = {reference[:100]!r}")
            yield name, _calling(found[1], found[2])


def with_first_lines(content: bytes) -> bytes | None:
    """Return a script that a wheel brings with its first line for this tree, or None where that is to stay.

    Source: binary distribution format, "Recommended installer features": what "starts with exactly ``#!python``" is rewritten.
    pip and uv take that at its word: ``#!python3`` is, too, and options after it are lost.
    """
    if not content.startswith(b"#!python"):
        return None
    return _FIRST_LINES + content.partition(b"\n")[2]


def _calling(module: str, attribute: str) -> bytes:
    root = attribute.partition(".")[0]
    return _FIRST_LINES + f"import sys\n\nfrom {module} import {root}\n\nsys.exit({attribute}())\n".encode()
