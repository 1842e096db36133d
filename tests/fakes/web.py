"""A plain web server: the files of a directory, with ranges, and no listing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from tests.fakes.index import FakeIndex
from tests.fakes.server import Answer, Request

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fakes import faults


class WebServer(FakeIndex):
    """Serves ``directory`` at `url`.  ``missing`` is the status of what is not there: buckets that no reader may list say 403."""

    def __init__(self, directory: Path, *, missing: int = 404, **options: Any) -> None:
        super().__init__(**options)
        self.directory = directory
        self.missing = missing

    @property
    def url(self) -> str:
        """Where the directory is."""
        return f"{self.origin}/lab%20wheels"

    def answer(self, request: Request, action: faults.Action | None) -> Answer:
        path = unquote(urlsplit(request.path).path).removeprefix("/lab wheels/")
        found = self.directory / path
        if path.startswith("/") or not found.is_file():
            return Answer(self.missing, b"<html>nothing here</html>")
        return self._ranged(request, found.read_bytes(), {"Content-Type": "application/octet-stream"})
