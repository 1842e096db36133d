"""What goes wrong with an object store before it has answered: told soon, and as what it is."""

from __future__ import annotations

import pytest

from tests.fakes.index import FakeIndex
from wheelfs.errors import OriginDenied, OriginUnreachable
from wheelfs.remote.limits import CloudLimits
from wheelfs.remote.share.cloud_objects import CloudObjects


@pytest.fixture(autouse=True)
def _asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_WEB_IDENTITY_TOKEN_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_REGION", "us-east-1")


def test_that_there_are_no_credentials_is_said_so_and_not_how_the_cloud_was_asked_for_some(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_METADATA_ENDPOINT", "http://127.0.0.1:1")
    with pytest.raises(OriginDenied, match=r"no credentials are set.*AWS_ACCESS_KEY_ID"):
        CloudObjects("s3://bucket/prefix", limits=CloudLimits(retries=0)).read("wheelfs-share", limit_bytes=10)


def test_a_store_that_says_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    limits = CloudLimits(retries=0, silence_s=0.2)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "anybody")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s3cret")
    with FakeIndex() as silent:
        silent.hang()
        monkeypatch.setenv("AWS_ENDPOINT_URL", silent.origin)
        with pytest.raises(OriginUnreachable, match="is the network up"):
            CloudObjects("s3://bucket/prefix", limits=limits).read("wheelfs-share", limit_bytes=10)
