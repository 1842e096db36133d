"""What `show` says of wheels that installers take all the same, and that such wheels are read."""

from __future__ import annotations

import io
import warnings
import zipfile

import pytest

from tests.fakes.wheels import build_wheel
from wheelfs.core.wheel.metadata import read_from
from wheelfs.core.wheel.oddities import oddities
from wheelfs.core.wheel.zip_layout import NotAZip

GOOD = build_wheel("x", "1.0")


def rebuilt(*more: tuple[str, bytes], name_twice: bool = False) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(GOOD)) as old, zipfile.ZipFile(packed, "w") as new, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # zipfile's own, of a name that is there twice
        for member in old.namelist():
            content = old.read(member)
            if name_twice and member.endswith("/METADATA"):
                content = content.replace(b"Name: x\n", b"Name: x\nName: y\n")
            new.writestr(member, content)
        for member, content in more:
            new.writestr(member, content)
    return packed.getvalue()


def odd(wheel: bytes) -> tuple[str, ...]:
    def read(offset: int, size: int) -> bytes:
        return wheel[offset : offset + size]

    return oddities(read, len(wheel), read_from(read, len(wheel), 65536, "x"))


def test_a_good_wheel_is_not_odd() -> None:
    assert odd(GOOD) == ()


@pytest.mark.parametrize("trailing", [b"\n", b"\0" * 5_000])
def test_bytes_after_the_end_do_no_harm_and_are_named(trailing: bytes) -> None:
    assert odd(GOOD + trailing) == (f"{len(trailing)} bytes follow the end of the ZIP",)


def test_more_bytes_behind_than_installers_look_at_are_refused() -> None:
    with pytest.raises(NotAZip, match="no end-of-central-directory"):
        odd(GOOD + b"\0" * 70_000)


def test_of_metadata_that_is_there_twice_the_last_counts() -> None:
    second = b"Metadata-Version: 2.1\nName: x\nVersion: 1.0\nSummary: second\n"
    wheel = rebuilt(("x-1.0.dist-info/METADATA", second))
    assert read_from(lambda offset, size: wheel[offset : offset + size], len(wheel), 65536, "x") == second
    assert odd(wheel) == ("it has x-1.0.dist-info/METADATA more than once; the last counts",)


def test_a_field_that_is_there_twice_is_named() -> None:
    assert odd(rebuilt(name_twice=True)) == ("its METADATA has Name 2 times; the first counts",)


def test_bytes_before_the_zip_and_other_projects_are_named() -> None:
    assert odd(b"#!/bin/sh\n" + GOOD) == ("10 bytes stand before the ZIP",)
    [said] = odd(rebuilt(("y-2.0.dist-info/METADATA", b"Name: y\n")))
    assert said.startswith("it has 2 .dist-info directories (x-1.0.dist-info, y-2.0.dist-info)")
