"""Wiring of ``wheelfs env``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from wheelfs.app.fetching import fetch
from wheelfs.app.wiring import is_unborn, limits_of, store_to_look_at
from wheelfs.errors import InvalidInput, NotKnown, OriginError
from wheelfs.private_files import readers_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from wheelfs.config import Settings
    from wheelfs.model.environment import EnvironmentLabel, EnvironmentWheel
    from wheelfs.reports.environment import EnvironmentFile, EnvironmentState, MadeEnvironment
    from wheelfs.reports.fetch import FetchArguments, FetchedFile
    from wheelfs.reports.progress import Progress
    from wheelfs.store.store import Store

_COMPILING = "compiling modules"


def create(
    settings: Settings,
    name: str,
    asked: FetchArguments,
    *,
    python: str | None,
    report: Callable[[FetchedFile], None],
    note: Callable[[str], None],
    progress: Progress,
) -> MadeEnvironment:
    """Make an environment of what is asked for and all that it needs; its files are fetched whole first.

    ``report`` and ``note`` are those of `wheelfs.app.fetching.fetch`, whose errors are raised too; `InvalidInput` for an sdist
    among the files, and for wheels that cannot be installed together.
    """
    from wheelfs.model.environment import parse_label
    from wheelfs.reports.environment import EnvironmentClash, MadeEnvironment
    from wheelfs.service.environments.interpreter import find_interpreter
    from wheelfs.service.environments.making import make_environment
    from wheelfs.store.store import Store

    parse_label(name)
    interpreter = find_interpreter(python)
    files: list[FetchedFile] = []

    def done(file: FetchedFile) -> None:
        files.append(file)
        report(file)

    wanted = msgspec.structs.replace(asked, python=interpreter.version, with_deps=True)
    fetch(settings, wanted, report=done, note=note, progress=progress)
    chosen = _wheels_among(name, files)
    with Store.open(settings.store, readers=readers_of(settings.store_group), limits=limits_of(settings)) as store:
        wheels = [_as_wheel(store, file) for file in chosen]
        told = 0

        def compiled(count: int, of: int) -> None:
            nonlocal told
            if count == 0:
                progress.begin(f"{_COMPILING} ({of})", None)
            told = of

        try:
            made = make_environment(store, name, wheels, interpreter, progress=compiled)
        finally:
            progress.end(f"{_COMPILING} ({told})")
        state = _state(store, made.label)
    clashes = tuple(EnvironmentClash(path=one.path, hidden=one.hidden, shown=one.shown) for one in made.clashes)
    result = "created" if made.is_new else "unchanged"
    return MadeEnvironment(environment=state, result=result, compiled=made.compiled, clashes=clashes)


def listed(settings: Settings) -> list[EnvironmentState]:
    """Return all environments of the store, in order of name."""
    if is_unborn(settings.store):
        return []
    with store_to_look_at(settings) as store:
        return [_state(store, label) for label in store.mounted.labels()]


def described(settings: Settings, name: str) -> tuple[EnvironmentState, list[EnvironmentFile]]:
    """Return an environment and its wheels; raises `NotKnown`."""
    from wheelfs.model.names import project_and_version
    from wheelfs.reports.environment import EnvironmentFile

    with store_to_look_at(settings) as store:
        label = store.mounted.label(name)
        tree = None if label is None else store.mounted.tree(label.digest)
        if label is None or tree is None:
            raise _unknown("show", name)
        files = []
        for wheel in tree.wheels:
            told = project_and_version(wheel.filename)
            files.append(
                EnvironmentFile(
                    project=wheel.project,
                    version="" if told is None else str(told[1]),
                    filename=wheel.filename,
                    origin=wheel.origin,
                    sha256=wheel.sha256.hex(),
                    size_bytes=wheel.size_bytes,
                )
            )
        return _state(store, label), files


def remove(settings: Settings, names: list[str]) -> Iterator[str]:
    """Remove environments and yield their names; their wheels stay.  Raises `NotKnown` before anything is removed."""
    from wheelfs.store.store import Store

    with Store.open(settings.store, readers=readers_of(settings.store_group), create=False) as store:
        for name in names:
            if store.mounted.label(name) is None:
                raise _unknown("remove", name)
        for name in names:
            if store.mounted.remove(name).result():
                yield name


def _unknown(attempted: str, name: str) -> NotKnown:
    return NotKnown(f"{attempted} the environment {name!r}", "there is none of this name", "wheelfs env ls lists them")


def _wheels_among(name: str, files: list[FetchedFile]) -> list[FetchedFile]:
    """Return the files of which an environment can be made; raises what stands in the way of the first other one."""
    from wheelfs import errors
    from wheelfs.model.names import kind_of

    attempted = f"make the environment {name}"
    for file in files:
        if file.result == "failed":
            kind = getattr(errors, file.error_class or "", OriginError)
            raise kind(attempted, f"{file.filename or file.wanted} is missing: {file.reason}")
        if file.filename is not None and kind_of(file.filename) != "wheel":
            advice = f"build a wheel of it (uv build, pip wheel) and add that: wheelfs add {file.project}-….whl"
            raise InvalidInput(attempted, f"{file.filename} is no wheel, and an environment runs no builds", advice)
    chosen = {file.filename: file for file in files if file.filename is not None}
    if not chosen:
        raise InvalidInput(attempted, "nothing is asked for that could be in it", "name requirements or a lock file")
    by_project: dict[str | None, FetchedFile] = {}
    for file in chosen.values():
        if (other := by_project.setdefault(file.project, file)) is not file:
            happened = f"two versions of {file.project} are asked for: {other.filename} and {file.filename}"
            raise InvalidInput(attempted, happened, "name one of them")
    return list(chosen.values())


def _as_wheel(store: Store, file: FetchedFile) -> EnvironmentWheel:
    from wheelfs.model.environment import EnvironmentWheel

    assert file.filename is not None and file.project is not None
    for name in store.catalog.stored_names(file.project):
        if name.filename == file.filename and file.sha256 in (None, name.sha256.hex()):
            return EnvironmentWheel(name.project, name.filename, name.index, name.sha256, name.size_bytes)
    raise NotKnown("make the environment", f"{file.filename} was removed from the store meanwhile", "try again")


def _state(store: Store, label: EnvironmentLabel) -> EnvironmentState:
    from wheelfs.core.times import rfc3339
    from wheelfs.reports.environment import EnvironmentState

    tree = store.mounted.tree(label.digest)
    assert tree is not None, "a label and its tree are written together"
    return EnvironmentState(
        name=label.name,
        path=f"env/{label.name}",
        digest=label.digest.hex(),
        python=tree.interpreter.version,
        interpreter=tree.interpreter.executable,
        wheels=len(tree.wheels),
        files=len(tree.members) + len(tree.written),
        size_bytes=tree.size_bytes,
        created=rfc3339(label.created_us),
    )
