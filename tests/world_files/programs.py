"""What pip, uv and wheelfs take for a row: each is asked without installing anything."""

from __future__ import annotations

import json
import re
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote

import uv

from tests.fakes.processes import isolated_environment, run, wheelfs_command, wheelfs_environment
from tests.world_files.case import REFUSED, SYNC, Case, short
from tests.world_files.shelf import file_of

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fakes.processes import Finished

LIMIT_S: Final = 120.0
_SELECTING = re.compile(r"Selecting: (?P<pin>\S+) \[\w+\] \((?P<file>[^()]+)\)")
_PLANNED = re.compile(r"^ [+~] (?P<pin>\S+)(?: @ (?P<url>\S+)| \(from [^)]*\))?$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a program takes, in the short form and sorted, or "error"; and all that it said."""

    takes: str
    said: str
    objects: tuple[dict[str, Any], ...] = ()


def pip_takes(case: Case, directory: Path, index_url: str, python: Path) -> Answer:
    """Return what pip's report says that it would install."""
    words = case.words if case.pip_words is None else case.pip_words
    deps = () if case.deps else ("--no-deps",)
    report = directory / "report.json"
    command = [sys.executable, "-m", "pip", "--python", str(python), "install", "--dry-run", "--ignore-installed", "--no-input"]
    command += ["--no-build-isolation", "--index-url", index_url, "--report", str(report), *deps, *words]
    report.unlink(missing_ok=True)
    done = run(command, environment={**isolated_environment(directory.parent / "home"), **case.environ}, cwd=directory)
    if done.returncode:
        return Answer(REFUSED, _all(done))
    names = []
    for one in json.loads(report.read_text())["install"]:
        url = one["download_info"]["url"]
        names.append(_of_url(case, url, index_url) if one["is_direct"] else short(unquote(url.rpartition("/")[2])))
    return Answer(" ".join(sorted(names)), _all(done))


def uv_takes(case: Case, directory: Path, index_url: str, python: Path) -> Answer:
    """Return what uv's dry run says that it would install; which file of a version is in its log."""
    words = case.words if case.uv_words is None else case.uv_words
    if words == SYNC:
        return _uv_syncs(case, directory, index_url)
    command = [uv.find_uv_bin(), "pip", "install", "--dry-run", "-v", "--reinstall", "--no-build-isolation"]
    command += ["--python", str(python), "--default-index", index_url, *(() if case.deps else ("--no-deps",)), *words]
    environment = {**isolated_environment(directory.parent / "home"), **case.environ}
    done = run(command, environment=environment, cwd=directory, timeout_s=LIMIT_S)
    if done.returncode:
        return Answer(REFUSED, _all(done))
    files = {match["pin"]: match["file"] for match in _SELECTING.finditer(done.stderr)}
    planned = list(_PLANNED.finditer(done.stderr))
    names = [
        _of_url(case, match["url"], index_url) if match["url"] else short(files.get(match["pin"], file_of(match["pin"])))
        for match in planned
    ]
    return Answer(" ".join(sorted(names)), _all(done))


def _uv_syncs(case: Case, directory: Path, index_url: str) -> Answer:
    """Return what ``uv sync`` would install of a uv.lock, with all extras and groups, as wheelfs takes it."""
    command = [uv.find_uv_bin(), "sync", "--frozen", "--dry-run", "--all-extras", "--all-groups", "--python", sys.executable]
    environment = {**isolated_environment(directory.parent / "home"), **case.environ}
    done = run([*command, "--default-index", index_url], environment=environment, cwd=directory, timeout_s=LIMIT_S)
    if done.returncode:
        return Answer(REFUSED, _all(done))
    # The project itself stands among them by its directory.
    names = [file_of(match["pin"]) for match in _PLANNED.finditer(done.stderr) if not match["url"]]
    return Answer(" ".join(sorted(names)), _all(done))


def wheelfs_takes(case: Case, directory: Path, index_url: str, *, store: Path) -> Answer:
    """Return what ``wheelfs fetch --dry-run --json`` says that it would fetch."""
    deps = ("--with-deps",) if case.deps else ()
    command = wheelfs_command(
        "--store", str(store), "fetch", "--dry-run", "--json", *deps, "--index", f"main={index_url}", *case.words
    )
    environment = {**wheelfs_environment(directory.parent / "home"), **case.environ}
    done = run(command, environment=environment, cwd=directory, timeout_s=LIMIT_S)
    objects = tuple(json.loads(line) for line in done.stdout.splitlines())
    if done.returncode not in (0, 1):
        return Answer(REFUSED, _all(done), objects)
    files = [one["file"] for one in objects if "file" in one]
    taken = [one for one in files if one["result"] in ("would-fetch", "present")]
    names = [("local:" if one["origin"] == "local" else "") + short(one["filename"]) for one in taken]
    return Answer(" ".join(sorted(names)), _all(done), objects)


def _of_url(case: Case, url: str, index_url: str) -> str:
    """Return the short form of what is taken from an address of its own: ``local:`` and the name of a file or directory.

    A lock has the addresses of the index's own files.
    """
    if url.startswith(index_url.removesuffix("/simple") + "/files/") and case.is_lock:
        return short(unquote(url.rpartition("/")[2]))
    kind = "local" if url.startswith("file:") else "vcs" if url.startswith("git+") else "url"
    return f"{kind}:{short(url.rstrip('/').rpartition('/')[2])}"


def _all(done: Finished) -> str:
    return f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
