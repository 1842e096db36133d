"""What the builders build is what the standards call a wheel."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import tarfile
import zipfile
from typing import Any

import pytest

from tests.fakes.wheels import build_sdist, build_wheel, incompressible, sdist_filename, wheel_filename

SHAPES: list[dict[str, Any]] = [
    {},
    {"data_descriptors": True},
    {"compression": "stored"},
    {"metadata_first": True, "big_bytes": 5000},
    {"files": {"x/a.py": b"", "x/b.json.gz": b"\x1f\x8b"}},
]


@pytest.mark.parametrize("shape", SHAPES)
def test_every_member_is_recorded_with_its_digest(shape: dict[str, Any]) -> None:
    with zipfile.ZipFile(io.BytesIO(build_wheel("Demo-Pkg", "1.0", **shape))) as archive:
        assert archive.testzip() is None
        recorded = {
            path: digest for path, digest, _ in csv.reader(archive.read("demo_pkg-1.0.dist-info/RECORD").decode().splitlines())
        }
        assert set(recorded) == set(archive.namelist())
        for path in set(recorded) - {"demo_pkg-1.0.dist-info/RECORD"}:
            digest = base64.urlsafe_b64encode(hashlib.sha256(archive.read(path)).digest()).rstrip(b"=").decode()
            assert recorded[path] == f"sha256={digest}"


@pytest.mark.parametrize("shape", SHAPES)
def test_the_same_arguments_make_the_same_bytes(shape: dict[str, Any]) -> None:
    assert build_wheel("demo", "1", **shape) == build_wheel("demo", "1", **shape)
    assert build_sdist("demo", "1") == build_sdist("demo", "1")


def test_options_show_in_the_structure() -> None:
    with zipfile.ZipFile(io.BytesIO(build_wheel("demo", "1", data_descriptors=True))) as archive:
        assert all(entry.flag_bits & 0x08 for entry in archive.infolist())
    with zipfile.ZipFile(io.BytesIO(build_wheel("demo", "1", metadata_first=True, big_bytes=9))) as archive:
        assert archive.namelist()[0] == "demo-1.dist-info/METADATA"
        assert archive.read("demo/big.bin") == incompressible(9, "demo-1")
    described = zipfile.ZipFile(
        io.BytesIO(build_wheel("demo", "1", requires=["a>1"], requires_python=">=3.8", tag="py2.py3-none-any"))
    )
    assert b"Requires-Python: >=3.8\nRequires-Dist: a>1\n" in described.read("demo-1.dist-info/METADATA")
    assert b"Tag: py2-none-any\nTag: py3-none-any\n" in described.read("demo-1.dist-info/WHEEL")


def test_filenames_are_normalized() -> None:
    assert wheel_filename("Demo.Pkg", "1.0", tag="cp311-cp311-linux_x86_64") == "demo_pkg-1.0-cp311-cp311-linux_x86_64.whl"
    assert sdist_filename("Demo.Pkg", "1.0") == "demo_pkg-1.0.tar.gz"


def test_an_sdist_has_its_metadata_at_the_top() -> None:
    with tarfile.open(fileobj=io.BytesIO(build_sdist("demo", "1"))) as archive:
        member = archive.extractfile("demo-1/PKG-INFO")
        assert member is not None and b"Name: demo\n" in member.read()
