"""Finding out what else is needed: uv resolves, against an index that is a directory, and with nothing of its user's set-up.

uv is a program beside us, neither imported nor needed for anything else; what it is told and what its answer means is in
`wheelfs.core.resolve.uv_dialogue`.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import tempfile
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

import trio

from wheelfs.core.resolve import uv_dialogue
from wheelfs.errors import OriginUnreachable, ProgramMissing, Unresolvable
from wheelfs.model.wanted import LocalPath, Unfetchable
from wheelfs.service.operations.requirements import Wants, at_paths
from wheelfs.telemetry import printable

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from wheelfs.core.platforms.targets import Target
    from wheelfs.reports.fetch import FetchArguments
    from wheelfs.service.running import Running

RESOLVE_S: Final = 3_600.0
"""The longest resolution: each of thousands of questions is bounded by itself, and some hours would be no answer either."""

MAX_PROJECTS: Final = 1_000
"""Directories in which a ``pyproject.toml`` is looked for: large workspaces have some hundred members."""

_END_S: Final = 5.0
"""What uv may take to end before it is killed."""

_FOREIGN: Final = ("UV_", "PIP_", "VIRTUAL_ENV", "CONDA_")
"""How variables begin that would tell uv other things than we do."""

_NO_SOLUTION: Final = 1
"""uv's exit code when the requirements contradict each other; 2 is any other error."""


def find_uv(environ: Mapping[str, str]) -> str:
    """Return the path of uv: the one that is installed beside wheelfs, else the first on PATH; raises `ProgramMissing`."""
    beside = Path(sys.executable).parent / "uv"
    found = str(beside) if os.access(beside, os.X_OK) else shutil.which("uv", path=environ.get("PATH"))
    if found is None:
        raise ProgramMissing(
            "resolve dependencies",
            "uv is not found, neither beside wheelfs nor on PATH",
            f"install it with {sys.executable} -m pip install uv; a lock needs no resolving, nor does fetch without --with-deps",
        )
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolver:
    """uv, and what it is told beside the requirements.  ``note`` is called with its warnings."""

    uv: str
    options: Sequence[str]
    environment: Mapping[str, str]
    target: Target
    is_for_here: bool
    note: Callable[[str], None]

    @classmethod
    def found(cls, asked: FetchArguments, target: Target, environ: Mapping[str, str], *, note: Callable[[str], None]) -> Self:
        """Return the resolver for what was asked, which ``target`` stands for.

        Raises `UsageError` for a platform that uv does not know, and `ProgramMissing`.
        """
        options, more = uv_dialogue.platform_options(asked.platforms)
        options += [] if asked.python is None else ["--python-version", asked.python]
        # Its user's settings would add indexes, forbid versions or move the cache.
        own = {key: value for key, value in environ.items() if not key.startswith(_FOREIGN)}
        environment = {**own, **more, "UV_PYTHON_DOWNLOADS": "never"}
        uv = find_uv(environ)
        return cls(uv=uv, options=options, environment=environment, target=target, is_for_here=not asked.platforms, note=note)

    async def resolve(self, wants: Wants, mountpoint: Path, node: Running) -> Wants:
        """Return one version for each of what is wanted of an index, and for all that this and local files need.

        It is looked for through ``mountpoint``.  ``local`` and ``unfetchable`` are what they need from elsewhere, such as from
        paths that a project's own ``pyproject.toml`` names.

        Raises `Unresolvable`, and `OriginUnreachable` when an index could not be asked.
        """
        # What this machine can use is a fraction of everything, but says nothing to another machine.
        index_url = (mountpoint / ("here/simple" if self.is_for_here else "simple")).as_uri()
        with tempfile.TemporaryDirectory(prefix="wheelfs-uv-", ignore_cleanup_errors=True) as name:
            directory = Path(name)
            (directory / "requirements.in").write_text(uv_dialogue.requirements_text(wants.as_one()) + _by_path(wants))
            command = [self.uv, "pip", "compile", "requirements.in"]
            if wants.constraints:
                (directory / "constraints.txt").write_text(uv_dialogue.requirements_text(wants.constraints, extras=False))
                command += ["--constraints", "constraints.txt"]
            names = await trio.to_thread.run_sync(_named_indexes, [path for path, _ in wants.trees])
            command += uv_dialogue.index_options(index_url, names)
            command += ["--offline", "--no-config", "--cache-dir", str(directory / "cache")]
            command += ["--python", sys.executable, "--no-header", "--no-annotate", "--color", "never", "--no-progress"]
            command += [*self.options, *uv_dialogue.choice_options(wants.allowed)]
            out, err = await self._answer(command, directory, index_url, node)
            for warning in uv_dialogue.warnings(err):
                self.note(f"uv: {printable(warning)}")
            asked = [*wants.wanted, *wants.constraints]
            found = Wants(wanted=uv_dialogue.pins(out, asked, wants.allowed, self.target.environment))
            given = {path.resolve() for path in (*(local.path for local in wants.local), *(path for path, _ in wants.trees))}
            others = uv_dialogue.elsewhere(out, self.target.environment)
            found.unfetchable += [one for one in others if isinstance(one, Unfetchable)]
            if any((directory / one.path).resolve() not in given for one in others if isinstance(one, LocalPath)):
                # This answer has paths as they were written, and hides from where they count.  The other form is not asked for at
                # once, since for that uv reads whole files where the index gives no hashes.
                await self._answer([*command, "--format", "pylock.toml", "-o", "pylock.toml"], directory, index_url, node)
                placed = uv_dialogue.at_paths((directory / "pylock.toml").read_text("utf-8"))
                placed = [replace(one, path=str((directory / one.path).resolve())) for one in placed]
                at = at_paths((one for one in placed if Path(one.path) not in given), self.target)
                found.local += at.local
                found.unfetchable += at.unfetchable
        return found

    async def _answer(self, command: Sequence[str], directory: Path, index_url: str, node: Running) -> tuple[str, str]:
        """Return what uv says on stdout and stderr; raises what its failure means."""
        done = await _run(command, directory, self.environment)
        out, err = (stream.decode("utf-8", "replace") for stream in (done.stdout, done.stderr))
        if done.returncode:
            raise _error(done.returncode, uv_dialogue.said(err, index_url), node)
        return out, err


def _by_path(wants: Wants) -> str:
    """Return the lines of a requirements file for what is local and in no lock: what that needs is looked for, too."""
    lines = [f"{local.project}{_extras(local.asked)} @ {local.path.absolute().as_uri()}" for local in wants.unlocked]
    lines += [f"{'-e ' if asked.is_editable else ''}{path.resolve().as_uri()}{_extras(asked)}" for path, asked in wants.trees]
    return "".join(f"{line}\n" for line in lines)


def _named_indexes(trees: Iterable[Path]) -> set[str]:
    """Return the names of the indexes that projects say their packages are in.

    uv heeds what each directory says that it reads, and what the root of a workspace says for its members.
    """
    names = set[str]()
    queue = [path.resolve() for path in trees]
    seen = set[Path]()
    while queue and len(seen) < MAX_PROJECTS:
        directory = queue.pop()
        if directory in seen:
            continue
        seen.add(directory)
        if directory != directory.parent:
            queue.append(directory.parent)
        try:
            said = uv_dialogue.sources((directory / "pyproject.toml").read_text("utf-8"))
            names |= said.indexes
            queue += [(directory / path).resolve() for path in said.paths]
            for pattern in said.members:
                queue += [path.resolve() for path in islice(directory.glob(pattern), MAX_PROJECTS)]
        except (OSError, ValueError, RuntimeError):  # the last for links in a circle and absolute patterns
            continue  # most have none, and uv says what is wrong with another
    return names


def _extras(asked: LocalPath) -> str:
    return f"[{','.join(sorted(asked.extras))}]" if asked.extras else ""


async def _run(command: Sequence[str], directory: Path, environment: Mapping[str, str]) -> subprocess.CompletedProcess[bytes]:
    """Run uv, ended when this is cancelled.

    In a process group of its own, with what it starts to build sdists: a terminal sends Ctrl-C to all of ours, and uv, ended by
    that, would look like one that failed.
    """
    try:
        with trio.fail_after(RESOLVE_S):
            return await trio.run_process(
                command,
                cwd=directory,
                env=environment,
                capture_stdout=True,
                capture_stderr=True,
                check=False,
                process_group=0,
                deliver_cancel=_end_group,
            )
    except trio.TooSlowError:
        happened = f"uv has no answer after {RESOLVE_S:.0f} s"
        raise Unresolvable("resolve dependencies", happened, "narrow the versions down") from None
    except OSError as error:
        happened = f"{command[0]} cannot be run: {error.strerror}"
        raise ProgramMissing("resolve dependencies", happened, "install uv again") from None


async def _end_group(process: trio.Process) -> None:
    """End the process and all that it has started; trio waits for the process, and cancels this when it has ended."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        await trio.sleep(_END_S)


def _error(returncode: int, said: str, node: Running) -> OriginUnreachable | Unresolvable:
    """Return what uv's failure means: an index that is away makes versions, or whole projects, invisible to it."""
    attempted = "resolve dependencies"
    hosts = node.hosts
    away = [index.name for index in node.projects.indexes if not hosts.may_ask(index.url)]
    if away and (returncode != _NO_SOLUTION or not hosts.offline):
        why = "wheelfs is offline" if hosts.offline else f"{', '.join(away)} cannot be reached now"
        return OriginUnreachable(attempted, f"{why}, and what is stored does not suffice; uv says:\n{said}")
    if returncode == _NO_SOLUTION:
        return Unresolvable(attempted, f"uv finds no versions that go together:\n{said}")
    return Unresolvable(attempted, f"uv says:\n{said}")
