"""The file with all bytecode: whatever part of it is read, it is that of the whole."""

from __future__ import annotations

import hashlib

from hypothesis import given
from hypothesis import strategies as st

from wheelfs.core.environments.packing import PackedBytecode, PackedDirectory, PackedModule, is_importable

SIZES = [16, 4095, 4096, 4097, 20_000]
CODE = {bytes([number]): hashlib.shake_256(bytes([number])).digest(size) for number, size in enumerate(SIZES)}


def packed_directories(keys: list[int]) -> list[PackedDirectory]:
    modules = {f"m{n}.py": PackedModule(f"m{n}.py", bytes([key]), len(CODE[bytes([key])]), 100) for n, key in enumerate(keys)}
    return [PackedDirectory("", 7, ["below"], modules), PackedDirectory("below", 8, [], {**modules, "x.so": None})]


def packed(keys: list[int]) -> PackedBytecode:
    return PackedBytecode(packed_directories(keys), mtime_s=5, tag="cpython-311")


@given(st.lists(st.integers(0, 4), max_size=6), st.integers(0, 60_000), st.integers(0, 60_000))
def test_every_part_is_that_of_the_whole(keys: list[int], offset: int, size: int) -> None:
    one = packed(keys)
    whole = one.read(0, one.size, CODE.get)
    assert whole is not None
    assert len(whole) == one.size
    assert whole.startswith(b"wheelfs bytecode 1\n")
    assert one.read(offset, size, CODE.get) == whole[offset : offset + size]
    assert one.read(len(one.head) + offset, size, CODE.get) == whole[len(one.head) + offset :][:size]


def test_what_is_read_tells_which_modules_are_imported() -> None:
    one = PackedBytecode(packed_directories([3, 0, 4, 1]), mtime_s=5, tag="cpython-311")
    head = len(one.head)
    assert head % 4096 == 0
    assert list(one.begun(0, head)) == []
    assert list(one.begun(head, 8192)) == ["m0.py"]
    assert list(one.begun(head + 4096, 4096)) == []
    assert list(one.begun(head + 8192, 8192)) == ["m1.py", "m2.py"]
    assert list(one.begun(one.size, 4096)) == []


def test_bytecode_that_is_gone_or_another_one_is_not_given() -> None:
    one = packed([1, 2])
    one_only = {b"\x01": CODE[b"\x01"]}
    assert one.read(0, one.size, one_only.get) is None
    assert one.read(0, one.size, {**CODE, b"\x02": b"shorter"}.get) is None
    assert one.read(0, len(one.head), CODE.get) == one.head
    assert one.read(len(one.head), len(CODE[b"\x01"]), CODE.get) == CODE[b"\x01"]


def test_modules_are_told_by_their_names() -> None:
    assert [name for name in ("a.py", "a.pyc", "a.cpython-311-x86_64-linux-gnu.so", "a.txt", "py") if is_importable(name)] == [
        "a.py",
        "a.pyc",
        "a.cpython-311-x86_64-linux-gnu.so",
    ]
