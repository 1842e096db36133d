"""What of a workspace's lock an environment has: the same words to the real uv sync, and to env create."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import pytest
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.tags import sys_tags

from wheelfs.cli.commands import env
from wheelfs.core.platforms.targets import named, this_machine
from wheelfs.errors import InvalidInput, UsageError
from wheelfs.model.wanted import Chosen, Synced
from wheelfs.service.operations.requirements import read_wants

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fakes.clients import Clients, Uv
    from tests.fakes.index import FakeIndex
    from wheelfs.core.platforms.targets import Target

ENVIRONMENT = {key: str(value) for key, value in default_environment().items()}


def project(name: str, dependencies: str, rest: str = "") -> str:
    head = f'[project]\nname = "{name}"\nversion = "0.1"\nrequires-python = ">=3.11"\ndependencies = [{dependencies}]\n'
    return head + rest


WORKSPACE = '[tool.uv.sources]\nmember = { workspace = true }\n[tool.uv.workspace]\nmembers = ["member", "other", "bare"]\n'
MEMBERS = {
    "member": project(
        "member",
        '"of-member", "aside"',
        '[project.optional-dependencies]\ny = ["y-tool"]\n'
        '[dependency-groups]\ndev = ["dev-of-member"]\ndocs = ["docs-of-member"]\n'
        '[tool.uv]\ndefault-groups = ["docs"]\n[tool.uv.sources]\naside = { path = "../aside", editable = true }\n',
    ),
    "other": project("other", '"of-other"', '[dependency-groups]\ndev = ["dev-of-other"]\nnone = []\n'),
    "bare": project("bare", '"of-bare"'),
    "aside": project("aside", '"of-aside"', '[dependency-groups]\ndev = ["never"]\n[tool.uv]\nmanaged = false\n'),
}
PLAIN = {
    **MEMBERS,
    "": project(
        "app",
        '"of-app", "member"',
        '[project.optional-dependencies]\nx = ["x-tool"]\nz = ["member[y]"]\n'
        '[dependency-groups]\ndev = ["dev-of-app"]\ndocs = ["docs-of-app"]\nnone = ["none-of-app"]\n'
        '[tool.uv]\ndefault-groups = ["dev", "docs"]\n' + WORKSPACE,
    ),
}
VIRTUAL = {
    **MEMBERS,
    "": '[tool.uv]\ndefault-groups = ["lint"]\n[dependency-groups]\nlint = ["lint-tool"]\ndev = ["dev-of-app"]\n'
    'none = ["none-of-app"]\n' + WORKSPACE,
}
ALL_BY_DEFAULT = {**PLAIN, "": PLAIN[""].replace('default-groups = ["dev", "docs"]', 'default-groups = "all"')}
EXCLUDING = {
    "": project(
        "app",
        '"member"',
        '[project.optional-dependencies]\nold = ["lib<2"]\nnew = ["lib>=2"]\nboth = ["app[new]"]\n'
        'via = ["member[aged]", "x-tool"]\n[dependency-groups]\ndev = ["dev-of-app"]\nlow = ["lib<2"]\n[tool.uv]\nconflicts = [\n'
        '    [{ extra = "old" }, { extra = "new" }],\n    [{ extra = "old" }, { extra = "both" }],\n'
        '    [{ group = "low" }, { extra = "new" }, { extra = "both" }],\n'
        '    [{ package = "member", extra = "aged" }, { extra = "new" }, { extra = "both" }],\n'
        '    [{ package = "other" }, { extra = "old" }, { group = "low" }, { package = "member", extra = "aged" }],\n]\n'
        + WORKSPACE,
    ),
    "member": project("member", '"of-member"', '[project.optional-dependencies]\naged = ["lib<2", "y-tool"]\n'),
    "other": project("other", '"lib>=2"'),
    "bare": project("bare", '"of-bare"'),
}
FORKED = {
    "": project(
        "app",
        '"lib<2; sys_platform == \'win32\'", "lib>=2; sys_platform != \'win32\'", "x-tool; python_version < \'3.12\'", "member"',
        '[project.optional-dependencies]\nold = ["forked<2"]\nnew = ["forked>=2; python_version >= \'3.13\'"'
        ", \"forked<2; python_version < '3.13'\"]\n"
        "[dependency-groups]\ndev = [\"dev-of-app; sys_platform == 'win32'\"]\nlow = [\"of-app; python_version < '3.13'\"]\n"
        '[tool.uv]\nconflicts = [[{ extra = "old" }, { extra = "new" }]]\n' + WORKSPACE,
    ),
    "member": project(
        "member", "\"of-member; python_version >= '3.12'\"", '[project.optional-dependencies]\nmore = ["lib", "y-tool"]\n'
    ),
    "other": project("other", "\"member[more]; sys_platform == 'linux'\""),
    "bare": project("bare", ""),
}
CHOICES: dict[str, tuple[dict[str, str], tuple[str, ...]]] = {
    "plain": (
        PLAIN,
        (
            *("", "--all-extras", "--all-groups", "--no-default-groups", "--no-group dev", "--no-group dev --no-group Docs"),
            *(
                "--group dev --no-group dev",
                "--all-groups --no-group dev",
                "--all-groups --no-default-groups",
                "--all-groups --group dev",
            ),
            *(
                "--no-default-groups --group none",
                "--only-group dev",
                "--only-group dev --only-group docs",
                "--extra z --only-group dev",
            ),
            *(
                "--only-group dev --no-group dev",
                "--only-group dev --group docs",
                "--only-group dev --all-groups",
                "--extra z --no-group docs",
            ),
            *(
                "--all-extras --extra x",
                "--extra y",
                "--extra nosuch",
                "--group nosuch",
                "--no-group nosuch",
                "--only-group nosuch",
            ),
            *("--package member", "--package Member --extra y", "--package member --extra x", "--package member --all-extras"),
            *("--package other", "--package other --all-groups", "--package other --group none", "--package other --group docs"),
            *(
                "--package other --only-group docs",
                "--package bare",
                "--package bare --all-groups",
                "--package bare --group dev",
                "--package other --no-group nosuch",
                "--package nosuch",
                "--package member --all-packages",
            ),
            *(
                "--package member --package other",
                "--package app --package other --extra x",
                "--package member --no-default-groups",
            ),
            *("--package member --package other --group none", "--package member --package other --extra x", "--package aside"),
            *("--all-packages", "--all-packages --all-extras", "--all-packages --extra y", "--all-packages --all-groups"),
            *("--all-packages --only-group docs", "--all-packages --extra nosuch", "--all-packages --no-default-groups"),
        ),
    ),
    "all by default": (
        ALL_BY_DEFAULT,
        ("", "--all-packages", "--package app --package other", "--package other", "--no-group dev", "--only-group dev"),
    ),
    "virtual": (
        VIRTUAL,
        (
            *(
                "",
                "--all-groups",
                "--no-default-groups",
                "--only-group lint",
                "--extra y",
                "--group dev",
                "--group docs --no-group lint",
            ),
            *(
                "--package member",
                "--package other",
                "--package other --group lint",
                "--package other --group dev",
                "--all-packages",
            ),
            *("--package other --only-group lint", "--package other --group none", "--package member --group none"),
            *(
                "--package member --package other",
                "--package member --package other --group dev",
                "--package member --all-groups",
                "--package bare",
                "--package bare --group dev",
                "--package bare --package other",
            ),
        ),
    ),
    "excluding": (
        EXCLUDING,
        (
            *("", "--extra old", "--extra new", "--extra both", "--extra via", "--all-extras", "--extra old --extra new"),
            *(
                "--extra old --extra both",
                "--extra new --extra both",
                "--group low",
                "--extra new --group low",
                "--extra both --group low",
            ),
            *(
                "--extra old --group low",
                "--extra via --extra new",
                "--extra via --extra both",
                "--extra via --extra old",
                "--all-groups",
            ),
            *(
                "--package member --extra aged",
                "--package other",
                "--all-packages",
                "--all-packages --extra new",
                "--all-packages --extra old",
            ),
            *(
                "--all-packages --group low",
                "--all-packages --only-group low",
                "--only-group low",
                "--package other --package member",
            ),
        ),
    ),
}


class Workspace(NamedTuple):
    """A workspace that uv has locked."""

    client: Uv
    where: Path
    index_url: str

    def synced(self, words: list[str]) -> set[str] | None:
        """Return what uv sync would install; None where it refuses."""
        environment = {**self.client.environment, "UV_PROJECT_ENVIRONMENT": str(self.client.directory / "none")}
        command = ("sync", "--locked", "--dry-run", "--no-install-local", "--project", str(self.where), *words)
        done = self.client.run(*command, "--default-index", self.index_url, environment=environment)
        added = [line.split()[1] for line in done.stderr.splitlines() if line.startswith(" + ")]
        return set(added) if done.returncode == 0 else None

    def exported(self, words: list[str], target: Target) -> set[str]:
        """Return what uv exports, as far as its markers hold for a target."""
        command = ("export", "--frozen", "--no-hashes", "--no-header", "--no-annotate", "--no-emit-local")
        lines = self.client.run(*command, "--project", str(self.where), *words).succeeded().stdout.splitlines()
        found = map(Requirement, lines)
        return {f"{one.name}{one.specifier}" for one in found if not one.marker or one.marker.evaluate(dict(target.environment))}

    def wanted(self, words: list[str], target: Target) -> set[str] | None:
        """Return what an environment has by the same words; None where they are refused."""
        context = env.create.make_context("create", ["it", str(self.where / "uv.lock"), *words])
        try:
            asked = env._asked(context.params["words"], (), context.params)
            found = read_wants((), (), asked.locks, target, chosen=Chosen(asked.groups, asked.as_synced))
        except (InvalidInput, UsageError):
            return None
        return {str(one) for one in found.locked}


@pytest.fixture
def index(fake_index: FakeIndex) -> FakeIndex:
    for name, version in (("lib", "2.0"), ("forked", "1.0"), ("forked", "2.0")):
        fake_index.add_wheel(name, version)
    own = [
        f"{kind}-{name}"
        for kind in ("of", "dev-of", "docs-of", "none-of")
        for name in ("app", "member", "other", "bare", "aside")
    ]
    for name in ("lib", "x-tool", "y-tool", "lint-tool", "never", *own):
        fake_index.add_wheel(name, "1.0")
    return fake_index


def locked(projects: dict[str, str], clients: Clients, index: FakeIndex, where: Path) -> Workspace:
    for name, text in projects.items():
        (where / name).mkdir(parents=True, exist_ok=True)
        (where / name / "pyproject.toml").write_text(text)
    client = clients.uv()
    client.run("lock", "--project", str(where), "--default-index", index.url).succeeded()
    return Workspace(client, where, index.url)


@pytest.mark.parametrize("kind", CHOICES)
def test_an_environment_has_what_uv_syncs(kind: str, clients: Clients, index: FakeIndex, tmp_path: Path) -> None:
    projects, choices = CHOICES[kind]
    workspace, target = locked(projects, clients, index, tmp_path / "work"), this_machine(sys_tags(), ENVIRONMENT)
    differ = {}
    for words in choices:
        found, expected = workspace.wanted(words.split(), target), workspace.synced(words.split())
        if found != expected:
            differ[words] = {"ours": found, "uv": expected}
    assert differ == {}


def test_forks_go_by_what_is_chosen_on_every_python_and_platform(clients: Clients, index: FakeIndex, tmp_path: Path) -> None:
    workspace, differ, taken = locked(FORKED, clients, index, tmp_path / "work"), {}, set[str]()
    for python in ("3.11", "3.12", "3.13"):
        for platform in ("manylinux_2_28_x86_64", "win_amd64"):
            target = named(python, [platform], machine_platforms=[], environment=ENVIRONMENT)
            for words in (
                "",
                "--extra old",
                "--extra new --no-dev",
                "--all-groups",
                "--all-packages",
                "--package other --group low",
            ):
                ours = [word.replace("--no-dev", "--no-default-groups") for word in words.split()]
                found, expected = workspace.wanted(ours, target), workspace.exported(words.split(), target)
                taken |= found or set()
                if found != expected:
                    differ[python, platform, words] = {"ours": found, "uv": expected}
    assert differ == {}
    assert {"forked==1.0", "forked==2.0"} <= taken, "the targets have forks of their own"


def refused(*words: str) -> str:
    context = env.create.make_context("create", ["it", *words])
    with pytest.raises(UsageError) as caught:
        env._asked(context.params["words"], (), context.params)
    return str(caught.value)


def test_options_that_contradict_each_other_or_have_no_lock_are_refused_with_what_to_do() -> None:
    assert "--only-group leaves out extras and other groups" in refused("uv.lock", "--only-group", "dev", "--group", "docs")
    assert "--only-group leaves out extras" in refused("uv.lock[x]", "--only-group", "dev")
    assert "--all-extras leaves nothing for --extra to add" in refused("uv.lock", "--all-extras", "--extra", "x")
    assert "--all-packages leaves nothing for --package" in refused("uv.lock", "--all-packages", "--package", "member")
    for option in ("--all-extras", "--all-groups", "--no-default-groups", "--all-packages"):
        assert f"{option} is about a lock, and there is none" in refused("numpy", option)
    for option in ("--no-group", "--only-group", "--package"):
        assert f"{option} is about a lock, and there is none" in refused("numpy", option, "dev")


def test_what_a_lock_refuses_says_what_it_has(clients: Clients, index: FakeIndex, tmp_path: Path) -> None:
    workspace, target = locked(EXCLUDING, clients, index, tmp_path / "work"), this_machine(sys_tags(), ENVIRONMENT)
    lock = [str(workspace.where / "uv.lock")]
    for options, said in (
        (Synced(packages=("nosuch",)), r"no package nosuch \(it has app, bare, member, other\)"),
        (Synced(no_groups=("nosuch",)), r"no dependency group nosuch \(it has dev, low\)"),
        (Synced(all_extras=True), r"the extra new of app and the extra old of app exclude each other: make an"),
        (Synced(all_groups=True, all_packages=True), r"the group low of app and the package other exclude each other"),
    ):
        with pytest.raises(InvalidInput, match=said):
            read_wants((), (), lock, target, chosen=Chosen(as_synced=options))
