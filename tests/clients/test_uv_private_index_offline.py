"""uv issue 4728, "Offline mode confusion"."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.fakes.index import FakeIndex
from tests.fakes.wheels import build_wheel, wheel_filename

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import MountWheelfs, RunWheelfs
    from tests.fakes.clients import Clients

BY_NAME = [("pip", "install", "private_package==0.1"), ("--offline", "pip", "install", "private_package==0.1")]
REST = {"all-the-rest": "1.0", "from-pypi": "2.0"}


def fill(index: FakeIndex) -> None:
    index.add_wheel("all-the-rest", "1.0", requires=["from-pypi"])
    index.add_wheel("from-pypi", "2.0", big_bytes=300_000)


@pytest.mark.usefixtures("no_route")
def test_a_private_wheel_that_came_from_a_path_is_found_by_its_name(
    mounted: MountWheelfs, run_wheelfs: RunWheelfs, store_dir: Path, clients: Clients, tmp_path: Path
) -> None:
    """The reporter installs a private wheel from a path and the rest from PyPI, throws the environment away, and wants to make
    it again offline, by names.  uv keeps the private wheel under its path and says that it was not found in the cache.
    """
    wheel = tmp_path / wheel_filename("private-package", "0.1")
    wheel.write_bytes(build_wheel("private-package", "0.1", requires=["from-pypi"]))
    with FakeIndex() as index:
        fill(index)
        plain = {"UV_DEFAULT_INDEX": index.url, "UV_HTTP_RETRIES": "0"}
        uv = clients.uv()
        for what in (str(wheel), "all-the-rest"):
            uv.run("pip", "install", what, environment=plain).succeeded()
        run_wheelfs("--store", str(store_dir), "add", str(wheel)).succeeded()
        mount = mounted(index=index.url)
        through = {"UV_DEFAULT_INDEX": f"file://{mount.path}/here/simple"}
        clients.uv().run("pip", "install", "all-the-rest", environment=through).succeeded()
        wheel.unlink()
        index.stop()

        for command, why in zip(BY_NAME, ("Failed to fetch", "not found in the cache"), strict=True):
            failed = uv.without_venv().run(*command, environment=plain)
            assert failed.returncode != 0
            assert why in failed.stderr

        for command in BY_NAME:
            for user in (uv.without_venv(), clients.uv()):
                user.run(*command, environment=through).succeeded()
                user.run("pip", "install", "all-the-rest", environment=through).succeeded()
                assert user.installed() == {"private-package": "0.1", **REST}


@pytest.mark.usefixtures("no_route")
def test_a_private_index_that_offers_nothing_but_files_is_needed_once(mounted: MountWheelfs, clients: Clients) -> None:
    """ "It could come from extra index url as well", the reporter says; others there name a registry that gives uv neither
    metadata nor ranges nor leave to keep anything.  What was once installed shall install again without it.
    """
    with (
        FakeIndex(page_format="html", ranges="ignore", core_metadata=False, no_store=True, sizes=False) as private,
        FakeIndex() as public,
    ):
        private.add_wheel("private_package", "0.1", requires=["from-pypi"], big_bytes=400_000)
        fill(public)
        extra = ("--extra-index-url", private.url)
        plain = {"UV_DEFAULT_INDEX": public.url, "UV_HTTP_RETRIES": "0"}
        uv = clients.uv()
        uv.run("pip", "install", *extra, "private_package==0.1", "all-the-rest", environment=plain).succeeded()
        online = mounted("--index", f"private={private.url}", "--index", f"public={public.url}")
        everything = ("pip", "install", "private_package==0.1", "all-the-rest")
        clients.uv().run(*everything, environment={"UV_DEFAULT_INDEX": f"file://{online.path}/simple"}).succeeded()
        private.stop()
        public.stop()

        failed = uv.without_venv().run("--offline", "pip", "install", *extra, "private_package==0.1", environment=plain)
        assert failed.returncode != 0
        assert "not found in the cache" in failed.stderr

        online.stop()
        # However the indexes are called and wherever they are said to be now, or whether there are any at all.
        for options in (["--index", "other=http://127.0.0.1:9/simple"], ["--offline"]):
            mount = mounted(*options)
            user = clients.uv()
            user.run(*everything, environment={"UV_DEFAULT_INDEX": f"file://{mount.path}/simple"}).succeeded()
            assert user.installed() == {"private-package": "0.1", **REST}
            mount.stop()
