"""Which encoder made members is found by making some of them again."""

from __future__ import annotations

import zlib

import pytest

from tests.fakes.wheels import incompressible
from wheelfs.core.unpacked.encoders import OF_RUST, OF_ZLIB, Encoder, is_the_original, recognised, samples_of

TEXTS = [b"".join(b"%d of %d, " % (n * n % 97, n) for n in range(200 * k, 900 * k)) + incompressible(k) for k in range(1, 6)]


def packed(content: bytes, level: int, memory: int = 8) -> bytes:
    made = zlib.compressobj(level, zlib.DEFLATED, -15, memory)
    return made.compress(content) + made.flush()


@pytest.mark.parametrize("encoder", OF_ZLIB)
def test_the_encoder_is_recognised_by_sizes(encoder: Encoder) -> None:
    found = recognised([(text, len(packed(text, encoder.level, encoder.memory))) for text in TEXTS])
    assert found is not None
    assert [found.packed(text) for text in TEXTS] == [packed(text, encoder.level, encoder.memory) for text in TEXTS]


def test_an_encoder_that_is_not_known_is_not_recognised() -> None:
    assert recognised([(text, len(text)) for text in TEXTS]) is None
    assert recognised([]) is None


def test_most_samples_decide() -> None:
    sizes = [len(packed(text, 9)) for text in TEXTS]
    found = recognised([*zip(TEXTS, sizes, strict=True), (TEXTS[0], 1)])
    assert found is not None
    assert len(found.packed(TEXTS[4])) == sizes[4]


def test_samples_are_neither_tiny_nor_large() -> None:
    assert samples_of([(0, 3), (1, 600), (2, 700), (3, 1 << 30)]) == [2, 1, 0]
    assert samples_of([(0, 1 << 20), (1, 1 << 21)]) == [0]
    assert samples_of([(0, 1 << 40)]) == []
    assert len(samples_of((number, 1000) for number in range(100))) == 8


def test_another_zlib_is_told_from_the_original(monkeypatch: pytest.MonkeyPatch) -> None:
    is_here = is_the_original()
    monkeypatch.setattr(Encoder, "packed", lambda self, content: zlib.compress(content, 1)[: -self.level])
    assert not is_the_original.__wrapped__()
    assert is_here is not zlib.ZLIB_RUNTIME_VERSION.endswith("zlib-ng")


@pytest.mark.parametrize("encoder", OF_RUST)
def test_packing_does_not_depend_on_how_the_content_comes(encoder: Encoder) -> None:
    whole = encoder.packed(TEXTS[4])
    assert zlib.decompress(whole, -15) == TEXTS[4]
    if encoder.piece_bytes:
        parts = [TEXTS[4][start : start + 3_001] for start in range(0, len(TEXTS[4]), 3_001)]
        assert b"".join(encoder.pack(parts)) == whole
        assert encoder.packed(b"") == bytes.fromhex("000000ffff0300"), "as maturin has written py.typed"


def test_without_the_original_zlib_encoders_of_rust_are_still_recognised() -> None:
    found = recognised([(text, len(OF_RUST[0].packed(text))) for text in TEXTS], OF_RUST)
    assert found == OF_RUST[0]
