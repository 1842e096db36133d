"""Content codings of pages and of files (RFC 9110, 8.4)."""

from __future__ import annotations

import gzip
import zlib
from typing import TYPE_CHECKING

import zstandard

from tests.fakes.server import Answer
from tests.world.habits import ABSENT, ERROR, GOOD, HASH, OLD, habit
from tests.world.shop import a, entry, large_page

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.fakes.server import Request
    from tests.world.shop import Shop

UV_MEMBERS = "uv reads the first member only, and without a word"


DECODED = "the bytes that the hash says, or else those that are a file of its kind"


def _encoded(shop: Shop, encode: Callable[[bytes], bytes], coding: str, fragment: str | None = None, *, always: bool) -> None:
    wheel = large_page(shop, fragment)

    def change(request: Request, answer: Answer) -> Answer:
        accepted = coding in request.headers.get("accept-encoding", "")
        if answer.status != 200 or not (always or accepted):
            return answer
        return Answer(200, encode(answer.body), {**answer.headers, "Content-Encoding": coding})

    shop.wrap(wheel.path, change)


@habit("wheels are gzip-encoded where that is accepted", "nginx with gzip_types *", quick=True)
def file_gzip_accepted(shop: Shop) -> None:
    _encoded(shop, gzip.compress, "gzip", always=False)


@habit(
    "wheels are gzip-encoded, asked or not",
    "Google's storage with stored encodings",
    pip=HASH,
    uv=GOOD,
    also_right=GOOD,
    why=DECODED,
)
def file_gzip_always(shop: Shop) -> None:
    _encoded(shop, gzip.compress, "gzip", always=True)


@habit("wheels are gzip-encoded, asked or not, without hashes", "the same", pip=ERROR, uv=GOOD, also_right=GOOD, why=DECODED)
def file_gzip_always_no_hash(shop: Shop) -> None:
    _encoded(shop, gzip.compress, "gzip", "", always=True)


@habit("wheels are deflate-encoded, asked or not", "old IIS", pip=HASH, uv=GOOD, also_right=GOOD, why=DECODED)
def file_deflate_always(shop: Shop) -> None:
    _encoded(shop, zlib.compress, "deflate", always=True)


@habit(
    "a wheel says gzip and is not",
    "Apache's AddEncoding by mistake",
    also_right=GOOD,
    why="the bytes are those that the hash says",
    pip=GOOD,
    uv=ERROR,
)
def file_gzip_lie(shop: Shop) -> None:
    _encoded(shop, bytes, "gzip", always=True)


@habit(
    "an sdist is sent with Content-Encoding: gzip, since it ends in .gz",
    "Apache's mod_mime; pypiserver served by it",
    pip=GOOD,
    without={"flat": "flat directories have no sdists"},
    requirement="sdist-as-gzip",
    quick=True,
    uv=ERROR,
    also_right=GOOD,
    why=DECODED,
)
def sdist_as_gzip(shop: Shop) -> None:
    item = shop.sdist(served={"headers": {"Content-Encoding": "gzip"}})
    shop.html(a(item))


@habit(
    "the same, without a hash",
    "the same",
    uv=ERROR,
    also_right=GOOD,
    why="pip's reading of it",
    without={"flat": "flat directories have no sdists"},
)
def sdist_as_gzip_no_hash(shop: Shop) -> None:
    item = shop.sdist(served={"headers": {"Content-Encoding": "gzip"}})
    shop.html(a(item, ""))


def _good(shop: Shop) -> None:
    shop.html(a(shop.wheel("1.0")), a(shop.wheel()))


def _encode(shop: Shop, encode: Callable[[bytes], bytes], coding: str, *, always: bool = False) -> None:
    def change(request: Request, answer: Answer) -> Answer:
        if answer.status != 200 or not (always or coding in request.headers.get("accept-encoding", "")):
            return answer
        return Answer(200, encode(answer.body), {**answer.headers, "Content-Encoding": coding, "Vary": "Accept-Encoding"})

    shop.wrap_page(change)


def _members(body: bytes) -> bytes:
    return b"".join(gzip.compress(body[at : at + 100]) for at in range(0, len(body), 100))


@habit("pages are gzip-encoded", "every web server", quick=True)
def page_gzip(shop: Shop) -> None:
    _good(shop)
    _encode(shop, gzip.compress, "gzip")


@habit(
    "gzip-encoded pages of several members",
    "bgzip and block-wise compressing servers (RFC 1952 allows it)",
    quick=True,
    uv=ABSENT,
    also_right=GOOD,
    why=UV_MEMBERS,
)
def page_gzip_members(shop: Shop) -> None:
    _good(shop)
    _encode(shop, _members, "gzip")


@habit("the same in JSON", "the same", uv=ERROR, also_right=GOOD, why=UV_MEMBERS)
def page_gzip_members_json(shop: Shop) -> None:
    shop.json(entry(shop.wheel("1.0")), entry(shop.wheel()))
    _encode(shop, _members, "gzip")


@habit("a gzip-encoded page with zeros after it", "gzip files padded to blocks", uv=GOOD)
def page_gzip_padded(shop: Shop) -> None:
    _good(shop)
    _encode(shop, lambda body: gzip.compress(body) + bytes(100), "gzip")


@habit(
    "a gzip-encoded page that ends early",
    "proxies that cut",
    pip=OLD,
    uv=ERROR,
    instead=ERROR,
    why="a page that ends early has not said what is newest",
)
def page_gzip_cut(shop: Shop) -> None:
    others = "".join(f"<p>{n * 7919 % 10007}</p>" for n in range(3000))
    shop.html(a(shop.wheel("1.0")), others, a(shop.wheel()))
    _encode(shop, lambda body: gzip.compress(body)[:-200], "gzip")


@habit(
    "a page that says gzip and is not",
    "AddEncoding by mistake",
    pip=ERROR,
    uv=ERROR,
    also_right=GOOD,
    why="a page that can be read is read",
)
def page_gzip_lie(shop: Shop) -> None:
    _good(shop)
    _encode(shop, bytes, "gzip")


@habit("pages are deflate-encoded", "old IIS", uv=GOOD)
def page_deflate(shop: Shop) -> None:
    _good(shop)
    _encode(shop, zlib.compress, "deflate", always=True)


@habit(
    "pages are deflate-encoded without zlib's header",
    "IIS: RFC 9110 says zlib, servers do not",
    uv=ERROR,
    also_right=GOOD,
    why="uv does not know it",
)
def page_deflate_raw(shop: Shop) -> None:
    _good(shop)

    def raw(body: bytes) -> bytes:
        packer = zlib.compressobj(wbits=-15)
        return packer.compress(body) + packer.flush()

    _encode(shop, raw, "deflate", always=True)


@habit("pages are zstd-encoded where that is accepted", "CDNs since 2024", uv=GOOD)
def page_zstd(shop: Shop) -> None:
    _good(shop)
    _encode(shop, zstandard.compress, "zstd")


@habit("pages are x-gzip-encoded", "Apache of 1999 (RFC 9110, 8.4.1.3)", also_right=GOOD, why="uv does not know it", uv=ABSENT)
def page_x_gzip(shop: Shop) -> None:
    _good(shop)
    _encode(shop, gzip.compress, "x-gzip", always=True)


@habit("Content-Encoding: identity", "hand-made servers", uv=GOOD)
def page_identity(shop: Shop) -> None:
    _good(shop)
    _encode(shop, bytes, "identity", always=True)


@habit("Content-Encoding: utf-8", "hand-made servers that mean the charset", uv=GOOD)
def page_encoding_utf8(shop: Shop) -> None:
    _good(shop)
    _encode(shop, bytes, "utf-8", always=True)


@habit("Content-Encoding: none", "hand-made servers", uv=GOOD)
def page_encoding_none(shop: Shop) -> None:
    _good(shop)
    _encode(shop, bytes, "none", always=True)


@habit("Content-Encoding: aws-chunked on files, and parts of them", "S3, of what was uploaded in chunks")
def file_encoding_aws_chunked(shop: Shop) -> None:
    wheel = large_page(shop)
    shop.wrap(
        wheel.path, lambda _, answer: Answer(answer.status, answer.body, {**answer.headers, "Content-Encoding": "aws-chunked"})
    )


@habit(
    "the page is compressed twice",
    "a proxy that compresses what is compressed",
    uv=ABSENT,
    also_right=GOOD,
    why="uv does not know it",
)
def page_gzip_twice(shop: Shop) -> None:
    _good(shop)
    _encode(shop, lambda body: gzip.compress(gzip.compress(body)), "gzip, gzip", always=True)
