"""A lock file is read or refused, whatever is in it."""

from __future__ import annotations

import contextlib
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from packaging.markers import default_environment

from wheelfs.core.platforms.targets import named
from wheelfs.core.resolve.lock_files import read_lock
from wheelfs.core.resolve.uv_lock import AsSynced
from wheelfs.errors import InvalidInput
from wheelfs.model.wanted import Synced

TARGET = named(
    "3.12",
    ["manylinux_2_28_x86_64"],
    machine_platforms=[],
    environment={key: str(value) for key, value in default_environment().items()},
)

NAMES = st.sampled_from(["a", "b", "mine", "../x", "", "é"])
TEXTS = st.sampled_from(
    ["1.0", "2.0", "x", "", "sys_platform == 'linux'", "extra == 'a'", "extra != 'a'", "'a' in extras", "registry", "sha256:00"]
)
NONSENSE = st.one_of(st.integers(), st.booleans(), TEXTS, st.just([]), st.just({}), st.lists(TEXTS, max_size=2))
SOURCES = st.sampled_from([{"registry": "x"}, {"virtual": "."}, {"editable": "."}, {"git": "x"}, {}]) | NONSENSE
EDGES = st.lists(
    st.fixed_dictionaries(
        {"name": NAMES}, optional={"version": TEXTS, "marker": TEXTS, "extra": st.lists(NAMES), "source": SOURCES}
    ),
    max_size=3,
)
GROUPS = st.dictionaries(NAMES, EDGES, max_size=2)
FILES = st.lists(st.fixed_dictionaries({}, optional={"hash": TEXTS | NONSENSE, "url": TEXTS}), max_size=2)
UV = st.fixed_dictionaries(
    {"name": NAMES | NONSENSE, "source": SOURCES},
    optional={
        "version": TEXTS | NONSENSE,
        "dependencies": EDGES | NONSENSE,
        "optional-dependencies": GROUPS | NONSENSE,
        "dev-dependencies": GROUPS | NONSENSE,
        "wheels": FILES | NONSENSE,
        "sdist": NONSENSE,
        "resolution-markers": st.lists(TEXTS, max_size=2) | NONSENSE,
    },
)
HEAD = st.fixed_dictionaries(
    {},
    optional={
        "requires-python": st.sampled_from([">=3.11", ">=3.13", "x"]) | NONSENSE,
        "supported-markers": st.lists(TEXTS, max_size=2) | NONSENSE,
        "conflicts": st.lists(st.lists(st.fixed_dictionaries({"package": NAMES}, optional={"extra": NAMES, "group": NAMES})))
        | NONSENSE,
        "manifest": st.fixed_dictionaries(
            {},
            optional={
                "requirements": EDGES | NONSENSE,
                "dependency-groups": GROUPS | NONSENSE,
                "members": st.lists(NAMES) | NONSENSE,
            },
        )
        | NONSENSE,
    },
)
PYLOCK = st.dictionaries(st.sampled_from(["name", "version", "marker", "wheels", "sdist", "vcs", "requires-python"]), NONSENSE)

PYLOCK_HEAD = st.dictionaries(
    st.sampled_from(["extras", "dependency-groups", "default-groups"]), st.lists(NAMES, max_size=2) | NONSENSE
)
SYNCED = st.builds(
    Synced,
    packages=st.lists(NAMES, max_size=2).map(tuple),
    all_packages=st.booleans(),
    all_extras=st.booleans(),
    all_groups=st.booleans(),
    no_default_groups=st.booleans(),
    no_groups=st.just(()) | st.tuples(NAMES),
    only_groups=st.just(()) | st.tuples(NAMES),
)


def toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)} = {toml(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    return json.dumps(value)


@given(st.lists(UV, max_size=5), HEAD, st.none() | SYNCED)
def test_a_uv_lock_of_any_content_is_read_or_refused(packages: list[Any], head: dict[str, Any], options: Synced | None) -> None:
    told = "".join(f"{key} = {toml(value)}\n" for key, value in head.items())
    as_synced = None if options is None else AsSynced(options, lambda _: frozenset())
    with contextlib.suppress(InvalidInput):
        read_lock("read uv.lock", f"version = 1\n{told}package = {toml(packages)}\n", TARGET, as_synced=as_synced)


@given(st.lists(PYLOCK, max_size=3), PYLOCK_HEAD, st.none() | SYNCED)
def test_a_pylock_of_any_content_is_read_or_refused(packages: list[Any], head: dict[str, Any], options: Synced | None) -> None:
    told = "".join(f"{key} = {toml(value)}\n" for key, value in head.items())
    as_synced = None if options is None else AsSynced(options, lambda _: frozenset())
    text = f'lock-version = "1.0"\ncreated-by = "x"\n{told}packages = {toml(packages)}\n'
    with contextlib.suppress(InvalidInput):
        read_lock("read pylock.toml", text, TARGET, as_synced=as_synced)


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(InvalidInput):
        read_lock("read it", text, TARGET)
