"""A store with wheels that have members in common."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from tests.fakes.wheels import build_wheel, incompressible, wheel_filename
from wheelfs.store.catalog.records import StoredName
from wheelfs.store.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PARTS: Final = {f"common/part{number}.bin": incompressible(3_000, f"part {number}") for number in range(4)}


@contextmanager
def filled_store(directory: Path) -> Iterator[Store]:
    """Wheels that have some members in common, each pair others."""
    with Store.open(directory / "store") as opened:
        for number in range(6):
            some = {name: PARTS[name] for at, name in enumerate(PARTS) if (at + number) % 2}
            filename = wheel_filename("demo", f"{number}.0")
            own = {f"demo/own{number}": incompressible(2_000, f"{number}")}
            content = build_wheel("demo", f"{number}.0", files={**some, **own}, compression="stored")
            (directory / "input").write_bytes(content)
            name = StoredName(project="demo", filename=filename, index="main", size_bytes=len(content), added_at_us=1)
            with (directory / "input").open("rb") as file:
                opened.add_content(file.fileno(), len(content), expected_sha256=None, names=[name])
        yield opened
