"""Makes a golden store: one of everything that a store can hold, packed, and beside it what reading it must give.

Run from the project's directory, by the build whose format is to be kept (an old one in a checkout of its own)::

    python -m tests.golden.make tests/golden/format-1

It writes ``format-1.tar.xz`` and ``format-1.json``.  Golden stores are never made again: a later build must read the one that an
earlier build wrote.
"""

from __future__ import annotations

import hashlib
import json
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

from tests.fakes.wheels import build_sdist, build_wheel, incompressible, sdist_filename, wheel_filename
from wheelfs.model.content import key_of_sha256
from wheelfs.model.links import FileLink, ProjectPage, Validators
from wheelfs.store.catalog.records import ContentFacts, PageRecord, StoredName
from wheelfs.store.store import Store

if TYPE_CHECKING:
    import msgspec

AT_US = 1_760_000_000_000_000
PARTIAL_BYTES = 100_000
LINES = b"".join(b"%d: a line of a long file\n" % number for number in range(30_000))
"""800 KB, so more than three chunks, and easy to pack."""


def pack(target: Path) -> None:
    """Write the golden store and what it must give."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "store"
        with mock.patch("wheelfs.store.spool.spool.boot_id", lambda: b"another boot    "), Store.open(path) as store:
            told = fill(store, Path(directory) / "input")
        with tarfile.open(target.with_suffix(".tar.xz"), "w:xz") as archive:
            for name in (
                "format",
                "lock",
                "catalog/data.mdb",
                "chunks/data.mdb",
                *sorted(f"spool/{one}" for one in told.pop("spooled")),
            ):
                archive.add(path / name, name, filter=_nobodys)
    target.with_suffix(".json").write_text(json.dumps(told, indent=1, sort_keys=True) + "\n")


def _nobodys(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    return entry


def fill(store: Store, scratch: Path) -> dict[str, Any]:
    """Put one of everything into a new store, and return what reading it must give."""
    shared = {"golden/lines.txt": LINES, "golden/packed.gz": incompressible(9_000, "gz"), "golden/empty": b""}
    one = wheel_filename("golden", "1.0"), build_wheel("golden", "1.0", files=shared, compression="stored")
    two = (
        wheel_filename("golden", "2.0"),
        build_wheel(
            "golden", "2.0", files=shared | {"golden/new.py": b"new\n" * 500}, compression="stored", data_descriptors=True
        ),
    )
    gone = wheel_filename("golden", "0.9"), build_wheel("golden", "0.9", files={"golden/x": incompressible(2_000, "x")})
    sick = wheel_filename("sick", "1.0"), build_wheel("sick", "1.0")
    sdist = sdist_filename("lab-tools", "3.1"), build_sdist("lab-tools", "3.1")
    _add(
        store,
        scratch,
        one,
        project="golden",
        index="main",
        pinned=True,
        requires_python=">=3.11",
        yanked="broken",
        url="https://index.example/1",
    )
    _add(store, scratch, two, project="golden", index="main", upload_time_us=AT_US - 1)
    _add(store, scratch, gone, project="golden", index="main")
    _add(store, scratch, sick, project="sick", index="main")
    _add(store, scratch, sdist, project="lab-tools", index="local", private=True)
    catalog = store.catalog
    (away,) = [name for name in catalog.stored_names("golden") if name.filename == gone[0]]
    catalog.remove_name(away.key).result()  # leaves a departed recipe, and chunks that nothing names
    catalog.quarantine(hashlib.sha256(sick[1]).digest(), "a bit was wrong").result()
    catalog.note_used({hashlib.sha256(two[1]).digest(): AT_US}).result()
    key = key_of_sha256(hashlib.sha256(b"of a file that is not stored").digest())
    catalog.put_facts(key, ContentFacts(size_bytes=77, etag='"tag"', poisoned="wrong twice", checked_at_us=AT_US)).result()
    catalog.put_metadata(key, b"Metadata-Version: 2.1\nName: golden\n").result()
    page = _page()
    catalog.put_page(
        "main",
        "golden",
        PageRecord(
            index_url="https://index.example/simple",
            fetched_at_us=AT_US,
            validators=Validators('"etag"', "Mon, 06 May 2024 07:08:09 GMT"),
            max_age_s=600.0,
            page=page,
        ),
    ).result()
    catalog.put_absent("main", "nothing", index_url="https://index.example/simple", fetched_at_us=AT_US).result()
    with_etag = store.spool.open(key, size_bytes=PARTIAL_BYTES, validator='"tag"')
    with_etag.write(1_000, b"a" * 5_000)
    with_etag.write(50_000, b"b" * 5_000)
    assert with_etag._journal is not None
    with_etag._journal.note(b"D", 52_000, 1_000)  # as earlier builds wrote it
    with_etag.sync()
    with_etag.write(90_000, b"c" * 5_000)  # never flushed, so not to be trusted after a restart of the machine
    with_etag.close()
    return {
        "files": {name: hashlib.sha256(content).hexdigest() for name, content in (one, two, sick, sdist)},
        "names": [plain(name) for name in catalog.names()],
        "quarantined": {hashlib.sha256(sick[1]).hexdigest(): "a bit was wrong"},
        "used": {hashlib.sha256(two[1]).hexdigest(): AT_US},
        "key": key.hex(),
        "facts": plain(catalog.facts(key)),
        "metadata": (catalog.metadata(key) or b"").decode(),
        "page": plain(page),
        "page-head": plain(catalog.page_head("main", "golden")),
        "changes": [plain(change) for change in catalog.changes_since(0).changes],
        "partial": {"size": PARTIAL_BYTES, "etag": '"tag"', "spans": [[1_000, 6_000], [50_000, 52_000], [53_000, 55_000]]},
        "spooled": [f"{key.hex()}.part", f"{key.hex()}.spans"],
    }


def _add(store: Store, scratch: Path, file: tuple[str, bytes], **said: Any) -> None:
    filename, content = file
    scratch.write_bytes(content)
    with scratch.open("rb") as opened:
        name = StoredName(filename=filename, size_bytes=len(content), added_at_us=AT_US, **said)
        store.add_content(opened.fileno(), len(content), expected_sha256=None, names=[name])


def _page() -> ProjectPage:
    full = FileLink(
        filename="golden-1.0-py3-none-any.whl",
        url="https://index.example/golden-1.0-py3-none-any.whl",
        sha256=bytes(range(32)),
        size_bytes=12_345,
        requires_python=">=3.11",
        yanked="",
        has_metadata=True,
        metadata_sha256=bytes(reversed(range(32))),
        upload_time_us=AT_US,
        other_hashes={"md5": "00" * 16},
        provenance="https://index.example/provenance",
    )
    bare = FileLink(filename="golden-1.0.tar.gz", url="https://index.example/golden-1.0.tar.gz")
    return ProjectPage("golden", (full, bare), "1.4", "archived", "nobody is left", ("https://other.example/",), (), 3)


def plain(record: msgspec.Struct | None) -> Any:
    """Return a record's fields as JSON has them, bytes in hex; fields that a later build adds are no part of it."""
    import msgspec

    def plain(value: Any) -> Any:
        if isinstance(value, msgspec.Struct):
            return {field: plain(getattr(value, field)) for field in value.__struct_fields__}
        if isinstance(value, bytes):
            return value.hex()
        return [plain(one) for one in value] if isinstance(value, tuple | list) else value

    return plain(record)


if __name__ == "__main__":
    pack(Path(sys.argv[1]))
