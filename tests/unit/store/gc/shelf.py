"""A store with a history of wheels, of which the older ones may become solid."""

from __future__ import annotations

import hashlib
import os
import random
from functools import cache
from typing import TYPE_CHECKING

from tests.fakes.wheels import build_wheel, wheel_filename
from wheelfs.model.recipe import Recipe
from wheelfs.store.catalog.records import StoredName
from wheelfs.store.directory import allow_solid
from wheelfs.store.gc.solidify import Solidified, solidify
from wheelfs.store.store import Store

if TYPE_CHECKING:
    from pathlib import Path

LONG_AGO_US = 1
ALL_S = -3_600.0
"""What was not used until an hour from now: everything."""


@cache
def text(seed: str, size_bytes: int) -> bytes:
    """Words in an order that only the seed decides: as compressible as a module is."""
    chance = random.Random(seed)
    words = [f"{number:x}" * (1 + number % 4) for number in range(400)]
    return " ".join(chance.choice(words) for _ in range(size_bytes // 5)).encode()[:size_bytes]


def edited(content: bytes, version: int) -> bytes:
    """Return the content with a change every 20 kB, of another length in each version."""
    pieces = [content[start : start + 20_000] for start in range(0, len(content), 20_000)]
    return (b"<version %d" % version + b"!" * (11 * version) + b">").join([b"", *pieces])


@cache
def history(versions: int) -> list[bytes]:
    """Wheels that have a module in common, one of its own each, and a module and a large member that change."""
    wheels = []
    for version in range(versions):
        files = {
            "demo/same.py": text("same", 30_000),
            "demo/changed.py": edited(text("changed", 40_000), version),
            f"demo/own{version}.py": text("own", 9_000) + b"%d" % version,
            "demo/large.dat": edited(text("large", 900_000), version),
        }
        wheels.append(build_wheel("demo", f"{version}.0", files=files))
    return wheels


class Shelf:
    """A store with wheels of one project."""

    def __init__(self, path: Path) -> None:
        self.path = path
        allow_solid_in(path)
        self.store = Store.open(path)

    def add(self, number: int, wheel: bytes, *, project: str = "demo") -> None:
        file = self.path.parent / "input"
        file.write_bytes(wheel)
        name = StoredName(
            project=project,
            filename=wheel_filename(project, f"{number}.0"),
            index="main",
            size_bytes=len(wheel),
            added_at_us=LONG_AGO_US,
        )
        descriptor = os.open(file, os.O_RDONLY)
        try:
            self.store.add_content(descriptor, len(wheel), expected_sha256=None, names=[name])
        finally:
            os.close(descriptor)

    def read(self, wheel: bytes) -> bytes:
        with self.store.reading(hashlib.sha256(wheel).digest()) as sealed:
            return sealed.read(0, sealed.size)

    def solid_blocks(self, wheel: bytes) -> set[int]:
        encoded = self.store.catalog.recipe(hashlib.sha256(wheel).digest())
        assert encoded is not None
        return {block for block in Recipe.decode(encoded).data.extents.blocks if self.store.chunks.is_solid(block)}

    def settled(self) -> None:
        """Return when all that was queued for the chunks is committed."""
        self.store.chunks.settle()

    def entries(self, database: str) -> int:
        environment = self.store.environments[1]
        with environment.read() as transaction:
            return int(transaction.stat(environment.database(database))["entries"])

    def again(self, *, readonly: bool = False) -> None:
        """Open the store once more, so that nothing is remembered."""
        self.store.close()
        self.store = Store.open(self.path, readonly=readonly)


def made_solid(shelf: Shelf) -> Solidified:
    """Make all solid that can be, however slow this machine is."""
    return solidify(shelf.store, unused_s=ALL_S, bytes_s=1.0)


def allow_solid_in(path: Path) -> None:
    with Store.open(path):
        pass
    allow_solid(path)
