"""Manifests whose parts do not fit each other, as a hostile or broken share may give them, are refused."""

from __future__ import annotations

from array import array
from typing import Any

import pytest

from wheelfs.model.framing import ShareFormatError
from wheelfs.model.manifest import MAX_CHUNK_BYTES, MAX_PACK_BYTES, PACK_NAME_BYTES, Manifest
from wheelfs.model.recipe import DIGEST_BYTES

RIGHT: dict[str, Any] = {
    "skeleton_bytes": 5,
    "frame": b"a frame",
    "gaps": array("I", [3, 0]),
    "lengths": array("I", [10, 20]),
    "digests": b"d" * (2 * DIGEST_BYTES),
    "packs": (b"p" * PACK_NAME_BYTES,),
    "pack_of": array("I", [0, 0]),
    "offsets": array("I", [0, 10]),
}


def test_parts_that_fit_are_a_file() -> None:
    assert Manifest(**RIGHT).size_bytes == 35


@pytest.mark.parametrize(
    "wrong",
    [
        {"digests": b"d" * DIGEST_BYTES},
        {"gaps": array("I", [3])},
        {"pack_of": array("I", [0])},
        {"packs": ()},
        {"lengths": array("I", [10, 0])},
        {"lengths": array("I", [10, MAX_CHUNK_BYTES + 1])},
        {"packs": (b"short",)},
        {"pack_of": array("I", [0, 1])},
        {"offsets": array("I", [0, MAX_PACK_BYTES - 19])},
        {"gaps": array("I", [3, 3])},
        {"frame": b""},
        {"skeleton_bytes": 0, "gaps": array("I", [0, 0])},
    ],
)
def test_parts_that_do_not_fit_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ShareFormatError):
        Manifest(**RIGHT | wrong)
