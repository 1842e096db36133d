"""Which addresses lead back into wheelfs."""

from __future__ import annotations

from pathlib import Path

import pytest

from wheelfs.app import own_places
from wheelfs.app.own_places import OwnPlaces
from wheelfs.core.proxy.hosts import Endpoint
from wheelfs.frontends.fuse.kernel.mountinfo import MountEntry, place_on_way


def test_addresses_below_the_own_mount_point_lead_there_also_through_links(tmp_path: Path) -> None:
    mountpoint = tmp_path / "my wheels"
    mountpoint.mkdir()
    (tmp_path / "link").symlink_to("my wheels")
    (tmp_path / "into").symlink_to(mountpoint / "here/simple")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "my wheels.old").mkdir()
    places = OwnPlaces(mountpoint=tmp_path / "link")
    for path in ("my wheels", "my wheels/here/simple", "link/simple", "into", "x/../link", "my wheels.old/../my wheels/simple"):
        assert places.leads_back(f"file://{tmp_path}/{path}".replace(" ", "%20")) == f"the mount point itself, {mountpoint}"
        assert places.holds(f"{tmp_path}/{path}") is not None
    for url in (
        f"file://{tmp_path}/my%20wheels.old",
        f"file://{tmp_path}/loop/simple",
        "https://index.example/simple",
        "file://[",
    ):
        assert places.leads_back(url) is None


def test_addresses_below_another_mount_of_wheelfs_lead_back_and_are_not_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    entries = [MountEntry(0, 1, "/m/wheels", "fuse.wheelfs", "none"), MountEntry(0, 2, "/m/data", "fuse.sshfs", "host:/")]
    monkeypatch.setattr(own_places, "mounts_now", lambda: entries)
    places = OwnPlaces(mountpoint=Path("/m/other"))
    assert places.leads_back("file:///m/wheels/here/simple") == "the wheelfs mount at /m/wheels"
    assert places.leads_back("file:///m/data/simple") is None
    assert places.holds("file:///m/wheels/here/simple") is None


def test_nothing_at_or_below_a_mount_point_is_touched(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def readlink(path: str) -> str:
        asked.append(path)
        raise OSError

    monkeypatch.setattr("os.readlink", readlink)
    assert place_on_way(Path("/m/wheels/here/simple"), {"/m/wheels"}) == "/m/wheels"
    assert asked == ["/m"]


@pytest.mark.parametrize(
    ("listening", "url", "itself"),
    [
        ("127.0.0.1", "http://127.0.0.1:18764/simple/", True),
        ("127.0.0.1", "https://me:secret@localhost:18764/proxy/x", True),
        ("127.0.0.1", "http://127.0.0.1:18765/simple/", False),
        ("127.0.0.1", "http://127.0.0.2:18764/simple/", False),
        ("127.0.0.1", "http://no-such-host.invalid/simple/", False),
        ("0.0.0.0", "http://127.0.0.2:18764/simple/", True),
        ("0.0.0.0", "http://192.0.2.1:18764/simple/", False),
        ("127.0.0.1", "file:///srv/simple", False),
    ],
)
def test_a_gateway_knows_its_own_address_however_it_is_written(listening: str, url: str, itself: bool) -> None:
    places = OwnPlaces(listening=Endpoint(listening, 18764))
    assert places.leads_back(url) == (f"the gateway itself, at {listening}:18764" if itself else None)
