"""What METADATA says for readers, whatever its author wrote into it."""

from __future__ import annotations

from wheelfs.core.wheel.about import MOST_CHARACTERS, About, about, summary_of

USUAL = b"""Metadata-Version: 2.4
Name: demo
Version: 1.0
Summary: Numbers, and what to do with them
License-Expression: BSD-3-Clause
Requires-Dist: numpy>=2
Requires-Dist: pytest; extra == "test"
Requires-Dist: tomli; python_version < "3.11"

Summary: not this one
"""


def test_summary_licence_and_what_is_needed_without_extras() -> None:
    assert about(USUAL) == About(
        summary="Numbers, and what to do with them",
        licence="BSD-3-Clause",
        requires=("numpy>=2", 'tomli; python_version < "3.11"'),
    )


def test_a_licence_in_an_older_field_a_classifier_or_as_a_whole_text() -> None:
    head = b"Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n"
    assert about(head + b"License: MIT\n").licence == "MIT"
    assert about(head + b"Classifier: License :: OSI Approved :: MIT License\n").licence == "MIT License"
    whole = about(head + b"License: " + b"x" * 5000 + b"\n        more\n").licence
    assert len(whole) == MOST_CHARACTERS + 1


def test_nonsense_says_nothing() -> None:
    for text in (b"", b"\xff\xfe", b"Summary", b"\n\nSummary: in the body\n"):
        assert about(text) == About()
    assert summary_of(b"Summary: caf\xe9\r\nName: x\r\n") == "caf�"
