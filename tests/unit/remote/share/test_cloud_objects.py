"""What goes wrong with an object store before it has answered: told soon, and as what it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.fakes.index import FakeIndex
from tests.fakes.server import Answer, Request
from wheelfs.errors import OriginDenied, OriginFault, OriginUnreachable
from wheelfs.remote.limits import CloudLimits
from wheelfs.remote.share.cloud_objects import CloudObjects

if TYPE_CHECKING:
    from tests.fakes import faults


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


class Refusing(FakeIndex):
    """Answers with errors as S3 does: the body on a line below the XML declaration."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__()
        self._status = status
        self._body = (
            f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{code}</Code><Message>{message}</Message>'
            "<AWSAccessKeyId>hidden</AWSAccessKeyId></Error>"
        )

    def answer(self, request: Request, action: faults.Action | None) -> Answer:
        return Answer(self._status, self._body.encode(), {"Content-Type": "application/xml"})


@pytest.mark.parametrize(
    ("status", "code", "advice"),
    [
        (403, "RequestTimeTooSkewed", "set the clock"),
        (400, "ExpiredToken", "renew them"),
        (403, "SignatureDoesNotMatch", "are the credentials set"),
    ],
)
def test_what_s3_says_of_credentials_is_passed_on_with_what_helps(
    monkeypatch: pytest.MonkeyPatch, status: int, code: str, advice: str
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "anybody")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s3cret")
    with Refusing(status, code, "It is said here.") as s3:
        monkeypatch.setenv("AWS_ENDPOINT_URL", s3.origin)
        with pytest.raises(OriginDenied, match=rf"{status} [A-Za-z ]+: {code}: It is said here\. \(.*{advice}") as refused:
            CloudObjects("s3://bucket/prefix", limits=CloudLimits(retries=0)).read_range("wheelfs-share", 0, 9)
    assert "hidden" not in str(refused.value)


def test_what_s3_says_of_a_bucket_is_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "anybody")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s3cret")
    with Refusing(400, "InvalidBucketName", "The specified bucket is not valid.") as s3:
        monkeypatch.setenv("AWS_ENDPOINT_URL", s3.origin)
        with pytest.raises(OriginFault, match="400 Bad Request: InvalidBucketName: The specified bucket is not valid"):
            CloudObjects("s3://bucket/prefix", limits=CloudLimits(retries=0)).read("wheelfs-share", limit_bytes=9)


class Conflicting(FakeIndex):
    """Keeps which keys were put, if they were not there, and says of so many first ones that another write is under way."""

    def __init__(self, conflicts: int) -> None:
        super().__init__()
        self.conflicts = conflicts
        self.kept: set[str] = set()

    def answer(self, request: Request, action: faults.Action | None) -> Answer:
        if request.method != "PUT":
            headers = {"ETag": '"1"', "Last-Modified": "Tue, 01 Dec 2026 00:00:00 GMT"}
            return Answer(200, b"", headers) if request.path in self.kept else Answer(404)
        if self.conflicts:
            self.conflicts -= 1
            return Answer(409, b"<Error><Code>ConditionalRequestConflict</Code></Error>")
        if request.path in self.kept:
            return Answer(412, b"<Error><Code>PreconditionFailed</Code></Error>")
        self.kept.add(request.path)
        return Answer(200, b"", {"ETag": '"1"'})


def test_an_object_that_s3_did_not_create_because_of_a_conflict_does_not_count_as_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "anybody")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s3cret")
    with Conflicting(2) as s3:
        monkeypatch.setenv("AWS_ENDPOINT_URL", s3.origin)
        objects = CloudObjects("s3://bucket/prefix", limits=CloudLimits(retries=0))
        assert objects.create("log/00000000", b"")
        assert not objects.create("log/00000000", b"other")
        s3.conflicts = 1
        assert not objects.create("log/00000000", b"other")
        s3.conflicts = 1_000
        with pytest.raises(OriginFault, match="others write or delete it"):
            objects.create("log/00000001", b"x")
        assert s3.kept == {"/bucket/prefix/log/00000000"}
