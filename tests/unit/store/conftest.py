"""A chunk store in a temporary directory."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from wheelfs.store.chunks.chunk_store import CHUNK_DATABASES, ChunkStore
from wheelfs.store.directory import StoreDirectory
from wheelfs.store.engine.writer import Writer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def chunk_store(tmp_path: Path) -> Iterator[ChunkStore]:
    directory = StoreDirectory.open(tmp_path / "store", create=True)
    environment = directory.open_environment("chunks", CHUNK_DATABASES)
    writer = Writer(environment)
    yield ChunkStore(environment, writer)
    writer.close()
    directory.close()
