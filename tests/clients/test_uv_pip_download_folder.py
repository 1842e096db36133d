"""uv issue 7296, "Using pip downloaded wheel files as uv cache"."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.fakes.index import FakeIndex

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import MountWheelfs, RunWheelfs
    from tests.fakes.clients import Clients

PROJECT = """
[project]
name = "mine"
version = "0"
requires-python = ">=3.9"
dependencies = ["alembic"]
"""
EXPECTED = {"alembic": "1.4.3", "mako": "1.3.5", "sqlalchemy": "1.3.24", "markupsafe": "2.1.5"}
EXPORT = ("export", "--frozen", "--no-emit-project", "-o", "requirements.txt")


def fill(index: FakeIndex) -> None:
    index.add_wheel("alembic", "1.4.3", requires=["mako", "sqlalchemy"])
    index.add_wheel("mako", "1.3.5", requires=["markupsafe"])
    index.add_wheel("sqlalchemy", "1.3.24", big_bytes=500_000)
    index.add_wheel("markupsafe", "2.1.5", big_bytes=100_000)


@pytest.mark.usefixtures("no_route")
def test_a_folder_of_pip_download_is_looked_at_before_the_index_and_the_lock_stays(
    mounted: MountWheelfs, run_wheelfs: RunWheelfs, store_dir: Path, clients: Clients, tmp_path: Path
) -> None:
    """The reporter, on a slow line, has a folder of `pip download` that uv shall look at before it goes to PyPI, with no change
    to uv.lock.  Without `--no-index` uv downloads everything again; with it everything must be in the folder, and uv.lock
    points at the file system.
    """
    folder, project = tmp_path / "pip-cache", tmp_path / "project"
    project.mkdir()
    (project / "pyproject.toml").write_text(PROJECT)
    with FakeIndex() as index:
        fill(index)
        plain = {"UV_DEFAULT_INDEX": index.url}
        clients.uv().run("lock", cwd=project, environment=plain).succeeded()
        lock = (project / "uv.lock").read_bytes()
        # What is not in the folder: markupsafe.
        clients.pip().run(
            "download", "--no-deps", "--dest", str(folder), "-i", index.url, *EXPECTED.keys() - {"markupsafe"}
        ).succeeded()

        index.reset_counters()
        uv = clients.uv()
        uv.run("sync", "--find-links", str(folder), cwd=project, environment=plain).succeeded()
        assert index.body_bytes("sqlalchemy-1.3.24-py3-none-any.whl") > 500_000, "what is in the folder is downloaded again"
        only = ("sync", "--no-index", "--find-links")
        assert clients.uv().run(*only, str(folder), cwd=project).returncode != 0, "markupsafe is not in the folder"
        full = tmp_path / "all-of-it"
        clients.pip().run("download", "--dest", str(full), "-i", index.url, "alembic").succeeded()
        clients.uv().run(*only, str(full), cwd=project).succeeded()
        assert full.name in (project / "uv.lock").read_text(), "the lock names a directory of this machine"
        (project / "uv.lock").write_bytes(lock)

        run_wheelfs("--store", str(store_dir), "add", str(folder), env={"WHEELFS_INDEX": f"main={index.url}"}).succeeded()
        mount = mounted(index=index.url).path
        user = clients.uv()
        user.run(*EXPORT, cwd=project).succeeded()
        sync = ("pip", "sync", "--require-hashes", "requirements.txt")
        index.reset_counters()
        user.run(*sync, "--default-index", f"file://{mount}/simple", cwd=project).succeeded()
        assert user.installed() == EXPECTED
        fetched = {request.path.rpartition("/")[2] for request in index.requests if request.path.endswith(".whl")}
        assert fetched == {"markupsafe-2.1.5-py3-none-any.whl"}, "PyPI is asked for nothing that is in the folder"

        index.stop()
        late = clients.uv()
        late.run(*sync, "--offline", "--no-index", "--find-links", str(mount), cwd=project).succeeded()
        assert late.installed() == EXPECTED
        assert (project / "uv.lock").read_bytes() == lock
