"""A web server that answers with pages where objects of a share are asked for, for a while or for all that is not there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.fakes.catalogs import Follower, Memory, file, filled
from tests.fakes.web import WebServer
from tests.shares.test_http import opened, told
from wheelfs.errors import OriginFault
from wheelfs.model.share_catalog import MARKER_KEY, record_key
from wheelfs.remote.share.share import ObjectShare

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PAGE = b"<!DOCTYPE html><title>Log in</title>"


class Pages(Memory):
    """Objects in memory, in place of those keys that ``has_page`` picks a page."""

    def __init__(self) -> None:
        super().__init__()
        self.has_page: Callable[[str], bool] = lambda _key: False

    def read(self, key: str, *, limit_bytes: int) -> bytes | None:
        content = super().read(key, limit_bytes=limit_bytes)
        return PAGE if self.has_page(key) else content

    def read_range(self, key: str, start: int, end: int) -> bytes | None:
        content = super().read_range(key, start, end)
        return PAGE[start:end] if self.has_page(key) else content


def test_a_page_to_log_in_for_a_while_moves_no_follower() -> None:
    objects = Pages()
    catalog = filled(objects, 1)
    follower = Follower(objects)
    follower.follow()
    before = follower.cursor
    objects.has_page = lambda _key: True
    for _ in range(20):
        with pytest.raises(OriginFault, match="page to log in"):
            follower.ask()
    assert follower.cursor == before
    objects.has_page = lambda _key: False
    catalog.append(None, [file(1)], may_tell=lambda: True)
    follower.follow()
    assert sorted(name for _, name, _ in follower.files) == [file(0).filename, file(1).filename]
    assert follower.catalog.passed_over == 0


def test_a_page_that_is_gone_when_the_marker_is_looked_at_is_no_damage() -> None:
    objects = Pages()
    filled(objects, 2)
    follower = Follower(objects)
    objects.has_page = lambda key: key == record_key(1) and objects.asked.count(key) == 1
    follower.follow()
    assert len(follower.files) == 2
    assert follower.catalog.passed_over == 0


def test_a_server_that_answers_with_a_page_where_nothing_is_is_refused_and_read_once_it_does_not() -> None:
    objects = Pages()
    filled(objects, 2)
    follower = Follower(objects)
    objects.has_page = lambda key: key not in objects.kept
    for _ in range(20):
        with pytest.raises(OriginFault, match="answer 404"):
            follower.follow()
    with pytest.raises(OriginFault, match="answer 404"):
        ObjectShare(objects).environments()
    assert len(objects.asked) < 3_000
    objects.has_page = lambda _key: False
    follower.follow()
    assert len(follower.files) == 2


async def test_so_it_is_over_http(tmp_path: Path) -> None:
    share = tmp_path / "share"
    share.mkdir()
    (share / MARKER_KEY).write_bytes(b"wheelfs share 1\n" + b"0" * 32 + b"\n")
    with WebServer(share, missing=200) as server:
        async with opened(server.url) as http:
            with pytest.raises(OriginFault, match="answer 404"):
                await told(http)
