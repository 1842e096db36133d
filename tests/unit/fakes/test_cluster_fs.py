"""The file system like a cluster's: that what it does to those who use it is what it was told to do, and nothing else."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from tests.fakes.cluster_fs import Cluster
from tests.fuse.mounting import requires_fuse

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = requires_fuse()


def test_a_name_that_is_made_after_another_was_removed_is_taken_for_no_third_one(tmp_path: Path) -> None:
    with Cluster(tmp_path) as cluster:
        for name in ("removed", "file"):
            (cluster.mount / name).write_text(name)
        (cluster.mount / "removed").unlink()
        (cluster.mount / "directory").mkdir()
        ended = threading.Event()

        def look_at_the_other() -> None:
            while not ended.is_set():
                (cluster.mount / "directory").stat()

        other = threading.Thread(target=look_at_the_other)
        other.start()
        try:
            assert {(cluster.mount / "file").read_text() for _ in range(200)} == {"file"}
        finally:
            ended.set()
            other.join()
