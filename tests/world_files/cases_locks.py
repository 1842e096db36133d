"""Rows of lock files: ``uv.lock`` of every form, ``pylock.toml`` of several tools and by hand, dependency groups."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from tests.world_files.case import REFUSED, SYNC, Case
from tests.world_files.make_locks import LOCKS, PROJECT

if TYPE_CHECKING:
    from pathlib import Path

_OF_THE_PROJECT: Final = "app-1.0 docs_tool-1.0 fancy-1.0 liba-3.0 libd-2.0 source-1.0.tar.gz tool-1.0"
_GROUPS: Final = '[dependency-groups]\ndev = ["docs-tool"]\n'
_READ_NO_MORE: Final = ("0.2.10", "0.2.15", "0.2.20")


def _uv_lock(version: str) -> Case:
    is_read = version not in _READ_NO_MORE
    return Case(
        name=f"uv.lock of uv {version}",
        files={"uv.lock": (LOCKS / f"uv-{version}.lock").read_text(), "pyproject.toml": PROJECT + _GROUPS},
        words=("uv.lock",),
        takes=_OF_THE_PROJECT,
        pip=None,
        uv_words=SYNC,
        uv="=" if is_read else REFUSED,
        why="" if is_read else "uv reads this form no more",
        quick=version in ("0.2.27", "0.13.8"),
    )


def _wheel(name: str, version: str = "1.0", *, package: str = "", also: str = "") -> str:
    wheel = f"{name.replace('-', '_')}-{version}-py3-none-any.whl"
    digest = f"{{ sha256 = '«hex {name} {version}»' }}"
    return (
        f"[[packages]]\nname = '{name}'\nversion = '{version}'\n{package}"
        f"wheels = [{{ name = '{wheel}', url = '«origin»/files/{wheel}', hashes = {digest} }}]\n{also}"
    )


def _sdist(name: str, version: str = "1.0") -> str:
    filename = f"{name}-{version}.tar.gz"
    digest = f"{{ sha256 = '«s:hex {name} {version}»' }}"
    return f"sdist = {{ name = '{filename}', url = '«origin»/files/{filename}', hashes = {digest} }}\n"


def pylock(name: str, packages: str, takes: str, *, head: str = "", **more: Any) -> Case:
    """Return a row of one pylock.toml."""
    text = f"lock-version = '1.0'\ncreated-by = 'hand'\n{head}{packages}"
    words = more.pop("words", ("pylock.toml",))
    return Case(
        name=f"pylock.toml: {name}",
        files={"pylock.toml": text, **more.pop("files", {})},
        words=words,
        pip_words=more.pop("pip_words", ("-r", *words)),
        uv_words=more.pop("uv_words", ("-r", *words)),
        takes=takes,
        **more,
    )


def _of_tool(path: Path) -> Case:
    tool = path.name.split(".")[1]
    return Case(
        name=f"pylock.toml of {tool}",
        files={"pylock.toml": path.read_text()},
        words=("pylock.toml",),
        pip_words=("-r", "pylock.toml"),
        uv_words=("-r", "pylock.toml"),
        takes=_OF_THE_PROJECT.replace(" tool-1.0", "").replace("docs_tool-1.0 ", ""),
    )


_MORE: Final = "extras = ['more']\ndependency-groups = ['dev']\n"

LOCK_FILES: Final = [
    *(_uv_lock(version) for version in (*_READ_NO_MORE, "0.2.27", "0.2.33", "0.2.37", "0.4.0", "0.5.0", "0.13.8")),
    *(_of_tool(path) for path in sorted(LOCKS.glob("pylock.*.toml"))),
    Case(
        name="pylock.toml of pdm, with an extra",
        files={"pylock.toml": (LOCKS / "pylock.pdm.toml").read_text()},
        words=("pylock.toml[more]",),
        pip_words=("-r", "pylock.toml[more]"),
        uv_words=("-r", "pylock.toml", "--extra", "more"),
        takes=_OF_THE_PROJECT.replace("docs_tool-1.0 ", ""),
    ),
    pylock("wheels", _wheel("liba", "1.5") + _wheel("libd"), "liba-1.5 libd-1.0", quick=True),
    pylock(
        "through -r",
        _wheel("liba", "1.5"),
        "liba-1.5",
        words=("-r", "pylock.toml"),
        pip_words=("-r", "pylock.toml"),
        uv_words=("-r", "pylock.toml"),
    ),
    pylock("a marker", _wheel("liba") + _wheel("color", package="marker = \"sys_platform == 'win32'\"\n"), "liba-1.0"),
    pylock("an sdist alone", f"[[packages]]\nname = 'source'\nversion = '1.0'\n{_sdist('source')}", "source-1.0.tar.gz"),
    pylock("a wheel and an sdist", _wheel("both", also=_sdist("both")), "both-1.0"),
    pylock(
        "a wheel and an sdist, --no-binary",
        _wheel("both", also=_sdist("both")),
        "both-1.0.tar.gz",
        words=("pylock.toml", "--no-binary", "both"),
        pip_words=("-r", "pylock.toml", "--no-binary", "both"),
        uv=None,
        why="a dry run of uv does not say which of the two files it takes",
    ),
    pylock(
        "extras, by default none",
        _wheel("liba") + _wheel("tool", package="marker = \"'more' in extras\"\n"),
        "liba-1.0",
        head=_MORE,
        says=("extra more",),
    ),
    pylock(
        "extras that are named",
        _wheel("liba") + _wheel("tool", package="marker = \"'more' in extras\"\n"),
        "liba-1.0 tool-1.0",
        head=_MORE,
        words=("pylock.toml[more]",),
        pip_words=("-r", "pylock.toml[more]"),
        uv_words=("-r", "pylock.toml", "--extra", "more"),
    ),
    pylock(
        "a default group",
        _wheel("liba") + _wheel("docs-tool", package="marker = \"'dev' in dependency_groups\"\n"),
        "docs_tool-1.0 liba-1.0",
        head=f"{_MORE}default-groups = ['dev']\n",
    ),
    pylock(
        "a group that is named",
        _wheel("liba") + _wheel("docs-tool", package="marker = \"'dev' in dependency_groups\"\n"),
        "docs_tool-1.0 liba-1.0",
        head=_MORE,
        words=("pylock.toml", "--group", "pylock.toml:dev"),
        pip_words=("-r", "pylock.toml", "--group", "pylock.toml:dev"),
        uv_words=("-r", "pylock.toml", "--group", "pylock.toml:dev"),
        uv=REFUSED,
        why="uv takes groups of a pyproject.toml alone",
    ),
    pylock("for another Python", _wheel("liba"), REFUSED, head="requires-python = '>=3.99'\n", says=("3.99",)),
    pylock(
        "a package for another Python",
        _wheel("liba", package="requires-python = '>=3.99'\n") + _wheel("libd"),
        "libd-1.0",
        pip=REFUSED,
        uv=REFUSED,
        why="the rest is brought",
        names=("liba==1.0",),
    ),
    pylock("for other environments", _wheel("liba"), REFUSED, head="environments = [\"sys_platform == 'win32'\"]\n"),
    pylock(
        "a repository",
        "[[packages]]\nname = 'libd'\nvcs = { type = 'git', url = '«origin»/libd.git', commit-id = 'abc' }\n" + _wheel("liba"),
        "liba-1.0",
        pip=REFUSED,
        uv=REFUSED,
        why="there is none here; the rest is brought",
        names=("libd",),
    ),
    pylock(
        "a directory",
        "[[packages]]\nname = 'proj'\ndirectory = { path = 'proj' }\n" + _wheel("liba"),
        "liba-1.0",
        files={"proj/pyproject.toml": "[project]\nname = 'proj'\nversion = '1'\n"},
        pip=None,
        uv="liba-1.0 local:proj",
        why="it is built where it lies",
        names=("proj",),
    ),
    pylock(
        "an archive by its path",
        "[[packages]]\nname = 'x'\narchive = { path = 'x-1.5-py3-none-any.whl', hashes = { sha256 = '«hex x 1.5»' } }\n",
        "local:x-1.5",
        files={"x-1.5-py3-none-any.whl": "«wheel»"},
    ),
    pylock(
        "attestations and what else it may say",
        _wheel(
            "liba", also="index = '«origin»/simple'\n[[packages.attestation-identities]]\nkind = 'GitHub'\nrepository = 'a/b'\n"
        ),
        "liba-1.0",
    ),
    pylock(
        "two of one name by their markers",
        _wheel("liba", "1.0", package="marker = \"sys_platform == 'win32'\"\n")
        + _wheel("liba", "2.0", package="marker = \"sys_platform != 'win32'\"\n"),
        "liba-2.0",
    ),
    Case(
        name="a dependency group",
        files={"pyproject.toml": '[dependency-groups]\nbase = ["liba<2"]\ndev = [{include-group = "base"}, "libd"]\n'},
        words=("--group", "dev"),
        takes="liba-1.5 libd-2.0",
    ),
    Case(
        name="a dependency group of another file",
        files={"sub/pyproject.toml": '[dependency-groups]\ndev = ["libd"]\n'},
        words=("--group", "sub/pyproject.toml:dev"),
        takes="libd-2.0",
    ),
    Case(
        name="a lock of poetry",
        files={"poetry.lock": "[[package]]\nname = 'a'\n[metadata]\nlock-version = '2.1'\n"},
        words=("poetry.lock",),
        takes=REFUSED,
        pip=None,
        uv=None,
        says=("poetry export",),
    ),
    Case(
        name="a lock of PDM",
        files={"pdm.lock": "[metadata]\nlock_version = '4.5'\n"},
        words=("pdm.lock",),
        takes=REFUSED,
        pip=None,
        uv=None,
        says=("pdm export",),
    ),
    Case(
        name="a lock of pipenv",
        files={"Pipfile.lock": '{"_meta": {}, "default": {}}'},
        words=("Pipfile.lock",),
        takes=REFUSED,
        pip=None,
        uv=None,
        says=("pipenv requirements",),
    ),
]
