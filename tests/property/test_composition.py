"""A file as its manifest tells it: every byte has its place, and no wrong one passes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes.compositions import chunk_bounds, composition_of
from tests.fakes.wheels import build_wheel, incompressible
from wheelfs.core.fetch.spans import Spans

CONTENT = build_wheel(
    "demo", "1.0", files={f"demo/part{number}.bin": incompressible(700 * number, f"{number}") for number in range(40)}
)
NO_ZIP = incompressible(600_000, "no zip")
COMPOSED = {content: composition_of(content) for content in (CONTENT, NO_ZIP)}
SIZE = len(CONTENT)
CHUNKS = chunk_bounds(COMPOSED[CONTENT])

contents = st.sampled_from(sorted(COMPOSED))
ranges = st.tuples(st.integers(0, SIZE), st.integers(0, SIZE)).map(lambda pair: (min(pair), max(pair)))


def test_these_files_have_chunks_and_an_end() -> None:
    assert len(CHUNKS) > 30
    assert COMPOSED[CONTENT].end_bytes > 1_000
    assert len(chunk_bounds(COMPOSED[NO_ZIP])) == 3
    assert COMPOSED[NO_ZIP].end_bytes == 0


@given(ranges)
def test_what_is_asked_for_is_widened_to_whole_chunks_and_no_further(wanted: tuple[int, int]) -> None:
    start, end = COMPOSED[CONTENT].widened(*wanted)
    assert start <= wanted[0] <= wanted[1] <= end
    for first, last in CHUNKS:
        assert not first < start < last
        assert not first < end < last
    assert start == wanted[0] or any(first == start and wanted[0] < last for first, last in CHUNKS)
    assert end == wanted[1] or any(last == end and wanted[1] > first for first, last in CHUNKS)


@given(contents, ranges)
def test_the_parts_of_a_range_are_whole_and_in_order(content: bytes, wanted: tuple[int, int]) -> None:
    composed = COMPOSED[content]
    parts = list(composed.parts(*wanted))
    joined, first = b"", parts[0].offset if parts else wanted[0]
    for part in parts:
        assert part.offset == first + len(joined)
        joined += part.skeleton or content[part.offset : part.offset + composed.chunk(part.chunk).length]
    assert content[first:].startswith(joined)
    assert first <= wanted[0]
    assert first + len(joined) >= min(wanted[1], len(content))


@given(contents, st.data())
def test_right_bytes_pass_up_to_the_last_whole_chunk(content: bytes, data: st.DataObject) -> None:
    composed = COMPOSED[content]
    start, _ = composed.widened(data.draw(st.integers(0, len(content))), 0)
    end = data.draw(st.integers(start, len(content)))
    good_bytes, is_wrong = composed.check(start, content[start:end])
    assert not is_wrong
    assert good_bytes == (start if end == start else max(start, _whole_before(content, end))) - start


def _whole_before(content: bytes, end: int) -> int:
    return next((first for first, last in chunk_bounds(COMPOSED[content]) if first < end < last), end)


@given(contents, st.data())
def test_one_wrong_byte_is_found_where_its_chunk_begins(content: bytes, data: st.DataObject) -> None:
    composed = COMPOSED[content]
    start, _ = composed.widened(data.draw(st.integers(0, len(content) - 1)), 0)
    wrong = data.draw(st.integers(start, len(content) - 1))
    damaged = bytearray(content[start:])
    damaged[wrong - start] ^= 1 << data.draw(st.integers(0, 7))
    good_bytes, is_wrong = composed.check(start, bytes(damaged))
    assert is_wrong
    assert start + good_bytes <= wrong
    assert composed.check(start, content[start : start + good_bytes]) == (good_bytes, False)
    first = next((first for first, last in chunk_bounds(composed) if first <= wrong < last), None)
    assert first is None or start + good_bytes == first


def test_bytes_behind_the_end_are_wrong() -> None:
    assert COMPOSED[NO_ZIP].check(0, NO_ZIP + b"x") == (len(NO_ZIP), True)
    assert COMPOSED[CONTENT].check(SIZE, b"x") == (0, True)


@given(contents, st.data())
def test_what_is_held_is_the_skeleton_and_the_chunks_named(content: bytes, data: st.DataObject) -> None:
    composed = COMPOSED[content]
    bounds = chunk_bounds(composed)
    here = set(data.draw(st.lists(st.integers(0, len(bounds) - 1))))
    held = composed.held(here)
    missing = Spans.from_iterable(bounds[number] for number in range(len(bounds)) if number not in here)
    assert Spans.from_iterable(missing.missing(0, len(content))) == held


def test_a_skeleton_of_another_length_is_refused() -> None:
    composed = COMPOSED[CONTENT]
    with pytest.raises(ValueError, match="skeleton"):
        type(composed)(composed.manifest, composed.skeleton + b"x")
