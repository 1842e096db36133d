"""Shares of objects that hold all rows' wheels: a directory whose objects are damaged, and the same one answered as S3 does."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from tests.fakes.processes import run, wheelfs_command, wheelfs_environment
from tests.fakes.server import Answer
from tests.matrix.stands import NEW, OLD, Row, filename, wheel
from tests.world.site import Site, content

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from tests.fakes.faults import Action
    from tests.fakes.server import Request
    from tests.matrix.kinds import Kind

BUCKET: Final = "s3://lab/wheels"
_PREFIX: Final = "/lab/wheels/"


def _gone(path: Path) -> None:
    path.unlink()


def _silent(path: Path) -> None:
    """Put something there that opens without end."""
    path.unlink()
    os.mkfifo(path)


DAMAGE: Final[dict[str, Callable[[Path], None]]] = {"404": _gone, "hang": _silent}
"""What an object may suffer in a directory, by the kind's name, beside other content."""


def is_of_disks(kind: Kind) -> bool:
    """Tell whether a directory's objects can have this fault; other kinds are those of an index beside a share that is well."""
    return kind.name in DAMAGE or kind.content is not None


class SharedDirectory:
    """A share in a directory; ``packs`` are the objects that hold the bytes of a row for which it was filled alone."""

    def __init__(self, where: Path, rows: Sequence[Row]) -> None:
        self.directory = where / "share"
        self.directory.mkdir(parents=True)
        self._where = where
        self._packs: dict[Row, list[Path]] = {}
        alone = [row for row in rows if is_of_disks(row.kind)]
        for row in alone:
            before = self._all_packs()
            self._fill([row])
            self._packs[row] = sorted(self._all_packs() - before)
        if others := [row for row in rows if row not in alone]:
            self._fill(others)

    @property
    def url(self) -> str:
        return self.directory.as_uri()

    def _all_packs(self) -> set[Path]:
        return set(self.directory.glob("packs/*/*"))

    def _fill(self, rows: Sequence[Row]) -> None:
        house, store = self._where / f"house-{rows[0].number}", self._where / "filler"
        house.mkdir()
        for row in rows:
            for version in (OLD, NEW):
                (house / filename(row, version)).write_bytes(wheel(row, version))
        for words in (("add", str(house)), ("push", "--private", "--share", self.url)):
            run(wheelfs_command("--store", str(store), *words), environment=wheelfs_environment(self._where / "home")).succeeded()

    @contextmanager
    def damaged(self, row: Row) -> Iterator[None]:
        """Damage all objects that hold the row's bytes, until the block ends."""
        packs = {path: path.read_bytes() for path in self._packs[row]}
        for path, right in packs.items():
            if row.kind.content is not None:
                path.chmod(0o600)
                path.write_bytes(row.kind.content(right))
            else:
                DAMAGE[row.kind.name](path)
        try:
            yield
        finally:
            for path, right in packs.items():
                path.unlink(missing_ok=True)
                path.write_bytes(right)


class Bucket(Site):
    """Answers reads of a directory's objects as S3 does; the fault of ``row`` befalls all that is read of its contents."""

    def __init__(self, address: str, port: int, directory: Path, row: Row) -> None:
        super().__init__(address, port)
        self._directory = directory
        self._row = row
        self._broken = False
        self._met = False

    @property
    def environment(self) -> dict[str, str]:
        """Variables by which clients find it."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": "anybody",
            "AWS_SECRET_ACCESS_KEY": "s3cret",
            "AWS_REGION": "us-east-1",
        }

    def break_(self) -> None:
        """Have the fault from now on."""
        self._broken = True
        if self._row.kind.action is None and self._row.kind.content is None:
            self._met = True
            self.stop()

    def mend(self) -> None:
        """Have it no longer."""
        self._broken = False
        self.start()

    def was_met(self) -> bool:
        """Tell whether the fault has befallen a request."""
        return self._met

    def _content_of(self, path: str) -> bytes | None:
        place = self._directory / path.partition("?")[0].removeprefix(_PREFIX)
        return place.read_bytes() if path.startswith(_PREFIX) and place.is_file() else None

    def _is_befallen(self, path: str) -> bool:
        befallen = self._broken and path.startswith((f"{_PREFIX}packs/", f"{_PREFIX}manifests/"))
        self._met |= befallen
        return befallen

    def next_fault(self, method: str, path: str) -> Action | None:
        make = self._row.kind.action
        return make(self._content_of(path) or b"") if make is not None and self._is_befallen(path) else None

    def answer(self, request: Request, action: Action | None) -> Answer:
        right = self._content_of(request.path)
        if right is None:
            return Answer(404, b"<Error><Code>NoSuchKey</Code></Error>", {"Content-Type": "application/xml"})
        changed = self._row.kind.content
        return content(changed(right) if changed is not None and self._is_befallen(request.path) else right)(request)
