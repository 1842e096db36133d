"""Bytes of a requirements file become its lines."""

from __future__ import annotations

import pytest

from wheelfs.core.resolve.requirements_lines import decoded, lines_in_comments, logical_lines


@pytest.mark.parametrize(
    "content",
    [
        "é\n".encode(),
        b"\xef\xbb\xbf" + "é\n".encode(),
        "é\n".encode("utf-16"),
        "é\n".encode("utf-32"),
        "# -*- coding: latin-1 -*-\né\n".encode("latin-1"),
        "\n# vim: set fileencoding=cp1252 :\né\n".encode("cp1252"),
    ],
)
def test_encodings_are_told_by_mark_or_coding_line(content: bytes) -> None:
    assert decoded(content).splitlines()[-1] == "é"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("é".encode("latin-1"), "not UTF-8; another encoding is named"),
        (b"# coding: nonsense\n", "'nonsense', which is no encoding"),
        (b"# coding: hex\n00", "'hex', which is no encoding"),
        (b"\xff\xfea", "not UTF-16-LE"),
    ],
)
def test_what_cannot_be_decoded_says_why(content: bytes, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        decoded(content)


def test_a_coding_line_beyond_the_second_line_is_a_comment() -> None:
    with pytest.raises(ValueError, match="UTF-8"):
        decoded("\n\n# coding: latin-1\né".encode("latin-1"))


def test_lines_are_joined_stripped_and_numbered() -> None:
    text = "a \\\n  b # c\n\n  # d\ne${X}${y}\\\n# f\ng\\"
    assert list(logical_lines(text, {"X": "1", "y": "2"})) == [(1, "a   b"), (5, "e1${y}"), (7, "g")]


@pytest.mark.parametrize(
    ("text", "lost"),
    [
        ("a # why \\\nb\nc\n", [2]),
        ("a # why \\\nb \\\nc\nd\n", [2, 3]),
        ("a \\\n b # why \\\nc\nd\n", [3]),
        ("a # why \\\n\\\nb\n", [3]),
        ("a # why \\\n  # more\nb\n", []),
        ("# why \\\nb\n", []),
        ("a#why \\\nb\n", []),
        ("a \\\n  --hash=x # why\nb\n", []),
        ("a # why \\", []),
    ],
)
def test_lines_that_a_comment_takes_in_are_told(text: str, lost: list[int]) -> None:
    assert list(lines_in_comments(text)) == lost
    read = " ".join(line for _, line in logical_lines(text, {}))
    assert not [number for number in lost if text.splitlines()[number - 1].strip("\\ ") in read.split()]
