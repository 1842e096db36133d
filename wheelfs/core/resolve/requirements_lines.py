"""From the bytes of a requirements file to its logical lines: encoding, continued lines, comments, variables.

Source: pip's "Requirements File Format" (Encoding, Line continuations, Comments, Using environment variables); words of a line
are those of a POSIX shell.
"""

from __future__ import annotations

import codecs
import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_BOMS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    # The mark of UTF-16 in this order is how that of UTF-32 begins, so the longer one is looked for first.
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_CODING = re.compile(rb"#.*?coding[:=]\s*([-\w.]+)")
_COMMENT = re.compile(r"(?:^|\s)#.*$")  # one space of many: searching for all of them is quadratic
_VARIABLE = re.compile(r"\$\{([A-Z0-9_]+)\}")
_PIECE = re.compile(
    r"(?P<space>[ \t\r\n]++)|'(?P<single>[^']*+)'|\"(?P<double>(?:[^\"\\]++|\\.)*+)\"|\\(?P<escaped>.)"
    r"|(?P<plain>[^ \t\r\n'\"\\]++)|(?P<open>.)",
    re.DOTALL,
)
_ESCAPED_IN_QUOTES = re.compile(r"\\([\"\\])")


def decoded(content: bytes) -> str:
    """Return the text of a requirements file; raises `ValueError` with the reason.

    A byte order mark goes before a coding line among the first two lines (PEP 263), that before UTF-8.
    """
    for mark, encoding in _BOMS:
        if content.startswith(mark):
            return _decoded(content[len(mark) :], encoding)
    for line in content.split(b"\n", 2)[:2]:
        if coding := _CODING.match(line):
            return _decoded(content, coding[1].decode("ascii", "replace"))
    return _decoded(content, "utf-8")


def _decoded(content: bytes, encoding: str) -> str:
    try:
        return content.decode(encoding)
    except LookupError:
        raise ValueError(f"its coding line names {encoding[:40]!r}, which is no encoding of text") from None
    except UnicodeError:
        advice = "; another encoding is named in the first line, as in # -*- coding: latin-1 -*-" if encoding == "utf-8" else ""
        raise ValueError(f"it is not {encoding.upper()}{advice}") from None


def logical_lines(text: str, environ: Mapping[str, str]) -> Iterator[tuple[int, str]]:
    """Yield lines that hold something, each with the number of its first line, counted from 1.

    Continued lines are joined, comments cut off, and ``${NAME}`` (capitals, digits, underscores) is replaced where ``environ``
    has a value for it, and else stays as it is.  As in pip a comment line ends a continued line.
    """
    parts: list[str] = []
    first = 0
    for number, line in enumerate(text.removeprefix("\ufeff").splitlines(), 1):
        if not parts:
            first = number
        is_comment = line.lstrip().startswith("#")
        if line.endswith("\\") and not is_comment:
            parts.append(line.strip("\\"))
            continue
        parts.append(" " if is_comment else line)
        if joined := _finished("".join(parts), environ):
            yield first, joined
        parts = []
    if joined := _finished("".join(parts), environ):
        yield first, joined


def lines_in_comments(text: str) -> Iterator[int]:
    """Yield the numbers of lines that hold something, and are left out since the comment before them ends in a backslash.

    So pip reads them; to uv a comment ends with its line.
    """
    is_inside = False
    for number, line in enumerate(text.removeprefix("\ufeff").splitlines(), 1):
        is_comment = line.lstrip().startswith("#")
        if is_inside and not is_comment and line.strip("\\").strip():
            yield number
        is_inside = line.endswith("\\") and not is_comment and (is_inside or _COMMENT.search(line) is not None)


def _finished(line: str, environ: Mapping[str, str]) -> str:
    bare = _COMMENT.sub("", line).strip()
    return _VARIABLE.sub(lambda match: environ.get(match[1]) or match[0], bare)


def words(line: str) -> list[str]:
    """Return the words of a line, quotes and backslashes resolved as by a POSIX shell; raises `ValueError` with the reason.

    As ``shlex.split``, which takes the square of a word's length.
    """
    found: list[list[str]] = []
    is_inside = False
    for piece in _PIECE.finditer(line):
        if piece["open"] is not None:
            raise ValueError("a backslash ends it" if piece["open"] == "\\" else f"the quote {piece['open']} is not closed")
        if piece["space"] is not None:
            is_inside = False
            continue
        if not is_inside:
            found.append([])
            is_inside = True
        found[-1].append(piece["plain"] or piece["single"] or piece["escaped"] or "")
        found[-1].append(_ESCAPED_IN_QUOTES.sub(r"\1", piece["double"] or ""))
    return list(map("".join, found))
