"""Announcements and objects of environments in a share: what is written is read, and nothing else is."""

from __future__ import annotations

import hashlib

import msgspec
import pytest
import zstandard

from wheelfs.model import shared_environment
from wheelfs.model.framing import ShareFormatError, framed
from wheelfs.model.shared_environment import (
    SharedEnvironment,
    announcement_key,
    decode_announcement,
    decode_object,
    encode_announcement,
    encode_object,
    object_key,
)

ONE = SharedEnvironment("analysis", b"t" * 32, None, b"b" * 32, 5)


def test_keys() -> None:
    assert announcement_key(26) == "environments/0000001a"
    assert object_key(b"\xab" * 32) == f"environment-objects/ab/{'ab' * 32}"


def test_an_announcement_comes_back_and_new_fields_are_skipped() -> None:
    assert decode_announcement(encode_announcement(ONE)) == ONE
    longer = msgspec.msgpack.encode([*msgspec.structs.astuple(ONE), "new"])
    assert decode_announcement(framed(b"WFN1", longer)) == ONE


@pytest.mark.parametrize(
    "changed",
    [
        {"name": "../it"},
        {"name": ""},
        {"tree": b"short"},
        {"profile": b""},
        {"bytecode": b"x" * 33},
        {"announced_us": "now"},
    ],
)
def test_one_that_means_nothing_is_refused(changed: dict[str, object]) -> None:
    with pytest.raises(ShareFormatError):
        decode_announcement(encode_announcement(msgspec.structs.replace(ONE, **changed)))


def test_every_flipped_byte_is_found() -> None:
    encoded = encode_announcement(ONE)
    for at in range(len(encoded)):
        with pytest.raises(ShareFormatError):
            decode_announcement(encoded[:at] + bytes([encoded[at] ^ 1]) + encoded[at + 1 :])


def test_an_object_comes_back_by_its_sha256_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    content = b"content" * 1_000
    sha256, encoded = encode_object(content)
    assert sha256 == hashlib.sha256(content).digest()
    assert decode_object(sha256, encoded) == content
    for wrong in (b"", encoded[:-1], framed(b"WFE1", b"not a frame"), framed(b"WFE1", zstandard.compress(b"other"))):
        with pytest.raises(ShareFormatError):
            decode_object(sha256, wrong)
    monkeypatch.setattr(shared_environment, "MAX_OBJECT_BYTES", 100)
    with pytest.raises(ShareFormatError):
        decode_object(sha256, encoded)
