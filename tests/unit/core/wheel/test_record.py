"""RECORD as it is read, for environments and for what is unpacked, and as it is written."""

from __future__ import annotations

import hashlib

import pytest

from wheelfs.core.wheel.record import Recorded, record_text, recorded
from wheelfs.errors import InvalidInput


def test_what_is_written_is_read_back() -> None:
    text = record_text([("a,b.py", bytes(32), 3), ("c.py", b"", 4)], "demo-1.0.dist-info/RECORD")
    assert text == b'"a,b.py",sha256=' + b"A" * 43 + b",3\nc.py,,4\ndemo-1.0.dist-info/RECORD,,\n"
    rows = (
        Recorded("a,b.py", "sha256", bytes(32), 3),
        Recorded("c.py", size=4),
        Recorded("demo-1.0.dist-info/RECORD"),
    )
    assert tuple(recorded("take demo", text)) == rows


@pytest.mark.parametrize("name", ["sha256", "sha384", "sha512"])
def test_hashes_are_read_with_and_without_padding(name: str) -> None:
    digest = hashlib.new(name).digest()
    told = record_text([("a.py", digest, 0)], "RECORD").replace(b"sha256", name.encode())
    for text in (told, told.replace(b",0\n", b"=" * (-len(digest) % 3) + b",0\n")):
        assert next(iter(recorded("take demo", text))) == Recorded("a.py", name, digest, 0)


@pytest.mark.parametrize(
    ("row", "read"), [(b"a.py,md5=abcd,3", 3), (b"a.py,sha256=abcd,", None), (b"a.py,,-3", None), (b"a.py", None)]
)
def test_other_hashes_and_sizes_are_as_good_as_none(row: bytes, read: int | None) -> None:
    assert list(recorded("take demo", b"\n" + row + b"\n")) == [Recorded("a.py", size=read)]


@pytest.mark.parametrize("text", [b"\xff\xfe", b"a,sha256=1,1\na,,\n", b"a,sha256=\xc3\xa4b,1\n"])
def test_one_that_cannot_be_read_is_refused_with_what_to_do(text: bytes) -> None:
    with pytest.raises(InvalidInput, match=r"RECORD cannot be read.*install it again"):
        list(recorded("take demo", text, advice="install it again"))
