"""Paths that may not be looked at, such as those below another user's private directory: an error of who names them, no bug."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from wheelfs.errors import OriginError
from wheelfs.remote.share.objects import open_objects

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import RunWheelfs

UNSEEN = f"/{'x' * 300}"
"""For root, too: looking at it is an error other than ENOENT."""


@pytest.mark.parametrize(
    ("words", "environment", "because"),
    [
        (("log",), {"WHEELFS_LOG_FILE": f"{UNSEEN}/log"}, "it may not be read"),
        (("add", "--pip-cache", UNSEEN), {}, "File name too long"),
        (("service", "remove", "timer", "--into", UNSEEN), {}, "there is no"),
        (("doctor", "--offline", "--store", UNSEEN), {}, "cannot be opened: File name too long"),
        (("fetch", "--dry-run", f"{UNSEEN}/app-1.0-py3-none-any.whl"), {}, "File name too long"),
    ],
)
def test_a_path_that_may_not_be_looked_at_is_no_bug_of_ours(
    words: tuple[str, ...], environment: dict[str, str], because: str, run_wheelfs: RunWheelfs, store_dir: Path
) -> None:
    settings = {"WHEELFS_STORE": str(store_dir), "WHEELFS_NO_INDEX": "1", **environment}
    done = run_wheelfs(*words, env=settings)
    assert because in done.stdout + done.stderr
    assert 0 < done.returncode < 70


def test_a_share_that_may_not_be_looked_at_is_no_bug_of_ours() -> None:
    with pytest.raises(OriginError, match="file name too long"):
        list(open_objects(f"file://{UNSEEN}").found(""))
