"""One project of two versions on a host of its own, and the fault that this host can be told to have."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, Self

from tests.fakes import pages
from tests.fakes.faults import Wire
from tests.fakes.wheels import build_wheel, incompressible, wheel_filename
from tests.matrix.kinds import ENDLESS_S, KINDS, Kind
from tests.world.site import Site, content

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.fakes.server import Answer

Where = Literal["files", "pages"]
OLD: Final = "1.0"
NEW: Final = "2.0"
SAME_BYTES: Final = 200_000
"""Of a member that both versions have."""
OWN_BYTES: Final = 150_000
"""Of one that each version has for itself; both are more than what is asked for to see a wheel's metadata."""


@dataclass(frozen=True, slots=True)
class Row:
    """A kind of fault, and what it befalls: the newer version's file, or the project's page."""

    kind: Kind
    where: Where
    number: int

    @property
    def project(self) -> str:
        return f"{self.where}-{self.kind.name}".lower()


def _rows() -> Iterator[Row]:
    wheres: tuple[Where, Where] = ("files", "pages")
    chosen = [(kind, where) for where in wheres for kind in KINDS if where == "files" or kind.on_pages]
    for number, (kind, where) in enumerate(chosen, 1):
        yield Row(kind, where, number)


ROWS: Final = tuple(_rows())


def filename(row: Row, version: str) -> str:
    return wheel_filename(row.project, version)


def wheel(row: Row, version: str) -> bytes:
    """Return the row's wheel, whose module says which version it is."""
    package = row.project.replace("-", "_")
    files = {f"{package}/__init__.py": f"BUILD = {version!r}\n".encode()}
    files[f"{package}/own.bin"] = incompressible(OWN_BYTES, f"{row.project}-{version}")
    return build_wheel(row.project, version, files=files, big_bytes=SAME_BYTES, big_seed=row.project)


class Stand:
    """The host of a row, from ``__enter__`` to ``__exit__``.

    Where the fault is one of files, the page is on ``index``, whose host stays well: what wheelfs learns of one host concerns no
    other.
    """

    def __init__(self, row: Row, site: Site, index: Site) -> None:
        self.row = row
        self.site = site
        self._page_site = site if row.where == "pages" else index
        self.contents = {version: wheel(row, version) for version in (OLD, NEW)}
        self._paths = {version: f"/files/{filename(row, version)}" for version in (OLD, NEW)}
        self._page_path = f"/simple/{row.project}/"
        for version, body in self.contents.items():
            site.routes[self._paths[version]] = content(body)
        self._page = self._written_page()
        reply = content(self._page, content_type=pages.JSON, ranges="no")
        self._page_site.routes[self._page_path] = reply

    def __enter__(self) -> Self:
        self.site.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.site.stop()

    def _written_page(self) -> bytes:
        files = [
            {
                "filename": filename(self.row, version),
                "url": f"{self.site.url}{self._paths[version]}",
                "hashes": {"sha256": hashlib.sha256(body).hexdigest()},
                "size": len(body),
                "upload-time": "2024-05-06T07:08:09.000000Z",
            }
            for version, body in self.contents.items()
        ]
        return json.dumps({"meta": {"api-version": "1.1"}, "name": self.row.project, "files": files}).encode()

    @property
    def url(self) -> str:
        """The index that lists the project."""
        return f"{self._page_site.url}/simple"

    @property
    def _faulty(self) -> str:
        return self._page_path if self.row.where == "pages" else self._paths[NEW]

    def break_(self) -> None:
        """Have the fault from now on."""
        kind, right = self.row.kind, self._page if self.row.where == "pages" else self.contents[NEW]
        self.site.requests.clear()
        if kind.action is not None:
            self.site.actions[self._faulty] = kind.action(right)
        elif kind.content is not None:
            self.site.routes[self._faulty] = content(kind.content(right))
        else:
            self.site.stop()

    def mend(self) -> None:
        """Have it no longer."""
        self.site.actions.pop(self._faulty, None)
        if self.row.kind.content is not None:
            self.site.routes[self._faulty] = content(self.contents[NEW])
        self.site.start()

    def was_met(self) -> bool:
        """Tell whether the fault has befallen a request; of a host that refuses all that cannot be known."""
        return self.row.kind.name == "refused" or any(one.path.startswith(self._faulty) for one in list(self.site.requests))

    def differing(self, target: Path, version: str) -> str | None:
        """Return a member of the wheel that is not in ``target`` as it is in the wheel, or None."""
        with zipfile.ZipFile(io.BytesIO(self.contents[version])) as archive:
            # Installers write RECORD themselves.
            members = {name: archive.read(name) for name in archive.namelist() if not name.endswith("/RECORD")}
        return next((name for name, right in members.items() if (target / name).read_bytes() != right), None)

    def send_halves(self) -> None:
        """Send half of what is asked for of the newer file where that is much, once, and no more of it after that."""
        sent = False

        def script(answer: Answer) -> Iterator[bytes | float]:
            nonlocal sent
            large = len(answer.body) > OWN_BYTES
            body = answer.body[: len(answer.body) // 2] if large else answer.body
            if large and sent:
                yield ENDLESS_S
            sent = sent or large
            headers = "".join(f"{key}: {value}\r\n" for key, value in answer.headers.items())
            yield f"HTTP/1.1 {answer.status} X\r\n{headers}Content-Length: {len(answer.body)}\r\n\r\n".encode() + body
            yield ENDLESS_S if large else 0.0

        self.site.actions[self._paths[NEW]] = Wire(script)
