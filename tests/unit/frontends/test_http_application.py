"""The tree over HTTP: a real server on loopback over the whole service, with an index in memory."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
import trio

from tests.fakes.gateways import gateway
from tests.fakes.origins import MemoryOrigin, Trouble
from tests.fakes.waiting import until
from tests.fakes.wheels import build_sdist, build_wheel, sdist_filename, wheel_filename
from wheelfs import errors
from wheelfs.errors import OriginUnreachable
from wheelfs.frontends.http.application import Application
from wheelfs.frontends.http.limits import HttpLimits
from wheelfs.frontends.http.statuses import STATUS_OF_CLASS, status_of
from wheelfs.service.overview import Overview
from wheelfs.service.shares.feed import ShareFeed

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

NAME = wheel_filename("demo", "1.0")
WHEEL = build_wheel("demo", "1.0", big_bytes=900_000)
SDIST = sdist_filename("demo", "1.0")


@pytest.fixture
def origin() -> MemoryOrigin:
    made = MemoryOrigin()
    made.add("demo", NAME, WHEEL)
    made.add("demo", SDIST, build_sdist("demo", "1.0"))
    return made


async def test_a_file_is_served_whole_and_in_parts_and_fetched_once(tmp_path: Path, origin: MemoryOrigin) -> None:
    async with gateway(tmp_path, origin) as (client, _):
        path = f"/simple/demo/{NAME}"
        whole = await client.get(path)
        assert (whole.status_code, whole.content) == (200, WHEEL)
        assert whole.headers["content-length"] == str(len(WHEEL))
        assert whole.headers["cache-control"] == "no-cache", "its index may put another file under the name"
        part = await client.get(path, headers={"Range": "bytes=1000-1999"})
        assert (part.status_code, part.content) == (206, WHEEL[1000:2000])
        assert part.headers["content-range"] == f"bytes 1000-1999/{len(WHEEL)}"
        tail = await client.get(path, headers={"Range": "bytes=-10", "If-Range": whole.headers["etag"]})
        assert tail.content == WHEEL[-10:]
        beyond = await client.get(path, headers={"Range": f"bytes={len(WHEEL)}-"})
        assert (beyond.status_code, beyond.headers["content-range"]) == (416, f"bytes */{len(WHEEL)}")
        same = await client.get(path, headers={"If-None-Match": whole.headers["etag"]})
        assert (same.status_code, same.content) == (304, b"")
        head = await client.head(path)
        assert (head.status_code, head.content, head.headers["content-length"]) == (200, b"", str(len(WHEEL)))
        assert origin.sent_bytes[NAME] <= len(WHEEL)


async def test_a_stored_file_is_sent_in_large_pieces_while_few_ask(tmp_path: Path) -> None:
    limits = HttpLimits(large_pieces=2)
    large, content = MemoryOrigin(), build_wheel("demo", "1.0", big_bytes=3 << 20)
    large.add("demo", NAME, content)
    async with gateway(tmp_path, large) as (_, one):
        app = Application(one.node.tree, Overview(one.node, one.store), ShareFeed(one.store), limits=limits)
        path = f"/simple/demo/{NAME}"
        scope = {"type": "http", "method": "GET", "path": path, "scheme": "http", "query_string": b"", "headers": []}

        async def pieces_of(clients: int) -> set[int]:
            """Return how large pieces are of which no client takes a second one before each has its first."""
            sizes: set[int] = set()
            begun, all_have_one = [0], trio.Event()

            def client() -> Callable[[dict[str, Any]], Awaitable[None]]:
                pieces = 0

                async def send(message: dict[str, Any]) -> None:
                    nonlocal pieces
                    if message["type"] == "http.response.start":
                        return
                    pieces += 1
                    if pieces > 1:  # the first one was read before it was known that it can be
                        sizes.add(len(message["body"]))
                    else:
                        begun[0] += 1
                    if begun[0] == clients:
                        all_have_one.set()
                    await all_have_one.wait()

                return send

            async with trio.open_nursery() as nursery:
                for _ in range(clients):
                    nursery.start_soon(app, scope, trio.sleep_forever, client())
            return sizes

        assert await pieces_of(1)  # which brings it here
        await until(lambda: one.store.holds(hashlib.sha256(content).digest()))
        assert max(await pieces_of(2)) == limits.large_piece_bytes
        assert limits.piece_bytes in await pieces_of(3)


async def test_many_clients_of_one_file_cost_one_fetch(tmp_path: Path, origin: MemoryOrigin) -> None:
    async with gateway(tmp_path, origin) as (client, _), trio.open_nursery() as nursery:

        async def get() -> None:
            assert hashlib.sha256((await client.get(f"/simple/demo/{NAME}")).content).digest() == hashlib.sha256(WHEEL).digest()

        for _ in range(16):
            nursery.start_soon(get)
    assert origin.sent_bytes[NAME] <= len(WHEEL)


class PauseMidway:
    """Lets thirty pieces of an answer pass, and holds the rest until it is set."""

    def __init__(self) -> None:
        self._left = 30
        self._go_on = trio.Event()
        self.set, self.is_set = self._go_on.set, self._go_on.is_set

    async def wait(self) -> None:
        self._left -= 1
        if self._left < 0:
            await self._go_on.wait()


async def test_bytes_flow_while_the_file_is_still_on_its_way(tmp_path: Path, origin: MemoryOrigin) -> None:
    async with gateway(tmp_path, origin) as (client, _):
        await client.get(f"/simple/demo/{NAME}", headers={"Range": "bytes=-1"})
        origin.pause = PauseMidway()
        async with client.stream("GET", f"/simple/demo/{NAME}") as reply:
            pieces = reply.aiter_raw()
            received = await anext(pieces)
            assert received
            assert not origin.pause.is_set()
            origin.pause.set()
            async for piece in pieces:
                received += piece
        assert received == WHEEL


async def test_every_answer_says_how_long_it_may_be_kept_as_the_guide_says(tmp_path: Path, origin: MemoryOrigin) -> None:
    forever, asked_again, never = "max-age=31536000, immutable", "no-cache", "no-store"
    unhashed = wheel_filename("bare", "1.0")
    origin.add("bare", unhashed, build_wheel("bare", "1.0", big_bytes=900_000), hashed=False)
    origin.add("gone", wheel_filename("gone", "1.0"), build_wheel("gone", "1.0"))
    async with gateway(tmp_path, origin) as (client, one):

        async def said(path: str, **headers: str) -> tuple[int, str]:
            reply = await client.get(path, headers=headers)
            return reply.status_code, reply.headers["cache-control"]

        json_form = "application/vnd.pypi.simple.v1+json"
        for path in ("/simple/", "/simple/demo/", "/simple/demo/index.html", "/stored/simple/", "/.wheelfs/status.json"):
            assert await said(path) == (200, asked_again)
        tag = (await client.get("/simple/demo/", headers={"Accept": json_form})).headers["etag"]
        assert await said("/simple/demo/", Accept=json_form, **{"If-None-Match": tag}) == (304, asked_again)
        for path in (f"/simple/demo/{NAME}", f"/simple/demo/{NAME}.metadata", f"/simple/demo/{SDIST}", f"/{NAME}"):
            assert await said(path) == (200, asked_again)
            assert await said(path, Range="bytes=0-0") == (206, asked_again)
        by_digest = f"/-/share/v1/file/{hashlib.sha256(WHEEL).hexdigest()}"
        assert await said(by_digest) == (200, forever)
        assert await said(by_digest, Range="bytes=0-0") == (206, forever)
        assert await said(f"/simple/bare/{unhashed}.metadata") == (200, asked_again)
        assert await said(f"/simple/bare/{unhashed}", Range="bytes=-10") == (206, asked_again)
        await client.get(f"/simple/bare/{unhashed}")
        await until(lambda: bool(one.store.catalog.stored_names("bare")))
        assert "etag" in (await client.get(f"/simple/bare/{unhashed}")).headers
        origin.fate = lambda: Trouble(after_bytes=0, error=errors.OriginFault("fetch it", "reset"))
        assert await said(f"/simple/gone/{wheel_filename('gone', '1.0')}") == (502, never)
        origin.page_troubles.append(OriginUnreachable("look it up", "it is gone"))
        assert await said("/simple/new/") == (503, never)
        for path in ("/simple/demo/nothing-1.0.tar.gz", "/nothing", f"/simple/demo/{SDIST}.metadata"):
            assert await said(path) == (404, never)
        assert await said(f"/simple/demo/{NAME}", **{"If-Match": '"another"'}) == (412, never)
        assert await said(f"/simple/demo/{NAME}", Range="bytes=99999999-") == (416, never)
        assert await said("/readyz") == (200, never)
    guide = (Path(__file__).parents[3] / "docs" / "guide" / "gateway.md").read_text()
    for words in (f"`{forever}`", f"`{asked_again}`", f"`{never}`"):
        assert words in guide


async def test_a_fetch_that_fails_midway_breaks_the_answer_off(tmp_path: Path, origin: MemoryOrigin) -> None:
    async with gateway(tmp_path, origin) as (client, _):
        await client.get(f"/simple/demo/{NAME}", headers={"Range": "bytes=-1"})
        origin.fate = lambda: Trouble(after_bytes=0, error=errors.OriginFault("fetch it", "reset"))
        begun = await client.get(f"/simple/demo/{NAME}")
        assert (begun.status_code, "reset" in begun.text) == (502, True), "it had a beginning to be told in"
        troubles = iter([Trouble(after_bytes=HttpLimits().piece_bytes + 1, error=errors.OriginFault("fetch it", "reset"))])
        refused = Trouble(after_bytes=0, error=errors.OriginDenied("fetch it", "reset"))
        origin.fate = lambda: next(troubles, refused)
        with pytest.raises(httpx2.RemoteProtocolError):
            await client.get(f"/simple/demo/{NAME}")
        origin.fate = None
        assert (await client.get(f"/simple/demo/{NAME}")).content == WHEEL


async def test_a_client_that_hangs_up_leaves_no_open_file(tmp_path: Path, origin: MemoryOrigin) -> None:
    async with gateway(tmp_path, origin) as (client, one):
        await client.get(f"/simple/demo/{NAME}", headers={"Range": "bytes=-1"})
        origin.pause = PauseMidway()
        async with await trio.open_tcp_stream("127.0.0.1", client.base_url.port or 0) as connection:
            await connection.send_all(f"GET /simple/demo/{NAME} HTTP/1.1\r\nHost: lab\r\n\r\n".encode())
            assert (await connection.receive_some()).startswith(b"HTTP/1.1 200")
            downloads = list(one.node.downloads._downloads.values())
            assert downloads[0].is_busy
        origin.pause.set()
        await until(lambda: not any(download.is_busy for download in downloads))


async def test_a_file_without_a_hash_flows_like_any_other_and_is_taken_for_the_same_only_when_it_is_stored(
    tmp_path: Path,
) -> None:
    origin = MemoryOrigin()
    origin.add("demo", NAME, WHEEL, hashed=False, sized=False)
    async with gateway(tmp_path, origin) as (client, one):
        path = f"/simple/demo/{NAME}"
        head = await client.head(path)
        assert (head.status_code, head.headers["content-length"]) == (200, str(len(WHEEL)))
        part = await client.get(path, headers={"Range": "bytes=-10"})
        assert (part.status_code, part.content) == (206, WHEEL[-10:])
        metadata = await client.get(f"{path}.metadata")
        assert origin.sent_bytes[NAME] < len(WHEEL) / 2
        for reply in (head, part, metadata):
            assert reply.headers["cache-control"] == "no-cache"
        origin.pause = PauseMidway()
        async with client.stream("GET", path) as reply:
            pieces = reply.aiter_raw()
            received = await anext(pieces)
            assert not origin.pause.is_set()
            origin.pause.set()
            async for piece in pieces:
                received += piece
        assert received == WHEEL
        await until(lambda: one.store.holds(hashlib.sha256(WHEEL).digest()))
        stored = await client.get(path)
        assert (stored.content, "etag" in stored.headers) == (WHEEL, True)


async def test_a_file_that_grew_since_it_was_looked_up_is_not_cut_off_at_its_old_size(tmp_path: Path) -> None:
    larger = build_wheel("demo", "1.0", big_bytes=1_200_000)
    origin = MemoryOrigin()
    origin.add("demo", NAME, WHEEL, hashed=False, sized=False)
    async with gateway(tmp_path, origin) as (client, _):
        path = f"/simple/demo/{NAME}"
        assert (await client.head(path)).headers["content-length"] == str(len(WHEEL))
        origin.files[NAME] = larger
        answers: list[int] = []
        while len(answers) < 5 and 200 not in answers:
            answers.append(0)
            with suppress(httpx2.RemoteProtocolError):  # broken off where more had been sent when it was found out
                told = await client.get(path)
                answers[-1] = told.status_code
                assert told.content == larger or told.status_code == HTTPStatus.BAD_GATEWAY
        assert answers[-1] == HTTPStatus.OK, answers


async def test_pages_come_in_the_form_that_the_client_wants(tmp_path: Path, origin: MemoryOrigin) -> None:
    async with gateway(tmp_path, origin) as (client, _):
        html = await client.get("/simple/demo/", headers={"Accept": "text/html"})
        assert html.headers["content-type"].startswith("text/html")
        assert f'href="{NAME}#sha256='.encode() in html.content
        again = await client.get("/simple/demo/", headers={"Accept": "text/html", "If-None-Match": html.headers["etag"]})
        assert again.status_code == HTTPStatus.NOT_MODIFIED
        json = await client.get("/simple/demo/", headers={"Accept": "application/vnd.pypi.simple.v1+json"})
        assert json.headers["content-type"] == "application/vnd.pypi.simple.v1+json"
        page = json.json()
        assert page["meta"]["api-version"] == "1.4"
        assert page["versions"] == ["1.0"]
        assert {file["filename"] for file in page["files"]} == {NAME, SDIST}
        asked = await client.get("/simple/demo/?format=application/vnd.pypi.simple.v1%2Bjson")
        assert asked.content == json.content
        root = await client.get("/simple/", headers={"Accept": "application/vnd.pypi.simple.v1+json"})
        assert root.json()["projects"] == [{"name": "demo"}]
        assert (await client.get("/simple/demo/", headers={"Accept": "image/png"})).status_code == HTTPStatus.NOT_ACCEPTABLE


async def test_other_spellings_lead_to_the_one_place(tmp_path: Path, origin: MemoryOrigin) -> None:
    async with gateway(tmp_path, origin) as (client, _):
        for path in ("/simple/demo", "/simple/Demo/", "/simple/DEMO"):
            found = await client.get(path)
            assert found.status_code == HTTPStatus.MOVED_PERMANENTLY, path
            followed = await client.get(f"{path}?format=text/html", follow_redirects=True)
            assert (followed.status_code, followed.url.path, followed.url.query) == (200, "/simple/demo/", b"format=text/html")


@pytest.mark.parametrize(
    "path",
    [
        "/simple/absent/",
        "/simple/demo/absent-1.0-py3-none-any.whl",
        "/simple/demo/..%2f..%2fetc%2fpasswd",
        "/simple/demo/%00",
        f"/simple/demo/{NAME}/",
        "//simple/demo/",
        "/" + "a/" * 50,
        "/absent",
    ],
)
async def test_what_is_not_there_is_404(tmp_path: Path, origin: MemoryOrigin, path: str) -> None:
    async with gateway(tmp_path, origin) as (client, _):
        url = client.base_url.copy_with(raw_path=path.encode())
        assert (await client.get(url)).status_code == HTTPStatus.NOT_FOUND


async def test_an_index_that_cannot_be_asked_is_no_404(tmp_path: Path, origin: MemoryOrigin) -> None:
    origin.page_troubles.extend([errors.OriginUnreachable("ask", "no route")] * 9)
    async with gateway(tmp_path, origin) as (client, _):
        reply = await client.get("/simple/demo/")
        assert reply.status_code == HTTPStatus.SERVICE_UNAVAILABLE
        assert "no route" in reply.text
        assert int(reply.headers["retry-after"]) > 0


async def test_nothing_can_be_changed(tmp_path: Path, origin: MemoryOrigin) -> None:
    async with gateway(tmp_path, origin) as (client, _):
        for method in ("POST", "PUT", "DELETE", "PATCH"):
            reply = await client.request(method, "/simple/demo/", content=b"x" * 100_000)
            assert (reply.status_code, reply.headers["allow"]) == (405, "GET, HEAD")


async def test_without_the_token_nothing_is_told_but_that_the_gateway_lives(tmp_path: Path, origin: MemoryOrigin) -> None:
    async with gateway(tmp_path, origin, token="s3cret") as (client, _):
        refused = await client.get("/simple/demo/")
        assert (refused.status_code, refused.headers["www-authenticate"][:5]) == (401, "Basic")
        assert (await client.get("/absent")).status_code == HTTPStatus.UNAUTHORIZED
        assert (await client.get("/healthz")).text == "ok\n"
        assert (await client.get("/simple/demo/", auth=("__token__", "s3cret"))).status_code == HTTPStatus.OK
        assert (await client.get("/simple/demo/", headers={"Authorization": "Bearer s3cret"})).status_code == HTTPStatus.OK
    assert not origin.requests["range"]


def classes(base: type[errors.WheelfsError]) -> Iterator[type[errors.WheelfsError]]:
    for below in base.__subclasses__():
        yield below
        yield from classes(below)


def test_every_error_class_has_a_status_of_its_own_line() -> None:
    assert {known for known in classes(errors.WheelfsError) if known.__module__ == errors.__name__} == set(STATUS_OF_CLASS)


def test_only_what_is_not_there_sends_a_client_to_its_next_index() -> None:
    quiet = {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND, HTTPStatus.GONE}
    assert {known for known, status in STATUS_OF_CLASS.items() if status in quiet} == {errors.NotKnown, errors.OriginMissing}
    assert status_of(errors.WheelfsError("a", "b")) == HTTPStatus.INTERNAL_SERVER_ERROR


async def test_the_page_for_people_is_there_also_while_an_index_is_down(tmp_path: Path, origin: MemoryOrigin) -> None:
    async with gateway(tmp_path, origin) as (client, one):
        with pytest.raises(OriginUnreachable), one.node.hosts.request("ask", origin.url, timeout_s=1.0):
            raise OriginUnreachable("ask", "connection refused")
        assert (await client.get("/")).status_code == 200
        assert 'wheelfs_origin_up{index="corp"} 0.0' in (await client.get("/metrics")).text
