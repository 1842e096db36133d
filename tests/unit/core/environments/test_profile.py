"""Profiles: which ranges of wheels have the files that will be opened."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from wheelfs.core.environments.installation import zip_range
from wheelfs.core.environments.profile import GAP_BYTES, module_path, profiled_members, ranges_by_wheel
from wheelfs.model.environment import LAYOUT, Environment, EnvironmentWheel, Interpreter, WheelMember

PYTHON = Interpreter("/opt/python/bin/python3.11", "3.11.7", "cpython-311", b"abcd")
SITE = PYTHON.site_packages


def member(path: str, start: int = 0, size: int = 10, wheel: int = 0) -> WheelMember:
    return WheelMember(path, wheel, start, 8, size, size, 1, False)


def test_a_modules_bytecode_stands_for_it() -> None:
    assert module_path(f"{SITE}/a/__pycache__/b.cpython-311.pyc") == f"{SITE}/a/b.py"


def test_what_is_compiled_is_not_needed_and_what_is_gone_is_nothing() -> None:
    members = (member(f"{SITE}/a.py"), member(f"{SITE}/b.py"), member(f"{SITE}/c.so"))
    wheel = EnvironmentWheel("a", "a-1-py3-none-any.whl", "main", b"", 1)
    tree = Environment(LAYOUT, PYTHON, (wheel,), members, (), ())
    profile = [f"{SITE}/a.py", f"{SITE}/b.py", f"{SITE}/c.so", f"{SITE}/gone.py"]
    assert [one.path for one in profiled_members(tree, profile, {f"{SITE}/b.py"})] == [f"{SITE}/a.py", f"{SITE}/c.so"]


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3_000_000), st.integers(0, 200_000)), max_size=40))
def test_ranges_have_every_member_and_lie_apart(places: list[tuple[int, int, int]]) -> None:
    members = [member(f"{number}", start, size, wheel) for number, (wheel, start, size) in enumerate(places)]
    found = ranges_by_wheel(members)
    for one in members:
        start, end = zip_range(one)
        assert any(first <= start and end <= last for first, last in found[one.wheel])
    for ranges in found.values():
        assert all(after[0] - before[1] > GAP_BYTES for before, after in pairwise(ranges))
    ends = {end for one in members for end in zip_range(one)}
    assert all(edge in ends for ranges in found.values() for one in ranges for edge in one)
