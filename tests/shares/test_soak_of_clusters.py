"""``scripts/soak/cluster``: that it sees what is lost, wrong and back, and that its work is right on a directory."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, ClassVar

import pytest

from scripts.soak.programs.cluster import Manifest, Soak, Wrong, soaked
from scripts.soak.programs.file_systems import FileSystem

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


class Unready(FileSystem):
    """One whose programs are not there."""

    name = "unready"
    needs: ClassVar[Mapping[str, str]] = {"no-such-daemon": "apt install nothing"}


class Lossy(FileSystem):
    """One that loses a manifest and a pack of the share with its server."""

    def hurt(self) -> None:
        for kind in ("packs", "manifests"):
            path = next(path for path in sorted((self.where / "files/share" / kind).rglob("*")) if path.is_file())
            path.unlink()


def test_the_manifest_sees_what_is_lost_wrong_or_back() -> None:
    manifest = Manifest(everything={"a.whl": b"a", "b.whl": b"b"})
    results = {"a.whl": "pushed", "b.whl": "failed"}
    manifest.note([*({"file": {"filename": name, "result": result}} for name, result in results.items()), {"summary": {}}])
    assert manifest.acknowledged == {"a.whl"}
    manifest.check({"a.whl": b"a"})
    manifest.check({"a.whl": b"a", "b.whl": b"b"})
    with pytest.raises(Wrong, match=r"lost: \['a.whl'\]"):
        manifest.check({"b.whl": b"b"})
    with pytest.raises(Wrong, match=r"other bytes: \['b.whl'\]"):
        manifest.check({"a.whl": b"a", "b.whl": b"?"})
    manifest.removed.add("b.whl")
    with pytest.raises(Wrong, match="there again"):
        manifest.check({"a.whl": b"a", "b.whl": b"b"})


def test_the_work_is_right_on_a_directory(tmp_path: Path) -> None:
    counts, wrong = soaked(FileSystem, tmp_path, kills=1, seed=1, writers=2)
    assert wrong == ""
    assert counts["kills"] == 1
    assert counts["readers"] == 4
    assert counts["removed"] > 0
    assert counts["deleted by gc"] >= counts["removed"], "a manifest each, at least"


def test_what_a_file_system_loses_is_seen(tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    file_system = Lossy(tmp_path)
    file_system.set_up()
    soak = Soak(tmp_path / "work", file_system, random.Random(1), writers=2)
    soak.round(0, hurt=False)
    file_system.hurt()
    with pytest.raises(Wrong, match="pull on node 0 ended with 1"):
        soak.check()


def test_what_has_to_be_installed_is_named(tmp_path: Path) -> None:
    assert Unready(tmp_path).missing() == "unready needs no-such-daemon (apt install nothing): install what is in brackets"
    assert FileSystem(tmp_path).missing() is None
