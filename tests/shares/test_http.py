"""A share of objects on a plain web server: read like any other, told apart from a gateway, and never written to."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import pytest
import trio

from tests.fakes.commands import error_of
from tests.fakes.crashes import stored
from tests.fakes.index import FakeIndex
from tests.fakes.waiting import eventually
from tests.fakes.web import WebServer
from tests.gateway.serving import Serving
from tests.shares.test_mounts import CONTENT, NAME, NO_INDEX, fill, push_all
from wheelfs.core.http.ranges import Range, Whole
from wheelfs.errors import OriginDenied, OriginError, OriginFault, OriginMissing, OriginUnreachable
from wheelfs.remote.http.tls import DEFAULT_ACCESS
from wheelfs.remote.share.http import HttpShare

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.conftest import MountWheelfs, RunWheelfs
    from tests.fakes.clients import Clients


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A share that has one wheel."""
    share = tmp_path / "share"
    share.mkdir()
    fill(tmp_path / "a", demo=CONTENT)
    push_all(tmp_path / "a", share.as_uri())
    return share


@pytest.fixture
def web(directory: Path) -> Iterator[WebServer]:
    with WebServer(directory) as server:
        yield server


def sha256_of(share: Path) -> bytes:
    [manifest] = (path for path in (share / "manifests").rglob("*") if path.is_file())
    return bytes.fromhex(manifest.name)


def opened(url: str) -> Any:
    return aclosing(HttpShare("lab", url, {}, access=DEFAULT_ACCESS))


async def told(share: HttpShare) -> list[str]:
    cursor, names, more = None, [], True
    while more:
        events = await share.events(cursor)
        names += [file.filename for file in events.files]
        cursor, more = events.cursor, events.more
    return names


async def content_of(share: HttpShare, sha256: bytes, wanted: Whole | Range) -> bytes:
    async with share.origin.open_range(share.file_url(sha256), wanted) as reply:
        return b"".join([piece async for piece in reply.chunks])


def test_a_node_lists_and_installs_over_https_what_a_web_server_has(
    tmp_path: Path, directory: Path, mounted: MountWheelfs, clients: Clients
) -> None:
    with WebServer(directory, tls=True) as server:
        assert server.ca_pem is not None
        (tmp_path / "ca.pem").write_bytes(server.ca_pem)
        node = mounted("--no-index", "--share", server.url, env={"SSL_CERT_FILE": str(tmp_path / "ca.pem")})
        eventually(lambda: (node.path / NAME).exists())
        uv = clients.uv()
        uv.run("pip", "install", "--default-index", (node.path / "simple").as_uri(), "demo").succeeded()
        assert uv.installed() == {"demo": "1.0"}
        assert (node.path / NAME).read_bytes() == CONTENT
        assert server.requests[0].path.endswith("/wheelfs-share")


def test_without_any_index_a_node_has_what_the_store_and_the_shares_have(
    tmp_path: Path, web: WebServer, mounted: MountWheelfs, clients: Clients, run_wheelfs: RunWheelfs
) -> None:
    nowhere = {"PIP_INDEX_URL": NO_INDEX}
    node = mounted("--no-index", "--share", web.url, env=nowhere)
    eventually(lambda: (node.path / NAME).exists())
    uv = clients.uv()
    uv.run("pip", "install", "--default-index", (node.path / "simple").as_uri(), "demo").succeeded()
    assert not (node.path / "simple" / "unknown").exists(), "a name that is nowhere is known to be nowhere"
    store = str(tmp_path / "fetched")
    run_wheelfs("--store", store, "fetch", "demo", "--no-index", "--share", web.url, env=nowhere).succeeded()
    assert stored(tmp_path / "fetched") == {NAME: CONTENT}


def test_fetch_takes_from_a_web_server_and_a_gateway_passes_on_what_it_has(
    tmp_path: Path, web: WebServer, run_wheelfs: RunWheelfs
) -> None:
    with FakeIndex() as index, Serving(tmp_path / "head", "--no-index", "--share", web.url) as gateway:
        index.add(NAME, CONTENT)
        for number, options in enumerate(([f"main={index.url}", "--share", web.url], [f"main={gateway.url}/simple"])):
            store = str(tmp_path / f"node{number}")
            run_wheelfs("--store", store, "fetch", "demo", "--index", *options).succeeded()
            assert stored(tmp_path / f"node{number}") == {NAME: CONTENT}
        assert index.body_bytes(NAME) == 0, "the index gave its page and no byte of the wheel"


def test_pull_reads_a_web_server_and_push_says_where_to_write_instead(
    tmp_path: Path, web: WebServer, run_wheelfs: RunWheelfs
) -> None:
    run_wheelfs("--store", "b", "pull", "--share", web.url + "/", "--contents").succeeded()
    assert stored(tmp_path / "b") == {NAME: CONTENT}
    refused = error_of(run_wheelfs("--store", "b", "push", "--json", "--share", web.url))
    assert refused["class"] == "UsageError"
    assert "read" in refused["message"]
    offline = run_wheelfs("--store", "b", "pull", "--json", "--share", web.url, env={"WHEELFS_OFFLINE": "1"})
    assert error_of(offline)["class"] == "OriginUnreachable"
    web.stop()
    assert error_of(run_wheelfs("--store", "b", "pull", "--json", "--share", web.url))["class"] == "OriginUnreachable"


@pytest.mark.parametrize("missing", [404, 403])
@pytest.mark.parametrize("ranges", ["yes", "ignore"])
async def test_files_come_by_range_also_from_a_server_that_ignores_ranges_or_refuses_what_is_not_there(
    directory: Path, ranges: Any, missing: int
) -> None:
    with WebServer(directory, ranges=ranges, missing=missing) as server:
        async with opened(server.url) as share:
            assert await told(share) == [NAME]
            sha256 = sha256_of(directory)
            assert await content_of(share, sha256, Whole()) == CONTENT
            assert await content_of(share, sha256, Range(1_000, 90_000)) == CONTENT[1_000:90_000]
            assert (await share.composition(sha256)).size_bytes == len(CONTENT)
            with pytest.raises(OriginMissing):
                await content_of(share, b"\1" * 32, Whole())


async def test_what_may_be_there_in_a_moment_is_not_believed_of_a_cache(web: WebServer) -> None:
    async with opened(web.url) as share:
        await told(share)
    for request in web.requests:
        assert request.headers.get("cache-control") == "no-cache"
    asked = [request.path for request in web.requests if request.path.endswith("/wheelfs-share")]
    assert len(asked) == 2, "to tell it from a gateway, and to know which share it is"


async def test_a_place_that_is_neither_is_told_clearly_and_becomes_a_share_when_there_is_one(
    tmp_path: Path, directory: Path
) -> None:
    with WebServer(tmp_path / "empty") as server:
        async with opened(server.url) as share:
            with pytest.raises(OriginFault, match="neither a gateway nor a share of objects"):
                await share.events(None)
            server.directory = directory
            assert await told(share) == [NAME]


async def test_a_share_that_was_away_may_come_back_as_a_gateway(tmp_path: Path, web: WebServer) -> None:
    async with opened(web.url) as share:
        assert await told(share) == [NAME]
        slow_poll_s = share.poll_s
        web.stop()
        with pytest.raises(OriginUnreachable):
            await share.events("")
        web.directory = tmp_path / "empty"
        web.start()
        with pytest.raises(OriginFault, match="neither"):
            await share.events(None)
        assert share.poll_s < slow_poll_s, "a gateway is asked more often"


async def test_refused_credentials_are_told_as_such(web: WebServer) -> None:
    web.missing = 401
    web.directory = web.directory / "nothing"
    async with opened(web.url) as share:
        with pytest.raises(OriginDenied):
            await share.events(None)


async def test_a_page_of_a_proxy_is_no_share(tmp_path: Path, web: WebServer) -> None:
    (web.directory / "wheelfs-share").write_bytes(b"<html>log in first")
    async with opened(web.url) as share:
        with pytest.raises(OriginError, match="neither"):
            await share.events(None)


async def test_a_request_that_hangs_holds_up_nobody_else(web: WebServer) -> None:
    async with opened(web.url) as share:
        await told(share)
        web.hang()
        with trio.move_on_after(0.2) as scope:
            await share.events("")
        assert scope.cancelled_caught
        web.unhang()
        assert await content_of(share, sha256_of(web.directory), Range(0, 10)) == CONTENT[:10]
