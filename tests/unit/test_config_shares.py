"""Which names a share may give, as it is configured."""

from __future__ import annotations

import json

import pytest

from wheelfs.config import load
from wheelfs.errors import UsageError


@pytest.mark.parametrize(
    ("keys", "projects", "names"),
    [
        ({}, (), None),
        ({"projects": ["Lab_*"]}, ("lab-*",), None),
        ({"names": ["lab-*", "tools"]}, (), ("lab-*", "tools")),
        ({"names": []}, (), ()),
    ],
)
def test_a_share_may_be_tied_to_names_or_kept_to_some(
    keys: dict[str, object], projects: tuple[str, ...], names: tuple[str, ...] | None
) -> None:
    [share] = load(environ={"WHEELFS_SHARE": json.dumps([{"name": "team", "url": "file:///lab", **keys}])}).shares
    assert (share.projects, share.names) == (projects, names)


@pytest.mark.parametrize(
    ("variable", "keys", "message"),
    [
        ("WHEELFS_SHARE", {"names": ["a"], "projects": ["b"]}, "either projects"),
        ("WHEELFS_SHARE", {"names": ["a b"]}, "names must be project names"),
        ("WHEELFS_SHARE", {"projects": []}, "projects must be a list of 1"),
        ("WHEELFS_SHARE", {"ttl-s": 5}, "neither ttl-s"),
        ("WHEELFS_SHARE", {"first-seen": False}, "nor first-seen"),
        ("WHEELFS_INDEX", {"names": ["a"], "url": "https://index.example/simple"}, "key of .*share"),
    ],
)
def test_names_that_mean_nothing_are_refused(variable: str, keys: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        load(environ={variable: json.dumps([{"name": "team", "url": "file:///lab", **keys}])})
