"""Lazy environments: their files come as they are opened, by range, and are right or refused."""

from __future__ import annotations

import errno
import hashlib
import json
import sys
import zipfile
from io import BytesIO
from itertools import count
from typing import TYPE_CHECKING, Any, Literal

import msgspec
import pytest

from tests.fakes import faults
from tests.fakes.commands import error_of, objects
from tests.fakes.environment_bench import Bench
from tests.fakes.index import FakeIndex
from tests.fakes.pages import JSON
from tests.fakes.trees_on_disk import digests_below
from tests.fakes.waiting import eventually
from tests.fakes.wheels import build_wheel, incompressible, wheel_filename
from wheelfs.store.catalog.mounted_environments import encoded
from wheelfs.store.store import Store

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import MountWheelfs, RunWheelfs
    from tests.fakes.mounts import Mounted

PARTS = 8
PART_BYTES = 400_000
LARGE = wheel_filename("large", "1.0")
FILES = {
    "large/__init__.py": b"HERE = 'large'\n",
    "large/last.py": b"HERE = 'last'\n",
    **{f"large/part{number}.bin": incompressible(PART_BYTES, f"part {number}") for number in range(PARTS)},
}


@pytest.fixture
def bench(run_wheelfs: RunWheelfs, mounted: MountWheelfs, fake_index: FakeIndex, store_dir: Path, tmp_path: Path) -> Bench:
    fake_index.add_wheel("large", "1.0", files=FILES)
    fake_index.add_wheel("small", "1.0", files={"small.py": b"HERE = 'small'\n"})
    return Bench(run_wheelfs, mounted, fake_index, store_dir, tmp_path / "home-of-python")


def lazily(bench: Bench, *words: str) -> None:
    made = bench.create("it", *words, lazy=True)["environment"]
    assert (made["state"], made["missing_wheels"]) == ("lazy", 1), "small wheels come whole with their ends"


def online(bench: Bench) -> Mounted:
    return bench.mount("--index", f"main={bench.index.url}")


def state(bench: Bench) -> str:
    described: dict[str, str] = json.loads((bench.path() / ".wheelfs" / "env.json").read_text())
    return described["state"]


def test_members_come_as_they_are_opened(bench: Bench) -> None:
    lazily(bench, "large", "small")
    assert bench.index.body_bytes(LARGE) < PART_BYTES, "its end alone"
    online(bench)
    assert state(bench) == "lazy"
    assert sorted(path.name for path in (bench.site() / "large").iterdir()) == sorted(
        [name.partition("/")[2] for name in FILES] + ["__pycache__"]
    )
    bench.index.reset_counters()
    assert (bench.site() / "large" / "part3.bin").read_bytes() == FILES["large/part3.bin"]
    assert len(bench.index.requests_for(LARGE)) == 1
    assert PART_BYTES < bench.index.body_bytes(LARGE) < 2 * PART_BYTES
    printed = bench.python("-c", "import large.last, small; print(large.HERE, large.last.HERE, small.HERE)").succeeded()
    assert printed.stdout.split() == ["large", "last", "small"]
    assert bench.index.body_bytes(LARGE) < 3 * PART_BYTES
    shown = bench.command("env", "show", "it").succeeded().stdout
    assert "lazy (1 wheel not stored)" in shown
    [status] = objects(bench.command("--json", "status").succeeded())
    assert status["environments"] == [{"name": "it", "state": "lazy"}]
    assert "env     it  lazy\n" in bench.command("status").succeeded().stdout


def test_what_is_opened_twice_or_by_many_comes_once(bench: Bench) -> None:
    lazily(bench, "large", "small")
    online(bench)
    bench.index.reset_counters()
    reading = (
        "import concurrent.futures, pathlib, sys\n"
        "files = sorted(pathlib.Path(sys.argv[1]).glob('*.bin'))\n"
        "with concurrent.futures.ThreadPoolExecutor(16) as threads:\n"
        "    print(sum(map(len, threads.map(pathlib.Path.read_bytes, files * 4))))\n"
    )
    printed = bench.python("-c", reading, str(bench.site() / "large")).succeeded().stdout
    assert int(printed) == 4 * PARTS * PART_BYTES
    assert bench.index.body_bytes(LARGE) < 1.1 * PARTS * PART_BYTES


def test_what_one_mount_has_brought_crosses_the_line_once(bench: Bench, mounted: MountWheelfs, tmp_path: Path) -> None:
    lazily(bench, "large", "small")
    online(bench)
    other = mounted("--index", f"main={bench.index.url}", store=bench.store, path=tmp_path / "other")
    sites = [bench.site() / "large", other.path / bench.site().relative_to(bench.path().parents[1]) / "large"]
    for number in range(PARTS):
        name = f"part{number}.bin"
        contents = [(site / name).read_bytes() for site in sites]
        assert contents == [FILES[f"large/{name}"]] * 2
    assert bench.index.body_bytes(LARGE) < 1.1 * PARTS * PART_BYTES


def test_it_is_the_tree_of_a_complete_one_and_becomes_it(bench: Bench) -> None:
    lazily(bench, "large", "small")
    lazy = bench.create("it", "large", "small", lazy=True)
    assert lazy["result"] == "unchanged"
    online(bench)
    before = digests_below(bench.path())
    done = bench.command("--json", "fetch", "--env", "it", "--index", f"main={bench.index.url}").succeeded()
    *_, made, summary = objects(done)
    assert (made["environment"]["state"], made["compiled"]) == ("complete", 2)
    assert summary["summary"]["failed"] == 0
    assert bench.create("again", "large", "small")["environment"]["digest"] == made["environment"]["digest"]
    bench.index.stop()
    after = digests_below(bench.path("again"))
    assert set(after) == set(before)
    assert {path for path in before if after[path] != before[path]} == {".wheelfs/env.json"}
    again = bench.command("--json", "fetch", "--env", "again", "--offline").succeeded()
    assert objects(again)[-2]["compiled"] == 0


def test_a_mount_sees_that_it_is_complete(bench: Bench) -> None:
    lazily(bench, "large", "small")
    assert state(bench) == "lazy"
    text = bench.command("fetch", "--env", "it", "--index", f"main={bench.index.url}").succeeded().stdout
    assert "environment it: complete, 2 modules compiled\n" in text
    eventually(lambda: state(bench) == "complete")
    assert (bench.site() / "large" / "__pycache__" / f"last.{sys.implementation.cache_tag}.pyc").is_file()


def test_what_a_mount_has_brought_is_not_fetched_again_by_a_command(bench: Bench) -> None:
    lazily(bench, "large", "small")
    online(bench)
    for number in range(PARTS - 1):
        (bench.site() / "large" / f"part{number}.bin").read_bytes()
    bench.index.reset_counters()
    bench.command("fetch", "--env", "it", "--index", f"main={bench.index.url}").succeeded()
    assert bench.index.body_bytes(LARGE) < 1.5 * PART_BYTES


def test_offline_what_is_not_here_is_refused_when_it_is_opened(bench: Bench) -> None:
    lazily(bench, "large", "small")
    first = online(bench)
    (bench.site() / "large" / "part1.bin").read_bytes()
    first.stop()
    bench.mount("--index", f"main={bench.index.url}", "--offline")
    assert (bench.site() / "large" / "part1.bin").read_bytes() == FILES["large/part1.bin"], "it is here since then"
    assert bench.python("-c", "import small; print(small.HERE)").succeeded().stdout == "small\n"
    with pytest.raises(OSError) as caught:
        (bench.site() / "large" / "part2.bin").open("rb")
    assert caught.value.errno == errno.ENETUNREACH
    assert (bench.site() / "large" / "part2.bin").stat().st_size == PART_BYTES
    refused = bench.command("--json", "fetch", "--env", "it", "--offline")
    assert refused.returncode != 0
    assert [one["compiled"] for one in objects(refused) if "compiled" in one] == [0]


def test_an_index_that_is_down_is_told_at_the_open(bench: Bench) -> None:
    lazily(bench, "large", "small")
    online(bench)
    (bench.site() / "large" / "part0.bin").read_bytes()
    bench.index.stop()
    with pytest.raises(OSError) as caught:
        (bench.site() / "large" / "part5.bin").open("rb")
    assert caught.value.errno == errno.ENETUNREACH
    assert (bench.site() / "large" / "part0.bin").read_bytes() == FILES["large/part0.bin"]
    bench.index.start()


def test_what_came_is_readable_where_no_index_lists_it_any_more(bench: Bench) -> None:
    lazily(bench, "large", "small")
    first = online(bench)
    (bench.site() / "large" / "part1.bin").read_bytes()
    first.stop()
    bench.index.remove(LARGE)
    bench.index.add_wheel("large", "2.0", files=FILES)
    bench.mount("--index", f"main={bench.index.url}", env={"WHEELFS_PAGE_TTL_S": "0"})
    assert (bench.site() / "large" / "part1.bin").read_bytes() == FILES["large/part1.bin"]
    with pytest.raises(OSError) as caught:
        (bench.site() / "large" / "part5.bin").open("rb")
    assert caught.value.errno in (errno.ENETUNREACH, errno.ENOENT)


def test_a_member_whose_transfer_breaks_off_is_resumed(bench: Bench) -> None:
    lazily(bench, "large", "small")
    online(bench)
    bench.index.faults += [faults.Fault(LARGE, faults.Reset(after_bytes=100_000), times=2)]
    bench.index.faults += [faults.Fault(LARGE, faults.Status(503), times=1)]
    bench.index.reset_counters()
    assert (bench.site() / "large" / "part5.bin").read_bytes() == FILES["large/part5.bin"]
    assert bench.index.body_bytes(LARGE) < 1.5 * PART_BYTES
    bench.index.faults += [faults.Fault(LARGE, faults.Reset(after_bytes=0), times=None)]
    with pytest.raises(OSError) as caught:
        (bench.site() / "large" / "part1.bin").open("rb")
    assert caught.value.errno in (errno.EREMOTEIO, errno.ENETUNREACH)


@pytest.mark.parametrize("ranges", ["ignore", "refuse", "not-implemented"])
def test_from_an_index_without_ranges_wheels_come_whole(
    bench: Bench, ranges: Literal["ignore", "refuse", "not-implemented"]
) -> None:
    lazily(bench, "large", "small")
    bench.index.ranges = ranges
    online(bench)
    assert (bench.site() / "large" / "part5.bin").read_bytes() == FILES["large/part5.bin"]
    assert (bench.site() / "large" / "part1.bin").read_bytes() == FILES["large/part1.bin"]
    assert bench.index.body_bytes(LARGE) < 1.6 * PARTS * PART_BYTES
    made = bench.create("again", "large", "small", lazy=True)
    assert made["environment"]["state"] == "complete"


def broken(name: str) -> bytes:
    """Return a wheel one of whose members has other bytes than its checksum is of; the wheel's own sha256 is right."""
    wheel = bytearray(
        build_wheel(name, "1.0", files={f"{name}/__init__.py": b"", f"{name}/data.bin": b"x" * 500_000}, compression="stored")
    )
    wheel[wheel.index(b"x" * 5000) + 20] ^= 1
    return bytes(wheel)


def test_a_member_that_is_wrong_in_the_wheel_is_refused_and_nothing_else(bench: Bench) -> None:
    bench.index.add(wheel_filename("broken", "1.0"), broken("broken"), project="broken")
    bench.create("it", "broken", "small", lazy=True)
    online(bench)
    with pytest.raises(OSError) as caught:
        (bench.site() / "broken" / "data.bin").open("rb")
    assert caught.value.errno == errno.EREMOTEIO
    bench.python("-c", "import broken, small").succeeded()


@pytest.mark.parametrize("times", [1, None])
def test_wrong_bytes_on_the_way_are_healed_by_the_whole_wheel(bench: Bench, times: int | None) -> None:
    lazily(bench, "large", "small")
    at = build_wheel("large", "1.0", files=FILES).index(FILES["large/part4.bin"][:64])
    online(bench)
    bench.index.faults.append(faults.Fault(LARGE, faults.WrongBytes(at=at + 1_000), times=times))
    path = bench.site() / "large" / "part4.bin"
    if times == 1:
        assert path.read_bytes() == FILES["large/part4.bin"]
        return
    with pytest.raises(OSError) as caught:
        path.open("rb")
    assert caught.value.errno == errno.EREMOTEIO


def test_a_wheel_whose_record_is_wrong_is_taken_whole(bench: Bench) -> None:
    made = BytesIO()
    files = {"lying/__init__.py": b"X = 'truth'\n", "lying/data.bin": incompressible(600_000)}
    with zipfile.ZipFile(BytesIO(build_wheel("lying", "1.0", files=files))) as given, zipfile.ZipFile(made, "w") as archive:
        for entry in given.infolist():
            content = given.read(entry)
            if entry.filename.endswith("/RECORD"):
                content = content.replace(b"lying/__init__.py,sha256=", b"lying/__init__.py,sha256=AAAA")
                content = b"\n".join(
                    line[: line.index(b"AAAA")] + b"A" * 43 + b"," + line.rpartition(b",")[2] if b"AAAA" in line else line
                    for line in content.split(b"\n")
                )
            archive.writestr(entry, content)
    bench.index.add(wheel_filename("lying", "1.0"), made.getvalue(), project="lying")
    bench.create("it", "lying", lazy=True)
    online(bench)
    assert bench.python("-c", "import lying; print(lying.X)").succeeded().stdout == "truth\n"
    assert state(bench) == "lazy"
    done = bench.command("--json", "fetch", "--env", "it", "--index", f"main={bench.index.url}").succeeded()
    assert objects(done)[-2]["compiled"] == 0, "whose bytecode that would be nothing says"


@pytest.mark.parametrize(
    ("changed", "said"),
    [({"executable": "/no/such/python3"}, "there is no such file"), ({"magic": b"abcd"}, "it was made for Python 3.")],
)
def test_of_an_interpreter_that_is_not_there_nothing_is_compiled(bench: Bench, changed: dict[str, Any], said: str) -> None:
    lazily(bench, "large", "small")
    with Store.open(bench.store) as store:
        label = store.mounted.label("it")
        assert label is not None
        tree = store.mounted.tree(label.digest)
        assert tree is not None
        interpreter = msgspec.structs.replace(tree.interpreter, **changed)
        digest, encoding = encoded(msgspec.structs.replace(tree, interpreter=interpreter))
        store.mounted.put(msgspec.structs.replace(label, digest=digest), encoding).result()
    done = bench.command("--json", "fetch", "--env", "it", "--index", f"main={bench.index.url}").succeeded()
    made = objects(done)[-2]
    assert (made["environment"]["state"], made["compiled"]) == ("complete", 0)
    assert said in done.stderr


def test_without_a_hash_it_is_fetched_whole(bench: Bench) -> None:
    bench.index.hashes = False
    made = bench.create("it", "large", lazy=True)["environment"]
    assert made["state"] == "complete"


def test_of_two_files_of_one_name_it_has_the_one_that_was_chosen_whatever_its_hash_is(bench: Bench) -> None:
    name, other = bench.index.add_wheel("shared", "1.0", files={"shared.py": b"X = 'other'\n"})
    bench.create("it", "shared")
    numbered = (build_wheel("shared", "1.0", files={"shared.py": b"X = %d\n" % number}) for number in count())
    later = next(one for one in numbered if hashlib.sha256(one).digest() > hashlib.sha256(other).digest())
    with FakeIndex() as plain:
        plain.add(name, later, project="shared")
        file = {"filename": name, "url": plain.file_url(name), "hashes": {"whirlpool": "aa" * 64}}  # Python has no such algorithm
        page = {"meta": {"api-version": "1.0"}, "name": "shared", "files": [file]}
        plain.set_page("shared", json.dumps(page).encode(), JSON)
        for _ in range(2):  # when it has just come, and when it is here
            words = ("it", "shared", "--index", f"plain={plain.url}", *bench.options)
            bench.command("env", "create", *words).succeeded()
            [shown] = objects(bench.command("--json", "env", "show", "it").succeeded())
            assert [wheel["sha256"] for wheel in shown["wheels"]] == [hashlib.sha256(later).hexdigest()]


def test_what_is_withheld_until_it_is_verified_comes_whole(bench: Bench) -> None:
    lazily(bench, "large", "small")
    bench.mount("--index", f"main={bench.index.url}", env={"WHEELFS_VERIFY": "strict"})
    assert (bench.site() / "large" / "part0.bin").read_bytes() == FILES["large/part0.bin"]
    [stored] = [one for one in objects(bench.command("--json", "ls", "large").succeeded()) if one["filename"] == LARGE]
    assert stored["state"] == "stored"


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--env", "nothing"), 5, "there is none of this name"),
        (("--env", "it", "numpy"), 2, "--env names all that is to be fetched"),
    ],
)
def test_what_cannot_be_fetched_is_refused(bench: Bench, words: tuple[str, ...], code: int, said: str) -> None:
    bench.create("it", "small", lazy=True)
    done = bench.command("--json", "fetch", *words)
    assert done.returncode == code
    assert said in error_of(done)["message"]


def test_a_lock_that_is_stored_already_makes_a_complete_one(bench: Bench) -> None:
    bench.create("it", "large", "small")
    made = bench.create("again", "large", "small", lazy=True)
    assert made["environment"]["state"] == "complete"
    assert hashlib.sha256((bench.site("again") / "large" / "part0.bin").read_bytes()).digest()
