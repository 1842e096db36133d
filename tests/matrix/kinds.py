"""The kinds of fault of the matrix: what a server, or the line to it, does wrong to one answer.

Each is tried on files; those that say nothing of lengths, sums and ranges also on project pages, which have none.
"""

from __future__ import annotations

import gzip
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from tests.fakes.faults import Changed, Reset, Stall, Wire
from tests.fakes.server import Answer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.fakes.faults import Action
    from tests.fakes.server import Request

ENDLESS_S: Final = 3_600.0
_SLOW_S: Final = 0.25
_TOO_LATE: Final = {"Retry-After": "3600"}
_GARBAGE: Final = b"\x00\xfe this is no status line\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Kind:
    """``action`` is made from the right content.  Without one, ``content`` is what is hosted; without both, nothing listens."""

    name: str
    action: Callable[[bytes], Action] | None = None
    content: Callable[[bytes], bytes] | None = None
    on_pages: bool = True


# --- scripts of bytes -----------------------------------------------------------------------------------------------------


def _head(answer: Answer, *framing: str) -> bytes:
    lines = [f"HTTP/1.1 {answer.status} X", *(f"{key}: {value}" for key, value in answer.headers.items()), *framing, "", ""]
    return "\r\n".join(lines).encode()


def _length(answer: Answer) -> str:
    return f"Content-Length: {len(answer.body)}"


def _whole(answer: Answer, *framing: str) -> bytes:
    return _head(answer, *framing) + answer.body


def _half(answer: Answer) -> bytes:
    return answer.body[: len(answer.body) // 2]


def _cut(answer: Answer, framing: str) -> Iterator[bytes | float]:
    half = _half(answer)
    match framing:
        case "length":
            yield _head(answer, _length(answer)) + half
        case "chunked":
            yield _head(answer, "Transfer-Encoding: chunked") + b"%x\r\n%b\r\n" % (len(half), half)
        case _:
            yield _head(answer, "Connection: close") + half
    yield 0.1  # what was sent is read before a reset throws it away


def _flood(_answer: Answer) -> Iterator[bytes | float]:
    while True:
        yield b"HTTP/1.1 100 Continue\r\n\r\n" * 20
        yield 0.1


def _long_headers(answer: Answer) -> Iterator[bytes | float]:
    many = (f"X-{number}: {'a' * 1000}" for number in range(10_000))
    yield _whole(answer, *many, _length(answer))


def _dripped(head: bytes, slow: bytes) -> Iterator[bytes | float]:
    yield head
    for at in range(len(slow)):
        yield slow[at : at + 1]
        yield _SLOW_S


def _stalled(answer: Answer, sent: bytes) -> Iterator[bytes | float]:
    yield _head(answer, _length(answer)) + sent
    yield ENDLESS_S


def _wire(script: Callable[[Answer], Iterator[bytes | float]], *, resets: bool = False) -> Callable[[bytes], Action]:
    return lambda _content: Wire(script, resets)


def _raw(made: Callable[[Answer], bytes]) -> Callable[[bytes], Action]:
    return lambda _content: Wire(lambda answer: iter([made(answer)]))


# --- other answers --------------------------------------------------------------------------------------------------------


def _answered(status: int, headers: dict[str, str] | None = None) -> Callable[[bytes], Action]:
    given = Answer(status, b"the fault says so\n", {"Content-Type": "text/plain", **(headers or {})})
    return lambda _content: Changed(lambda _request, _answer: replace(given, headers=dict(given.headers)))


def _led(to: str) -> Callable[[bytes], Action]:
    return _answered(302, {"Location": to})


def _loop(_content: bytes) -> Action:
    def change(request: Request, _answer: Answer) -> Answer:
        path, _, turn = request.path.partition("?turn=")
        return Answer(302, headers={"Location": f"{path}?turn={int(turn or 0) + 1}"})

    return Changed(change)


def _encoded(body: Callable[[bytes], bytes]) -> Callable[[bytes], Action]:
    """Answer with the whole content, said to be compressed, whatever range was asked for."""

    def make(content: bytes) -> Action:
        def change(_request: Request, answer: Answer) -> Answer:
            said = {key: value for key, value in answer.headers.items() if key != "Content-Range"}
            return Answer(200, body(content), {**said, "Content-Encoding": "gzip"})

        return Changed(change)

    return make


def _ranged(change: Callable[[bytes, int, Answer], Answer]) -> Callable[[bytes], Action]:
    """Answer requests for a range by ``change(content, first, answer)``, others as is right."""

    def make(content: bytes) -> Action:
        def changed(_request: Request, answer: Answer) -> Answer:
            if answer.status != 206:
                return answer
            return change(content, int(answer.headers["Content-Range"].removeprefix("bytes ").partition("-")[0]), answer)

        return Changed(changed)

    return make


def _part(content: bytes, first: int, length: int, *, total: int | None = None) -> Answer:
    body = content[first : first + length]
    span = f"bytes {first}-{first + len(body) - 1}/{len(content) if total is None else total}"
    return Answer(206, body, {"Content-Type": "application/octet-stream", "Content-Range": span})


def _shifted(content: bytes, first: int, answer: Answer) -> Answer:
    return _part(content, max(0, first - 16), len(answer.body))


def _elsewhere(content: bytes, first: int, answer: Answer) -> Answer:
    right = _part(content, first, len(answer.body))
    return replace(right, body=_part(content, max(0, first - 16), len(answer.body)).body)


def _multipart(content: bytes, first: int, answer: Answer) -> Answer:
    right = _part(content, first, len(answer.body))
    body = b"--x\r\nContent-Range: %b\r\n\r\n%b\r\n--x--\r\n" % (right.headers["Content-Range"].encode(), right.body)
    return Answer(206, body, {"Content-Type": "multipart/byteranges; boundary=x"})


def _one_bit(content: bytes) -> bytes:
    """Flip one in every part that a way may ask for alone: what versions differ in, what they share, and the file's end."""
    changed = bytearray(content)
    for at in (len(content) // 4, len(content) * 3 // 4, len(content) - 200):
        changed[at] ^= 1
    return bytes(changed)


def _members(content: bytes) -> bytes:
    middle = len(content) // 2
    return gzip.compress(content[:middle]) + gzip.compress(content[middle:])


def _file_only(name: str, action: Callable[[bytes], Action]) -> Kind:
    return Kind(name, action, on_pages=False)


KINDS: Final = (
    Kind("refused"),
    Kind("hang", lambda _: Stall()),
    Kind("reset", lambda _: Reset()),
    Kind("close", _wire(lambda _: iter(()))),
    Kind("garbage-status-line", _raw(lambda _: _GARBAGE)),
    Kind("flood-of-1xx", _wire(_flood)),
    Kind("10-MB-of-headers", _wire(_long_headers)),
    Kind("headers-a-byte-at-a-time", _wire(lambda answer: _dripped(b"", _whole(answer, _length(answer))))),
    Kind("stall-after-headers", _wire(lambda answer: _stalled(answer, b""))),
    Kind("stall-in-the-middle", _wire(lambda answer: _stalled(answer, _half(answer)))),
    Kind("drip", _wire(lambda answer: _dripped(_head(answer, _length(answer)), answer.body))),
    Kind("reset-length", _wire(lambda answer: _cut(answer, "length"), resets=True)),
    Kind("reset-chunked", _wire(lambda answer: _cut(answer, "chunked"), resets=True)),
    Kind("reset-neither", _wire(lambda answer: _cut(answer, "neither"), resets=True)),
    Kind("truncated-length", _wire(lambda answer: _cut(answer, "length"))),
    Kind("truncated-chunked", _wire(lambda answer: _cut(answer, "chunked"))),
    Kind("truncated-neither", _wire(lambda answer: _cut(answer, "neither"))),
    Kind("bad-chunk", _raw(lambda answer: _head(answer, "Transfer-Encoding: chunked") + b"zz\r\n" + answer.body)),
    Kind("two-lengths", _raw(lambda answer: _whole(answer, _length(answer), f"Content-Length: {len(answer.body) - 7}"))),
    Kind("negative-length", _raw(lambda answer: _whole(answer, "Content-Length: -7"))),
    Kind("longer", content=lambda content: content + bytes(7), on_pages=False),
    Kind("shorter", content=lambda content: content[:-7], on_pages=False),
    Kind("empty", content=lambda _: b"", on_pages=False),
    Kind("one-bit", content=_one_bit, on_pages=False),
    Kind("all-bits", content=lambda content: bytes(byte ^ 0xFF for byte in content), on_pages=False),
    Kind("gzip-that-is-none", _encoded(lambda content: content)),
    Kind("gzip-unasked", _encoded(gzip.compress)),
    Kind("gzip-cut", _encoded(lambda content: gzip.compress(content)[:-20])),
    Kind("gzip-of-several-members", _encoded(_members)),
    Kind("401", _answered(401, {"WWW-Authenticate": 'Basic realm="fault"'})),
    Kind("403", _answered(403)),
    Kind("404", _answered(404)),
    Kind("429", _answered(429)),
    Kind("429-retry-after-3600", _answered(429, _TOO_LATE)),
    Kind("503", _answered(503)),
    Kind("503-retry-after-3600", _answered(503, _TOO_LATE)),
    Kind("500", _answered(500)),
    Kind("redirect-loop", _loop),
    Kind("redirect-to-a-closed-port", _led("http://127.78.255.1:1/x")),
    Kind("redirect-to-no-such-host", _led("http://nowhere.invalid/x")),
    _file_only("ranges-ignored", _ranged(lambda content, _first, _answer: Answer(200, content))),
    _file_only("ranges-416", _ranged(lambda content, *_: Answer(416, b"", {"Content-Range": f"bytes */{len(content)}"}))),
    _file_only("ranges-501", _ranged(lambda *_: Answer(501, b"unsupported\n"))),
    _file_only("ranges-shifted", _ranged(_shifted)),
    _file_only("ranges-of-other-bytes", _ranged(_elsewhere)),
    _file_only(
        "ranges-of-a-false-total",
        _ranged(lambda content, first, answer: _part(content, first, len(answer.body), total=len(content) + 1_000)),
    ),
    _file_only("ranges-multipart", _ranged(_multipart)),
)
