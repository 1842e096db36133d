"""The rule for shares through real mounts: what uv and pip install, and what a mount lists, while a share claims names.

Both attacks were possible: with any share, of objects or a gateway, a file of a stranger under a private name was installed.
"""

from __future__ import annotations

import json
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

import pytest

from tests.fakes.index import FakeIndex
from tests.fakes.waiting import eventually
from tests.fakes.wheels import build_wheel, wheel_filename
from tests.gateway.serving import Serving
from wheelfs.remote.share.objects import open_objects
from wheelfs.remote.share.share import WrittenShare
from wheelfs.service.shares.push import push
from wheelfs.store.catalog.records import StoredName
from wheelfs.store.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from tests.conftest import MountWheelfs
    from tests.fakes.clients import Clients, Pip, Uv
    from tests.fakes.mounts import Mounted

ShareKind = Literal["objects", "gateway"]
STRANGER = wheel_filename("lab-tools", "99.0")


def fill(path: Path, *files: tuple[str, str, str]) -> None:
    """Store wheels as ``(project, version, index)``; of ``local`` they were added by hand."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with Store.open(path) as store:
        for project, version, index in files:
            content = build_wheel(project, version)
            name = StoredName(
                project=project,
                filename=wheel_filename(project, version),
                index=index,
                size_bytes=len(content),
                added_at_us=1,
                private=index == "local",
            )
            path.with_name("wheel").write_bytes(content)
            with path.with_name("wheel").open("rb") as opened:
                store.add_content(opened.fileno(), len(content), expected_sha256=None, names=[name])


@contextmanager
def sharing(tmp_path: Path, kind: ShareKind, *files: tuple[str, str, str]) -> Iterator[str]:
    """Yield the URL of a share that has these files, from a machine whose public index is called ``public``."""
    fill(tmp_path / "other" / "store", *files)
    if kind == "gateway":
        with Serving(tmp_path / "other", "--no-index") as gateway:
            yield gateway.url
        return
    (tmp_path / "share").mkdir()
    url = (tmp_path / "share").as_uri()
    with Store.open(tmp_path / "other" / "store") as store:
        assert {file.result for file in push(store, WrittenShare(open_objects(url)), [], private=True)} == {"pushed"}
    yield url


def configured(tmp_path: Path, text: str) -> tuple[str, str]:
    path = tmp_path / "config.toml"
    path.write_text(text)
    return "-o", f"config={path}"


def knows_the_share(mount: Mounted) -> bool:
    with Store.open(mount.store, create=False) as store:
        return store.shared.cursor("team") is not None


def withheld(mount: Mounted) -> dict[str, object]:
    told: dict[str, object] = json.loads((mount.path / ".wheelfs/status.json").read_text())["withheld"]
    return told


def version_installed(client: Uv | Pip, project: str, *source: str) -> str | None:
    """Return the version that was installed; None when the client refused."""
    words = ("pip", "install", project) if type(client).__name__ == "Uv" else ("install", project)
    client.run(*words, *source)
    return client.installed().get(project)


@pytest.mark.parametrize("kind", ["objects", "gateway"])
@pytest.mark.parametrize("tie", ["", 'projects = ["lab-*"]'], ids=["untied", "tied"])
def test_a_share_takes_no_private_name_while_its_index_is_down(
    tmp_path: Path, mounted: MountWheelfs, clients: Clients, kind: ShareKind, tie: str
) -> None:
    """Nothing hostile is needed: the machine that pushed calls the public index by another name."""
    with FakeIndex() as lab, sharing(tmp_path, kind, ("lab-tools", "99.0", "public")) as share:
        lab.add_wheel("lab-tools", "1.0")
        lab.stop()
        tables = f'[[index]]\nname = "lab"\nurl = "{lab.url}"\n{tie}\n[[share]]\nname = "team"\nurl = "{share}"\n'
        node = mounted(*configured(tmp_path, tables))
        eventually(lambda: knows_the_share(node))
        for _ in range(2):  # never asked, and silent
            assert not (node.path / STRANGER).exists()
            assert STRANGER not in {path.name for path in node.path.iterdir()}
            with pytest.raises(OSError, match="lab-tools"):
                (node.path / "here" / "simple" / "lab-tools" / STRANGER).stat()
            with pytest.raises(OSError, match="lab-tools"):
                (node.path / "simple" / "lab-tools" / "index.html").read_bytes()
        assert version_installed(clients.uv(), "lab-tools", "--default-index", f"file://{node.path}/simple") is None
        flat = ("--no-index", "--find-links", str(node.path))
        assert version_installed(clients.uv(), "lab-tools", *flat) is None
        assert version_installed(clients.pip(), "lab-tools", *flat) is None
        eventually(lambda: withheld(node)["files"] == 1)
        assert ("the projects that tie it" if tie else "[[share]]") in str(withheld(node)["remedy"])
        lab.start()
        eventually(lambda: os.path.exists(node.path / "simple" / "lab-tools" / wheel_filename("lab-tools", "1.0")))  # noqa: PTH110
        assert version_installed(clients.uv(), "lab-tools", "--default-index", f"file://{node.path}/simple") == "1.0"


@pytest.mark.parametrize("kind", ["objects", "gateway"])
def test_who_may_write_to_a_share_owns_no_name_of_a_healthy_index(
    tmp_path: Path, mounted: MountWheelfs, clients: Clients, kind: ShareKind
) -> None:
    with FakeIndex() as lab, sharing(tmp_path, kind, ("lab-tools", "99.0", "local")) as share:
        lab.add_wheel("lab-tools", "1.0")
        tables = f'[[index]]\nname = "lab"\nurl = "{lab.url}"\nprojects = ["lab-*"]\n[[share]]\nname = "team"\nurl = "{share}"\n'
        node = mounted(*configured(tmp_path, tables))
        eventually(lambda: knows_the_share(node))
        assert version_installed(clients.uv(), "lab-tools", "--default-index", f"file://{node.path}/simple") == "1.0"
        flat = ("--no-index", "--find-links", str(node.path))
        assert version_installed(clients.pip(), "lab-tools", *flat) == "1.0"
        assert not (node.path / STRANGER).exists()
        assert not (node.path / "stored" / STRANGER).exists()
        eventually(lambda: withheld(node)["tied"] == 1)
        assert node.log.count("1 file of 1 project not shown, since only shares name them") == 1


HEALTHY = {
    "lab-private": None,
    "lab-public": None,
    "lab-former": None,
    "lab-own": "1.0",
    "known": "99.0",
    "both": "1.0",
    "same-index": "1.0",
    "new": "99.0",
    "new-public": "99.0",
    "former": "1.0",
}
"""What is installed with ``lab`` down, to which ``lab-*`` is tied, and ``main`` well."""

SILENT = {"lab-private": None, "new": None, "known": None, "former": "1.0", "lab-own": "1.0"}
"""With ``main`` alone, and down."""

WITHOUT = {"lab-private": "99.0", "lab-public": "99.0", "new": "99.0", "former": "1.0"}
"""With ``--no-index``."""

TIED = {"lab-private": "99.0", "lab-public": "99.0", "both": "1.0", "new": None}
"""With ``main`` down, which has answered for ``both`` and ``new`` before, and ``lab-*`` (no other) tied to the share."""


@pytest.mark.parametrize("kind", ["objects", "gateway"])
def test_uv_and_pip_install_what_the_rule_says(tmp_path: Path, mounted: MountWheelfs, clients: Clients, kind: ShareKind) -> None:
    names = {"lab-private": "local", "lab-public": "public", "known": "public", "both": "local", "same-index": "main"}
    files = [(project, "99.0", index) for project, index in {**names, "new": "local", "new-public": "public"}.items()]
    fill(tmp_path / "store", ("lab-former", "1.0", "gone"), ("lab-own", "1.0", "local"), ("former", "1.0", "gone"))
    with FakeIndex() as lab, FakeIndex() as main, sharing(tmp_path, kind, *files) as share:
        lab.stop()
        main.add_wheel("both", "1.0")
        main.add_wheel("same-index", "1.0")
        assert main.add_wheel("known", "99.0")[1] == build_wheel("known", "99.0")
        of_lab = f'[[index]]\nname = "lab"\nurl = "{lab.url}"\nprojects = ["lab-*"]\n'
        of_main = f'[[index]]\nname = "main"\nurl = "{main.url}"\n'
        of_share = f'[[share]]\nname = "team"\nurl = "{share}"\n'
        wrong: list[str] = []

        def check(case: str, tables: str, expected: Mapping[str, str | None]) -> None:
            place = tmp_path / case
            place.mkdir()
            node = mounted(*configured(place, tables), path=place / "mnt", store=tmp_path / "store")
            if case == "no-index":  # by then the store knows what the share has, for all that come after it
                eventually(lambda: (node.path / wheel_filename("new", "99.0")).exists())
            uv, pip = clients.uv(), clients.pip()
            for number, (project, version) in enumerate(expected.items()):
                found = version_installed(uv, project, "--default-index", f"file://{node.path}/simple")
                client = pip if number % 3 == 0 else clients.uv()
                flat = version_installed(client, project, "--no-index", "--find-links", str(node.path))
                wrong.extend(f"{case}: {project}: {got} is installed" for got in (found, flat) if got != version)
            node.stop()

        check("no-index", "no-index = true\n" + of_share, WITHOUT)
        check("silent", of_main.replace(main.url, lab.url) + of_share, SILENT)
        check("healthy", of_lab + of_main + of_share, HEALTHY)
        check("tied", of_main.replace(main.url, lab.url) + of_share + 'projects = ["lab-*"]\n', TIED)
    assert not wrong, "\n".join(wrong)
