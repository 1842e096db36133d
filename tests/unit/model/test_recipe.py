"""A recipe survives being encoded, and nothing else is taken for one."""

from __future__ import annotations

from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wheelfs.model.recipe import Chunk, ChunkList, Extent, Extents, Recipe, RecipeError


def _chunks(lengths: list[int]) -> ChunkList:
    extents = Extents.merged(Extent(1 << 40, sum(lengths[:index]), length) for index, length in enumerate(lengths))
    return ChunkList(array("I", lengths), bytes(range(32)) * len(lengths), extents)


def _recipe(elements: list[tuple[int, int]], trailing: int) -> Recipe:
    skeleton = sum(gap for gap, _ in elements) + trailing
    data = _chunks([length for _, length in elements])
    gaps = array("I", [gap for gap, _ in elements])
    return Recipe(data.size_bytes + skeleton, gaps, data, skeleton, _chunks([9] if skeleton else []))


@given(st.lists(st.tuples(st.integers(0, 1000), st.integers(1, 262_128)), max_size=20), st.integers(0, 100))
def test_a_recipe_survives_being_encoded(elements: list[tuple[int, int]], trailing: int) -> None:
    recipe = _recipe(elements, trailing)
    again = Recipe.decode(memoryview(recipe.encode()))
    assert (again.size_bytes, again.skeleton_bytes, again.gaps) == (recipe.size_bytes, recipe.skeleton_bytes, recipe.gaps)
    assert list(again.data) == [Chunk(bytes(range(32)), length) for _, length in elements]
    assert list(again.data.extents) == list(recipe.data.extents)
    assert list(again.skeleton) == list(recipe.skeleton)
    assert again.encode() == recipe.encode()


@given(st.data())
def test_a_single_flipped_bit_is_noticed(data: st.DataObject) -> None:
    encoded = bytearray(_recipe([(30, 5), (0, 7)], 22).encode())
    encoded[data.draw(st.integers(0, len(encoded) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(RecipeError):
        Recipe.decode(bytes(encoded))


@given(st.binary(max_size=100), st.booleans())
def test_garbage_is_no_recipe(garbage: bytes, magic: bool) -> None:
    with pytest.raises(RecipeError):
        Recipe.decode(b"WFR1" + garbage if magic else garbage)


def test_neighbours_in_a_block_are_one_extent() -> None:
    extents = Extents.merged([Extent(1, 0, 5), Extent(1, 5, 5), Extent(2, 10, 5), Extent(1, 10, 1), Extent(1, 12, 1)])
    assert list(extents) == [Extent(1, 0, 10), Extent(2, 10, 5), Extent(1, 10, 1), Extent(1, 12, 1)]


def test_parts_that_do_not_add_up_are_refused() -> None:
    good = _recipe([(3, 4)], 5)
    with pytest.raises(RecipeError, match="add up"):
        Recipe(13, good.gaps, good.data, 8, good.skeleton)
    with pytest.raises(RecipeError, match="gaps"):
        Recipe(12, array("I"), good.data, 8, good.skeleton)
    with pytest.raises(RecipeError, match="skeleton is missing"):
        Recipe(12, good.gaps, good.data, 8, _chunks([]))
    with pytest.raises(RecipeError, match="as long as"):
        ChunkList(array("I", [5]), bytes(32), Extents())
