"""The file of an index that an unpacked wheel was."""

from __future__ import annotations

import pytest

from wheelfs.core.unpacked.candidates import same_wheel
from wheelfs.model.names import WheelName

MANY = "demo-1.0-cp311-cp311-manylinux2014_x86_64.manylinux_2_17_x86_64.whl"


@pytest.mark.parametrize(
    ("wheel", "listed", "found"),
    [
        ("demo-1.0-py3-none-any.whl", ["demo-1.0.tar.gz", "demo-1.0-py3-none-any.whl"], 1),
        ("demo-1.0-py3-none-any.whl", ["demo-1.1-py3-none-any.whl", "demo-1.0-1-py3-none-any.whl"], None),
        ("demo-1.0-1-py3-none-any.whl", ["demo-1.0-py3-none-any.whl", "demo-1.0-1-py3-none-any.whl"], 1),
        ("Demo-1.0.0-py3-none-any.whl", ["demo-1.0-py3-none-any.whl"], 0),
        ("demo-1.0-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl", [MANY], 0),
        ("demo-1.0-cp311-cp311-manylinux2014_x86_64.whl", [MANY], 0),
        ("demo-1.0-cp311-cp311-linux_x86_64.whl", [MANY], None),
        ("demo-1.0-cp311-cp311-manylinux2014_x86_64.whl", [MANY, MANY.replace("_2_17_", "_2_28_")], None),
        ("demo-1.0-cp312-cp312-win_amd64.whl", [MANY], None),
        ("demo-1.0-py3-none-any.whl", ["demo-1.0-py3-none-any-x86v3.whl"], None),
        ("demo-1.0-py3-none-any.whl", [], None),
    ],
)
def test_name_version_build_and_tags_decide(wheel: str, listed: list[str], found: int | None) -> None:
    assert same_wheel(WheelName(wheel), listed) == (None if found is None else listed[found])
