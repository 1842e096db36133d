"""uv issue 3468, "Offline mode is not automatic fallback when offline"."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.fakes.index import FakeIndex

if TYPE_CHECKING:
    from tests.conftest import MountWheelfs
    from tests.fakes.clients import Clients, Uv

INSTALL = ("pip", "install", "-r", "requirements.txt")
EXPECTED = {"django-timezone-field": "6.1.0", "django": "5.0.6", "asgiref": "3.8.1"}
AWAY = {"refusing": FakeIndex.stop, "hanging": FakeIndex.hang}


def fill(index: FakeIndex) -> None:
    index.add_wheel("django-timezone-field", "6.1.0", requires=["Django>=3.2,<6"])
    index.add_wheel("django", "5.0.6", requires=["asgiref>=3.7"], big_bytes=400_000)
    index.add_wheel("asgiref", "3.8.1")


def in_project(uv: Uv) -> Uv:
    (uv.directory / "requirements.txt").write_text("django-timezone-field==6.1.0\n")
    return uv


@pytest.mark.usefixtures("no_route")
@pytest.mark.parametrize("away", AWAY)
def test_the_same_command_installs_online_and_offline(mounted: MountWheelfs, clients: Clients, away: str) -> None:
    """The reporter's CI runs one `uv pip install -r requirements.txt`, with and without a network, as it did with devpi.  uv
    fails without one unless `--offline` is added to the command, though its cache holds everything.
    """
    with FakeIndex(max_age_s=0) as index:  # PyPI says ten minutes: they are over
        fill(index)
        plain = {"UV_DEFAULT_INDEX": index.url, "UV_HTTP_TIMEOUT": "1", "UV_HTTP_RETRIES": "0"}
        mount = mounted(index=index.url, env={"WHEELFS_PAGE_TTL_S": "0"})
        through = {"UV_DEFAULT_INDEX": f"file://{mount.path}/here/simple"}
        warm, user = in_project(clients.uv()), in_project(clients.uv())
        warm.run(*INSTALL, environment=plain).succeeded()
        user.run(*INSTALL, environment=through).succeeded()

        AWAY[away](index)

        failed = warm.without_venv().run(*INSTALL, environment=plain)
        assert failed.returncode != 0
        assert "Failed to fetch" in failed.stderr
        user.without_venv().run(*INSTALL, environment=through).succeeded()
        assert user.installed() == EXPECTED
        new_runner = in_project(clients.uv())
        new_runner.run(*INSTALL, environment=through).succeeded()
        assert new_runner.installed() == EXPECTED

        index.unhang()
        index.start()
        user.without_venv().run(*INSTALL, environment=through).succeeded()
        assert user.installed() == EXPECTED


@pytest.mark.usefixtures("no_route")
def test_a_name_that_cannot_be_looked_up_is_no_hindrance_either(mounted: MountWheelfs, clients: Clients) -> None:
    """The reporter's own failure is DNS: `failed to lookup address information`.  They would have "fallback to offline if can't
    connect anywhere", and noise only where something is missing.
    """
    with FakeIndex() as index:
        fill(index)
        first = mounted(index=index.url)
        user = in_project(clients.uv())
        user.run(*INSTALL, environment={"UV_DEFAULT_INDEX": f"file://{first.path}/here/simple"}).succeeded()
        first.stop()
    nowhere = "https://index.example/simple"
    failed = user.without_venv().run(*INSTALL, environment={"UV_DEFAULT_INDEX": nowhere, "UV_HTTP_RETRIES": "0"})
    assert failed.returncode != 0
    assert "dns error" in failed.stderr
    mount = mounted(index=nowhere)
    through = {"UV_DEFAULT_INDEX": f"file://{mount.path}/here/simple"}
    user.without_venv().run(*INSTALL, environment=through).succeeded()
    assert user.installed() == EXPECTED
    missing = user.run("pip", "install", "never-seen", environment=through)
    assert missing.returncode != 0
    assert "Network is unreachable" in missing.stderr
