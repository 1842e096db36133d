"""Whom a guarded client has talked to is asked of the system, which no longer knows it of a connection that was reset."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Any

import pytest
import trio
from httpcore2._backends.trio import TrioStream

from tests.fakes.index import FakeIndex
from wheelfs.errors import OriginFault
from wheelfs.model.names import ProjectName
from wheelfs.remote.http.tls import Access
from wheelfs.remote.index.http import HttpIndex
from wheelfs.remote.limits import HttpLimits
from wheelfs.remote.origin import PageFound

if TYPE_CHECKING:
    from collections.abc import Iterator

LIMITS = HttpLimits(attempts=2, first_pause_s=0.01)


@pytest.fixture
def index() -> Iterator[FakeIndex]:
    with FakeIndex() as running:
        running.add_wheel("demo", "1.0")
        yield running


@pytest.mark.parametrize("resets", [1, 2])
async def test_a_connection_that_was_reset_after_its_headers_is_a_broken_one(
    index: FakeIndex, resets: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    real = TrioStream.get_extra_info

    def reset(stream: TrioStream, info: str) -> Any:
        if info == "server_addr":
            asked.append(info)
            if len(asked) <= resets:
                raise OSError(errno.ENOTCONN, "Transport endpoint is not connected")
        return real(stream, info)

    monkeypatch.setattr(TrioStream, "get_extra_info", reset)
    client = HttpIndex("lab", index.url, {}, access=Access(private_addresses=False), limits=LIMITS)
    try:
        with trio.fail_after(20):
            if resets < LIMITS.attempts:
                assert isinstance(await client.project_page(ProjectName("demo")), PageFound)
            else:
                with pytest.raises(OriginFault, match="connection broke"):
                    await client.project_page(ProjectName("demo"))
    finally:
        await client.aclose()
    assert len(asked) == 2
