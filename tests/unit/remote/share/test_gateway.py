"""What a gateway says about its files, when it lies: a name becomes a path, a key and a link in many places."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from tests.fakes.index import FakeIndex
from tests.fakes.server import Answer
from wheelfs.errors import OriginFault
from wheelfs.model.links import MAX_TIME_US
from wheelfs.model.shared import FeedPage, SharedFile
from wheelfs.remote.http.tls import DEFAULT_ACCESS
from wheelfs.remote.share.gateway import Gateway

if TYPE_CHECKING:
    from tests.fakes import faults
    from tests.fakes.server import Request

HONEST = SharedFile("demo", "demo-1.0-py3-none-any.whl", "main", bytes(32), 10)
ODD = (SharedFile("demo", "demo-old_beta.tar.gz", "main", bytes(32), 0, upload_time_us=MAX_TIME_US),)


class Liar(FakeIndex):
    events: FeedPage | bytes = FeedPage((), (), "1")

    def answer(self, request: Request, action: faults.Action | None) -> Answer:
        return Answer(200, self.events if isinstance(self.events, bytes) else msgspec.msgpack.encode(self.events))


async def told(events: FeedPage | bytes) -> FeedPage:
    with Liar() as liar:
        liar.events = events
        gateway = Gateway("lab", liar.origin, {}, access=DEFAULT_ACCESS)
        try:
            return await gateway.events(None)
        finally:
            await gateway.aclose()


@pytest.mark.parametrize(
    "lie",
    [
        *({"filename": name} for name in ("../demo-1.0-py3-none-any.whl", "demo/../x.tar.gz", "", ".", "..", "index.html")),
        *(
            {"filename": name}
            for name in ("demo-1.0\0.tar.gz", "demo-1.0\n.whl", "demo-1.0-py3-none-any.whl/x", "d" * 300 + ".whl")
        ),
        {"filename": "other-1.0-py3-none-any.whl"},
        *({"project": project} for project in ("Demo", "../demo", "", ".wheelfs", "de\0mo", "demo/x", "d" * 300)),
        *({"sha256": digest} for digest in (b"", bytes(31), bytes(33))),
        *({"size_bytes": size} for size in (-1, 1 << 62)),
        *({"upload_time_us": time_us} for time_us in (-1, MAX_TIME_US + 1, 1 << 62)),
        {"metadata_sha256": b"short"},
        *({name: "x" * 100_000} for name in ("index", "requires_python", "yanked", "url")),
        *({"index": name} for name in ("\x1b[2J", "a\nb", "\0")),
    ],
    ids=lambda lie: repr(lie)[:60],
)
async def test_what_cannot_be_shown_is_left_out_of_the_news_and_the_rest_is_not(lie: dict[str, object]) -> None:
    files = (HONEST, msgspec.structs.replace(HONEST, **lie), *ODD)
    assert (await told(FeedPage(files, (), "2"))).files == (HONEST, *ODD)


async def test_a_cursor_that_fits_into_no_address_is_no_answer() -> None:
    with pytest.raises(OriginFault, match="cursor is too long"):
        await told(FeedPage((), (), "9" * 100_000))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xc1",
        b"\x91" * 100_000,
        msgspec.msgpack.encode(FeedPage((HONEST,), (), "1")).replace(b"\xa4demo", b"\xa4\xff\xfe\xff\xfe"),
    ],
    ids=["empty", "invalid", "deep", "no text"],
)
async def test_news_that_cannot_be_read_are_the_gateways_fault(body: bytes) -> None:
    with pytest.raises(OriginFault, match="invalid response"):
        await told(body)
