"""What an earlier build has stored, this one reads to the byte; what it cannot read, it refuses and leaves alone."""

from __future__ import annotations

import hashlib
import json
import os
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.fakes.commands import error_of, objects
from tests.golden.make import plain
from wheelfs.errors import StoreFormat, StoreLocked, StoreReadOnly
from wheelfs.model.content import ContentKey
from wheelfs.store import upgrades
from wheelfs.store.catalog.records import StoredName
from wheelfs.store.gc.collect import collect
from wheelfs.store.store import Store
from wheelfs.store.upgrades import FORMAT_VERSION
from wheelfs.store.verify import verify

if TYPE_CHECKING:
    from tests.conftest import MountWheelfs, RunWheelfs

GOLDEN = sorted(Path(__file__).parent.glob("*.tar.xz"))


@pytest.fixture(params=GOLDEN, ids=lambda path: path.name.partition(".")[0])
def told(request: pytest.FixtureRequest, store_dir: Path) -> dict[str, Any]:
    """What reading a golden store must give; it is unpacked in ``store_dir``."""
    packed: Path = request.param
    with tarfile.open(packed) as archive:
        for entry in archive:
            content = archive.extractfile(entry)
            assert content is not None
            (store_dir / entry.name).parent.mkdir(parents=True, exist_ok=True)
            (store_dir / entry.name).write_bytes(content.read())
    expected: dict[str, Any] = json.loads((packed.parent / packed.name.replace(".tar.xz", ".json")).read_text())
    return expected


def as_told(now: Any, then: Any) -> Any:
    """Return what ``now`` says of what ``then`` spoke of: a later build may have more to say."""
    if isinstance(then, dict):
        return {key: as_told(now.get(key), value) for key, value in then.items()}
    if isinstance(then, list) and len(now) == len(then):
        return [as_told(one, other) for one, other in zip(now, then, strict=True)]
    return now


def read(store: Store, sha256: str) -> bytes:
    with store.reading(bytes.fromhex(sha256)) as sealed:
        return b"".join(sealed.read(at, 100_000) for at in range(0, sealed.size, 100_000))


def test_there_is_a_golden_store_of_the_format(told: dict[str, Any]) -> None:
    assert f"format-{FORMAT_VERSION}.tar.xz" in [path.name for path in GOLDEN]
    assert len(told["files"]) == 4


def test_every_file_reads_to_the_byte_and_verify_finds_nothing_new(told: dict[str, Any], store_dir: Path) -> None:
    with Store.open(store_dir) as store:
        quarantined = {checked.sha256.hex(): checked.reason for checked in verify(store) if checked.reason is not None}
        assert quarantined == told["quarantined"]
        for filename, sha256 in told["files"].items():
            if sha256 not in quarantined:
                assert hashlib.sha256(read(store, sha256)).hexdigest() == sha256, filename


def test_every_record_says_what_it_said(told: dict[str, Any], store_dir: Path) -> None:
    key = ContentKey(bytes.fromhex(told["key"]))
    with Store.open(store_dir) as store:
        catalog = store.catalog
        names = [plain(name) for name in catalog.names()]
        assert as_told(names, told["names"]) == told["names"]
        assert [name["pinned"] for name in names].count(True) == 1
        for sha256, used_at_us in told["used"].items():
            assert catalog.used_at_us(bytes.fromhex(sha256)) == used_at_us
        assert as_told(plain(catalog.facts(key)), told["facts"]) == told["facts"]
        assert catalog.metadata(key) == told["metadata"].encode()
        assert as_told(plain(catalog.page("main", "golden")), told["page"]) == told["page"]
        assert as_told(plain(catalog.page_head("main", "golden")), told["page-head"]) == told["page-head"]
        absent = catalog.page_head("main", "nothing")
        assert absent is not None
        assert absent.absent
        changes = [plain(change) for change in catalog.changes_since(0).changes]
        assert as_told(changes, told["changes"]) == told["changes"]


def test_what_was_flushed_of_a_partial_file_is_still_there(told: dict[str, Any], store_dir: Path) -> None:
    key, partial = ContentKey(bytes.fromhex(told["key"])), told["partial"]
    with Store.open(store_dir) as store:
        opened = store.spool.open(key, size_bytes=partial["size"], validator=partial["etag"])
        assert [list(span) for span in opened.spans] == partial["spans"]
        assert opened.read(1_000, 5_000) == b"a" * 5_000
        opened.close()


def test_it_can_be_written_on_and_collected(told: dict[str, Any], store_dir: Path, tmp_path: Path) -> None:
    new = tmp_path / "new"
    new.write_bytes(b"new bytes" * 5_000)
    with Store.open(store_dir) as store:
        name = StoredName(project="new", filename="new-1.0.tar.gz", index="local", size_bytes=45_000, added_at_us=1)
        with new.open("rb") as file:
            added = store.add_content(file.fileno(), 45_000, expected_sha256=None, names=[name])
        assert collect(store).blocks, "a removed wheel was among what it held"
        for sha256 in [*told["files"].values(), added.hex()]:
            if sha256 not in told["quarantined"]:
                assert hashlib.sha256(read(store, sha256)).hexdigest() == sha256


def test_commands_and_a_mount_show_it(
    told: dict[str, Any], store_dir: Path, run_wheelfs: RunWheelfs, mounted: MountWheelfs
) -> None:
    listed = objects(run_wheelfs("--json", "--store", str(store_dir), "ls").succeeded())
    assert {file["filename"]: file["sha256"] for file in listed} == told["files"]
    mount = mounted("--offline")
    for filename, sha256 in told["files"].items():
        path = mount.path / filename
        if filename.endswith(".whl") and sha256 not in told["quarantined"]:
            assert hashlib.sha256(path.read_bytes()).hexdigest() == sha256
            assert os.getxattr(path, "user.wheelfs.sha256") == sha256.encode()


# --- versions ----------------------------------------------------------------------------------------------------------


def rewrite(store: Path, **fields: Any) -> None:
    path = store / "format"
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))


def to_version_0(store: Path) -> None:
    """Make of a store what a version 0 might have been: without a map size, and with its spool under another name."""
    (store / "spool").rename(store / "partial")
    fields = json.loads((store / "format").read_text())
    del fields["catalog_map_bytes"]
    (store / "format").write_text(json.dumps(fields | {"wheelfs_store": 0}))


def from_version_0(path: Path, fields: dict[str, Any]) -> dict[str, Any]:
    if (path / "partial").exists():  # else an earlier attempt was cut short after this
        (path / "partial").rename(path / "spool")
    return fields | {"catalog_map_bytes": 256 << 30}


@pytest.fixture
def step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(upgrades.STEPS, 0, from_version_0)


def test_an_older_store_is_upgraded_once_and_keeps_everything(step: None, told: dict[str, Any], store_dir: Path) -> None:
    to_version_0(store_dir)
    test_every_record_says_what_it_said(told, store_dir)
    assert json.loads((store_dir / "format").read_text())["wheelfs_store"] == FORMAT_VERSION
    upgrades.STEPS.clear()
    test_every_file_reads_to_the_byte_and_verify_finds_nothing_new(told, store_dir)
    test_what_was_flushed_of_a_partial_file_is_still_there(told, store_dir)


def test_an_upgrade_that_was_cut_short_is_done_again(
    told: dict[str, Any], store_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    to_version_0(store_dir)

    def cut_short(path: Path, fields: dict[str, Any]) -> dict[str, Any]:
        from_version_0(path, fields)
        raise KeyboardInterrupt

    monkeypatch.setitem(upgrades.STEPS, 0, cut_short)
    with pytest.raises(KeyboardInterrupt):
        Store.open(store_dir)
    monkeypatch.setitem(upgrades.STEPS, 0, from_version_0)
    test_what_was_flushed_of_a_partial_file_is_still_there(told, store_dir)


def test_an_older_store_that_is_in_use_or_may_not_be_written_is_refused_untouched(
    step: None, told: dict[str, Any], store_dir: Path, mounted: MountWheelfs
) -> None:
    mount = mounted("--offline")
    rewrite(store_dir, wheelfs_store=0)
    before = (store_dir / "format").read_text()
    with pytest.raises(StoreLocked, match="in use"):
        Store.open(store_dir)
    mount.stop()
    with pytest.raises(StoreReadOnly, match="older format 0"):
        Store.open(store_dir, readonly=True)
    assert (store_dir / "format").read_text() == before


@pytest.mark.parametrize(("version", "advice"), [(0, "the wheelfs that made it"), (FORMAT_VERSION + 1, "a newer wheelfs")])
def test_another_version_is_refused_untouched(
    told: dict[str, Any], store_dir: Path, run_wheelfs: RunWheelfs, version: int, advice: str
) -> None:
    rewrite(store_dir, wheelfs_store=version)
    before = {path: path.read_bytes() for path in store_dir.rglob("*") if path.is_file()}
    with pytest.raises(StoreFormat, match=advice):
        Store.open(store_dir)
    done = run_wheelfs("--json", "--store", str(store_dir), "ls")
    assert done.returncode == 44
    assert f"format {version}" in error_of(done)["message"]
    assert {path: path.read_bytes() for path in store_dir.rglob("*") if path.is_file()} == before
