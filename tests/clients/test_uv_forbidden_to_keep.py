"""uv issue 4967, "`--override`ing a package from a `--extra-index-url` index is not registered in the cache properly"."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.fakes.index import FakeIndex

if TYPE_CHECKING:
    from tests.conftest import MountWheelfs
    from tests.fakes.clients import Clients, Uv

HABITS: list[dict[str, Any]] = [{"ranges": "yes"}, {"ranges": "not-implemented"}]
EXPECTED = {"torch": "2.0.0+cpu", "filelock": "3.15.4"}


def fill(torch_index: FakeIndex, pypi: FakeIndex) -> None:
    for version in ("2.0.0", "2.0.1"):
        torch_index.add_wheel("torch", f"{version}+cpu", requires=["filelock"], big_bytes=600_000)
        pypi.add_wheel("torch", version, requires=["filelock"])
    torch_index.add_wheel("filelock", "3.15.4")


def installing(uv: Uv, extra: str) -> list[str]:
    (uv.directory / "override.txt").write_text("torch==2.0.0\n")
    return ["pip", "install", "--extra-index-url", extra, "torch==2.0.1", "--override", "override.txt"]


@pytest.mark.usefixtures("no_route")
@pytest.mark.parametrize("habits", HABITS, ids=repr)
def test_what_an_index_forbids_to_keep_installs_again_offline(
    mounted: MountWheelfs, clients: Clients, habits: dict[str, Any]
) -> None:
    """The reporter installs torch from PyTorch's index with an override, uninstalls it, and wants the very same command with
    `--offline` to install it again.  That index forbids to keep its pages and files, so uv finds nothing in its cache.
    """
    like_pytorch = {"page_format": "html", "sizes": False, "upload_times": False, "core_metadata": False, "no_store": True}
    with FakeIndex(**like_pytorch, **habits) as torch_index, FakeIndex() as pypi:  # type: ignore[arg-type]
        fill(torch_index, pypi)
        uv = clients.uv()
        plain = {"UV_DEFAULT_INDEX": pypi.url}
        uv.run(*installing(uv, torch_index.url), environment=plain).succeeded()
        uv.run("pip", "uninstall", "torch").succeeded()
        failed = uv.run(*installing(uv, torch_index.url), "--offline", environment=plain)
        assert failed.returncode != 0
        assert "not found in the cache" in failed.stderr

        mount = mounted("--index", f"pytorch={torch_index.url}", "--index", f"pypi={pypi.url}").path
        through = {"UV_DEFAULT_INDEX": f"file://{mount}/index/pypi/simple"}
        extra = f"file://{mount}/index/pytorch/simple"
        user = clients.uv()
        user.run(*installing(user, extra), environment=through).succeeded()
        assert user.installed() == EXPECTED
        user.run("pip", "uninstall", "torch").succeeded()
        torch_index.reset_counters()
        user.run(*installing(user, extra), "--offline", environment=through).succeeded()
        assert user.installed() == EXPECTED
        new = clients.uv()
        new.run(*installing(new, extra), environment=through).succeeded()
        assert torch_index.body_bytes(".whl") == 0, "fetched once, though it says no-store"

        torch_index.stop()
        pypi.stop()
        for offline in ([], ["--offline"]):
            late = clients.uv()
            late.run(*installing(late, extra), *offline, environment=through).succeeded()
            assert late.installed() == EXPECTED
            merged = clients.uv()
            command = [word for word in installing(merged, extra) if word not in ("--extra-index-url", extra)]
            merged.run(*command, *offline, environment={"UV_DEFAULT_INDEX": f"file://{mount}/simple"}).succeeded()
            assert merged.installed() == EXPECTED
