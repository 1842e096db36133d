from __future__ import annotations

import pytest

from wheelfs.core.formatting import counted, size_text, were


@pytest.mark.parametrize(
    ("size_bytes", "text"),
    [(None, "-"), (0, "0 B"), (999, "999 B"), (1000, "1.0 KiB"), (1_048_576, "1.0 MiB"), (5 << 50, "5120.0 TiB")],
)
def test_sizes_have_four_digits_and_a_binary_unit(size_bytes: int | None, text: str) -> None:
    assert size_text(size_bytes) == text


def test_one_thing_is_told_in_the_singular() -> None:
    assert [counted(count, "file") for count in (0, 1, 2)] == ["0 files", "1 file", "2 files"]
    assert [were(count) for count in (0, 1, 2)] == ["were", "was", "were"]
