"""``share-write``: what a mount or a gateway stores goes to the share by itself, nothing is lost, and no caller waits."""

from __future__ import annotations

import json
import logging
import random
import threading
from functools import partial
from typing import TYPE_CHECKING

import httpx2
import pytest
import trio
from msgspec.structs import replace

from tests.fakes.commands import error_of
from tests.fakes.waiting import eventually, until
from tests.fakes.wheels import build_wheel, incompressible, wheel_filename
from tests.gateway.serving import Serving
from wheelfs.errors import OriginDenied
from wheelfs.model.share_objects import manifest_key
from wheelfs.remote.share.objects import open_objects
from wheelfs.remote.share.share import WrittenShare
from wheelfs.service.hosts.breaker import Hosts
from wheelfs.service.hosts.saved_rates import SavedRates
from wheelfs.service.shares.catalog_cache import RemoteCatalogCache
from wheelfs.service.shares.limits import ShareLimits, WriteThroughLimits
from wheelfs.service.shares.pull import pull
from wheelfs.service.shares.remove import remove
from wheelfs.service.shares.write_through import WriteThrough
from wheelfs.store.catalog.records import StoredName
from wheelfs.store.store import Store
from wheelfs.telemetry import Counters

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import MountWheelfs, RunWheelfs
    from tests.shares.conftest import Place
    from wheelfs.remote.share.objects import Objects

NO_INDEX = "http://127.0.0.1:1/simple"
QUICK = WriteThroughLimits(quiet_s=0.05, poll_s=0.01, first_pause_s=0.01, elsewhere_s=0.01)


def fill(store: Store, project: str, *, private: bool = False) -> bytes:
    content = build_wheel(project, "1.0", files={f"{project}/data": incompressible(50_000, project)})
    name = StoredName(
        project=project,
        filename=wheel_filename(project, "1.0"),
        index="main",
        size_bytes=len(content),
        added_at_us=1,
        private=private,
    )
    path = store.path / "input"
    path.write_bytes(content)
    with path.open("rb") as opened:
        store.add_content(opened.fileno(), len(content), expected_sha256=None, names=[name])
    path.unlink()
    return content


def told(objects: Objects) -> set[str]:
    return {file.project for file in WrittenShare(objects).catalog.files()}


def records(objects: Objects) -> int:
    return len(list(objects.found("log")))


@pytest.fixture
def share(tmp_path: Path) -> Path:
    directory = tmp_path / "share"
    directory.mkdir()
    return directory


# --- as its user runs it -----------------------------------------------------------------------------------------------


def test_a_mount_pushes_what_is_stored_but_nothing_private_and_what_waits_when_it_ends(
    tmp_path: Path, mounted: MountWheelfs, share: Path, run_wheelfs: RunWheelfs
) -> None:
    objects = open_objects(share.as_uri())
    with Store.open(tmp_path / "a") as store:
        fill(store, "before")
        node = mounted("--share", share.as_uri(), "--share-write", index=NO_INDEX, store=tmp_path / "a")
        eventually(lambda: (share / "log").exists() and told(objects) == {"before"})
        fill(store, "secret", private=True)
        fill(store, "after")
        eventually(lambda: told(objects) == {"before", "after"})

        def progress() -> tuple[str, int, int]:
            [write] = json.loads((node.path / ".wheelfs" / "status.json").read_text())["share_writes"]
            return write["state"], write["pushed_files"], write["waiting_files"]

        eventually(lambda: progress() == ("idle", 2, 0))
        assert "2 files" in run_wheelfs("--store", str(tmp_path / "a"), "status").succeeded().stdout
        fill(store, "last")
    assert node.stop() == 0
    assert told(objects) == {"before", "after", "last"}, "what was waiting was pushed before it ended"
    with Store.open(tmp_path / "b") as store:
        assert {file.result for file in pull(store, WrittenShare(objects), [], contents=True)} == {"pulled"}


def test_what_was_not_pushed_before_a_kill_is_pushed_after_the_next_start(
    tmp_path: Path, share: Path, run_wheelfs: RunWheelfs
) -> None:
    away = share / "not-mounted"
    with Serving(tmp_path / "g", "--index", f"main={NO_INDEX}", "--share", f"lab={away.as_uri()}", "--share-write") as gateway:
        with Store.open(gateway.store) as store:
            fill(store, "one")

            def is_told() -> bool:
                said = run_wheelfs("--store", str(gateway.store), "status", "--json").succeeded().stdout
                [write] = json.loads(said)["share_writes"]
                return bool(write["state"] == "away")

            eventually(is_told)
            gateway.kill()
            fill(store, "two")
        assert gateway.log.read_text().count("is down: no such") == 1
        away.mkdir()
        gateway.start()
        eventually(lambda: told(open_objects(away.as_uri())) == {"one", "two"})


def test_a_gateway_pushes_once_to_a_share_of_any_kind_its_workers_never(place: Place, tmp_path: Path) -> None:
    workers = "2" if place.url.startswith("file:") else "1"
    options = ("--index", f"main={NO_INDEX}", "--share", place.url, "--share-write", "--workers", workers)
    with Serving(tmp_path / "g", *options, environment=place.environment) as gateway:
        with Store.open(gateway.store) as store:
            fill(store, "one")
        eventually(lambda: bool(list(place.open().found("log"))))
        assert told(place.open()) == {"one"}
        metrics = httpx2.get(f"{gateway.url}/metrics", trust_env=False, timeout=60).text
        assert "wheelfs_share_write_files_total{share=" in metrics
    assert records(place.open()) == 1


@pytest.mark.soak
def test_a_gateway_that_is_killed_thirty_times_while_it_pushes_loses_nothing(tmp_path: Path, share: Path) -> None:
    chance, objects = random.Random(5), open_objects(share.as_uri())
    gateway = Serving(tmp_path / "g", "--index", f"main={NO_INDEX}", "--share", share.as_uri(), "--share-write")
    expected: set[str] = set()

    def count() -> int:
        return sum(1 for prefix in ("packs", "manifests", "log") for _ in objects.found(prefix))

    for number in range(30):
        gateway.start()
        goal = count() + chance.randrange(1, 6)
        with Store.open(gateway.store) as store:
            for project in (f"p{number}a", f"p{number}b"):
                fill(store, project)
                expected.add(project)
        eventually(partial(lambda goal: count() >= goal or told(objects) == expected, goal))
        gateway.kill()
    with gateway:
        eventually(lambda: told(objects) == expected)
    with Store.open(tmp_path / "b") as store:
        assert {file.result for file in pull(store, WrittenShare(objects), [], contents=True)} == {"pulled"}


def test_without_a_share_that_can_be_written_to_it_is_refused_at_once(run_wheelfs: RunWheelfs, tmp_path: Path) -> None:
    done = run_wheelfs("mount", "--json", str(tmp_path / "mnt"), "--share", "http://127.0.0.1:1", "--share-write")
    assert error_of(done)["class"] == "UsageError"
    assert "none of the shares can be written to" in error_of(done)["message"]


# --- by itself ---------------------------------------------------------------------------------------------------------


class Troubled:
    """Objects whose writes hang, or are refused, when told so."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self.url = objects.url
        self.read = objects.read
        self.read_range = objects.read_range
        self.found = objects.found
        self.delete = objects.delete
        self.hangs = self.refuses = False
        self.hung = threading.Event()
        self.let_go = threading.Event()
        self.refused = 0

    def create(self, key: str, content: bytes) -> bool:
        if self.hangs:
            self.hung.set()
            self.let_go.wait(60)
        if self.refuses:
            self.refused += 1
            raise OriginDenied(f"write {key}", "read-only")
        return self._objects.create(key, content)


def through(store: Store, objects: Objects, limits: WriteThroughLimits = QUICK) -> WriteThrough:
    async def probe(url: str) -> None: ...

    hosts = Hosts(
        offline=False,
        probe=probe,
        probe_timeout_s=15.0,
        counters=Counters(),
        rates=SavedRates(store.catalog),
        file_urls=[objects.url],
    )
    return WriteThrough(store=store, objects=objects, name="lab", hosts=hosts, limits=ShareLimits(write_through=limits))


async def test_files_that_come_together_share_a_pack(tmp_path: Path, share: Path) -> None:
    with Store.open(tmp_path / "a") as store:
        for number in range(5):
            fill(store, f"p{number}")
        task = through(store, open_objects(share.as_uri()), replace(QUICK, quiet_s=2.0))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(task.keep_pushed)
            await until(lambda: task.state().pushed_files == 5)
            nursery.cancel_scope.cancel()
    assert len(list(open_objects(share.as_uri()).found("packs"))) == 1


async def test_a_refusal_is_said_once_and_tried_again(tmp_path: Path, share: Path, caplog: pytest.LogCaptureFixture) -> None:
    objects = Troubled(open_objects(share.as_uri()))
    objects.refuses = True
    with Store.open(tmp_path / "a") as store, caplog.at_level(logging.WARNING):
        fill(store, "one")
        task = through(store, objects)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(task.keep_pushed)
            # Between two attempts: while one is under way it is not known how it ends.
            await until(lambda: objects.refused >= 3 and task.state().state == "refused")
            assert (task.state().state, task.state().waiting_files) == ("refused", 1)
            objects.refuses = False
            await until(lambda: task.state().pushed_files == 1)
            nursery.cancel_scope.cancel()
    assert len([record for record in caplog.records if "is tried again" in record.getMessage()]) == 1


async def test_a_file_that_cannot_be_pushed_holds_up_no_other_one(tmp_path: Path, share: Path) -> None:
    objects = open_objects(share.as_uri())
    with Store.open(tmp_path / "a") as store:
        fill(store, "bad")
        [bad] = store.catalog.stored_names("bad")
        objects.create(manifest_key(bad.sha256), b"damaged")
        task = through(store, objects, replace(QUICK, first_pause_s=300.0))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(task.keep_pushed)
            await until(lambda: task.state().state == "refused")
            fill(store, "good")
            await until(lambda: task.state().pushed_files == 1)
            nursery.cancel_scope.cancel()
    assert told(objects) == {"good"}


async def test_a_share_that_hangs_delays_no_end(tmp_path: Path, share: Path) -> None:
    objects = Troubled(open_objects(share.as_uri()))
    WrittenShare(objects).catalog.prepare()
    objects.hangs = True
    try:
        with Store.open(tmp_path / "a") as store:
            fill(store, "one")
            with trio.fail_after(20):
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(through(store, objects, replace(QUICK, flush_s=0.1)).keep_pushed)
                    await until(objects.hung.is_set)
                    nursery.cancel_scope.cancel()
    finally:
        objects.let_go.set()
    objects.hangs = False
    with Store.open(tmp_path / "a") as store:
        task = through(store, objects)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(task.keep_pushed)
            await until(lambda: told(objects) == {"one"})
            nursery.cancel_scope.cancel()


async def test_what_came_from_the_share_is_not_written_to_it_and_what_was_pushed_is_not_looked_at_again(
    tmp_path: Path, share: Path
) -> None:
    objects = open_objects(share.as_uri())

    async def run(path: Path) -> int:
        with Store.open(path) as store:
            task = through(store, objects)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(task.keep_pushed)
                await until(lambda: task.state().state == "idle" and store.shared.pushed("lab") is not None)
                nursery.cancel_scope.cancel()
            return task.state().pushed_files

    with Store.open(tmp_path / "a") as store:
        fill(store, "one")
    assert await run(tmp_path / "a") == 1
    before = records(objects)
    with Store.open(tmp_path / "b") as store:
        assert [file.result for file in pull(store, WrittenShare(objects), [], contents=True)] == ["pulled"]
    assert (await run(tmp_path / "a"), await run(tmp_path / "b")) == (0, 0)
    assert records(objects) == before


async def test_what_is_taken_out_of_the_share_is_not_brought_back_by_who_has_it_stored(tmp_path: Path, share: Path) -> None:
    objects = open_objects(share.as_uri())
    with Store.open(tmp_path / "a") as store:
        fill(store, "one")
        task, mount = through(store, objects), RemoteCatalogCache(store, WrittenShare(objects), "lab")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(task.keep_pushed)
            await until(lambda: told(objects) == {"one"})
            await trio.to_thread.run_sync(mount.catch_up)
            await trio.to_thread.run_sync(lambda: list(remove(WrittenShare(objects), ["one"], dry_run=False)))
            await trio.to_thread.run_sync(mount.catch_up)
            fill(store, "two")
            await until(lambda: "two" in told(objects))
            nursery.cancel_scope.cancel()
    assert told(objects) == {"two"}


async def test_a_share_that_is_begun_anew_is_given_all_that_is_stored(tmp_path: Path, share: Path) -> None:
    objects = open_objects(share.as_uri())
    with Store.open(tmp_path / "a") as store:
        fill(store, "one")
        task = through(store, objects)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(task.keep_pushed)
            await until(lambda: told(objects) == {"one"})
            fill(store, "more")
            await until(lambda: "more" in told(objects) and task.state().state == "idle")
            for found in list(objects.found("")):
                objects.delete(found.key)
            fill(store, "two")
            await until(lambda: "two" in told(objects))
            nursery.cancel_scope.cancel()
    assert told(objects) == {"one", "more", "two"}


async def test_one_process_on_a_store_pushes_and_another_goes_on_when_it_has_ended(tmp_path: Path, share: Path) -> None:
    objects = open_objects(share.as_uri())
    with Store.open(tmp_path / "a") as store:
        fill(store, "one")
        first, second = through(store, objects), through(store, objects)
        async with trio.open_nursery() as nursery:
            ending = trio.CancelScope()

            async def until_told() -> None:
                with ending:
                    await first.keep_pushed()

            nursery.start_soon(until_told)
            await until(lambda: first.state().pushed_files == 1)
            nursery.start_soon(second.keep_pushed)
            await until(lambda: second.state().state == "elsewhere")
            ending.cancel()
            fill(store, "two")
            await until(lambda: second.state().pushed_files + first.state().pushed_files == 2)
            nursery.cancel_scope.cancel()
    assert told(objects) == {"one", "two"}
