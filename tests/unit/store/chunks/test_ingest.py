"""A file goes in whole and comes out whole, whatever it is; and what cannot go in leaves no trace that matters."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import random
import signal
import subprocess
import sys
import textwrap
import time
import zipfile
from pathlib import Path

import pytest

from wheelfs.core.wheel.cutting import BLOCK_BYTES
from wheelfs.errors import ContentMismatch, InvalidInput
from wheelfs.model.recipe import Recipe
from wheelfs.store.chunks.chunk_store import CHUNK_DATABASES, ChunkStore
from wheelfs.store.chunks.ingest import Ingested, ingest
from wheelfs.store.chunks.sealed_file import SealedFile
from wheelfs.store.directory import StoreDirectory
from wheelfs.store.engine.writer import Writer

_RANDOM = random.Random(7)


def _wheel(members: dict[str, bytes], *, year: int = 2026) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            info = zipfile.ZipInfo(name, (year, 1, 1, 0, 0, 0))
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, content)
    return buffer.getvalue()


def _ingest(store: ChunkStore, path: Path, data: bytes, expected: bytes | None = None) -> Ingested:
    path.write_bytes(data)
    with path.open("rb") as file:
        return ingest(store, file.fileno(), len(data), expected_sha256=expected, name=path.name)


def _whole(store: ChunkStore, recipe: Recipe) -> bytes:
    return SealedFile(recipe, store).read(0, recipe.size_bytes)


_SHAPES = {
    "small members": _wheel({f"pkg/{number}.py": _RANDOM.randbytes(900) for number in range(400)}),
    "large members": _wheel({"a.so": _RANDOM.randbytes(3 * BLOCK_BYTES), "b.so": _RANDOM.randbytes(5_000_000)}),
    "gz member": _wheel({"data.json.gz": gzip.compress(_RANDOM.randbytes(5000))}),
    "empty members only": _wheel({"a/": b"", "b": b""}),
    "empty archive": _wheel({}),
    "prepended": b"#!/bin/sh\n" * 99 + _wheel({"a": b"a" * 999}),
    "long gap": _wheel({"a": b"a"})[:-22] + bytes(9_000_000) + _wheel({"a": b"a" * 999}),
    "more than is read at once": bytes(9_000_000)
    + _wheel({"a": b"a" * 999, "b.so": _RANDOM.randbytes(9_000_000), "c": b"c" * 99}),
    "no zip": _RANDOM.randbytes(BLOCK_BYTES + 17),
    "truncated": _wheel({"a": _RANDOM.randbytes(5000)})[:-30],
    "empty file": b"",
}


@pytest.mark.parametrize("shape", _SHAPES)
def test_a_file_comes_back_to_the_byte(chunk_store: ChunkStore, tmp_path: Path, shape: str) -> None:
    data = _SHAPES[shape]
    sha256 = hashlib.sha256(data).digest()
    done = _ingest(chunk_store, tmp_path / "file", data, sha256)
    assert (done.sha256, done.size_bytes) == (sha256, len(data))
    assert _whole(chunk_store, Recipe.decode(done.recipe.encode())) == data


def test_what_is_added_together_is_read_together(chunk_store: ChunkStore, tmp_path: Path) -> None:
    done = _ingest(chunk_store, tmp_path / "file", _SHAPES["small members"])
    assert len(done.recipe.data) == 400
    assert len(done.recipe.data.extents) == 2


def test_a_rebuilt_wheel_shares_all_its_data(chunk_store: ChunkStore, tmp_path: Path) -> None:
    members = {f"pkg/{number}.py": _RANDOM.randbytes(900) for number in range(20)}
    first = _ingest(chunk_store, tmp_path / "a", _wheel(members))
    second = _ingest(chunk_store, tmp_path / "b", _wheel(members, year=2020))
    assert first.sha256 != second.sha256
    assert list(first.recipe.data) == list(second.recipe.data)
    assert list(first.recipe.data.extents) == list(second.recipe.data.extents)
    assert list(first.recipe.skeleton) != list(second.recipe.skeleton)


def test_wrong_content_is_refused_and_right_content_goes_in_after_it(chunk_store: ChunkStore, tmp_path: Path) -> None:
    data = _SHAPES["gz member"]
    with pytest.raises(ContentMismatch, match="expected 0000"):
        _ingest(chunk_store, tmp_path / "file", data, bytes(32))
    assert _whole(chunk_store, _ingest(chunk_store, tmp_path / "file", data).recipe) == data


def test_a_file_that_shrinks_is_refused(chunk_store: ChunkStore, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x" * 100)
    with path.open("rb") as file, pytest.raises(InvalidInput, match="shorter"):
        ingest(chunk_store, file.fileno(), 101, expected_sha256=None, name="file")


_CHILD = """
    import os, sys
    from pathlib import Path
    from wheelfs.store.chunks.chunk_store import CHUNK_DATABASES, ChunkStore
    from wheelfs.store.directory import StoreDirectory
    from wheelfs.store.chunks.ingest import ingest
    from wheelfs.store.engine.writer import Writer
    store, good, big = map(Path, sys.argv[1:])
    directory = StoreDirectory.open(store, create=True)
    environment = directory.open_environment("chunks", CHUNK_DATABASES)
    chunks = ChunkStore(environment, Writer(environment))
    with good.open("rb") as file:
        recipe = ingest(chunks, file.fileno(), good.stat().st_size, expected_sha256=None, name="good").recipe
    (store.parent / "recipe").write_bytes(recipe.encode())
    print("begin", flush=True)
    with big.open("rb") as file:
        while True:
            ingest(chunks, file.fileno(), big.stat().st_size, expected_sha256=None, name="big")
            os.pwrite(os.open(big, os.O_RDWR), os.urandom(big.stat().st_size), 0)
"""


def test_a_process_killed_while_it_stores_leaves_a_store_that_reads_and_writes(tmp_path: Path) -> None:
    good = tmp_path / "good"
    good.write_bytes(_SHAPES["large members"])
    big = tmp_path / "big"
    big.write_bytes(_RANDOM.randbytes(20_000_000))
    store = tmp_path / "store"
    arguments = [sys.executable, "-c", textwrap.dedent(_CHILD), str(store), str(good), str(big)]
    root = Path(__file__).parents[4]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, cwd=root, env={**os.environ, "PYTHONPATH": str(root)}) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"begin\n"
        directory = StoreDirectory.open(store, create=False)
        environment = directory.open_environment("chunks", CHUNK_DATABASES)
        seen = environment.last_transaction()
        # Killed after it has committed something more, so in the middle of its endless storing.
        deadline = time.monotonic() + 30
        while environment.last_transaction() < seen + 2 and time.monotonic() < deadline:
            time.sleep(0.001)
        child.send_signal(signal.SIGKILL)
        child.wait()
    assert environment.last_transaction() >= seen + 2
    writer = Writer(environment)
    chunks = ChunkStore(environment, writer)
    assert _whole(chunks, Recipe.decode((tmp_path / "recipe").read_bytes())) == good.read_bytes()
    data = _SHAPES["small members"]
    assert _whole(chunks, _ingest(chunks, tmp_path / "again", data).recipe) == data
    writer.close()
    directory.close()
