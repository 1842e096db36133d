"""What the command prints, parsed; and a store that is driven by the command alone."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, Final

from tests.fakes.wheels import build_wheel, wheel_filename

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import RunWheelfs
    from tests.fakes.processes import Finished

FIELDS = {
    "filename",
    "project",
    "version",
    "sha256",
    "size_bytes",
    "result",
    "reason",
    "error_class",
    "repacked",
    "fetched_bytes",
}

FETCH_FIELDS = {
    *("wanted", "filename", "project", "version", "sha256", "size_bytes", "fetched_bytes", "saved_bytes", "resumed_bytes"),
    *("kept_bytes", "missing_bytes"),
    *("result", "origin", "pinned", "reason", "error_class", "places", "notice"),
}


def error_of(done: Finished) -> dict[str, Any]:
    [answer] = objects(done)
    error: dict[str, Any] = answer["error"]
    assert set(error) == {"class", "message", "exit_code"}
    assert error["exit_code"] == done.returncode
    assert done.stderr == ""
    return error


def objects(done: Finished) -> list[dict[str, Any]]:
    return [json.loads(line) for line in done.stdout.splitlines()]


def fetched_files(done: Finished) -> dict[str, dict[str, Any]]:
    """Return what ``fetch --json`` reported of each file, by its name, or by what was asked for."""
    *lines, last = objects(done)
    assert set(last) == {"summary"}
    files = [line["file"] for line in lines]
    assert all(set(file) == FETCH_FIELDS for file in files)
    return {file["filename"] or file["wanted"]: file for file in files}


class Shop:
    """A store with one good wheel, and the command on it."""

    GOOD: Final = wheel_filename("good", "1.0")

    def __init__(self, run: RunWheelfs, store: Path, where: Path) -> None:
        self._run = run
        self.store = store
        self.where = where
        where.mkdir()
        self.good = build_wheel("good", "1.0", big_bytes=700_000)
        (where / self.GOOD).write_bytes(self.good)
        self.command("add", str(where / self.GOOD)).succeeded()

    def command(self, *words: str, **settings: Any) -> Finished:
        return self._run("--store", str(self.store), *words, **settings)

    def put(self, filename: str, content: bytes) -> Path:
        path = self.where / filename
        path.write_bytes(content)
        return path

    def add(self, *paths: Path | str, **settings: Any) -> tuple[int, dict[str, dict[str, Any]]]:
        """Return the exit code, and what became of each file by its name."""
        done = self.command("add", "--json", *map(str, paths), **settings)
        files = [line["file"] for line in objects(done)]
        assert all(set(file) == FIELDS for file in files)
        assert "Traceback" not in done.stderr
        return done.returncode, {file["filename"]: file for file in files}

    def listed(self) -> list[str]:
        done = self.command("ls", "--json").succeeded()
        return sorted(line["filename"] for line in objects(done))

    def stored(self) -> dict[str, bytes]:
        """Return every stored file, read back by the store's own code: hashed, decompressed, joined."""
        from wheelfs.store.store import Store

        with Store.open(self.store) as store:
            found = {}
            for name in store.catalog.names():
                sealed = store.open_sealed(name.sha256)
                content = b"".join(bytes(sealed.read(at, 200_000)) for at in range(0, sealed.size, 200_000))
                assert hashlib.sha256(content).digest() == name.sha256
                found[name.filename] = content
            return found
