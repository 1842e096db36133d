"""What a `FakeIndex`, or a scripted host, can do wrong, as values: a test appends `Fault`s to the index's script."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from threading import Event

    from tests.fakes.server import Answer, Request


@dataclass(frozen=True, slots=True)
class Status:
    """Answer with this status and a short text, and ``headers`` (``Retry-After``)."""

    code: int
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Stall:
    """Say nothing for ``seconds``, or until ``until`` is set, then go on as if nothing had been.

    ``after_bytes=None``: before the status line; 0: between headers and body; N: within the body.  Ends with the index.
    """

    seconds: float | None = None
    until: Event | None = None
    after_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Reset:
    """Send a TCP reset after so many body bytes (None: instead of a status line)."""

    after_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Truncate:
    """Close the connection in good order after so many body bytes, though more were announced."""

    after_bytes: int


@dataclass(frozen=True, slots=True)
class WrongBytes:
    """Flip every bit of the ``length`` bytes at ``at`` of the whole file (so ranges elsewhere are right); framing is right."""

    at: int = 0
    length: int = 1


@dataclass(frozen=True, slots=True)
class WrongLength:
    """Pretend that the file is ``delta`` bytes longer (zeros) or shorter than the index said; framing is right."""

    delta: int = 7


@dataclass(frozen=True, slots=True)
class Slow:
    """Send the body at this rate."""

    bytes_per_second: int


@dataclass(frozen=True, slots=True)
class GarbagePage:
    """Answer 200 with something that is no simple page."""

    content_type: str = "text/html"
    body: bytes = b"\x00\xff<<<html this is not a page \xfe{"


@dataclass(frozen=True, slots=True)
class RedirectLoop:
    """Redirect without end, each time to a new address."""


@dataclass(frozen=True, slots=True)
class Changed:
    """Send what ``change`` makes of the request and its right answer; framing is right."""

    change: Callable[[Request, Answer], Answer]


@dataclass(frozen=True, slots=True)
class Wire:
    """Send nothing but what ``script`` yields for the right answer, and close the connection when it ends.

    It yields bytes to send as they are, and seconds to say nothing for; a TCP reset instead of a close if ``resets``.
    """

    script: Callable[[Answer], Iterator[bytes | float]]
    resets: bool = False


Action = Status | Stall | Reset | Truncate | WrongBytes | WrongLength | Slow | GarbagePage | RedirectLoop | Changed | Wire


@dataclass(slots=True)
class Fault:
    """Do ``action`` for the next ``times`` requests (None: all) whose path contains ``match``, or for which ``match`` is true.

    A callable gets method and path.  Faults are tried in order; one that has no times left is passed over.
    """

    match: str | Callable[[str, str], bool]
    action: Action
    times: int | None = 1

    def concerns(self, method: str, path: str) -> bool:
        """Whether this fault has to be done now."""
        if self.times == 0:
            return False
        return self.match in path if isinstance(self.match, str) else self.match(method, path)
