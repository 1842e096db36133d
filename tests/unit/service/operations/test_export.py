"""What an exported directory says of its wheels is what lies in it, whatever their index said."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import msgspec

from tests.fakes.origins import MemoryOrigin
from tests.fakes.services import service
from tests.fakes.waiting import until
from tests.fakes.wheels import build_wheel, metadata_text, wheel_filename
from wheelfs.service.operations.export import Export
from wheelfs.service.operations.export_directory import Destination

if TYPE_CHECKING:
    from pathlib import Path

NAME = wheel_filename("demo", "1.0")
WHEEL = build_wheel("demo", "1.0")


class _Silent:
    is_shown = False

    def begin(self, name: str, total_bytes: int | None) -> None: ...
    def advance(self, name: str, more_bytes: int) -> None: ...
    def end(self, name: str) -> None: ...
    def overall(self, done_files: int, files: int, saved_bytes: int, total_bytes: int | None = None) -> None: ...


async def test_the_wheels_own_metadata_is_exported_where_the_index_announced_another(tmp_path: Path) -> None:
    origin = MemoryOrigin()
    link = origin.add("demo", NAME, WHEEL)
    link = msgspec.structs.replace(link, has_metadata=True, metadata_sha256=bytes(32))
    origin.pages["demo"] = msgspec.structs.replace(origin.pages["demo"], files=(link,))
    out, own = tmp_path / "out", metadata_text("demo", "1.0")
    async with service(tmp_path / "s", [origin]) as one:
        assert await one.read(f"simple/demo/{NAME}") == WHEEL
        await until(lambda: bool(one.store.catalog.stored_names("demo")))
        with Destination.open(out) as destination:
            Export(one.node, one.store, destination, lambda _: None, _Silent()).run([])
    assert (out / f"{NAME}.metadata").read_bytes() == own
    promised = f'data-core-metadata="sha256={hashlib.sha256(own).hexdigest()}"'
    assert promised in (out / "simple" / "demo" / "index.html").read_text()
