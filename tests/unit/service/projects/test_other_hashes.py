"""What an index vouches with besides a sha256, or in place of it."""

from __future__ import annotations

import errno
import hashlib
import json
import os
from typing import TYPE_CHECKING

import msgspec
import pytest

from tests.fakes.origins import MemoryOrigin
from tests.fakes.services import Service, service
from tests.fakes.waiting import until
from tests.fakes.wheels import build_wheel, wheel_filename
from wheelfs.errors import ContentMismatch, OriginFault
from wheelfs.store.catalog.records import StoredName
from wheelfs.store.store import Store

if TYPE_CHECKING:
    from pathlib import Path

NAME = wheel_filename("demo", "1.0")
PATH = f"simple/demo/{NAME}"
WHEEL = build_wheel("demo", "1.0", big_bytes=500_000)
SHA256 = hashlib.sha256(WHEEL).hexdigest()
SHA512 = hashlib.sha512(WHEEL).hexdigest()
MD5 = hashlib.md5(WHEEL).hexdigest()
WRONG = {"sha512": "0" * 128}


def origin_with(hashes: dict[str, str] | None, *, hashed: bool = False) -> MemoryOrigin:
    origin = MemoryOrigin()
    origin.add("demo", NAME, WHEEL, hashed=hashed)
    vouch(origin, hashes)
    return origin


def vouch(origin: MemoryOrigin, hashes: dict[str, str] | None) -> None:
    page = origin.pages["demo"]
    links = tuple(msgspec.structs.replace(link, other_hashes=hashes) for link in page.files)
    origin.pages["demo"] = msgspec.structs.replace(page, files=links)


async def until_stored(one: Service) -> None:
    await until(lambda: bool(one.store.catalog.stored_names("demo")))


async def hashes_on_page(one: Service) -> dict[str, str]:
    (file,) = json.loads(await one.read("simple/demo/index.v1_json"))["files"]
    hashes: dict[str, str] = file["hashes"]
    return hashes


async def fragment_on_page(one: Service) -> str:
    page = (await one.read("simple/demo/index.html")).decode()
    return page.partition(f'href="{NAME}')[2].partition('"')[0]


@pytest.mark.parametrize("algorithm", ["sha512", "sha384", "sha224", "sha1", "md5", "blake2b_256", "sha3_256"])
async def test_a_file_that_has_not_the_hash_of_its_index_is_never_stored(tmp_path: Path, algorithm: str) -> None:
    size = len(hashlib.new("sha256" if algorithm == "blake2b_256" else algorithm).digest())
    async with service(tmp_path / "s", [origin_with({algorithm: "0" * 2 * size})]) as one:
        for path in (PATH, f"here/{PATH}", f"index/corp/{PATH}"):
            with pytest.raises(OriginFault):  # also `ContentChanged`, to a reader that has had some of it when it is dropped
                await one.read(path)
        assert one.store.catalog.counts().files == 0
        assert "sha256" not in await hashes_on_page(one)


async def test_a_strong_hash_that_is_wrong_beside_the_right_sha256_is_refused(tmp_path: Path) -> None:
    async with service(tmp_path / "s", [origin_with(WRONG, hashed=True)], strict=True) as one:
        with pytest.raises(ContentMismatch):
            await one.read(PATH)


async def test_a_weak_hash_that_is_wrong_beside_the_right_sha256_is_passed_on(tmp_path: Path) -> None:
    async with service(tmp_path / "s", [origin_with({"md5": "0" * 32}, hashed=True)]) as one:
        assert await one.read(PATH) == WHEEL
        assert list((await hashes_on_page(one)).items()) == [("sha256", SHA256), ("md5", "0" * 32)]


async def test_what_was_compared_is_shown_beside_our_own_hash(tmp_path: Path) -> None:
    origin = origin_with({"md5": MD5, "sha512": SHA512})
    async with service(tmp_path / "s", [origin]) as one:
        assert await fragment_on_page(one) == f"#sha512={SHA512}"
        assert await one.read(PATH) == WHEEL
        await until_stored(one)
        assert list((await hashes_on_page(one)).items()) == [("sha256", SHA256), ("md5", MD5), ("sha512", SHA512)]
        assert await fragment_on_page(one) == f"#sha256={SHA256}"
        (name,) = one.store.catalog.stored_names("demo")
        assert name.hashes == {"md5": MD5, "sha512": SHA512}
    asked = origin.requests.total()
    async with service(tmp_path / "s", [origin]) as one:
        assert await one.read(PATH) == WHEEL
        assert origin.requests.total() == asked


async def test_a_hash_that_cannot_be_checked_is_passed_on_in_json_and_told_in_html(tmp_path: Path) -> None:
    origin = origin_with({"whirlpool": "ab" * 32})
    async with service(tmp_path / "s", [origin]) as one:
        assert await one.read(PATH) == WHEEL
        await until_stored(one)
        assert await hashes_on_page(one) == {"whirlpool": "ab" * 32}
        assert await fragment_on_page(one) == "", "uv reads no page that has it"
        assert b"cannot be checked" in await one.read("simple/demo/index.html")
        before = origin.requests.total()
        assert await one.read(PATH) == WHEEL
        assert origin.requests.total() == before


@pytest.mark.parametrize("hashes", [{"sha256": "abc"}, {"sha512": "invalid"}])
async def test_a_file_with_a_hash_that_none_can_have_is_listed_and_opening_it_says_why(
    tmp_path: Path, hashes: dict[str, str]
) -> None:
    async with service(tmp_path / "s", [origin_with(hashes)]) as one:
        assert f'"{NAME}"'.encode() in await one.read("simple/demo/index.html")
        with pytest.raises(ContentMismatch, match="no file can have"):
            await one.read(PATH)


def stored_by_an_older_build(path: Path, tmp_path: Path) -> None:
    """Store the wheel as one that was never compared with anything."""
    source = tmp_path / "source.whl"
    source.write_bytes(WHEEL)
    name = StoredName(project="demo", filename=NAME, index="corp", size_bytes=len(WHEEL), added_at_us=1)
    with Store.open(path) as store:
        descriptor = os.open(source, os.O_RDONLY)
        try:
            store.add_content(descriptor, len(WHEEL), expected_sha256=None, names=[name])
        finally:
            os.close(descriptor)


async def test_what_an_older_build_stored_uncompared_is_compared_once_when_its_page_is_read(tmp_path: Path) -> None:
    stored_by_an_older_build(tmp_path / "s", tmp_path)
    async with service(tmp_path / "s", [origin_with({"sha512": SHA512})]) as one:
        assert list(await hashes_on_page(one)) == ["sha256", "sha512"]
        assert await one.read(PATH) == WHEEL
        (name,) = one.store.catalog.stored_names("demo")
        assert name.hashes == {"sha512": SHA512}


async def test_a_comparison_that_fails_ends_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def failing(*_: object) -> dict[str, str]:
        raise OSError(errno.EIO, "Input/output error")

    stored_by_an_older_build(tmp_path / "s", tmp_path)
    monkeypatch.setattr(Store, "digests_of", failing)
    async with service(tmp_path / "s", [origin_with({"sha512": SHA512})]) as one:
        assert await hashes_on_page(one) == {"sha512": SHA512}, "it does not count as stored"
    assert "compare the stored files of demo" in caplog.text


async def test_what_an_older_build_stored_is_no_longer_shown_when_its_index_vouches_for_other_bytes(tmp_path: Path) -> None:
    stored_by_an_older_build(tmp_path / "s", tmp_path)
    async with service(tmp_path / "s", [origin_with(WRONG)]) as one:
        assert await hashes_on_page(one) == WRONG
        with pytest.raises(OriginFault):
            await one.read(PATH)
        assert one.store.catalog.stored_names("demo") == []
        assert NAME not in (await one.read("stored/index.html")).decode()
        assert one.store.holds(bytes.fromhex(SHA256)), "it is still found by its sha256"


async def test_an_index_that_begins_to_give_hashes_has_them_compared(tmp_path: Path) -> None:
    origin = origin_with(None)
    async with service(tmp_path / "s", [origin], ttl_s=0.0) as one:
        assert await one.read(PATH) == WHEEL
        await until_stored(one)
        vouch(origin, {"sha512": SHA512})
        assert list(await hashes_on_page(one)) == ["sha256", "sha512"]
        vouch(origin, WRONG)
        assert await hashes_on_page(one) == WRONG
        with pytest.raises(OriginFault):
            await one.read(PATH)
