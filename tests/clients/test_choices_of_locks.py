"""Extras and groups of a uv.lock: an environment has what the real uv syncs with the same options."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from packaging.markers import default_environment
from packaging.tags import sys_tags

from tests.fakes.commands import objects
from wheelfs.core.platforms.targets import this_machine
from wheelfs.core.resolve.lock_files import groups_of_locks, with_extras
from wheelfs.model.wanted import Chosen, Synced
from wheelfs.service.operations.requirements import read_wants

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tests.conftest import RunWheelfs
    from tests.fakes.clients import Clients
    from tests.fakes.index import FakeIndex

PROJECT = """
[project]
name = "app"
version = "0.1"
requires-python = ">=3.11"
dependencies = ["demo", "member"]
[project.optional-dependencies]
old = ["lib<2"]
new = ["lib>=2", "color; sys_platform == 'linux'"]
both-kinds = ["app[new]", "fancy"]
"more.fun" = ["demo[fancy]"]
[dependency-groups]
dev = ["tool"]
docs = ["docs-tool", {include-group = "typing"}]
typing = ["types-tool"]
low = ["lib<2"]
[tool.uv]
"""
CONFLICTS = """conflicts = [
    [{ extra = "old" }, { extra = "new" }],
    [{ extra = "old" }, { extra = "both-kinds" }],
    [{ group = "low" }, { extra = "new" }],
    [{ group = "low" }, { extra = "both-kinds" }],
]
[tool.uv.sources]
member = { workspace = true }
[tool.uv.workspace]
members = ["member", "other"]
"""
MEMBER = """
[project]
name = "{0}"
version = "0.1"
requires-python = ">=3.11"
dependencies = ["{1}"]
[dependency-groups]
dev = ["never"]
"""

NAMES = ("color", "fancy", "tool", "docs-tool", "types-tool", "of-member", "of-other", "never")


@pytest.fixture
def lock(clients: Clients, fake_index: FakeIndex, tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """Return the lock of the project; a parameter stands in its [tool.uv]."""
    for version in ("1.0", "2.0"):
        fake_index.add_wheel("lib", version)
    fake_index.add_wheel("demo", "1.0", requires=["fancy; extra == 'fancy'"])
    for name in ("color", "fancy", "tool", "docs-tool", "types-tool", "of-member", "of-other", "never"):
        fake_index.add_wheel(name, "1.0")
    where = tmp_path / "work"
    for member in ("member", "other"):
        (where / member).mkdir(parents=True)
        (where / member / "pyproject.toml").write_text(MEMBER.format(member, f"of-{member}"))
    (where / "pyproject.toml").write_text(PROJECT + getattr(request, "param", "") + CONFLICTS)
    clients.uv().run("lock", "--project", str(where), "--default-index", fake_index.url).succeeded()
    return where / "uv.lock"


def ours(lock: Path, extras: Sequence[str], groups: Sequence[str]) -> set[str]:
    environment = {key: str(value) for key, value in default_environment().items()}
    chosen = Chosen(groups_of_locks([str(lock)], groups), as_synced=Synced())
    wants = read_wants((), (), [with_extras(str(lock), extras)], this_machine(sys_tags(), environment), chosen=chosen)
    return {str(one) for one in wants.locked}


def synced(clients: Clients, lock: Path, extras: Sequence[str], groups: Sequence[str]) -> set[str]:
    client = clients.uv()
    options = [word for one in extras for word in ("--extra", one)] + [word for one in groups for word in ("--group", one)]
    where = {"UV_PROJECT_ENVIRONMENT": str(client.directory / "venv")}
    command = ("sync", "--frozen", "--no-install-workspace", "--project", str(lock.parent), *options)
    client.run(*command, environment={**client.environment, **where}).succeeded()
    return {f"{name}=={version}" for name, version in client.installed().items()}


CHOICES = [
    ((), ()),
    (("old",), ()),
    (("new",), ()),
    (("both-kinds",), ("docs",)),
    (("more.fun", "new"), ("docs", "typing")),
    ((), ("low",)),
    (("more-fun",), ("low", "dev")),
]


@pytest.mark.parametrize(("extras", "groups"), CHOICES, ids=str)
def test_it_is_what_uv_syncs(clients: Clients, lock: Path, extras: Sequence[str], groups: Sequence[str]) -> None:
    found = ours(lock, extras, groups)
    assert found == synced(clients, lock, extras, groups)
    assert {"demo==1.0", "of-member==1.0", "tool==1.0"} <= found
    assert found.isdisjoint({"of-other==1.0", "never==1.0"}), "members that the first one does not need, and others' extras"


@pytest.mark.parametrize("lock", ['default-groups = ["docs"]\n', "default-groups = []\n"], indirect=True, ids=["docs", "none"])
def test_default_groups_are_those_of_the_project(clients: Clients, lock: Path) -> None:
    found = ours(lock, (), ())
    assert found == synced(clients, lock, (), ())
    assert "tool==1.0" not in found


@pytest.mark.parametrize(("extra", "version"), [("old", "1.0"), ("new", "2.0")])
def test_an_environment_of_each_of_two_extras_that_exclude_each_other(
    run_wheelfs: RunWheelfs, store_dir: Path, lock: Path, fake_index: FakeIndex, extra: str, version: str
) -> None:
    words = ["--store", str(store_dir), "--json", "env"]
    options = ["--extra", extra, "--group", "docs", "--index", f"main={fake_index.url}"]
    run_wheelfs(*words, "create", "it", str(lock), *options).succeeded()
    [shown] = objects(run_wheelfs(*words, "show", "it").succeeded())
    found = {one["project"]: one["version"] for one in shown["wheels"]}
    assert found["lib"] == version
    assert {"docs-tool", "types-tool", "tool"} <= set(found)
    run_wheelfs(*words, "create", "it", str(lock), "--package", "other", "--no-group", "dev", *options[-2:]).succeeded()
    [shown] = objects(run_wheelfs(*words, "show", "it").succeeded())
    assert [one["project"] for one in shown["wheels"]] == ["of-other"]
    refused = run_wheelfs(*words, "create", "it", str(lock), "--extra", "unheard", *options[2:])
    assert "it has no extra unheard" in refused.stdout
    nowhere = run_wheelfs(*words, "create", "it", "demo", "--extra", extra)
    assert (nowhere.returncode, "--extra names extras of a lock" in nowhere.stdout) == (2, True)
