"""Environments of a share: a node that holds nothing but the share runs them, and trusts no more than it says."""

from __future__ import annotations

import importlib.util
import marshal
import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from tests.fakes.commands import error_of, objects
from tests.fakes.environment_bench import VERSION, Bench
from tests.fakes.trees_on_disk import digests_below
from tests.fakes.waiting import eventually
from tests.fakes.wheels import build_wheel, incompressible, wheel_filename
from tests.gateway.serving import Serving
from wheelfs.model.shared_environment import SharedEnvironment
from wheelfs.remote.share.objects import open_objects
from wheelfs.remote.share.share import WrittenShare
from wheelfs.store.store import Store

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import MountWheelfs, RunWheelfs
    from tests.fakes.index import FakeIndex
    from tests.fakes.processes import Finished

SITE = f"lib/python{VERSION}/site-packages"
LARGE = wheel_filename("large", "1.0")
CACHED = f".{sys.implementation.cache_tag}.pyc"
FILES = {
    "large/__init__.py": b"HERE = 'large'\n",
    "large/m.py": b"HERE = 'm'\n",
    "large/unused.py": b"HERE = 'unused'\n",
    **{f"large/part{number}.bin": incompressible(300_000, f"part {number}") for number in range(5)},
}


@dataclass
class Lab:
    """Two nodes and a share; the second has no index."""

    first: Bench
    second: Bench
    share: str

    def on_second(self, *words: str) -> Finished:
        return self.second.command("--json", *words, "--share", self.share, env={"WHEELFS_NO_INDEX": "true"})

    def push(self) -> dict[str, Any]:
        done = self.first.command("--json", "push", "--env", "it", "--share", self.share).succeeded()
        pushed: dict[str, Any] = objects(done)[-1]["environment"]
        return pushed

    def pull(self, *words: str) -> dict[str, Any]:
        pulled: dict[str, Any] = objects(self.on_second("pull", "--env", "it", *words).succeeded())[0]["environment"]
        return pulled

    def run_first(self) -> None:
        """Run what is to be in the profile."""
        mount = self.first.mount("--no-index")
        self.first.python("-c", "import large.m").succeeded()
        (self.first.site() / "large" / "part3.bin").read_bytes()
        mount.stop()

    def opened(self) -> WrittenShare:
        return WrittenShare(open_objects(self.share))


@pytest.fixture
def lab(run_wheelfs: RunWheelfs, mounted: MountWheelfs, fake_index: FakeIndex, store_dir: Path, tmp_path: Path) -> Lab:
    fake_index.add_wheel("large", "1.0", files=FILES)
    fake_index.add_wheel("small", "1.0", files={"small.py": b"HERE = 'small'\n"})
    (tmp_path / "share").mkdir()
    other = tmp_path / "other"

    def mounted_there(*options: str, **how: Any) -> Any:
        return mounted(*options, store=other, **how)

    first = Bench(run_wheelfs, mounted, fake_index, store_dir, tmp_path / "home-1")
    second = Bench(run_wheelfs, mounted_there, fake_index, other, tmp_path / "home-2")
    first.create("it", "large", "small")
    return Lab(first, second, f"file://{tmp_path}/share")


def test_a_node_with_nothing_but_a_share_lists_and_runs_it(lab: Lab) -> None:
    lab.run_first()
    pushed = lab.push()
    assert (pushed["result"], pushed["wheels"], pushed["compiled"]) == ("pushed", 2, 2)
    assert lab.push()["result"] == "present"
    lab.first.index.stop()
    [listed] = objects(lab.on_second("env", "ls"))
    assert (listed["name"], listed["digest"], listed["runs_here"]) == ("it", pushed["digest"], True)
    pulled = lab.pull()
    assert (pulled["result"], pulled["digest"], pulled["compiled"]) == ("pulled", pushed["digest"], 2)
    [shown] = objects(lab.second.command("--json", "env", "ls").succeeded())
    assert (shown["name"], shown["state"], shown["missing_wheels"]) == ("it", "lazy", 2)
    lab.second.mount("--share", f"lab={lab.share}", "--no-index")
    printed = lab.second.python("-c", "import large.m, small; print(large.m.__cached__, small.HERE)").succeeded()
    assert printed.stdout.split() == [str(lab.second.site() / "large" / "__pycache__" / f"m{CACHED}"), "small"]
    assert sorted(os.listdir(lab.second.site() / "large" / "__pycache__")) == [f"__init__{CACHED}", f"m{CACHED}"]
    for name, content in FILES.items():
        assert (lab.second.site() / name).read_bytes() == content
    [shown] = objects(lab.second.command("--json", "env", "ls").succeeded())
    assert shown["missing_wheels"] == 1, "a small wheel comes whole"


def test_what_the_profile_names_is_here_before_it_is_opened(lab: Lab) -> None:
    lab.run_first()
    lab.push()
    lab.pull()
    mount = lab.second.mount("--share", f"lab={lab.share}", "--no-index")
    assert (lab.second.path() / "pyvenv.cfg").is_file()

    def fetched() -> bool:
        [status] = objects(lab.second.command("--json", "status").succeeded())
        return int(status["counters"]["fetched_bytes"]) > 300_000

    eventually(fetched)
    mount.stop()
    lab.second.mount("--offline", "--no-index")
    assert (lab.second.site() / "large" / "part3.bin").read_bytes() == FILES["large/part3.bin"]
    with pytest.raises(OSError):
        (lab.second.site() / "large" / "part1.bin").open("rb")


def test_its_wheels_come_with_contents(lab: Lab) -> None:
    lab.push()
    assert not lab.second.path().exists()
    lab.pull("--contents")
    assert lab.second.path().exists(), "a mount shows it at once"
    [shown] = objects(lab.second.command("--json", "env", "ls").succeeded())
    assert shown["state"] == "complete"
    assert digests_below(lab.second.path()) == digests_below(lab.first.path())


def test_of_a_lazy_one_those_wheels_come_that_the_share_has(lab: Lab) -> None:
    late, _ = lab.first.index.add_wheel("late", "1.0", files={"late.bin": incompressible(3_000_000, "late")})
    lab.first.create("it", "large", "late", lazy=True)
    lab.push()
    done = lab.on_second("pull", "--env", "it", "--contents").succeeded()
    assert [(one["file"]["filename"], one["file"]["result"]) for one in objects(done)[1:]] == [(LARGE, "pulled")]
    assert f"1 wheel of it not in the share, nor here: {late}" in done.stderr
    done = lab.on_second("pull", "--env", "it", "--contents").succeeded()
    assert [one["file"]["result"] for one in objects(done)[1:]] == ["present"]


def test_one_of_which_no_wheel_is_stored_makes_a_share_that_mounts_know(lab: Lab) -> None:
    lab.first.index.add_wheel("late", "1.0", files={"late.bin": incompressible(3_000_000, "late")})
    lab.first.create("it", "late", lazy=True)
    lab.push()
    lab.opened().catalog.check()


def test_profiles_of_machines_are_merged(lab: Lab) -> None:
    lab.run_first()
    lab.push()
    lab.pull()
    mount = lab.second.mount("--share", f"lab={lab.share}", "--no-index")
    (lab.second.site() / "large" / "part0.bin").read_bytes()
    mount.stop()
    done = lab.second.command("--json", "push", "--env", "it", "--share", lab.share).succeeded()
    assert objects(done)[-1]["environment"]["result"] == "pushed", "it has new files in its profile"
    objects(lab.first.command("--json", "pull", "--env", "it", "--share", lab.share).succeeded())
    [profile] = objects(lab.first.command("--json", "env", "profile", "it").succeeded())
    names = [path.removeprefix(f"{SITE}/large/") for path in profile["files"]]
    assert names == ["__init__.py", "m.py", "part0.bin", "part3.bin"]


def test_its_wheels_come_from_a_gateway_as_well(lab: Lab) -> None:
    lab.push()
    lab.pull()
    with Serving(lab.first.store.parent, "--no-index") as gateway:
        lab.second.mount("--share", f"gateway={gateway.url}", "--no-index")
        for name, content in FILES.items():
            assert (lab.second.site() / name).read_bytes() == content


def test_what_an_environment_of_a_share_calls_its_wheels_names_no_files(lab: Lab, tmp_path: Path) -> None:
    for name, content in (("small", b"HERE = 'by hand'\n"), ("other", b"")):
        wheel = tmp_path / wheel_filename(name, "9.0")
        wheel.write_bytes(build_wheel(name, "9.0", files={f"{name}.py": content}))
        lab.first.command("add", str(wheel)).succeeded()
    lab.first.create("it", "small==9.0", "other==9.0")
    lab.push()
    lab.second.command("--json", "pull", "--env", "it", "--share", lab.share).succeeded()
    mount = lab.second.mount("--share", f"lab={lab.share}", "--index", f"main={lab.first.index.url}")
    assert (lab.second.site() / "small.py").read_bytes() == b"HERE = 'by hand'\n"
    assert (lab.second.site() / "other.py").read_bytes() == b""
    assert os.listdir(mount.path / "simple" / "small") == ["index.html", wheel_filename("small", "1.0")]
    with Store.open(lab.second.store) as store:
        names = [name for project in ("small", "other") for name in store.catalog.stored_names(project)]
    assert [(name.filename, name.index, name.private, name.of_share) for name in names] == [
        (wheel_filename(name, "9.0"), "a share", False, True) for name in ("small", "other")
    ]


def test_bytecode_is_taken_only_from_a_share_that_may_give_any_name(lab: Lab) -> None:
    lab.run_first()
    lab.push()
    with_index = {"WHEELFS_INDEX": f"main={lab.first.index.url}"}
    done = lab.second.command("--json", "pull", "--env", "it", "--share", lab.share, env=with_index).succeeded()
    assert objects(done)[0]["environment"]["compiled"] == 0
    assert "left out the bytecode" in done.stderr
    lab.second.mount("--share", f"lab={lab.share}", "--no-index")
    assert os.listdir(lab.second.site() / "large" / "__pycache__") == []
    assert lab.second.python("-c", "import large.m; print(large.m.HERE)").succeeded().stdout == "m\n"
    done = lab.second.command("--json", "fetch", "--env", "it", env=with_index).succeeded()
    assert objects(done)[-2]["compiled"] == 4, "else it is compiled here"


def test_bytecode_that_python_would_not_take_is_left_out(lab: Lab) -> None:
    lab.run_first()
    lab.push()
    share = lab.opened()
    found = share.environments()["it"]
    assert found.bytecode is not None
    code = msgspec.msgpack.decode(share.environment_object(found.bytecode), type=list[tuple[bytes, bytes]])
    wrong = marshal.dumps(compile("HERE = 'wrong'", "x", "exec"))
    bad = [
        (code[0][0], importlib.util.MAGIC_NUMBER + bytes(12) + wrong),  # compared with the source's time
        (code[1][0], b"abcd" + code[1][1][4:]),
        (bytes(36), code[1][1]),
    ]
    made = share.add_environment_object(msgspec.msgpack.encode(bad))
    share.announce_environment(msgspec.structs.replace(found, bytecode=made))
    assert lab.pull()["compiled"] == 0


def hostile(tree: Any) -> dict[str, Any]:
    """Return trees that no build makes, by what is wrong with them."""
    one, replace = tree.members[0], msgspec.structs.replace

    def with_member(**changes: Any) -> Any:
        return replace(tree, members=(replace(one, **changes), *tree.members[1:]))

    return {
        "outside": with_member(path="../../etc/passwd"),
        "absolute": with_member(path="/etc/passwd"),
        "twice": replace(tree, members=(*tree.members, one)),
        "a file for a directory": with_member(path="bin"),
        "no such wheel": with_member(wheel=7),
        "negative": with_member(header_offset=-1),
        "a link elsewhere": replace(tree, links=(*tree.links, ("etc", "/etc"))),
        "another layout": replace(tree, layout=99),
        "not a program": replace(tree, interpreter=replace(tree.interpreter, executable="python\n")),
        "not itself": replace(tree, written=tuple(file for file in tree.written if file.path != ".wheelfs/env.json")),
        "a wheel of no wheel's name": replace(tree, wheels=(replace(tree.wheels[0], filename="../x.whl"), *tree.wheels[1:])),
    }


def test_a_tree_that_no_build_makes_is_refused(lab: Lab) -> None:
    lab.push()
    share = lab.opened()
    with Store.open(lab.first.store) as store:
        label = store.mounted.label("it")
        assert label is not None
        tree = store.mounted.tree(label.digest)
    for what, changed in hostile(tree).items():
        made = share.add_environment_object(msgspec.msgpack.encode(changed))
        share.announce_environment(SharedEnvironment("it", made, None, None, 1))
        refused = lab.on_second("pull", "--env", "it")
        assert (refused.returncode, error_of(refused)["class"]) == (3, "InvalidInput"), what
    made = share.add_environment_object(b"\xc1 nothing of the kind")
    share.announce_environment(SharedEnvironment("it", made, None, None, 1))
    assert error_of(lab.on_second("pull", "--env", "it"))["class"] == "InvalidInput"
    assert lab.second.command("env", "ls").succeeded().stdout == ""


def test_a_damaged_object_is_named(lab: Lab, tmp_path: Path) -> None:
    pushed = lab.push()
    [path] = (tmp_path / "share" / "environment-objects").glob(f"*/{pushed['digest']}")
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[:-1])
    refused = error_of(lab.on_second("pull", "--env", "it"))
    assert (refused["class"], "checksum is wrong" in refused["message"]) == ("OriginFault", True)
    (tmp_path / "share" / "environments" / "00000000").chmod(0o644)
    (tmp_path / "share" / "environments" / "00000000").write_bytes(b"")
    assert lab.on_second("env", "ls").stdout == ""
    assert lab.push()["result"] == "pushed", "announced again, after the damaged one"


@pytest.mark.parametrize("is_gone", [True, False])
def test_without_its_profile_and_bytecode_an_environment_is_pulled_and_pushed_again(
    lab: Lab, tmp_path: Path, is_gone: bool
) -> None:
    lab.run_first()
    pushed = lab.push()
    for path in (tmp_path / "share" / "environment-objects").glob("*/*"):
        if path.name != pushed["digest"]:
            path.chmod(0o644)
            path.unlink() if is_gone else path.write_bytes(b"WFE1")
    pulled = lab.on_second("pull", "--env", "it").succeeded()
    assert objects(pulled)[0]["environment"]["compiled"] == 0
    assert pulled.stderr.count("delete that object and push the environment again") == (0 if is_gone else 2)
    assert lab.push()["result"] == "present"
    if is_gone:
        assert lab.pull()["compiled"] == 2, "they were written again"


def test_a_damaged_environment_hides_no_other(lab: Lab, tmp_path: Path) -> None:
    pushed = lab.push()
    lab.first.create("other", "small")
    lab.first.command("push", "--env", "other", "--share", lab.share).succeeded()
    [path] = (tmp_path / "share" / "environment-objects").glob(f"*/{pushed['digest']}")
    path.unlink()
    shown = lab.on_second("env", "ls").succeeded()
    assert [one["name"] for one in objects(shown)] == ["other"]
    assert "left out the environment 'it'" in shown.stderr


def test_garbage_collection_leaves_it_alone(lab: Lab) -> None:
    lab.push()
    lab.first.command("gc", "--share", lab.share, "--grace", "1h").succeeded()
    assert lab.pull("--contents")["result"] == "pulled"


def test_one_that_is_removed_is_listed_and_pulled_no_more_until_it_is_pushed_again(lab: Lab) -> None:
    lab.push()
    removed = lab.on_second("env", "rm", "it").succeeded()
    assert objects(removed) == [{"removed": "it"}]
    assert objects(lab.on_second("env", "ls").succeeded()) == []
    for words in (["pull", "--env", "it"], ["env", "rm", "it"]):
        assert error_of(lab.on_second(*words))["class"] == "NotKnown"
    assert [one["name"] for one in objects(lab.first.command("--json", "env", "ls").succeeded())] == ["it"], "the store has it"
    assert lab.push()["result"] == "pushed"
    assert lab.pull()["result"] == "pulled"


def test_export_writes_its_wheels(lab: Lab, tmp_path: Path) -> None:
    lab.first.index.add_wheel("alone", "1.0")
    lab.first.command("fetch", "alone", "--index", f"main={lab.first.index.url}").succeeded()
    lab.first.command("export", str(tmp_path / "out"), "--env", "it").succeeded()
    assert {path.name for path in (tmp_path / "out").glob("*.whl")} == {LARGE, wheel_filename("small", "1.0")}


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("push", "--env", "nothing"), 5, "there is none of this name"),
        (("push", "--env", "it", "numpy"), 2, "it names all files that are meant"),
        (("pull", "--env", "nothing"), 5, "has none of this name"),
        (("export", "--env", "nothing", "out"), 5, "there is none of this name"),
    ],
)
def test_what_is_not_there_is_refused(lab: Lab, words: tuple[str, ...], code: int, said: str) -> None:
    lab.push()
    where = () if words[0] == "export" else ("--share", lab.share)
    done = lab.first.command("--json", *words, *where)
    assert (done.returncode, said in error_of(done)["message"]) == (code, True), done
