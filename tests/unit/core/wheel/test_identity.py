from __future__ import annotations

import io
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.tags import parse_tag

from tests.fakes.wheels import build_sdist, build_wheel, wheel_filename
from wheelfs.core.wheel.identity import compressed, filename_of, is_metadata_of
from wheelfs.core.wheel.zip_layout import NotAZip


def told(content: bytes) -> str:
    return filename_of(lambda offset, size: content[offset : offset + size], len(content))


def wheel(directory: str, text: str) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(f"{directory}/METADATA", "Metadata-Version: 2.1\nName: a\nVersion: 1\n")
        archive.writestr(f"{directory}/WHEEL", text)
    return packed.getvalue()


@pytest.mark.parametrize("tag", ["py3-none-any", "py2.py3-none-any", "cp311-cp311-manylinux_2_17_x86_64"])
@pytest.mark.parametrize("big_bytes", [0, 1_500_000])
def test_a_wheel_tells_its_own_filename(tag: str, big_bytes: int) -> None:
    content = build_wheel("Lab-Tools", "1.0", tag=tag, big_bytes=big_bytes, metadata_first=bool(big_bytes))
    assert told(content) == wheel_filename("Lab-Tools", "1.0", tag=tag)


def test_the_build_tag_and_compressed_platforms_are_told() -> None:
    text = "Wheel-Version: 1.0\nBuild: 7b\nTag: cp39-abi3-manylinux_2_17_x86_64\nTag: cp39-abi3-manylinux2014_x86_64\n"
    assert told(wheel("zope.a-1.0+local.dist-info", text)) == (
        "zope.a-1.0+local-7b-cp39-abi3-manylinux_2_17_x86_64.manylinux2014_x86_64.whl"
    )


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<html>a page</html>",
        build_sdist("a", "1.0"),
        wheel("a-1.0.dist-info", "no tags\n"),
        wheel("a-1.0.dist-info", "Tag: py3-none\n"),
        wheel("a-1.0.dist-info", "Tag: py2-none-any\nTag: py3-abi3-any\n"),
        wheel("nothing", "Tag: py3-none-any\n"),
        build_wheel("a", "1.0")[:-30],
    ],
)
def test_what_is_no_wheel_or_has_no_name_is_refused(content: bytes) -> None:
    with pytest.raises(NotAZip):
        told(content)


PARTS = st.lists(st.from_regex(r"[a-z][a-z0-9_]{0,6}", fullmatch=True), min_size=1, max_size=3, unique=True)


@given(PARTS, PARTS, PARTS)
def test_compressing_undoes_expanding(pythons: list[str], abis: list[str], platforms: list[str]) -> None:
    packed = "-".join(".".join(column) for column in (pythons, abis, platforms))
    in_order = [f"{python}-{abi}-{platform}" for python in pythons for abi in abis for platform in platforms]
    assert compressed(in_order) == packed
    assert parse_tag(compressed(sorted(in_order))) == parse_tag(packed)


@given(st.binary(max_size=300))
def test_any_bytes_are_told_or_refused(content: bytes) -> None:
    with pytest.raises(NotAZip):
        told(content)


@pytest.mark.parametrize("filename", ["Demo_Lib-1+cpu-py3-none-any.whl", "demo_lib-1.0+CPU-1-py3-none-any-cu130.whl", "no wheel"])
def test_metadata_is_a_wheels_when_it_states_its_project_and_version(filename: str) -> None:
    assert is_metadata_of(b"Metadata-Version: 2.1\nName: demo.lib\nVersion: 1.0+cpu\nVersion: 7\n\nName: other\n", filename)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"\xff\xfe\x00",
        b"<html><form>log in</form></html>",
        b"Name: demo\n",
        b"Version: 1.0\n",
        b"Name: demo\nVersion: 1.0.1\n",
        b"Name: demo\nVersion: 1.0+cpu\n",
        b"Name: demo\nVersion: one\n",
        b"Name: demo-extra\nVersion: 1.0\n",
        b"\nName: demo\nVersion: 1.0\n",
    ],
)
def test_anything_else_is_not(text: bytes) -> None:
    assert not is_metadata_of(text, "demo-1.0-py3-none-any.whl")
