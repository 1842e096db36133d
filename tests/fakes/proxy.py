"""A forward proxy on loopback that answers for every host itself: what `FakeIndex` hosts, under any name."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tests.fakes.index import FakeIndex

if TYPE_CHECKING:
    from tests.fakes import faults
    from tests.fakes.server import Answer, Request


class FakeProxy(FakeIndex):
    """Takes requests with absolute targets (RFC 9112, 3.2.2); for plain HTTP only."""

    def __init__(self) -> None:
        super().__init__()
        self.asked_for: list[str] = []

    def answer(self, request: Request, action: faults.Action | None) -> Answer:
        self.asked_for.append(request.path)
        request.path = urlsplit(request.path).path
        return super().answer(request, action)
