"""Scripts of an environment: those of entry points, and those that a wheel brings.

Their first lines find the interpreter beside them, so that one tree is right below every mount point.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from wheelfs.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

_GROUPS: Final = ("console_scripts", "gui_scripts")
_REFERENCE: Final = re.compile(r"\s*([\w.-]+)\s*:\s*([\w.-]+)\s*(?:\[[^\]]*\])?\s*")
"""``module:attribute [extras]``: the entry points specification; extras have no meaning any more.

As in uv, what Python cannot import (``odd-module:main``) makes a script that fails: its wheel is of use without it.
"""
_OF_PIP: Final = re.compile(r"\Apip3\.\d+\Z")
"""Wheels of pip before 20.3 name the Python that built them; pip and uv put in the one that they install for."""
_NAME: Final = re.compile(r"[^/\0]{1,255}")

_WRAPPERS: Final = (".exe", "-script.py", ".pya")

_FIRST_LINES: Final = b"""#!/bin/sh
'''exec' "$(dirname -- "$(realpath -- "$0")")/python" "$0" "$@"
' '''
"""
"""Two lines that a shell obeys and that are a string to Python: first lines hold no more than 127 bytes, and no relative path."""
_BEFORE_SCRIPT: Final = b"""#!/bin/sh
\f# 2>/dev/null; exec "$(dirname -- "$(realpath -- "$0")")/python" "$0" "$@\""""
"""The same for scripts of others, to whose Python it has to be nothing: a string would be their ``__doc__``, and keep them from
``from __future__ import``.  A form feed before ``#`` is white space to Python ("Lexical analysis", indentation), so that the line
is a comment; to a shell it is a letter, so that a command of that name is not found, and the next one is run.  (``env -S`` would
do with one line, and is not in BusyBox.)"""
_COOKIE: Final = re.compile(rb"[ \t\f]*(#.*?coding[:=][ \t]*[-\w.]+[^\n]*)")
"""How a script says its encoding, in its first line or its second (PEP 263)."""


def entry_point_scripts(attempted: str, text: str, minor: str) -> Iterator[tuple[str, bytes]]:
    """Yield name and content of each script that ``entry_points.txt`` wants, for a Python; raises `InvalidInput`."""
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
            yield _OF_PIP.sub(f"pip{minor}", name), _calling(found[1], found[2])


def with_first_lines(content: bytes) -> bytes | None:
    """Return a script that a wheel brings with its first line for this tree, or None where that is to stay.

    Source: binary distribution format, "Recommended installer features": what "starts with exactly ``#!python``" is rewritten.
    pip and uv take that at its word: ``#!python3`` is, too, and options after it are lost.
    """
    if not content.startswith(b"#!python"):
        return None
    rest = content.partition(b"\n")[2]
    if (cookie := _COOKIE.match(rest)) is not None:  # it has to stay in the second line
        return _BEFORE_SCRIPT + b" " + cookie[1] + rest[cookie.end() :]
    return _BEFORE_SCRIPT + b"\n" + rest


def is_wrapper(script: str, entry_points: Collection[str]) -> bool:
    """Tell whether a script that a wheel brings is what setuptools once made of an entry point: pip and uv leave it out."""
    return any(script.endswith(end) and script.removesuffix(end) in entry_points for end in ("", *_WRAPPERS))


def _calling(module: str, attribute: str) -> bytes:
    root = attribute.partition(".")[0]
    # As in the scripts of pip and uv: processes that multiprocessing spawns run the script once more, under another name.
    call = f'if __name__ == "__main__":\n    sys.exit({attribute}())\n'
    return _FIRST_LINES + f"import sys\n\nfrom {module} import {root}\n\n{call}".encode()
