"""A place for objects, of each kind that there is, empty."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, NamedTuple

import pytest

from tests.fakes.azure import AzureServer, has_npm
from tests.fakes.s3 import S3Server
from wheelfs.remote.share.objects import open_objects

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from wheelfs.remote.share.objects import Objects


class Place(NamedTuple):
    url: str
    environment: Mapping[str, str]

    def open(self) -> Objects:
        return open_objects(self.url)


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with S3Server(tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.fixture(
    params=[
        "directory",
        pytest.param("s3", marks=pytest.mark.real_index),
        # With `soak` alone: it takes some seconds to start, and npm brings it.
        pytest.param("azure", marks=[pytest.mark.soak, pytest.mark.skipif(not has_npm(), reason="needs npm")]),
    ]
)
def place(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    if request.param == "directory":
        directory = tmp_path / "lab wheels"
        directory.mkdir()
        yield Place(directory.as_uri(), {})
        return
    with ExitStack() as stack:
        if request.param == "s3":
            s3: S3Server = request.getfixturevalue("s3_server")
            place = Place(s3.another_url(), s3.environment)
        else:
            azure = stack.enter_context(AzureServer(tmp_path))
            place = Place(azure.url, azure.environment)
        for name, value in place.environment.items():
            monkeypatch.setenv(name, value)
        yield place


@pytest.fixture
def objects(tmp_path: Path) -> Objects:
    """A share's objects in a directory."""
    (tmp_path / "share").mkdir()
    return open_objects((tmp_path / "share").as_uri())
