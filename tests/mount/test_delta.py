"""A new version of a stored wheel costs what is new in it, through a real mount; and its bytes are right whatever was assumed."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

from tests.fakes.collisions import forged
from tests.fakes.commands import objects
from tests.fakes.faults import Fault, Slow, Truncate
from tests.fakes.index import FakeIndex
from tests.fakes.waiting import eventually
from tests.fakes.wheels import incompressible

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import MountWheelfs, RunWheelfs
    from tests.fakes.clients import Clients
    from tests.fakes.mounts import Mounted

PARTS = {f"numbers/part{number:02}.bin": incompressible(40_000, f"part {number}") for number in range(40)}
NEW = {"numbers/part20.bin": incompressible(150_000, "new"), "numbers/part33.bin": incompressible(90_000, "newer")}
NEW_BYTES = sum(len(content) for content in NEW.values())
TAIL_BYTES = 64 * 1024
COLLIDING = "numbers/part05.bin"


def add_versions(index: FakeIndex, new: dict[str, bytes], **build: object) -> tuple[str, str, bytes]:
    """Two versions that share members, built at different times; returns both names, and the content of the second."""
    old_name, _ = index.add_wheel("numbers", "1.0", files=PARTS, **build)
    new_name, content = index.add_wheel("numbers", "1.1", files=PARTS | new, made_at=(2022, 2, 2, 0, 0, 0), **build)
    return old_name, new_name, content


def read_stored(mount: Mounted, name: str) -> bytes:
    path = mount.path / "simple" / "numbers" / name
    content = path.read_bytes()
    eventually(lambda: os.getxattr(path, "user.wheelfs.state") == b"stored")
    assert path.read_bytes() == content
    return content


def counters(mount: Mounted) -> dict[str, int]:
    told: dict[str, int] = json.loads((mount.path / ".wheelfs" / "status.json").read_text())["counters"]
    return told


@pytest.mark.parametrize("descriptors", [False, True])
def test_an_upgrade_fetches_what_is_new(
    fake_index: FakeIndex, mounted: MountWheelfs, run_wheelfs: RunWheelfs, descriptors: bool
) -> None:
    old, new, content = add_versions(fake_index, NEW, data_descriptors=descriptors)
    mount = mounted("--delta", "always", index=fake_index.url)
    read_stored(mount, old)
    assert read_stored(mount, new) == content
    assert fake_index.body_bytes(new) < 1.1 * (NEW_BYTES + TAIL_BYTES)
    assert len(fake_index.requests_for(new)) < 10
    [stats] = objects(run_wheelfs("--store", str(mount.store), "stats", "--json").succeeded())
    for told in (counters(mount), stats):
        assert told["delta_saved_bytes"] == len(content) - fake_index.body_bytes(new)
        assert told["needed_bytes"] == fake_index.body_bytes(old) + len(content)
        assert told["fetched_bytes"] == fake_index.body_bytes(old) + fake_index.body_bytes(new)
    shown = run_wheelfs("--store", str(mount.store), "stats").succeeded().stdout
    assert "of new files were here already" in shown


def test_a_restarted_mount_and_another_project_profit_too(fake_index: FakeIndex, mounted: MountWheelfs) -> None:
    old, _, _ = add_versions(fake_index, NEW)
    name, content = fake_index.add_wheel("figures", "5", files=PARTS | {"figures/__init__.py": b""})
    mount = mounted("--delta", "always", index=fake_index.url)
    read_stored(mount, old)
    mount.kill()
    mount.restart()
    assert (mount.path / "simple" / "figures" / name).read_bytes() == content
    assert fake_index.body_bytes(name) < 1.1 * TAIL_BYTES


def test_bytes_that_only_look_the_same_are_fetched_and_no_others(fake_index: FakeIndex, mounted: MountWheelfs) -> None:
    lie = forged(incompressible(40_000, "another"), PARTS[COLLIDING])
    assert lie != PARTS[COLLIDING]
    old, new, content = add_versions(fake_index, {COLLIDING: lie} | NEW, compression="stored")
    mount = mounted("--delta", "always", index=fake_index.url)
    read_stored(mount, old)
    assert read_stored(mount, new) == content
    assert fake_index.body_bytes(new) == len(content), "every byte came once: first what is new, then what was assumed"
    assert counters(mount)["delta_saved_bytes"] == 0
    assert "quarantined" not in mount.log


def test_a_reader_never_sees_what_is_assumed(fake_index: FakeIndex, mounted: MountWheelfs) -> None:
    lie = forged(incompressible(40_000, "another"), PARTS[COLLIDING])
    old, new, content = add_versions(fake_index, {COLLIDING: lie} | NEW, compression="stored")
    mount = mounted("--delta", "always", index=fake_index.url)
    read_stored(mount, old)
    start = content.index(lie)
    with (mount.path / "simple" / "numbers" / new).open("rb", buffering=0) as file:
        assert os.pread(file.fileno(), len(lie), start) == lie


def test_another_encoder_is_noticed_before_anything_is_assumed(fake_index: FakeIndex, mounted: MountWheelfs) -> None:
    texts = {f"numbers/part{number}.py": incompressible(9_000, str(number)).hex().encode() for number in range(40)}
    old, _ = fake_index.add_wheel("numbers", "1.0", files=texts | PARTS)
    new, content = fake_index.add_wheel("numbers", "1.1", files=texts | PARTS, compression="stored")
    mount = mounted("--delta", "always", index=fake_index.url)
    read_stored(mount, old)
    assert read_stored(mount, new) == content
    assert fake_index.body_bytes(new) == len(content)


def test_ranges_that_break_off_are_asked_for_again(fake_index: FakeIndex, mounted: MountWheelfs) -> None:
    old, new, content = add_versions(fake_index, NEW)
    mount = mounted("--delta", "always", index=fake_index.url)
    read_stored(mount, old)
    path = mount.path / "simple" / "numbers" / new
    with path.open("rb"):
        pass
    fake_index.faults.append(Fault(new, Truncate(after_bytes=50_000), times=2))
    assert read_stored(mount, new) == content
    assert fake_index.body_bytes(new) < 1.1 * (NEW_BYTES + TAIL_BYTES)


@pytest.mark.parametrize("ranges", ["ignore", "refuse", "not-implemented", "suffix-unsupported"])
def test_an_index_without_ranges_just_works(mounted: MountWheelfs, ranges: str) -> None:
    with FakeIndex(ranges=ranges) as index:  # type: ignore[arg-type]
        old, new, content = add_versions(index, NEW)
        mount = mounted("--delta", "always", index=index.url)
        read_stored(mount, old)
        assert read_stored(mount, new) == content


def test_whole_files_are_fetched_where_that_is_wanted(fake_index: FakeIndex, mounted: MountWheelfs) -> None:
    old, new, content = add_versions(fake_index, NEW)
    mount = mounted("--delta", "never", index=fake_index.url)
    read_stored(mount, old)
    assert read_stored(mount, new) == content
    assert fake_index.body_bytes(new) == len(content)


def test_on_a_slow_line_only_what_is_new_is_fetched_without_being_told(fake_index: FakeIndex, mounted: MountWheelfs) -> None:
    old, new, content = add_versions(fake_index, NEW)
    fake_index.faults.append(Fault("numbers-", Slow(2_000_000), times=None))
    mount = mounted(index=fake_index.url)
    read_stored(mount, old)
    assert read_stored(mount, new) == content
    assert fake_index.body_bytes(new) < 1.1 * (NEW_BYTES + TAIL_BYTES)


def test_a_file_without_a_hash_is_never_assumed(mounted: MountWheelfs) -> None:
    with FakeIndex(hashes=False) as index:
        old, new, content = add_versions(index, NEW)
        mount = mounted("--delta", "always", index=index.url)
        read_stored(mount, old)
        assert read_stored(mount, new) == content
        assert index.body_bytes(new) == len(content)


def test_fetching_ahead_fetches_what_is_new_too(fake_index: FakeIndex, run_wheelfs: RunWheelfs, store_dir: Path) -> None:
    _, new, content = add_versions(fake_index, NEW)
    common = ("--store", str(store_dir), "--index", f"main={fake_index.url}", "--delta", "always")
    run_wheelfs("fetch", *common, "numbers==1.0").succeeded()
    run_wheelfs("fetch", *common, "numbers==1.1").succeeded()
    assert fake_index.body_bytes(new) < 1.1 * (NEW_BYTES + TAIL_BYTES) < len(content)
    run_wheelfs("verify", "--store", str(store_dir)).succeeded()


def test_a_process_that_lives_for_one_file_knows_how_slow_the_line_is(
    fake_index: FakeIndex, run_wheelfs: RunWheelfs, store_dir: Path
) -> None:
    _, new, content = add_versions(fake_index, NEW)
    fake_index.faults.append(Fault("numbers-", Slow(2_000_000), times=None))
    common = ("--store", str(store_dir), "--index", f"main={fake_index.url}")
    run_wheelfs("fetch", *common, "numbers==1.0").succeeded()
    run_wheelfs("fetch", *common, "numbers==1.1").succeeded()
    assert fake_index.body_bytes(new) < 1.1 * (NEW_BYTES + TAIL_BYTES) < len(content)


@pytest.mark.parametrize("client", ["pip", "uv"])
def test_an_upgrade_by_a_real_client_fetches_what_is_new(
    fake_index: FakeIndex, mounted: MountWheelfs, clients: Clients, client: str
) -> None:
    _, new, content = add_versions(fake_index, NEW)
    mount = mounted("--delta", "always", index=fake_index.url)
    index = f"file://{mount.path}/here/simple"
    pip, uv = clients.pip(), clients.uv()
    for version in ("1.0", "1.1"):
        if client == "pip":
            pip.run("install", "--index-url", index, f"numbers=={version}").succeeded()
        else:
            uv.run("pip", "install", "--default-index", index, f"numbers=={version}").succeeded()
    [installed] = (pip if client == "pip" else uv).venv().glob("lib/python*/site-packages/numbers")
    assert (installed / "part20.bin").read_bytes() == NEW["numbers/part20.bin"]
    assert (installed / "part01.bin").read_bytes() == PARTS["numbers/part01.bin"]
    assert fake_index.body_bytes(new) < 1.1 * (NEW_BYTES + TAIL_BYTES) < len(content)
