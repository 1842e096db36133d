"""``rm --share`` and then ``gc --share``: what becomes of the space, and when."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tests.fakes.commands import objects
from tests.fakes.wheels import build_wheel, wheel_filename

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import RunWheelfs


def test_what_was_taken_out_waits_for_its_grace_period_and_both_commands_say_so(
    run_wheelfs: RunWheelfs, store_dir: Path, tmp_path: Path
) -> None:
    (tmp_path / "share").mkdir()
    wheel = tmp_path / wheel_filename("app", "1.0")
    wheel.write_bytes(build_wheel("app", "1.0", big_bytes=300_000))
    url = (tmp_path / "share").as_uri()
    run_wheelfs("--store", str(store_dir), "add", str(wheel)).succeeded()
    run_wheelfs("--store", str(store_dir), "push", "--share", url, "app").succeeded()
    removed = run_wheelfs("rm", "--share", url, "app").succeeded()
    assert removed.stdout == f"removed {wheel.name}\n"
    assert f"wheelfs gc --share {url} frees their space" in removed.stderr
    assert "grace period (7d by default)" in removed.stderr
    said = run_wheelfs("gc", "--share", url).succeeded().stdout
    assert re.search(
        r"^too young to be condemned: 2 objects that nothing needs, .*; a run after 20\d\d-.*Z condemns, and another", said, re.M
    )
    [report] = objects(run_wheelfs("--json", "gc", "--share", url).succeeded())
    assert (report["young"], report["condemned"], report["waiting"], report["next"]) == (2, 0, 0, None)
    assert report["young_bytes"] > 300_000
