"""A kept listing and all that decides which files are shown: pins, shares, the network, the age of files, who owns a project."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import msgspec
import pytest

from tests.fakes.origins import MemoryOrigin, MemoryShare
from tests.fakes.services import Service, service
from tests.fakes.waiting import until
from tests.fakes.wheels import build_wheel, wheel_filename
from wheelfs.errors import OriginUnreachable
from wheelfs.model.shared import SharedFile
from wheelfs.model.tracked import Tracked

if TYPE_CHECKING:
    from pathlib import Path

    from wheelfs.service.vfs.flat_files import Place

DAY_US = 86_400_000_000
VERSIONS = ("1.0", "1.1", "1.2")
NAMES = [wheel_filename("alpha", version) for version in VERSIONS]


@pytest.fixture
def origin() -> MemoryOrigin:
    origin = MemoryOrigin()
    for name, version in zip(NAMES, VERSIONS, strict=True):
        origin.add("alpha", name, build_wheel("alpha", version))
    return origin


def wheels(node: Service) -> list[str]:
    listing = node.node.tree.listing(node.node.tree.root)
    return [name for _, name, _ in listing.entries(0) if name.endswith(".whl")]


def fresh(node: Service) -> list[str]:
    """List as if nothing had been kept."""
    return [file.filename for file in node.node.tree._directories._flat.after(None, 100, node.node.tree.root.place.view)]


async def track(node: Service, project: str) -> None:
    await node.node.projects.find(project)  # type: ignore[arg-type]
    node.store.catalog.track(Tracked(project, ("",), 1)).result()


def shared(project: str, version: str, origin: str = "corp") -> SharedFile:
    content = build_wheel(project, version)
    return SharedFile(
        project=project,
        filename=wheel_filename(project, version),
        index=origin,
        sha256=hashlib.sha256(content).digest(),
        size_bytes=len(content),
    )


async def test_a_kept_file_is_pinned_and_unpinned(tmp_path: Path, origin: MemoryOrigin) -> None:
    async with service(tmp_path, [origin]) as node:
        await node.read(f"simple/alpha/{NAMES[0]}")
        await until(lambda: wheels(node) == NAMES[:1])
        for pinned in (True, False):
            assert wheels(node) == NAMES[:1]
            (name,) = node.store.catalog.stored_names("alpha")
            node.store.catalog.set_pinned(name.key, pinned).result()
            entries = {name: file for _, name, file in node.node.tree.listing(node.node.tree.root).entries(0)}
            assert dict(node.node.tree.xattrs(entries[NAMES[0]]))["user.wheelfs.pinned"] == str(int(pinned)).encode()


async def test_what_a_share_lists_goes_and_comes_with_it(tmp_path: Path, reads: list[Place | None]) -> None:
    share = MemoryShare(files=(shared("alpha", "1.0"), shared("alpha", "1.1")))
    async with service(tmp_path, [], shares=[share]) as node:
        assert wheels(node) == []
        await node.node.follower.catch_up()
        assert wheels(node) == fresh(node) == NAMES[:2]
        reads.clear()
        assert wheels(node) == NAMES[:2]
        assert reads == []
        before = node.store.catalog.last_transaction()
        with pytest.raises(OriginUnreachable), node.node.hosts.request("ask", share.url, timeout_s=1.0):
            raise OriginUnreachable("ask", "refused")
        assert wheels(node) == fresh(node) == []
        assert node.store.catalog.last_transaction() == before
        await until(lambda: wheels(node) == NAMES[:2])
        assert fresh(node) == NAMES[:2]


async def test_what_only_a_share_names_shows_when_its_index_has_answered(tmp_path: Path, origin: MemoryOrigin) -> None:
    share = MemoryShare(files=(shared("alpha", "1.0"),))
    origin.page_troubles.append(OriginUnreachable("look up alpha", "refused"))
    async with service(tmp_path, [origin], shares=[share]) as node:
        await node.node.follower.catch_up()
        await node.node.projects.find("alpha")  # type: ignore[arg-type]
        assert wheels(node) == wheels(node) == fresh(node) == []
        await until(lambda: node.node.hosts.may_ask(origin.url))
        await node.node.projects.find("alpha")  # type: ignore[arg-type]
        await until(lambda: wheels(node) == NAMES[:1])
        assert wheels(node) == fresh(node)


@pytest.mark.parametrize("show_offline", ["stored", "all"])
async def test_without_a_network_what_is_kept_is_what_is_read(tmp_path: Path, origin: MemoryOrigin, show_offline: str) -> None:
    async with service(tmp_path, [origin], show_offline=show_offline) as node:  # type: ignore[arg-type]
        await node.read(f"simple/alpha/{NAMES[0]}")
        await track(node, "alpha")
        await until(lambda: wheels(node) == NAMES)
        for offline in (True, False, True):
            node.node.hosts.offline = offline
            shown = NAMES if show_offline == "all" or not offline else NAMES[:1]
            assert wheels(node) == wheels(node) == fresh(node) == shown
    async with service(tmp_path, [origin], offline=True, show_offline=show_offline) as node:  # type: ignore[arg-type]
        assert wheels(node) == wheels(node) == fresh(node) == (NAMES if show_offline == "all" else NAMES[:1])


async def test_a_file_shows_when_it_is_old_enough_though_nothing_else_has_changed(
    tmp_path: Path, origin: MemoryOrigin, reads: list[Place | None]
) -> None:
    page = origin.pages["alpha"]
    uploads = zip(page.files, (0, 5, 8), strict=True)
    files = tuple(msgspec.structs.replace(link, upload_time_us=day * DAY_US) for link, day in uploads)
    origin.pages["alpha"] = msgspec.structs.replace(page, files=files)
    async with service(tmp_path, [origin], min_age_s=7 * 86_400) as node:
        now = [11 * DAY_US]
        node.node.views._clock_ns = lambda: now[0] * 1_000
        await track(node, "alpha")
        assert wheels(node) == fresh(node) == NAMES[:1]
        before = node.store.catalog.last_transaction()
        reads.clear()
        now[0] += 1_000_000
        assert wheels(node) == NAMES[:1]
        assert reads == []
        for day, shown in ((12, 2), (14, 2), (15, 3), (11, 1)):  # at last a clock that was set back
            now[0] = day * DAY_US + 60_000_000
            assert wheels(node) == wheels(node) == fresh(node) == NAMES[:shown]
        assert node.store.catalog.last_transaction() == before
