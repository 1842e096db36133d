"""Makes the locks of `locks/` by what wrote such: ``python -m tests.world_files.make_locks UV... PDM``, with absolute paths.

Each uv is installed by itself, as with ``pip install --target DIR --no-deps uv==0.2.10``; pdm as ``pdm[locked]``.  Two were made
by hand: that of uv 0.2.0, which asks its default index alone, of real projects; and ``pylock.poetry.toml`` by ``poetry export
--format pylock.toml``.
"""

from __future__ import annotations

import re
import sys
import tempfile
from pathlib import Path
from typing import Final

from tests.fakes.index import FakeIndex
from tests.fakes.processes import isolated_environment, run
from tests.world_files.shelf import stock

LOCKS: Final = Path(__file__).parent / "locks"
_ORIGIN: Final = "«origin»"

_SPLIT: Final = """"libd<2; sys_platform == 'win32'", "libd>=2; sys_platform != 'win32'\""""
PROJECT: Final = f"""[project]
name = "mine"
version = "0.1"
requires-python = ">=3.11"
dependencies = ["app[fancy]", "source", {_SPLIT}]
[project.optional-dependencies]
more = ["tool"]
"""
_GROUPS: Final = {False: '[tool.uv]\ndev-dependencies = ["docs-tool"]\n', True: '[dependency-groups]\ndev = ["docs-tool"]\n'}
"""By whether a version of uv knows dependency groups (0.4.27)."""


def make(program: Path) -> Path:
    """Lock the project with one version of uv and return the lock."""
    with tempfile.TemporaryDirectory() as directory, FakeIndex() as index:
        stock(index)
        where = Path(directory)
        environment = isolated_environment(where / "home")
        version = run([str(program), "--version"], environment=environment).succeeded().stdout.split()[1]
        numbers = tuple(int(number) for number in version.split("."))
        (where / "pyproject.toml").write_text(PROJECT + _GROUPS[numbers >= (0, 4, 27)])
        option = "--default-index" if numbers >= (0, 5) else "--index-url"
        preview = ["--preview"] if numbers < (0, 3) else []
        command = [str(program), "lock", option, index.url, "--python", sys.executable, *preview]
        run(command, environment=environment, cwd=where).succeeded()
        text = (where / "uv.lock").read_text().replace(index.origin, _ORIGIN).replace(f"file://{where}", "file:///home/user/mine")
        lock = LOCKS / f"uv-{version}.lock"
        lock.write_text(re.sub(r"(?m)^exclude-newer.*\n", "", text))
    return lock


def make_by_pdm(program: Path) -> Path:
    """Lock the project with pdm, in the common format, and return the lock."""
    with tempfile.TemporaryDirectory() as directory, FakeIndex() as index:
        stock(index)
        where = Path(directory) / "mine"
        where.mkdir()
        environment = isolated_environment(where.parent / "home")
        environment |= {"PDM_PYPI_URL": index.url, "PDM_CHECK_UPDATE": "0"}
        # pdm locks one version of a name for all platforms.
        project = PROJECT.replace(_SPLIT, '"libd>=2"')
        (where / "pyproject.toml").write_text(f"{project}{_GROUPS[True]}[tool.pdm]\ndistribution = false\n")
        for words in (("config", "--local", "lock.format", "pylock"), ("lock", "--group", ":all")):
            run([str(program), *words], environment=environment, cwd=where).succeeded()
        lock = LOCKS / "pylock.pdm.toml"
        lock.write_text((where / "pylock.toml").read_text().replace(index.origin, _ORIGIN))
    return lock


if __name__ == "__main__":
    for one in map(Path, sys.argv[1:]):
        print(make_by_pdm(one) if one.name == "pdm" else make(one))
