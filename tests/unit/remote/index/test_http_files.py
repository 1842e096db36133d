"""An index over real sockets: pages, parts of files, and everything that servers do instead of what was asked."""

from __future__ import annotations

from contextlib import AsyncExitStack
from threading import Event
from typing import TYPE_CHECKING

import pytest
import trio

from tests.fakes import faults
from tests.fakes.faults import Fault
from tests.fakes.index import FakeIndex
from tests.unit.remote.index.asking import CONTENT, DEMO, WHEEL, brought, client_of
from wheelfs.core.http.ranges import ByteRequest, From, Range, Suffix, Whole
from wheelfs.errors import (
    ContentChanged,
    OriginBusy,
    OriginError,
    OriginFault,
    OriginMissing,
    OriginTimeout,
)
from wheelfs.remote.http.connections import READ_BYTES, TLS_READ_BYTES
from wheelfs.remote.limits import HttpLimits
from wheelfs.remote.origin import FileHead, PageFound
from wheelfs.service.fetch.limits import FETCH_LIMITS

if TYPE_CHECKING:
    from pathlib import Path

# --- parts of files -----------------------------------------------------------------------------------------------------

ASKED = [
    (Whole(), 0, len(CONTENT)),
    (From(1000), 1000, len(CONTENT)),
    (Range(1000, 1010), 1000, 1010),
    (Suffix(500), len(CONTENT) - 500, len(CONTENT)),
    (Suffix(10_000_000), 0, len(CONTENT)),
]


@pytest.mark.parametrize(("wanted", "start", "end"), ASKED)
async def test_a_server_with_ranges_sends_what_is_wanted(wanted: ByteRequest, start: int, end: int) -> None:
    with FakeIndex() as index:
        index.add(WHEEL, CONTENT)
        async with client_of(index) as client:
            whole = (start, end) == (0, len(CONTENT))
            assert await brought(client, index.file_url(WHEEL), wanted) == (start, CONTENT[start:end], len(CONTENT), whole)
            assert len(index.requests) == 1


@pytest.mark.parametrize("ranges", ["ignore", "refuse", "not-implemented", "suffix-unsupported"])
@pytest.mark.parametrize("content_length", [True, False])
@pytest.mark.parametrize(("wanted", "start", "end"), ASKED)
async def test_whatever_the_server_makes_of_ranges_what_is_wanted_comes(
    ranges: str, content_length: bool, wanted: ByteRequest, start: int, end: int
) -> None:
    with FakeIndex(ranges=ranges, content_length=content_length) as index:  # type: ignore[arg-type]
        index.add(WHEEL, CONTENT)
        async with client_of(index) as client:
            offset, data, total, is_whole = await brought(client, index.file_url(WHEEL), wanted)
            assert data == CONTENT[offset : offset + len(data)]
            assert offset <= start < end <= offset + len(data)
            assert total in (None, len(CONTENT))
            assert is_whole == (len(data) == len(CONTENT))
            assert len(index.requests) <= 4


@pytest.mark.parametrize("wanted", [Whole(), From(1000), Suffix(500)])
async def test_a_server_that_compresses_against_our_will_is_decoded(wanted: ByteRequest) -> None:
    with FakeIndex(gzip="always") as index:
        index.add(WHEEL, CONTENT)
        async with client_of(index) as client:
            assert await brought(client, index.file_url(WHEEL), wanted) == (0, CONTENT, None, True)


async def test_a_suffix_of_a_server_that_knows_none_costs_no_whole_file() -> None:
    with FakeIndex(ranges="suffix-unsupported") as index:
        index.add(WHEEL, CONTENT)
        async with client_of(index) as client:
            offset, data, _, _ = await brought(client, index.file_url(WHEEL), Suffix(500))
            assert (offset, len(data)) == (len(CONTENT) - 500, 500)
            assert index.body_bytes(WHEEL) < 1000


async def test_a_file_that_became_another_is_noticed() -> None:
    with FakeIndex() as index:
        index.add(WHEEL, CONTENT)
        async with client_of(index) as client:
            async with client.open_range(index.file_url(WHEEL), Suffix(5)) as reply:
                etag = reply.etag
            assert (await brought(client, index.file_url(WHEEL), From(9), validator=etag))[0] == 9
            index.add(WHEEL, CONTENT[::-1])
            with pytest.raises(ContentChanged):
                await brought(client, index.file_url(WHEEL), From(9), validator=etag)


async def test_a_range_behind_the_end_means_another_file() -> None:
    with FakeIndex() as index:
        index.add(WHEEL, CONTENT)
        async with client_of(index) as client:
            with pytest.raises(ContentChanged, match=str(len(CONTENT))):
                await brought(client, index.file_url(WHEEL), From(len(CONTENT)))


@pytest.mark.parametrize("cut", [faults.Truncate(100_000), faults.Reset(100_000)])
@pytest.mark.parametrize("content_length", [True, False])
async def test_a_stream_that_breaks_off_is_truncated_after_what_came(
    cut: faults.Truncate | faults.Reset, content_length: bool
) -> None:
    with FakeIndex(content_length=content_length) as index:
        index.add(WHEEL, CONTENT)
        index.faults.append(Fault(WHEEL, cut))
        async with client_of(index) as client:
            came = b""
            with pytest.raises(OriginFault, match="truncated"):
                async with client.open_range(index.file_url(WHEEL), Whole()) as reply:
                    async for piece in reply.chunks:
                        came += piece
            assert came == CONTENT[: len(came)]
            if isinstance(cut, faults.Truncate):
                assert len(came) == 100_000


async def test_a_stream_that_stalls_times_out() -> None:
    with FakeIndex() as index:
        index.add(WHEEL, CONTENT)
        index.faults.append(Fault(WHEEL, faults.Stall(after_bytes=1000)))
        async with client_of(index, limits=HttpLimits(read_timeout_s=0.3)) as client:
            with pytest.raises(OriginTimeout):
                await brought(client, index.file_url(WHEEL), Whole())


async def test_a_reader_that_stops_early_leaves_a_usable_client() -> None:
    with FakeIndex() as index:
        index.add(WHEEL, CONTENT)
        async with client_of(index) as client:
            for _ in range(20):  # more often than there are connections
                async with client.open_range(index.file_url(WHEEL), Whole()) as reply:
                    async for _piece in reply.chunks:
                        break
            assert (await brought(client, index.file_url(WHEEL), Range(0, 3)))[1] == CONTENT[:3]


async def test_what_nobody_reads_is_not_fetched() -> None:
    content = bytes(32 << 20)
    with FakeIndex() as index:
        index.add(WHEEL, content)
        async with client_of(index) as client, client.open_range(index.file_url(WHEEL), Whole()) as reply:
            async for _piece in reply.chunks:
                break
        index.close()
        assert index.body_bytes(WHEEL) < len(content) // 2


async def test_an_absent_file_is_missing() -> None:
    with FakeIndex() as index:
        async with client_of(index) as client:
            with pytest.raises(OriginMissing):
                await brought(client, index.file_url(WHEEL), Whole())
            with pytest.raises(OriginMissing):
                await client.head(index.file_url(WHEEL))
            with pytest.raises(OriginMissing):
                await client.fetch_metadata(index.file_url(WHEEL) + ".metadata")


async def test_connections_are_used_again() -> None:
    with FakeIndex() as index:
        index.add(WHEEL, CONTENT)
        async with client_of(index) as client:
            await brought(client, index.file_url(WHEEL), Range(0, 10))
            index.hang()  # new connections are accepted, and answered only after unhang
            index.unhang()
            await brought(client, index.file_url(WHEEL), Range(0, 10))
            assert len(index.requests) == 2


async def test_head_tells_size_and_validator() -> None:
    with FakeIndex() as index:
        index.add(WHEEL, CONTENT)
        async with client_of(index) as client:
            head = await client.head(index.file_url(WHEEL))
            assert head == FileHead(len(CONTENT), head.etag, head.last_modified)
            assert head.etag is not None
            assert head.last_modified is not None


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 500, 501])
async def test_a_server_that_knows_no_head_tells_by_one_byte(status: int) -> None:
    with FakeIndex() as index:
        index.add(WHEEL, CONTENT)
        index.faults.append(Fault(lambda method, _: method == "HEAD", faults.Status(status), times=None))
        async with client_of(index) as client:
            assert (await client.head(index.file_url(WHEEL))).size_bytes == len(CONTENT)


@pytest.mark.parametrize("status", [403, 503])
async def test_a_refusal_of_all_methods_counts(status: int) -> None:
    with FakeIndex() as index:
        index.add(WHEEL, CONTENT)
        index.faults.append(Fault(WHEEL, faults.Status(status), times=None))
        async with client_of(index) as client:
            with pytest.raises(OriginError, match=str(status)):
                await client.head(index.file_url(WHEEL))


async def test_a_server_that_wants_to_be_asked_later_is_not_asked_in_another_way() -> None:
    with FakeIndex() as index:
        index.add(WHEEL, CONTENT)
        index.faults.append(Fault(WHEEL, faults.Status(429, {"Retry-After": "3600"}), times=None))
        async with client_of(index) as client:
            with pytest.raises(OriginBusy):
                await client.head(index.file_url(WHEEL))
        assert [request.method for request in index.requests] == ["HEAD"]


async def test_a_suffix_is_found_out_where_neither_it_nor_head_is_known() -> None:
    with FakeIndex(ranges="suffix-unsupported") as index:
        index.add(WHEEL, CONTENT)
        index.faults.append(Fault(lambda method, _: method == "HEAD", faults.Status(403), times=None))
        async with client_of(index) as client:
            for _ in range(2):
                offset, data, _, _ = await brought(client, index.file_url(WHEEL), Suffix(500))
                assert (offset + len(data), data) == (len(CONTENT), CONTENT[offset:])


async def test_metadata_is_fetched_whole_and_bounded() -> None:
    with FakeIndex() as index:
        index.add(WHEEL, CONTENT, metadata=b"Metadata-Version: 2.1\n" * 100)
        url = index.file_url(WHEEL) + ".metadata"
        async with client_of(index) as client:
            assert await client.fetch_metadata(url) == b"Metadata-Version: 2.1\n" * 100
        async with client_of(index, limits=HttpLimits(metadata_bytes=1000)) as client:
            with pytest.raises(OriginFault, match="more than"):
                await client.fetch_metadata(url)


async def test_no_signature_of_an_address_is_in_an_error() -> None:
    with FakeIndex() as index:
        async with client_of(index) as client:
            with pytest.raises(OriginMissing) as missing:
                await brought(client, index.file_url(WHEEL) + "?X-Signature=s3cret", Whole())
            assert "s3cret" not in str(missing.value)


@pytest.mark.parametrize(("tls", "at_once_bytes"), [(False, READ_BYTES), (True, TLS_READ_BYTES)], ids=["plain", "TLS"])
async def test_much_is_taken_out_of_a_socket_at_once(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, tls: bool, at_once_bytes: int
) -> None:
    asked: set[int] = set()
    recv = trio._socket._SocketType.recv

    async def noted(one: trio._socket._SocketType, size_bytes: int) -> bytes:
        asked.add(size_bytes)
        return await recv(one, size_bytes)

    monkeypatch.setattr(trio._socket._SocketType, "recv", noted)
    with FakeIndex(tls=tls) as index:
        index.add(WHEEL, CONTENT)
        (tmp_path / "ca.pem").write_bytes(index.ca_pem or b"")
        async with client_of(index, SSL_CERT_FILE=str(tmp_path / "ca.pem") if tls else "") as client:
            await brought(client, index.file_url(WHEEL), Whole())
    assert asked == {at_once_bytes}


async def test_files_that_run_keep_no_page_waiting() -> None:
    ended = Event()
    with FakeIndex() as index:
        index.add(WHEEL, CONTENT)
        index.faults.append(Fault(WHEEL, faults.Stall(until=ended, after_bytes=1000), times=None))
        async with client_of(index) as client, AsyncExitStack() as stack:
            for _ in range(FETCH_LIMITS.whole_streams):
                await stack.enter_async_context(client.open_range(index.file_url(WHEEL), Whole()))
            assert isinstance(await client.project_page(DEMO), PageFound)
            ended.set()
