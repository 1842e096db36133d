"""What a ``.dist-info`` says of itself, and what is refused."""

from __future__ import annotations

import hashlib

import pytest

from wheelfs.core.unpacked.distribution import described, record
from wheelfs.core.wheel.record import Recorded
from wheelfs.errors import InvalidInput

INFO = "Demo_Pkg-1.0.dist-info"
FILES = {
    "METADATA": b"Metadata-Version: 2.1\nName: demo-pkg\nVersion: 1.0\n",
    "WHEEL": b"Wheel-Version: 1.0\nTag: cp311-cp311-linux_x86_64\nTag: cp312-cp312-linux_x86_64\n",
    "RECORD": b"demo_pkg.py,sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU,0\nDemo_Pkg-1.0.dist-info/RECORD,,\n",
    "INSTALLER": b"pip\n",
}
PLAIN = {**FILES, "WHEEL": b"Wheel-Version: 1.0\nTag: py2-none-any\nTag: py3-none-any\n"}


def refusal(files: dict[str, bytes]) -> str:
    with pytest.raises(InvalidInput) as raised:
        described("take demo", INFO, files)
    return raised.value.happened


def test_name_version_and_tags_give_the_filename() -> None:
    found = described("take demo", INFO, PLAIN)
    assert (found.wheel.filename, found.installer, found.is_direct) == ("Demo_Pkg-1.0-py2.py3-none-any.whl", "pip", False)
    assert found.data == "Demo_Pkg-1.0.data"
    assert found.recorded == (Recorded("demo_pkg.py", "sha256", hashlib.sha256().digest(), 0), Recorded(f"{INFO}/RECORD"))


def test_a_build_tag_is_part_of_the_filename() -> None:
    files = {**PLAIN, "WHEEL": b"Build: 2\nTag: py3-none-any\n"}
    assert described("take demo", INFO, files).wheel.filename == "Demo_Pkg-1.0-2-py3-none-any.whl"


@pytest.mark.parametrize("missing", ["METADATA", "WHEEL", "RECORD"])
def test_half_of_a_dist_info_is_refused(missing: str) -> None:
    assert f"no {missing}" in refusal({name: text for name, text in PLAIN.items() if name != missing})


def test_tags_that_no_filename_has_are_refused() -> None:
    assert "WHEEL makes no sense" in refusal(FILES)


def test_metadata_of_another_project_is_refused() -> None:
    assert "not that of demo-pkg 1.0" in refusal({**PLAIN, "METADATA": b"Name: other\nVersion: 1.0\n"})


def test_an_editable_install_is_refused() -> None:
    assert "editable" in refusal({**PLAIN, "direct_url.json": b'{"url": "file:///src", "dir_info": {"editable": true}}'})


def test_what_was_installed_from_a_path_is_known_for_it() -> None:
    files = {**PLAIN, "direct_url.json": b'{"url": "file:///x.whl", "archive_info": {}}'}
    assert described("take demo", INFO, files).is_direct


@pytest.mark.parametrize("text", [b"{", b"[]", b'{"dir_info": 3}', b"\xff"])
def test_a_direct_url_that_cannot_be_read_is_refused(text: bytes) -> None:
    assert "direct_url.json" in refusal({**PLAIN, "direct_url.json": text})


def test_two_rows_that_do_not_agree_are_refused() -> None:
    digest = b"47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU"
    with pytest.raises(InvalidInput, match="twice"):
        record("take demo", b"a.py,sha256=" + digest + b",0\na.py,,\n")
