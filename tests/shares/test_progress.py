"""Long work with a share and with the store's garbage is shown on a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.fakes.terminals import shown_by
from tests.fakes.wheels import build_wheel, wheel_filename

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import RunWheelfs


def test_push_pull_and_gc_show_how_far_they_are(run_wheelfs: RunWheelfs, tmp_path: Path) -> None:
    for project in ("one", "two"):
        (tmp_path / wheel_filename(project, "1.0")).write_bytes(build_wheel(project, "1.0"))
    (tmp_path / "share").mkdir()
    share = ("--share", (tmp_path / "share").as_uri())
    run_wheelfs("--store", str(tmp_path / "a"), "add", str(tmp_path)).succeeded()

    def bars(store: str, *words: str) -> bytes:
        return shown_by(tmp_path / store, tmp_path / "home", *words)

    assert b"2 of 2 files" in bars("a", "push", "--private", *share)
    assert b"2 of 2 files" in bars("b", "pull", "--contents", *share)
    assert b"looking for what nothing needs" in bars("a", "gc")
    assert b"looking for what nothing needs" in bars("a", "gc", *share)
