"""Environments: what an installer makes of the same wheels, run by real interpreters."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from typing import TYPE_CHECKING

import pytest
import uv

from tests.fakes.commands import error_of, objects
from tests.fakes.environment_bench import VERSION, Bench
from tests.fakes.many_kinds import NAME, many_kinds, odd_kinds
from tests.fakes.processes import run
from tests.fakes.trees_on_disk import digests_below
from tests.fakes.wheels import build_wheel, wheel_filename
from tests.gateway.serving import Serving

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import MountWheelfs, RunWheelfs
    from tests.fakes.index import FakeIndex


@pytest.fixture
def bench(run_wheelfs: RunWheelfs, mounted: MountWheelfs, fake_index: FakeIndex, store_dir: Path, tmp_path: Path) -> Bench:
    fake_index.add(NAME, many_kinds(), project="many-kinds")
    fake_index.add_wheel("other", "1.0", files={"spread/second/__init__.py": b"HERE = 'second'\n", "other.py": b"X = 1\n"})
    return Bench(run_wheelfs, mounted, fake_index, store_dir, tmp_path / "home-of-python")


def test_every_file_is_what_uv_installs(bench: Bench, tmp_path: Path) -> None:
    bench.index.add(wheel_filename("odd-kinds", "1.0"), odd_kinds(), project="odd-kinds")
    bench.create("it", "many-kinds", "other", "odd-kinds")
    venv = tmp_path / "venv"
    environment = {**bench.environ, "VIRTUAL_ENV": str(venv)}
    run(
        [uv.find_uv_bin(), "venv", "-q", "--python", sys.executable, str(venv)], environment=environment, cwd=tmp_path
    ).succeeded()
    before = set(digests_below(venv))
    install = [uv.find_uv_bin(), "pip", "install", "-q", "--index-url", bench.index.url, "many-kinds", "other", "odd-kinds"]
    run(install, environment=environment, cwd=tmp_path).succeeded()
    theirs = {path: file for path, file in digests_below(venv).items() if path not in before}
    ours = digests_below(bench.path())
    # What differs on purpose: an installer's own notes, bytecode, what imports it, and the first lines of scripts.
    notes = (".lock", "/INSTALLER", "/RECORD", "/REQUESTED", "/uv_cache.json", "/direct_url.json")
    compared = {path: file for path, file in ours.items() if not path.endswith(notes)}
    assert compared.pop("pyvenv.cfg")
    assert compared.pop(".wheelfs/env.json")
    for kind in ("py", "pth"):
        assert compared.pop(f"lib/python{VERSION}/site-packages/_wheelfs_environment.{kind}")
    scripts = {path for path in compared if path.startswith("bin/") and path not in ("bin/in-shell", "bin/in-nothing")}
    own = {"bin/many-kinds", "bin/many-nested", "bin/many-window", "bin/in-python"}
    assert scripts == {*own, "bin/in-python3", "bin/odd-broken", "bin/odd-ünicode"}
    assert {path: file for path, file in compared.items() if path not in scripts} == {
        path: file for path, file in theirs.items() if path not in scripts and not path.endswith(notes)
    }
    assert scripts < set(theirs)
    assert all(compared[path][1] and theirs[path][1] for path in scripts)
    assert run([str(bench.path() / "bin" / "in-python3")], environment=bench.environ).succeeded().stdout == "odd\n"


def test_python_runs_from_it_offline(bench: Bench) -> None:
    made = bench.create("it", "many-kinds", "other")
    assert made["result"] == "created"
    assert made["environment"]["wheels"] == 2
    assert made["clashes"] == []
    bench.index.stop()
    printed = bench.python(
        "-c", "import many_kinds, sys; print(many_kinds.__file__, many_kinds.__cached__, sys.prefix)"
    ).succeeded()
    site = bench.path() / "lib" / f"python{VERSION}" / "site-packages"
    cached = site / "many_kinds" / "__pycache__" / f"__init__.{sys.implementation.cache_tag}.pyc"
    assert printed.stdout.split() == [str(site / "many_kinds" / "__init__.py"), str(cached), str(bench.path())]
    assert cached.is_file(), "compiled once, for all"
    assert not (site / "many_kinds" / "__pycache__" / f"old.{sys.implementation.cache_tag}.pyc").exists()
    spread = bench.python("-c", "import spread.first, spread.second; print(spread.first.HERE, spread.second.HERE)").succeeded()
    assert spread.stdout.split() == ["first", "second"], "a namespace package of two wheels"
    spawned = (
        "import multiprocessing as m, many_kinds\n"
        "if __name__ == '__main__':\n"
        "    with m.get_context('spawn').Pool(2) as pool: print(pool.map(many_kinds.Nested.__class__.__call__, []), 'spawned')\n"
    )
    (bench.store.parent / "spawned.py").write_text(spawned)
    assert "spawned" in bench.python("spawned.py").succeeded().stdout
    told = "import importlib.metadata as m; d = m.distribution('many-kinds'); print(d.version, d.read_text('INSTALLER').strip(), "
    told += "all(f.locate().is_file() for f in d.files), sorted(e.name for e in d.entry_points if e.group == 'console_scripts'))"
    assert bench.python("-c", told).succeeded().stdout.split(maxsplit=3)[:3] == ["1.0", "wheelfs", "True"]


def test_tools_take_it_for_a_virtual_environment(bench: Bench, tmp_path: Path) -> None:
    bench.create("it", "many-kinds", "other")
    for command in (
        [sys.executable, "-m", "pip", "--python", str(bench.path() / "bin" / "python"), "list", "--format", "json"],
        [uv.find_uv_bin(), "pip", "list", "--python", str(bench.path() / "bin" / "python"), "--format", "json"],
    ):
        said = run(command, environment=bench.environ, cwd=tmp_path).succeeded().stdout
        assert {one["name"]: one["version"] for one in json.loads(said)} == {"many-kinds": "1.0", "other": "1.0"}


def test_a_virtual_environment_lies_on_top(bench: Bench, tmp_path: Path) -> None:
    mine, project = tmp_path / "mine", tmp_path / "project"
    bench.path()
    [*_, made] = objects(bench.command("--json", "env", "create", "it", "other", *bench.options, "--venv", str(mine)).succeeded())
    assert made == {"venv": str(mine)}
    (project / "own").mkdir(parents=True)
    own = "import other\nprint(other.X, other.__file__, type(other.__loader__).__module__)\n"
    (project / "own" / "__init__.py").write_text(own)
    (project / "pyproject.toml").write_text(
        '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
        '[project]\nname = "own"\nversion = "1"\ndependencies = ["other"]\n'
    )
    editable = build_wheel("own", "1", requires=["other"], files={"own.pth": f"{project}\n".encode()})
    (project / "backend.py").write_text(
        "def build_editable(where, *_):\n"
        f"    open(where + '/{wheel_filename('own', '1')}', 'wb').write({editable!r})\n"
        f"    return '{wheel_filename('own', '1')}'\n"
    )
    python = str(mine / "bin" / "python")
    pip = [sys.executable, "-m", "pip", "--python", python]
    install = [*pip, "install", "-q", "--no-index", "--no-build-isolation", "-e", str(project)]
    run(install, environment=bench.environ, cwd=tmp_path).succeeded()
    printed = run([python, "-m", "own"], environment=bench.environ, cwd=tmp_path)
    assert printed.stdout == f"1 {bench.site()}/other.py _wheelfs_environment\n"
    listed = run([*pip, "list", "--format", "json"], environment=bench.environ, cwd=tmp_path).succeeded().stdout
    assert {one["name"] for one in json.loads(listed)} == {"other", "own"}
    again = bench.command("env", "create", "it", "other", *bench.options, "--venv", str(mine)).succeeded().stdout
    assert again.endswith(f"virtual environment {mine}: {python} has the packages of {bench.path()}\n")
    assert run([python, "-c", "import own"], environment=bench.environ, cwd=tmp_path).succeeded().stdout == printed.stdout


def test_a_virtual_environment_covers_nothing_that_is_there(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("all of it")
    done = bench.command("--json", "env", "create", "it", "other", *bench.options, "--venv", str(tmp_path / "mine"))
    assert error_of(done)["class"] == "DestinationError"
    assert os.listdir(tmp_path / "mine") == ["thesis.tex"]
    assert bench.command("env", "ls").succeeded().stdout == "", "it is refused before anything is made"


def test_what_record_says_is_so(bench: Bench) -> None:
    bench.create("it", "many-kinds")
    checking = (
        "import base64, hashlib, importlib.metadata as m\n"
        "for f in m.distribution('many-kinds').files:\n"
        "    content = f.locate().read_bytes()\n"
        "    assert f.hash is None or f.hash.value == "
        "base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b'=').decode(), f\n"
        "    assert f.size is None or f.size == len(content), f\n"
        "print('checked')\n"
    )
    assert bench.python("-c", checking).succeeded().stdout == "checked\n"


@pytest.mark.parametrize(
    ("script", "printed", "code"),
    [
        ("many-kinds", "many kinds read ['a b']", 3),
        ("many-nested", "many kinds read ['a b']", 3),
        ("in-python", r"'script \xe4' many_kinds", 0),
        ("in-shell", "shell", 0),
    ],
)
def test_scripts_run_from_anywhere(bench: Bench, tmp_path: Path, script: str, printed: str, code: int) -> None:
    bench.create("it", "many-kinds")
    elsewhere = tmp_path / "a link"
    elsewhere.symlink_to(bench.path() / "bin" / script)
    for path in (bench.path() / "bin" / script, elsewhere):
        done = run([str(path), "a b"], environment=bench.environ, cwd=tmp_path)
        assert (done.returncode, printed in done.stdout) == (code, True), done


def test_a_label_that_is_made_again_leaves_what_runs_alone(bench: Bench) -> None:
    bench.create("it", "other==1.0")
    module = bench.path() / "lib" / f"python{VERSION}" / "site-packages" / "other.py"
    command = [str(bench.path() / "bin" / "python"), "-c", "input(); import other; print(other.X)"]
    started = subprocess.Popen(
        command, env=bench.environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=bench.path()
    )
    with module.open() as reader, started as running:
        bench.index.add_wheel("other", "2.0", files={"other.py": b"X = 'two'\n"})
        assert bench.create("it", "other==2.0")["result"] == "created"
        assert bench.python("-c", "import other; print(other.X)").succeeded().stdout == "two\n"
        assert reader.read() == "X = 1\n"
        assert "python" in os.listdir(f"/proc/{running.pid}/cwd/bin")
        assert running.communicate("\n", timeout=60)[0] == "two\n", "it looks names up as they are now"
    assert bench.create("it", "other==2.0")["result"] == "unchanged"


def test_every_mount_shows_what_was_made_as_soon_as_it_is_made(bench: Bench, mounted: MountWheelfs) -> None:
    bench.index.add_wheel("other", "2.0", files={"other.py": b"X = 2\n"})
    bench.create("it", "other==1.0")
    other = mounted("--no-index").path / "env"
    environments = bench.path().parent, other
    module = f"lib/python{VERSION}/site-packages/other.py"
    for version in (2, 1) * 4:
        assert all((path / "it" / module).read_bytes() == b"X = %d\n" % (3 - version) for path in environments)
        assert not any((path / "new").exists() for path in environments)
        for name in ("it", "new"):
            bench.create(name, f"other=={version}.0")
        assert bench.python("-c", "import other; print(other.X)").succeeded().stdout == f"{version}\n"
        for path in environments:
            assert {(path / name / module).read_bytes() for name in ("it", "new")} == {b"X = %d\n" % version}
        bench.command("env", "rm", "new").succeeded()
        assert not any((path / "new").exists() for path in environments)


def test_a_mount_that_is_stopped_holds_up_no_environment(bench: Bench, mounted: MountWheelfs) -> None:
    bench.index.add_wheel("other", "2.0", files={"other.py": b"X = 2\n"})
    bench.create("it", "other==1.0")
    module = bench.site() / "other.py"
    assert module.read_bytes() == b"X = 1\n"
    stopped = mounted("--no-index").process
    stopped.send_signal(signal.SIGSTOP)
    try:
        assert bench.create("it", "other==2.0")["result"] == "created"
        assert module.read_bytes() == b"X = 2\n"
        bench.command("env", "rm", "it").succeeded()
    finally:
        stopped.send_signal(signal.SIGCONT)
    assert not bench.path().exists()


def test_it_says_how_to_run_it(bench: Bench) -> None:
    words = ("env", "create", "it", "other", "--index", f"main={bench.index.url}")
    before = bench.command(*words).succeeded().stdout
    assert "run /mnt/wheels/env/it/bin/python after: wheelfs mount /mnt/wheels" in before
    python = bench.path() / "bin" / "python"
    after = bench.command(*words).succeeded().stdout
    assert after.startswith("unchanged it: 1 wheel, ")
    assert after.endswith(f"\nrun {python}\n")


def test_it_lists_shows_and_goes(bench: Bench) -> None:
    digest = bench.create("it", "many-kinds")["environment"]["digest"]
    assert bench.create("again", "many-kinds")["environment"]["digest"] == digest, "the same files make the same tree"
    assert sorted(os.listdir(bench.path().parent)) == ["again", "it"]
    assert "env" in os.listdir(bench.path().parent.parent)
    listed = objects(bench.command("--json", "env", "ls").succeeded())
    assert [one["name"] for one in listed] == ["again", "it"]
    assert all(one["digest"] == digest for one in listed)
    [shown] = objects(bench.command("--json", "env", "show", "it").succeeded())
    assert [wheel["filename"] for wheel in shown["wheels"]] == [NAME]
    assert shown["environment"] == listed[1]
    assert "many-kinds" in bench.command("env", "show", "it").succeeded().stdout
    refused = bench.command("--json", "rm", "many-kinds")
    assert "the environment it is made of it" in error_of(refused)["message"]
    assert bench.command("env", "rm", "it", "again").succeeded().stdout == "removed it\nremoved again\n"
    assert bench.command("env", "ls").succeeded().stdout == ""
    assert not bench.path().exists()
    assert bench.command("env", "rm", "it").returncode == 5
    assert bench.command("env", "show", "it").returncode == 5
    bench.command("rm", "many-kinds").succeeded()


def test_the_gateway_has_none(bench: Bench, tmp_path: Path) -> None:
    bench.create("it", "other")
    with Serving(bench.store, "--no-index") as gateway:
        for path in ("env/", "env/it/", "env/it/pyvenv.cfg"):
            with pytest.raises(urllib.error.HTTPError) as caught:
                urllib.request.urlopen(f"{gateway.url}/{path}", timeout=60)
            with caught.value as answer:
                assert answer.code == 404


def test_an_sdist_is_named_with_what_to_do_and_then_that_does_it(bench: Bench) -> None:
    bench.index.add("source-1.0.tar.gz", b"not looked at", project="source")
    done = bench.command("--json", "env", "create", "it", "pylock.toml", "--index", f"main={bench.index.url}")
    assert done.returncode != 0
    lock = bench.store.parent / "pylock.toml"
    digest = hashlib.sha256(b"not looked at").hexdigest()
    url = bench.index.file_url("source-1.0.tar.gz")
    lock.write_text(
        'lock-version = "1.0"\ncreated-by = "tests"\n[[packages]]\nname = "source"\nversion = "1.0"\n'
        f'sdist = {{name = "source-1.0.tar.gz", url = "{url}", hashes = {{sha256 = "{digest}"}}}}\n'
    )
    error = objects(bench.command("--json", "env", "create", "it", str(lock), "--index", f"main={bench.index.url}"))[-1]["error"]
    assert error["class"] == "InvalidInput"
    assert "source-1.0.tar.gz is no wheel" in error["message"]
    assert "uv build" in error["message"]
    wheel = bench.store.parent / wheel_filename("source", "1.0")
    wheel.write_bytes(build_wheel("source", "1.0"))
    bench.command("add", str(wheel)).succeeded()
    said = bench.command("env", "create", "it", str(lock), *bench.options).succeeded().stderr
    assert f"wheelfs: source==1.0 is not built: {wheel.name} was added here, and stands for it\n" in said
    [shown] = objects(bench.command("--json", "env", "show", "it").succeeded())
    assert [one["filename"] for one in shown["wheels"]] == [wheel.name]


def test_two_wheels_at_one_path_are_told(bench: Bench) -> None:
    bench.index.add_wheel("another", "1.0", files={"other.py": b"X = 'another'\n"})
    made = bench.create("it", "other", "another")
    assert made["clashes"] == [
        {
            "path": f"lib/python{VERSION}/site-packages/other.py",
            "hidden": wheel_filename("another", "1.0"),
            "shown": wheel_filename("other", "1.0"),
        }
    ]
    assert bench.python("-c", "import other; print(other.X)").succeeded().stdout == "1\n"


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("it", "nothing-such"), 10, "nothing-such"),
        (("-", "other"), 3, "name an environment"),
        (("../it", "other"), 3, "name an environment"),
        (("it",), 2, "nothing is asked for"),
        (("it", "other", "--python", "/no/such/python"), 5, "there is no such file"),
        (("it", "other", "--python", "9.9"), 5, "there is no python9.9 in PATH"),
        (("it", "other", "--python", "/bin/true"), 3, "does not behave like Python"),
    ],
)
def test_what_cannot_be_made_is_refused_with_a_reason(bench: Bench, words: tuple[str, ...], code: int, said: str) -> None:
    done = bench.command("--json", "env", "create", *words, "--index", f"main={bench.index.url}")
    assert done.returncode == code, done
    assert said in json.loads(done.stdout.splitlines()[-1])["error"]["message"]
    assert bench.command("env", "ls").succeeded().stdout == ""


def test_nothing_is_written_into_it(bench: Bench) -> None:
    bench.create("it", "other")
    with pytest.raises(OSError) as caught:
        (bench.path() / "lib" / f"python{VERSION}" / "site-packages" / "new.py").write_text("x")
    assert caught.value.errno == errno.EROFS
    with pytest.raises(OSError) as caught:
        (bench.path() / "bin" / "python").unlink()
    assert caught.value.errno == errno.EROFS


def test_installers_name_the_path_that_is_read_only(bench: Bench, tmp_path: Path) -> None:
    bench.create("it", "other")
    python = str(bench.path() / "bin" / "python")
    asked = ("--index-url", bench.index.url, "many-kinds")
    for command, said in (
        ([sys.executable, "-m", "pip", "--python", python, "install"], "Read-only file system: '{site}"),
        ([uv.find_uv_bin(), "pip", "install", "--python", python], "`{site}"),
    ):
        done = run([*command, *asked], environment=bench.environ, cwd=tmp_path)
        assert done.returncode
        assert "Read-only file system" in done.stderr
        assert said.format(site=bench.site()) in done.stderr


def test_a_wheel_with_a_wrong_checksum_makes_none(bench: Bench) -> None:
    files = {"broken/__init__.py": b"", "broken/data.bin": b"x" * 5000}
    wheel = bytearray(build_wheel("broken", "1.0", files=files, compression="stored"))
    wheel[wheel.index(b"x" * 5000)] ^= 1
    bench.index.add(wheel_filename("broken", "1.0"), bytes(wheel), project="broken")
    done = bench.command("--json", "env", "create", "it", "broken", "--complete", "--index", f"main={bench.index.url}")
    error = objects(done)[-1]["error"]
    assert error["class"] == "InvalidInput"
    assert "broken/data.bin' does not have the size and checksum" in error["message"]
    assert bench.command("env", "ls").succeeded().stdout == ""


def test_what_is_saved_is_counted_by_members(bench: Bench) -> None:
    bench.index.add_wheel(
        "large", "1.0", files={"large/__init__.py": b"", **{f"large/{n}.txt": b"x" for n in range(50)}}, big_bytes=3_000_000
    )
    bench.create("it", "large")
    package = bench.path() / "lib" / f"python{VERSION}" / "site-packages" / "large"
    for number in range(50):
        assert (package / f"{number}.txt").read_bytes() == b"x"
    [status] = objects(bench.command("--json", "status").succeeded())
    assert status["counters"]["saved_bytes"] < 100_000


def test_a_large_member_is_the_same_from_several_readers(bench: Bench) -> None:
    content = hashlib.shake_256(b"large").digest(1 << 20) * 9
    bench.index.add_wheel("large", "1.0", files={"large/__init__.py": b"", "large/data.bin": content})
    bench.create("it", "large")
    data = bench.path() / "lib" / f"python{VERSION}" / "site-packages" / "large" / "data.bin"
    readers = [subprocess.Popen(["sha256sum", data], stdout=subprocess.PIPE, text=True) for _ in range(4)]
    expected = hashlib.sha256(content).hexdigest()
    assert [reader.communicate(timeout=60)[0].split()[0] for reader in readers] == [expected] * 4
    assert os.getxattr(data, "user.wheelfs.wheel").decode() == wheel_filename("large", "1.0")
