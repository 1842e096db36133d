"""Collecting the garbage of a share: what nothing needs goes, late; what anybody needs or may be about to need stays."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from functools import partial
from typing import TYPE_CHECKING
from unittest import mock

import pytest

from tests.fakes.commands import error_of, objects
from tests.fakes.crashes import kill_when, stored
from tests.fakes.later import DAY_S, collect_later, push_later
from tests.fakes.processes import wheelfs_command, wheelfs_environment
from tests.fakes.wheels import build_wheel, incompressible, wheel_filename
from wheelfs.errors import OriginFault, OriginMissing
from wheelfs.model.share_catalog import file_key
from wheelfs.remote.limits import SHARE_LIMITS, ShareLimits
from wheelfs.remote.share.objects import open_objects
from wheelfs.remote.share.share import WrittenShare
from wheelfs.service.shares.catalog_cache import RemoteCatalogCache
from wheelfs.service.shares.outcomes import Failed, Pushed
from wheelfs.service.shares.pull import pull
from wheelfs.service.shares.push import push
from wheelfs.store.catalog.records import StoredName
from wheelfs.store.store import Store

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import RunWheelfs
    from tests.shares.conftest import Place
    from wheelfs.remote.share.objects import Objects

DATA = incompressible(300_000, "data")
SHORT = ShareLimits(span=2)


def fill(path: Path, *versions: str, data: bytes = DATA) -> dict[str, bytes]:
    """Store wheels that have their data in common."""
    wheels = {
        wheel_filename("good", version): build_wheel(
            "good", version, files={"good/data.bin": data, "good/own.bin": version.encode()}, compression="stored"
        )
        for version in versions
    }
    with Store.open(path) as store:
        for filename, content in wheels.items():
            path.with_name("copy").write_bytes(content)
            name = StoredName(project="good", filename=filename, index="main", size_bytes=len(content), added_at_us=1)
            with path.with_name("copy").open("rb") as opened:
                store.add_content(opened.fileno(), len(content), expected_sha256=None, names=[name])
    return wheels


def push_all(path: Path, objects: Objects, limits: ShareLimits = SHARE_LIMITS) -> None:
    with Store.open(path) as store:
        failed = [
            file.reason for file in push(store, WrittenShare(objects, limits), [], private=False) if file.result == "failed"
        ]
        assert not failed


def pulled(path: Path, objects: Objects, limits: ShareLimits = SHARE_LIMITS) -> dict[str, bytes]:
    """Return all files that the share lists, each of which must come."""
    with Store.open(path) as store:
        assert {file.result for file in pull(store, WrittenShare(objects, limits), [], contents=True)} <= {"pulled"}
    return stored(path)


def keys(objects: Objects, *prefixes: str) -> set[str]:
    return {found.key for prefix in prefixes for found in objects.found(prefix)}


def lists_that_condemn(objects: Objects) -> set[str]:
    lists = WrittenShare(objects).condemned({})
    return {f"condemned/{name}" for name, one in lists.items() if one.keys}


def orphan_pack(objects: Objects, content: bytes) -> None:
    """Leave what a killed writer leaves who came as far as a pack."""
    share = WrittenShare(objects)
    share.catalog.prepare()
    share.add_pack(share.new_pack_name(), [content])


def take_all_out(objects: Objects) -> None:
    share = WrittenShare(objects)
    share.catalog.append(None, [], [file_key(file) for file in share.catalog.files()], may_tell=lambda: True)


def test_what_nothing_needs_goes_a_grace_period_after_it_was_condemned_and_not_before(place: Place, tmp_path: Path) -> None:
    objects = place.open()
    wheels = fill(tmp_path / "a", "1.0")
    push_all(tmp_path / "a", objects)
    needed = keys(objects, "packs", "manifests")
    orphan_pack(objects, b"left")
    everything = keys(objects, "packs", "manifests")
    assert collect_later(objects, 6).condemned == 0, "a writer may be about to use it"
    told = collect_later(objects, 8, dry_run=True)
    assert collect_later(objects, 8).condemned == 1
    assert (told.deleted, told.condemned) == (0, 0), "a dry run goes by this machine's clock"
    waiting = collect_later(objects, 14)
    assert (waiting.condemned, waiting.waiting, waiting.deleted) == (0, 1, 0)
    assert keys(objects, "packs", "manifests") == everything
    gone = collect_later(objects, 16)
    assert (gone.deleted, gone.waiting, gone.next) == (1, 0, None)
    assert keys(objects, "packs", "manifests") == needed
    notes = keys(objects, "condemned") - lists_that_condemn(objects)
    assert collect_later(objects, 200).deleted == 2 + len(notes), (
        "the list, the one that made it void, and notes of the log's end"
    )
    assert not lists_that_condemn(objects)
    assert not notes & keys(objects, "condemned")
    assert keys(objects, "condemned"), "new notes"
    assert pulled(tmp_path / "b", objects) == wheels


def test_who_pushes_does_not_rely_on_what_is_condemned(place: Place, tmp_path: Path) -> None:
    objects = place.open()
    fill(tmp_path / "a", "1.0")
    push_all(tmp_path / "a", objects)
    wheels = fill(tmp_path / "b", "2.0")
    known = WrittenShare(objects).catalog.files()
    take_all_out(objects)
    assert collect_later(objects, 8).condemned == 2
    # As one who has read the log before.
    with mock.patch.object(RemoteCatalogCache, "of_project", lambda self, project: known):
        [early] = push_later(tmp_path / "b", objects, 9)
    assert isinstance(early, Pushed)
    assert early.written_bytes > len(DATA), "written once more, though there is a pack that has most of it"
    assert collect_later(objects, 16).deleted == 2
    assert pulled(tmp_path / "d", objects) == wheels


def test_a_description_that_is_about_to_be_deleted_is_neither_used_nor_written_anew_until_that_is_over(tmp_path: Path) -> None:
    (tmp_path / "share").mkdir()
    objects = open_objects((tmp_path / "share").as_uri())
    wheels = fill(tmp_path / "a", "1.0")
    push_all(tmp_path / "a", objects)
    take_all_out(objects)
    collect_later(objects, 8)
    [refused] = push_later(tmp_path / "a", objects, 15)
    assert isinstance(refused, Failed)
    assert isinstance(refused.error, OriginFault)
    assert "wheelfs gc --share ends that" in str(refused.error)
    assert collect_later(objects, 16).deleted == 2, "manifest and pack"
    assert isinstance(push_later(tmp_path / "a", objects, 16)[0], Failed), "another run may be deleting still"
    assert isinstance(push_later(tmp_path / "a", objects, 16.1)[0], Pushed)
    assert pulled(tmp_path / "b", objects) == wheels


def test_a_description_that_is_condemned_and_then_used_stays(tmp_path: Path) -> None:
    (tmp_path / "share").mkdir()
    objects = open_objects((tmp_path / "share").as_uri())
    wheels = fill(tmp_path / "a", "1.0")
    push_all(tmp_path / "a", objects)
    take_all_out(objects)
    assert collect_later(objects, 8).condemned == 2
    push_later(tmp_path / "a", objects, 9)
    described = keys(objects, "manifests")
    for day in (16, 30, 130, 300):
        collect_later(objects, day)
    assert keys(objects, "manifests") == described
    assert pulled(tmp_path / "b", objects) == wheels


def test_records_and_snapshots_that_the_catalog_needs_no_more_go_and_its_files_stay(place: Place, tmp_path: Path) -> None:
    objects, wheels = place.open(), dict[str, bytes]()
    for number in range(6):
        wheels |= fill(tmp_path / "a", f"{number}.0")
        push_all(tmp_path / "a", objects, SHORT)
    assert (len(keys(objects, "log")), len(keys(objects, "roots"))) == (6, 3)
    assert collect_later(objects, 6, limits=SHORT).deleted == 0, "a reader may not see the newest roots yet"
    assert collect_later(objects, 8, limits=SHORT).deleted > 3
    assert len(keys(objects, "log")) == 2
    assert pulled(tmp_path / "b", objects, SHORT) == wheels
    wheels |= fill(tmp_path / "b", "7.0")
    push_all(tmp_path / "b", objects, SHORT)
    assert pulled(tmp_path / "c", objects, SHORT) == wheels


def test_what_killed_writers_left_under_other_names_goes_and_what_is_foreign_stays(tmp_path: Path) -> None:
    share = tmp_path / "share"
    (share / "packs" / "ab").mkdir(parents=True)
    objects = open_objects(share.as_uri())
    push_all_of_one(tmp_path, objects)
    left = [share / "packs" / "ab" / ".new-0123", share / "log" / ".new-45", share / "condemned" / "clock-0"]
    foreign = [share / "packs" / "ab" / "notes.txt", share / "packs" / ("a" * 32), share / "README"]
    (share / "condemned").mkdir()
    for path in (*left, *foreign):
        path.write_bytes(b"?")
    collect_later(objects, 6)
    assert all(path.exists() for path in left)
    collect_later(objects, 8)
    collect_later(objects, 16)
    assert not [path for path in left if path.exists()]
    assert all(path.exists() for path in foreign)


def push_all_of_one(tmp_path: Path, objects: Objects) -> None:
    fill(tmp_path / "a", "1.0")
    push_all(tmp_path / "a", objects)


@pytest.mark.parametrize("below", ["log", "roots", "snapshots", "manifests", "condemned"])
def test_while_something_cannot_be_read_nothing_is_deleted(tmp_path: Path, below: str) -> None:
    share = tmp_path / "share"
    share.mkdir()
    objects = open_objects(share.as_uri())
    for version in ("1.0", "2.0", "3.0"):
        fill(tmp_path / "a", version)
        push_all(tmp_path / "a", objects, SHORT)
    orphan_pack(objects, b"left")
    collect_later(objects, 8, limits=SHORT)
    before = keys(objects, "packs", "manifests", "log", "snapshots")
    for key in keys(objects, below):
        (share / key).write_bytes((share / key).read_bytes()[:-1])
    with pytest.raises(OriginFault, match="delete that object"):
        collect_later(objects, 16, limits=SHORT)
    assert keys(objects, "packs", "manifests", "log", "snapshots") == before


def test_while_a_record_is_missing_nothing_is_deleted_that_those_behind_it_need(tmp_path: Path) -> None:
    (tmp_path / "share").mkdir()
    objects, wheels = open_objects((tmp_path / "share").as_uri()), dict[str, bytes]()
    for version in ("1.0", "2.0", "3.0"):
        wheels |= fill(tmp_path / "a", version)
        push_all(tmp_path / "a", objects)
    objects.delete("log/00000001")
    with pytest.raises(OriginMissing, match="later records are"):
        collect_later(objects, 8)
    wheels |= fill(tmp_path / "b", "4.0")
    push_all(tmp_path / "b", objects)
    for days in (8, 16):
        collect_later(objects, days)
    lost = wheel_filename("good", "2.0")
    assert pulled(tmp_path / "c", objects) == {name: content for name, content in wheels.items() if name != lost}


def test_the_command_collects_and_says_when_to_come_again(run_wheelfs: RunWheelfs, tmp_path: Path) -> None:
    share = tmp_path / "share"
    share.mkdir()
    url = share.as_uri()
    assert error_of(run_wheelfs("gc", "--json", "--share", url))["class"] == OriginMissing.__name__
    WrittenShare(open_objects(url)).catalog.prepare()
    assert (
        "let what is being pushed be deleted" in error_of(run_wheelfs("gc", "--json", "--share", url, "--grace", "0"))["message"]
    )
    assert "7d" in error_of(run_wheelfs("gc", "--json", "--share", url, "--grace", "soon"))["message"]
    assert error_of(run_wheelfs("gc", "--json", "--grace", "7d"))["class"] == "UsageError"
    orphan_pack(open_objects(url), b"left")
    for path in share.rglob("*"):
        os.utime(path, (time.time() - 8 * DAY_S,) * 2)
    said = run_wheelfs("gc", "--share", url, "--dry-run").succeeded().stdout
    assert "1 object would be condemned" in said
    assert not (share / "condemned").exists()
    [done] = objects(run_wheelfs("gc", "--json", "--share", url).succeeded())
    assert (done["condemned"], done["deleted"]) == (1, 0)
    assert done["next"] is not None
    assert f"run it again after {done['next']}" in run_wheelfs("gc", "--share", url).succeeded().stdout


def test_files_that_are_taken_out_of_a_share_are_listed_no_more_and_go_in_time(
    run_wheelfs: RunWheelfs, tmp_path: Path, place: Place
) -> None:
    objects = place.open()
    fill(tmp_path / "a", "1.0", "2.0")
    push_all(tmp_path / "a", objects)
    pulled(tmp_path / "b", objects)
    rm = ("--store", "none", "rm", "--json", "--share", place.url)
    assert error_of(run_wheelfs(*rm, "absent", env=place.environment))["class"] == "NotKnown"
    for options, left in ((("--dry-run",), {"1.0", "2.0"}), ((), {"2.0"})):
        said = run_wheelfs(*rm, "good<2", *options, env=place.environment).succeeded().stdout
        assert wheel_filename("good", "1.0") in said
        assert {file.filename for file in WrittenShare(objects).catalog.files()} == {wheel_filename("good", one) for one in left}
    assert not (tmp_path / "none").exists()
    assert collect_later(objects, 8).condemned == 1, "its manifest; what the other one has in common with it stays"
    assert collect_later(objects, 16).deleted == 1
    assert set(pulled(tmp_path / "c", objects)) == {wheel_filename("good", "2.0")}


# --- processes that are killed -----------------------------------------------------------------------------------------


def spawned(place: Place, directory: Path, *command: str) -> subprocess.Popen[bytes]:
    environment = {**wheelfs_environment(directory / "home"), **place.environment}
    quiet = subprocess.DEVNULL
    return subprocess.Popen(command, env=environment, stdin=quiet, stdout=quiet, stderr=subprocess.PIPE)


def later(place: Place, directory: Path, *words: str) -> subprocess.Popen[bytes]:
    return spawned(place, directory, sys.executable, "-m", "tests.fakes.later", *words)


def round_of_kills(place: Place, directory: Path, seed: int) -> int:
    """Let writers be killed, then collectors and writers beside each other; return how many kills came before the end."""
    chance, objects = random.Random(seed), place.open()
    (directory / "home").mkdir(exist_ok=True, parents=True)
    wheels, kills = dict[str, bytes](), 0
    for writer in range(3):
        versions = [f"{writer}.{number}" for number in range(4)]
        wheels |= fill(directory / f"store{writer}", *versions, data=incompressible(200_000, f"{seed} {writer // 2}"))

    def everything() -> set[str]:
        return keys(objects, "packs", "manifests", "log", "condemned")

    def grown(to: int) -> bool:
        return len(everything()) >= to

    for writer in range(3):
        process = spawned(
            place, directory, *wheelfs_command("--store", str(directory / f"store{writer}"), "push", "--share", place.url)
        )
        there, more = len(everything()), chance.randrange(2, 12)
        kills += kill_when(process, partial(grown, there + more))
        process.communicate()
    collect_later(objects, 8)

    running = [
        later(place, directory, "collect", place.url, "16"),
        later(place, directory, "collect", place.url, "16"),
        *(later(place, directory, "push", place.url, "16", str(directory / f"store{writer}")) for writer in range(3)),
    ]
    victims = chance.sample(running, 2)
    before = everything()

    def changed(by: int) -> bool:
        return len(before ^ everything()) >= by

    for victim in victims:
        kills += kill_when(victim, partial(changed, chance.randrange(1, 6)))
    for process in running:
        said = process.communicate(timeout=60)[1].decode()
        # A description that is about to be deleted may be in a writer's way.
        assert process in victims or process.returncode == 0 or "assert not" in said, (seed, said)

    told = pulled(directory / "reader", objects)
    assert told.items() <= wheels.items(), "every file that is listed is there, to the byte"
    for day in (40, 60, 80):
        for writer in range(3):
            failed = [
                str(outcome.error)
                for outcome in push_later(directory / f"store{writer}", objects, day + 1)
                if isinstance(outcome, Failed)
            ]
            # What was condemned by a collector that was killed is in a writer's way until the next one has been there.
            assert all("is about to be deleted" in reason for reason in failed) and (day == 40 or not failed), (seed, day, failed)
        collect_later(objects, day + 2)
    assert pulled(directory / "last", objects) == wheels
    needed = {
        pack.hex() for file in WrittenShare(objects).catalog.files() for pack in WrittenShare(objects).manifest(file.sha256).packs
    }
    assert {key.rpartition("/")[2] for key in keys(objects, "packs")} == needed, "and nothing else is left"
    return kills


def rounds(place: Place, tmp_path: Path, seeds: range) -> int:
    kills = 0
    for seed in seeds:
        if place.url.startswith("file:"):
            (tmp_path / "lab wheels" / f"round{seed}").mkdir()
        kills += round_of_kills(type(place)(f"{place.url}/round{seed}", place.environment), tmp_path / f"round{seed}", seed)
    return kills


def test_collectors_and_writers_are_killed_and_the_share_stays_whole(place: Place, tmp_path: Path) -> None:
    # A round in which all ended before they could be killed has shown nothing.
    assert any(rounds(place, tmp_path, range(seed, seed + 1)) for seed in range(6))


@pytest.mark.soak
def test_collectors_and_writers_are_killed_many_times(place: Place, tmp_path: Path) -> None:
    assert rounds(place, tmp_path, range(6, 31)) > 25, "a kill a round must come before the end"
