"""Imports from environments: fast, and in every respect what they are without the importer."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.fakes.commands import objects
from tests.fakes.environment_bench import VERSION, Bench
from tests.fakes.many_kinds import NAME, many_kinds
from tests.fakes.processes import run

if TYPE_CHECKING:
    from tests.conftest import MountWheelfs, RunWheelfs
    from tests.fakes.index import FakeIndex

PACKAGE = {
    "pack/__init__.py": b"from pack import inner\n",
    "pack/inner.py": b"def fail():\n    raise ValueError('on line two')\n\nclass Kept:\n    pass\n",
    "pack/__main__.py": b"import sys\nprint('ran', __name__, __file__, sys.argv[1:])\n",
    "pack/data.txt": b"read",
    "deep/er/module.py": b"DEEP = 1\n",
}

SAME = """
import importlib.machinery as m, os, sys
site = [path for path in sys.path if path.endswith("site-packages")][0]
details = (m.ExtensionFileLoader, m.EXTENSION_SUFFIXES), (m.SourceFileLoader, m.SOURCE_SUFFIXES)
details += ((m.SourcelessFileLoader, m.BYTECODE_SUFFIXES),)
def facts(spec):
    return spec and (spec.name, spec.origin, spec.cached, spec.has_location, spec.parent, spec.submodule_search_locations,
        spec.loader and (isinstance(spec.loader, m.SourceFileLoader), spec.loader.name, spec.loader.path),
        isinstance(spec.loader, m.SourceFileLoader) and spec.loader.get_code(spec.name))
compared = 0
for directory, below, files in os.walk(site):
    if directory.endswith("__pycache__"):
        continue
    quick, plain = sys.path_hooks[0](directory), m.FileFinder(directory, *details)
    assert type(quick).__module__ == "_wheelfs_environment"
    for name in {name.partition(".")[0] for name in (*below, *files)} - {"__pycache__", "old"} | {"absent"}:
        one, other = facts(quick.find_spec(name)), facts(plain.find_spec(name))
        assert one == other, (one, other)
        compared += 1
print(compared)
"""

LOADER = "import sys, pack.inner; print(type(pack.inner.__loader__).__module__)"
QUICK, PLAIN = "_wheelfs_environment\n", "_frozen_importlib_external\n"


@pytest.fixture
def bench(run_wheelfs: RunWheelfs, mounted: MountWheelfs, fake_index: FakeIndex, store_dir: Path, tmp_path: Path) -> Bench:
    fake_index.add(NAME, many_kinds(), project="many-kinds")
    fake_index.add_wheel("pack", "1.0", files=PACKAGE)
    made = Bench(run_wheelfs, mounted, fake_index, store_dir, tmp_path / "home-of-python")
    made.create("it", "many-kinds", "pack")
    return made


def test_all_modules_are_found_as_importlib_finds_them(bench: Bench) -> None:
    assert int(bench.python("-c", SAME).succeeded().stdout) > 20


def test_programs_see_no_difference(bench: Bench) -> None:
    site = bench.site()
    assert bench.python("-c", LOADER).succeeded().stdout == QUICK
    failed = bench.python("-c", "import pack.inner; pack.inner.fail()")
    assert f"File \"{site}/pack/inner.py\", line 2, in fail\n    raise ValueError('on line two')" in failed.stderr
    ran = bench.python("-m", "pack", "word").succeeded().stdout
    assert ran == f"ran __main__ {site}/pack/__main__.py ['word']\n"
    program = (
        "import importlib, importlib.resources, inspect, pickle, pkgutil, pack.inner as i\n"
        "print(inspect.getsource(i.fail).count('raise'), pickle.loads(pickle.dumps(i.Kept)) is i.Kept, i.__cached__)\n"
        "print(importlib.resources.files('pack').joinpath('data.txt').read_text(), pkgutil.get_data('pack', 'data.txt'))\n"
        "print(sorted(m.name for m in pkgutil.walk_packages(__import__('pack').__path__, 'pack.')), importlib.reload(i) is i)\n"
    )
    cached = f"{site}/pack/__pycache__/inner.{sys.implementation.cache_tag}.pyc"
    assert bench.python("-c", program).succeeded().stdout.splitlines() == [
        f"1 True {cached}",
        "read b'read'",
        "['pack.__main__', 'pack.inner'] True",
    ]


@pytest.mark.parametrize("options", ["-I", "-O", "-E -s", "-X frozen_modules=off", "--check-hash-based-pycs always"])
def test_options_of_the_interpreter_mean_what_they_do(bench: Bench, options: str) -> None:
    assert bench.python(*options.split(), "-c", LOADER).succeeded().stdout == QUICK


def test_the_order_of_places_stays(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "first" / "pack").mkdir(parents=True)
    (tmp_path / "first" / "pack" / "__init__.py").write_text("")
    bench.environ["PYTHONPATH"] = str(tmp_path / "first")
    shown = "import pack, deep.er; print(pack.__file__)"
    assert bench.python("-c", shown).succeeded().stdout == f"{tmp_path}/first/pack/__init__.py\n"
    (tmp_path / "first" / "deep" / "own").mkdir(parents=True)
    spread = bench.python("-c", "import deep.own, deep.er.module; print(len(deep.__path__), deep.er.module.DEEP)").succeeded()
    assert spread.stdout == "2 1\n", "a namespace package has portions in both"
    without = bench.python("-S", "-c", "import sys; print(len(sys.path_hooks))").succeeded()
    assert without.stdout == "2\n"


def test_one_who_closes_all_files_still_imports(bench: Bench) -> None:
    closing = "import os; os.closerange(3, 100); open('/dev/null'); "
    assert bench.python("-c", closing + LOADER).succeeded().stdout == QUICK


def test_another_interpreter_takes_no_bytecode_of_this_one(bench: Bench) -> None:
    others = [path for path in Path(sys.base_prefix).parent.glob("*/bin/python3.1[1-9]") if path.name != f"python{VERSION}"]
    if not others:
        pytest.skip("there is no other interpreter beside this one")
    importing = f"import sys; sys.path.append({str(bench.site())!r}); import _wheelfs_environment; {LOADER}; pack.inner.fail()"
    done = run([str(others[0]), "-B", "-c", importing], environment=bench.environ)
    assert done.stdout == QUICK
    assert "ValueError: on line two" in done.stderr


def test_a_copy_can_be_changed(bench: Bench, tmp_path: Path) -> None:
    copied = tmp_path / "copied"
    shutil.copytree(bench.path(), copied, symlinks=True)
    python = copied / "bin" / "python"
    assert run([str(python), "-c", LOADER], environment=bench.environ).succeeded().stdout == PLAIN
    package = copied / "lib" / f"python{VERSION}" / "site-packages" / "pack"
    package.chmod(0o755)
    (package / "added.py").write_text("X = 5\n")
    assert run([str(python), "-c", "import pack.added as a; print(a.X)"], environment=bench.environ).succeeded().stdout == "5\n"
    (package / "inner.py").chmod(0o644)
    (package / "inner.py").write_text("EDITED = True\n")
    shown = run([str(python), "-c", "import pack.inner as i; print(i.EDITED)"], environment=bench.environ).succeeded()
    assert shown.stdout == "True\n"


def test_bytecode_is_what_its_interpreter_takes_for_current(bench: Bench) -> None:
    kept = bench.python("-m", "compileall", str(bench.site() / "pack")).succeeded().stdout
    assert "Compiling" not in kept, "it would be compiled again, and cannot be written"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root mounts")
def test_what_lies_on_top_is_seen(bench: Bench, tmp_path: Path) -> None:
    """An overlay for programs that write beside themselves, and a directory that a container binds over one of the tree."""
    for name in ("upper", "work", "merged", "bound"):
        (tmp_path / name).mkdir()
    (tmp_path / "bound" / "other.py").write_text("X = 'bound'\n")
    own = "import pack.added as a, pack.inner as i; print(a.X, type(i.__loader__).__module__)"
    package = f"lib/python{VERSION}/site-packages/pack"
    program = (
        f"mount -t overlay overlay -o lowerdir={bench.path()},upperdir={tmp_path}/upper,workdir={tmp_path}/work {tmp_path}/merged"
        f" && echo X = 7 > {tmp_path}/merged/{package}/added.py && {tmp_path}/merged/bin/python -c '{own}'"
        f" && mount --bind {tmp_path}/bound {bench.path()}/{package}"
        f" && {bench.path()}/bin/python -c 'import pack.other; print(pack.other.X, hasattr(pack, \"inner\"))'"
    )
    # On a disk, since an upper layer cannot lie on tmpfs with xattrs refused; in mounts of its own, which end with it.
    done = run(["unshare", "--mount", "sh", "-c", program], environment=bench.environ, cwd=tmp_path)
    if "unshare failed" in done.stderr or "mount:" in done.stderr:
        pytest.skip(f"no mounts here: {done.stderr.splitlines()[0]}")
    assert done.succeeded().stdout == f"7 {PLAIN}bound False\n"


def test_what_is_imported_is_noted(bench: Bench) -> None:
    mount = bench.mount("--no-index")
    bench.python("-c", "import pack.inner").succeeded()
    mount.stop()
    [profile] = objects(bench.command("--json", "env", "profile", "it").succeeded())
    site = f"lib/python{VERSION}/site-packages"
    assert profile["files"] == [f"{site}/pack/__init__.py", f"{site}/pack/inner.py"]
