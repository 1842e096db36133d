"""Promises of METADATA beside a wheel that its index breaks: what the wheel itself holds is served instead."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import msgspec
import pytest

from tests.fakes.origins import MemoryOrigin, Trouble
from tests.fakes.services import service
from tests.fakes.waiting import until
from tests.fakes.wheels import build_sdist, build_wheel, metadata_text, sdist_filename, wheel_filename
from wheelfs.errors import ContentMismatch, OriginBusy, OriginDenied, OriginError, OriginFault, OriginMissing, OriginTimeout
from wheelfs.model.content import key_of_sha256

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fakes.services import Service

NAME = wheel_filename("demo", "2.0")
SMALL = build_wheel("demo", "2.0")
LARGE = build_wheel("demo", "2.0", big_bytes=400_000)
PATH = f"simple/demo/{NAME}.metadata"
OWN = metadata_text("demo", "2.0")
OTHER = metadata_text("demo", "1.5")
LOGIN = b"<html><form>log in</form></html>"


class Index(MemoryOrigin):
    """Promises METADATA of one wheel, and fails with ``error`` where it has one."""

    error: OriginError | None = None

    def promise(self, content: bytes, served: bytes | None, digest: bytes | None = None, *, hashed: bool = True) -> None:
        link = self.add("demo", NAME, content, hashed=hashed, metadata=served)
        link = msgspec.structs.replace(link, has_metadata=True, metadata_sha256=digest)
        self.pages["demo"] = msgspec.structs.replace(self.pages["demo"], files=(link,))

    async def fetch_metadata(self, url: str) -> bytes:
        if self.error is None:
            return await super().fetch_metadata(url)
        self.requests["metadata"] += 1
        raise self.error


def sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


async def promised(one: Service) -> str:
    page = (await one.read("simple/demo/index.html")).decode()
    return page.partition('data-core-metadata="')[2].partition('"')[0]


def attempt(error: type[OriginError]) -> OriginError:
    return error("fetch the metadata", "its server says no")


@pytest.mark.parametrize("content", [SMALL, LARGE], ids=["small", "large"])
@pytest.mark.parametrize("hashed", [True, False])
@pytest.mark.parametrize(
    ("served", "digest", "error"),
    [
        (None, None, None),
        (b"", None, None),
        (LOGIN, None, None),
        (OTHER, None, None),
        (OTHER, sha256(OTHER), None),
        (metadata_text("another", "2.0"), None, None),
        (OWN, sha256(SMALL), None),
        (OWN + b"Checksum: 0\n", sha256(OWN), None),
        (None, None, attempt(OriginDenied)),
        (None, None, attempt(OriginFault)),
        (None, None, attempt(OriginBusy)),
        (None, None, attempt(ContentMismatch)),
        (None, sha256(OWN), attempt(OriginMissing)),
    ],
)
async def test_a_broken_promise_does_no_harm(
    tmp_path: Path, content: bytes, hashed: bool, served: bytes | None, digest: bytes | None, error: OriginError | None
) -> None:
    index = Index()
    index.promise(content, served, digest, hashed=hashed)
    index.error = error
    async with service(tmp_path / "s", [index]) as one:
        assert await promised(one) == "true", "the index's word is passed on by no hash: pip would hold us to it"
        assert await one.read(PATH) == OWN
        assert await one.read(f"simple/demo/{NAME}") == content
        await until(lambda: one.store.holds(sha256(content)))
        assert await promised(one) == f"sha256={sha256(OWN).hex()}"
        assert await one.read(PATH) == OWN
    assert index.requests["metadata"] <= 1


async def test_parts_of_a_wheel_do_not_stand_in_for_what_the_index_vouches_for(tmp_path: Path) -> None:
    evil = build_wheel("demo", "2.0", big_bytes=400_000, requires=["evil"])
    index = Index()
    index.promise(LARGE, None, sha256(OWN))
    index.fate = lambda: Trouble(content=evil)
    async with service(tmp_path / "s", [index]) as one:
        for _ in range(2):
            with pytest.raises(ContentMismatch):
                await one.read(PATH)
    index.fate = None
    async with service(tmp_path / "t", [index]) as one:
        assert await one.read(PATH) == OWN
        assert not one.store.holds(sha256(LARGE)), "its end alone has the METADATA that the index vouches for"


async def test_an_index_that_vouches_for_another_metadata_than_its_wheel_has_costs_the_whole_wheel(tmp_path: Path) -> None:
    index = Index()
    index.promise(LARGE, None, sha256(OTHER))
    async with service(tmp_path / "s", [index]) as one:
        assert await one.read(PATH) == OWN
        assert one.store.holds(sha256(LARGE))


async def test_a_kept_promise_saves_the_wheel_and_its_file_stays(tmp_path: Path) -> None:
    index, told = Index(), OWN + b"Requires-Dist: other\n"  # not what the wheel holds, and what pip would believe straight
    index.promise(LARGE, told, sha256(told))
    async with service(tmp_path / "s", [index]) as one:
        assert await one.read(PATH) == told
        assert not index.asked
        assert await one.read(f"simple/demo/{NAME}") == LARGE
        assert await one.read(PATH) == told
        assert await promised(one) == f"sha256={sha256(told).hex()}"


async def test_while_the_host_is_silent_the_wheel_is_not_asked_for_either(tmp_path: Path) -> None:
    index = Index()
    index.promise(LARGE, OWN)
    index.error = attempt(OriginTimeout)
    async with service(tmp_path / "s", [index]) as one:
        with pytest.raises(OriginTimeout):
            await one.read(PATH)
    assert not index.asked


@pytest.mark.parametrize("is_stored", [True, False])
async def test_rubbish_that_an_earlier_build_kept_is_not_served(tmp_path: Path, is_stored: bool) -> None:
    index = Index()
    index.promise(LARGE, LOGIN)
    async with service(tmp_path / "s", [index]) as one:
        if is_stored:
            await one.read(f"simple/demo/{NAME}")
        one.store.catalog.put_metadata(key_of_sha256(sha256(LARGE)), LOGIN).result()
        assert await one.read(PATH) == OWN


@pytest.mark.parametrize("big_bytes", [0, 400_000])
async def test_a_wheel_that_is_called_otherwise_than_it_says_has_its_own_metadata(tmp_path: Path, big_bytes: int) -> None:
    index, wheel = Index(), build_wheel("demo", "1.5", big_bytes=big_bytes)
    index.promise(wheel, OTHER, sha256(OTHER))
    async with service(tmp_path / "s", [index]) as one:
        assert await one.read(PATH) == OTHER
        assert one.store.holds(sha256(wheel)) == (not big_bytes), "the end of a large one is enough"
        for _ in range(2):
            assert await one.read(PATH) == OTHER
            assert await promised(one) == "true"


async def test_the_promise_of_an_sdist_is_passed_on_as_it_is(tmp_path: Path) -> None:
    index, name = Index(), sdist_filename("demo", "2.0")
    link = index.add("demo", name, build_sdist("demo", "2.0"), metadata=OTHER)
    link = msgspec.structs.replace(link, metadata_sha256=sha256(OTHER))
    index.pages["demo"] = msgspec.structs.replace(index.pages["demo"], files=(link,))
    async with service(tmp_path / "s", [index]) as one:
        assert await promised(one) == f"sha256={sha256(OTHER).hex()}"
        assert await one.read(f"simple/demo/{name}.metadata") == OTHER
