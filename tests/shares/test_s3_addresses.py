"""However a bucket is spelled, and wherever its server is named, it is the same one; what is wrong with it is said."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from wheelfs.errors import OriginError
from wheelfs.remote.share.objects import open_objects

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.fakes.s3 import S3Server

pytestmark = pytest.mark.real_index


@pytest.fixture
def bucket(s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> str:
    for name, value in s3_server.environment.items():
        monkeypatch.setenv(name, value)
    return s3_server.another_url().removesuffix("/wheels")


def test_all_spellings_lead_to_the_same_objects(bucket: str) -> None:
    name = bucket.removeprefix("s3://")
    assert open_objects(f"{bucket}/wheels").create("log/1", b"one")
    for url in (f"{bucket}/wheels/", f"S3://{name}//wheels", f"s3://{name}/%77heels", f"s3://{name}/wheels//"):
        assert open_objects(url).read("log/1", limit_bytes=10) == b"one", url
        assert not open_objects(url).create("log/1", b"two"), url
        assert [one.key for one in open_objects(url).found("log")] == ["log/1"], url
    assert open_objects(bucket).read("wheels/log/1", limit_bytes=10) == b"one", "the bucket's own root"
    assert open_objects(f"{bucket}/Wheels").read("log/1", limit_bytes=10) is None, "case tells"


@pytest.mark.parametrize("prefix", ["w%C3%A4ls", "lab%20wheels", "a+b", "100%25", "deep/er/still", "~x!'()"])
def test_any_prefix_is_written_and_found(bucket: str, prefix: str) -> None:
    objects = open_objects(f"{bucket}/{prefix}")
    assert objects.create("log/1", b"one")
    assert objects.read_range("log/1", 1, 3) == b"ne"
    assert [one.key for one in objects.found("log")] == ["log/1"]
    objects.delete("log/1")
    assert list(open_objects(f"{bucket}/{prefix}/").found("log")) == []


@pytest.mark.parametrize(
    "changed",
    [
        {"AWS_ENDPOINT_URL": "{}/"},
        {"AWS_ENDPOINT_URL": "", "AWS_ENDPOINT": "{}"},
        {"AWS_ENDPOINT_URL": "", "AWS_ENDPOINT_URL_S3": "{}"},
        {"AWS_REGION": "", "AWS_DEFAULT_REGION": "eu-central-1"},
        {"AWS_REGION": ""},
    ],
)
def test_the_server_is_found_as_the_clouds_own_tools_have_it(
    bucket: str, s3_server: S3Server, changed: Mapping[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert open_objects(f"{bucket}/wheels").create("log/1", b"one")
    for name, value in changed.items():
        monkeypatch.setenv(name, value.format(s3_server.environment["AWS_ENDPOINT_URL"]))
        if not value:
            monkeypatch.delenv(name)
    assert open_objects(f"{bucket}/wheels").read("log/1", limit_bytes=10) == b"one"


def test_a_bucket_that_is_not_there_is_said_when_it_is_written_to_or_listed(bucket: str) -> None:
    missing = open_objects(f"{bucket}-none/wheels")
    with pytest.raises(OriginError, match="is there such a bucket"):
        missing.create("log/1", b"one")
    with pytest.raises(OriginError, match="is there such a bucket"):
        list(missing.found("log"))
