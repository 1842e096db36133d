"""Whether a stored file is still the one that its index lists."""

import msgspec
import pytest

from wheelfs.core.projects.identity import is_checked, is_other, is_vouched, replacement
from wheelfs.model.links import FileLink, Validators
from wheelfs.store.catalog.records import StoredName

NAME = "demo-1.0-py3-none-any.whl"
CAME_US = 1_700_000_000_000_000
"""Tue, 14 Nov 2023 22:13:20 GMT."""
KNOWN = StoredName(
    project="demo", filename=NAME, index="main", size_bytes=100, added_at_us=CAME_US, sha256=bytes(32), hashes={"md5": "0" * 32}
)
LINK = FileLink(NAME, f"https://files.index.example/{NAME}")
DAY_US = 86_400_000_000


def known(**fields: object) -> StoredName:
    return msgspec.structs.replace(KNOWN, **fields)


def link(**fields: object) -> FileLink:
    return msgspec.structs.replace(LINK, **fields)


@pytest.mark.parametrize(
    ("now", "said", "name"),
    [
        ({"other_hashes": {"md5": "1" * 32}}, None, {}),
        ({"sha256": b"\1" * 32}, {}, {}),
        ({"size_bytes": 101}, {"size_bytes": 100}, {}),
        ({"upload_time_us": 2}, None, {"upload_time_us": 1}),
        ({"upload_time_us": CAME_US + DAY_US}, None, {}),
        ({"other_hashes": {"whirlpool": "aa"}}, {"other_hashes": {"whirlpool": "bb"}}, {}),
    ],
)
def test_a_page_that_says_otherwise_lists_another_file(
    now: dict[str, object], said: dict[str, object] | None, name: dict[str, object]
) -> None:
    assert replacement(link(**now), known(**name), said=None if said is None else link(**said)) is not None


@pytest.mark.parametrize(
    ("now", "said", "name"),
    [
        ({}, None, {}),
        ({"sha256": b"\1" * 32}, None, {}),
        ({"sha256": b"\1" * 32}, {"sha256": bytes(32)}, {}),
        ({"sha256": bytes(32)}, {}, {}),
        ({"sha256": bytes(32), "size_bytes": 1, "upload_time_us": 5}, {"size_bytes": 2}, {"upload_time_us": 4}),
        ({"size_bytes": 0}, {"size_bytes": 0}, {}),  # it always said so
        ({"size_bytes": 100}, {}, {}),
        ({"upload_time_us": CAME_US - DAY_US}, None, {}),
        ({}, {"upload_time_us": 7}, {"upload_time_us": 7}),
        ({"other_hashes": {"sha512": "0" * 128}}, None, {}),  # to be compared first
        ({"other_hashes": {"md5": "0" * 32}}, {}, {}),
    ],
)
def test_what_says_nothing_contradicts_nothing(
    now: dict[str, object], said: dict[str, object] | None, name: dict[str, object]
) -> None:
    assert replacement(link(**now), known(**name), said=None if said is None else link(**said)) is None


def test_what_was_never_compared_is_not_checked() -> None:
    assert not is_checked(link(other_hashes={"md5": "0" * 32, "sha512": "0" * 128}), KNOWN)
    assert is_checked(link(other_hashes={"md5": "0" * 32, "whirlpool": "aa"}), KNOWN)
    assert is_checked(link(sha256=bytes(32), other_hashes={"sha512": "0" * 128}), KNOWN)


def test_a_hash_that_cannot_be_checked_leaves_a_file_without_a_voucher() -> None:
    assert is_vouched(link())
    assert is_vouched(link(other_hashes={"md5": "0" * 32}))
    assert not is_vouched(link(other_hashes={"md5": "0" * 32, "whirlpool": "aa"}))


ONE = Validators('"one"', "Mon, 13 Nov 2023 00:00:00 GMT")


@pytest.mark.parametrize(
    ("answer", "size_bytes", "validators", "expected"),
    [
        (ONE, 100, (ONE,), False),
        (Validators('W/"one"'), 100, (ONE,), False),
        (Validators('"two"', ONE.last_modified), 100, (ONE,), True),
        (Validators('"two"'), 100, (ONE, Validators('"two"')), False),
        (Validators(None, "Tue, 14 Nov 2023 00:00:00 GMT"), None, (Validators(None, ONE.last_modified),), True),
        (Validators(None, ONE.last_modified), 100, (ONE,), False),
        (Validators(), 100, (ONE,), False),
        (ONE, 101, (ONE,), True),
        (Validators('"two"'), 100, (), False),
        (Validators('"two"', "Wed, 15 Nov 2023 22:00:00 GMT"), 100, (), True),
        (Validators('"two"', "yesterday"), 100, (), False),
    ],
)
def test_a_server_tells_contents_apart_by_size_tag_and_time(
    answer: Validators, size_bytes: int | None, validators: tuple[Validators, ...], expected: bool
) -> None:
    assert (is_other(answer, size_bytes, known(validators=validators)) is not None) is expected
