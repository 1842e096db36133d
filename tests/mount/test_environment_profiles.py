"""Profiles of environments: what runs open is noted, shown, and fetched ahead where it is not stored."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.fakes.commands import objects
from tests.fakes.environment_bench import VERSION, Bench
from tests.fakes.waiting import eventually
from tests.fakes.wheels import incompressible, wheel_filename
from wheelfs.store.store import Store

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import MountWheelfs, RunWheelfs
    from tests.fakes.index import FakeIndex
    from tests.fakes.processes import Finished

SITE = f"lib/python{VERSION}/site-packages"
LARGE = wheel_filename("large", "1.0")


def files_of(version: str) -> dict[str, bytes]:
    """Two modules, and data that lies between them and further apart than ranges are joined over."""
    return {
        "large/__init__.py": f"VERSION = {version!r}\n".encode(),
        **{f"large/a{number}.bin": incompressible(200_000, f"{version} a{number}") for number in range(4)},
        "large/m.py": b"HERE = 'm'\n",
        **{f"large/n{number}.bin": incompressible(200_000, f"{version} n{number}") for number in range(4)},
    }


@pytest.fixture
def bench(run_wheelfs: RunWheelfs, mounted: MountWheelfs, fake_index: FakeIndex, store_dir: Path, tmp_path: Path) -> Bench:
    fake_index.add_wheel("large", "1.0", files=files_of("1.0"))
    return Bench(run_wheelfs, mounted, fake_index, store_dir, tmp_path / "home-of-python")


def profile(bench: Bench) -> list[str]:
    [found] = objects(bench.command("--json", "env", "profile", "it").succeeded())
    return [path.removeprefix(f"{SITE}/large/") for path in found["files"]]


def test_what_a_run_opens_is_noted_without_a_write_for_each(bench: Bench) -> None:
    bench.create("it", "large")
    mount = bench.mount("--no-index")
    bench.python("-c", "import large.m").succeeded()
    (bench.site() / "large" / "a1.bin").read_bytes()
    mount.stop()
    assert profile(bench) == ["__init__.py", "a1.bin", "m.py"], "a module that is compiled stands for its bytecode"
    told = bench.command("env", "profile", "it").succeeded()
    assert told.stdout.splitlines() == [f"{SITE}/large/{name}" for name in ("__init__.py", "a1.bin", "m.py")]
    assert "3 files" in told.stderr
    assert bench.command("env", "profile", "it", "--clear").succeeded().stdout == "cleared the profile of it\n"
    assert profile(bench) == []
    assert bench.command("env", "profile", "other").returncode == 5


def test_a_mount_writes_it_while_it_runs(bench: Bench) -> None:
    bench.create("it", "large")
    bench.python("-c", "import large.m").succeeded()
    eventually(lambda: profile(bench) == ["__init__.py", "m.py"], deadline_s=60)


def test_what_it_names_is_fetched_when_the_environment_is_looked_into(bench: Bench) -> None:
    digest = bytes.fromhex(bench.create("it", "large", lazy=True)["environment"]["digest"])
    with Store.open(bench.store) as store:
        paths = [f"{SITE}/large/{name}" for name in ("a0.bin", "a1.bin", "m.py", "n1.bin")]
        store.mounted.profiles.merge(digest, paths).result()
    bench.mount("--index", f"main={bench.index.url}")
    bench.index.reset_counters()
    assert bench.path().is_dir()
    assert not bench.index.requests_for(LARGE), "its own name is no use of it"
    assert (bench.path() / "pyvenv.cfg").is_file()
    # Neighbours in one request, and the module between them in one of its own.
    eventually(lambda: len(bench.index.requests_for(LARGE)) == 3 and bench.index.body_bytes(LARGE) > 600_000)
    for name in ("a0.bin", "a1.bin", "n1.bin"):
        assert (bench.site() / "large" / name).read_bytes() == files_of("1.0")[f"large/{name}"]
    assert len(bench.index.requests_for(LARGE)) == 3
    assert bench.index.body_bytes(LARGE) < 800_000


def test_the_next_version_of_a_label_begins_with_it(bench: Bench) -> None:
    bench.create("it", "large==1.0", lazy=True)
    mount = bench.mount("--index", f"main={bench.index.url}")
    bench.python("-c", "import large.m").succeeded()
    (bench.site() / "large" / "n2.bin").read_bytes()
    mount.stop()
    bench.index.add_wheel("large", "2.0", files=files_of("2.0"))
    done: list[Finished] = []

    def is_made() -> bool:
        done.append(bench.command("--json", "env", "create", "it", "large==2.0", *bench.options))
        return done[-1].returncode == 0

    eventually(is_made, deadline_s=60)  # an index that is slow to answer is not waited for while there is an older page
    made = objects(done[-1])[-1]
    assert (made["environment"]["state"], made["compiled"]) == ("lazy", 2), "what is opened is here, and compiled"
    assert profile(bench) == ["__init__.py", "m.py", "n2.bin"]
    bench.index.stop()
    bench.mount("--index", f"main={bench.index.url}", "--offline")
    printed = bench.python("-c", "import large.m; print(large.VERSION, large.m.__cached__)").succeeded().stdout.split()
    assert printed[0] == "2.0"
    assert (bench.site() / "large" / "n2.bin").read_bytes() == files_of("2.0")["large/n2.bin"]


def test_the_same_environment_made_again_after_its_removal_begins_with_it(bench: Bench) -> None:
    bench.create("it", "large", lazy=True)
    mount = bench.mount("--index", f"main={bench.index.url}")
    bench.python("-c", "import large.m").succeeded()
    mount.stop()
    bench.command("env", "rm", "it").succeeded()
    bench.create("it", "large", lazy=True)
    assert profile(bench) == ["__init__.py", "m.py"]
