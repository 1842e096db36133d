"""Wiring of ``wheelfs env``."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import msgspec

from wheelfs.app.fetching import bring, local_files, read, stored_view, take_added
from wheelfs.app.wiring import is_unborn, store_to_fill, store_to_look_at
from wheelfs.errors import InvalidInput, NotKnown, OriginError, StoreDamaged
from wheelfs.private_files import readers_of
from wheelfs.service.environments.named import named, unknown
from wheelfs.service.process.control_client import let_mounts_look

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from wheelfs.app.fetching import Request
    from wheelfs.config import Settings
    from wheelfs.model.environment import Environment, EnvironmentLabel, EnvironmentWheel, Interpreter
    from wheelfs.model.share_catalog import FileKey
    from wheelfs.model.wanted import Wanted
    from wheelfs.reports.environment import (
        CompiledEnvironment,
        EnvironmentFile,
        EnvironmentProfile,
        EnvironmentState,
        InterpreterState,
        MadeEnvironment,
    )
    from wheelfs.reports.fetch import FetchArguments, FetchedFile
    from wheelfs.reports.progress import Progress
    from wheelfs.service.environments.making import Made
    from wheelfs.service.running import Running
    from wheelfs.store.store import Store

log = logging.getLogger(__name__)

_COMPILING: Final = "compiling modules"


def create(
    settings: Settings,
    name: str,
    asked: FetchArguments,
    *,
    python: str | None,
    complete: bool,
    report: Callable[[FetchedFile], None],
    note: Callable[[str], None],
    progress: Progress,
) -> MadeEnvironment:
    """Make an environment of what is asked for and all that it needs; ``complete``: its files are fetched whole first.

    Where a lock names all of it, and all is stored, that needs no network.  ``report`` and ``note`` are those of
    `wheelfs.app.fetching.fetch`, whose errors are raised too; `InvalidInput` for an sdist among the files, and for wheels that
    cannot be installed together.
    """
    from wheelfs.model.environment import parse_label
    from wheelfs.reports.environment import EnvironmentClash, MadeEnvironment
    from wheelfs.service.environments.interpreter import asked_interpreter

    parse_label(name)
    with asked_interpreter(python) as answer:
        # It answers meanwhile: these take longer to import than a Python to start.
        import wheelfs.service.environments.making
        import wheelfs.service.operations.requirements
        import wheelfs.store.store  # noqa: F401

        interpreter = answer()
    wanted = msgspec.structs.replace(asked, python=interpreter.version, with_deps=True, lazy=not complete)
    request = read(wanted, note=note)
    with store_to_fill(settings) as store:
        one = _made(settings, store, name, interpreter, request, report, note, progress)
        state = _state(store, one.label, one.tree)
    let_mounts_look(settings.store / "run")
    clashes = tuple(EnvironmentClash(path=clash.path, hidden=clash.hidden, shown=clash.shown) for clash in one.clashes)
    result = "created" if one.is_new else "unchanged"
    return MadeEnvironment(environment=state, result=result, compiled=one.compiled, clashes=clashes)


def _made(
    settings: Settings,
    store: Store,
    name: str,
    interpreter: Interpreter,
    request: Request,
    report: Callable[[FetchedFile], None],
    note: Callable[[str], None],
    progress: Progress,
) -> Made:
    """Make an environment of what was read: with nothing but the store where that has all of it, else with a node."""
    from wheelfs.service.environments.making import make_of_stored

    files: list[FetchedFile] = []

    def done(file: FetchedFile) -> None:
        files.append(file)
        report(file)

    def instead(wanted: Wanted, taken: Wanted) -> None:
        note(f"{wanted} is not built: {', '.join(taken.filenames)} was added here, and stands for it")

    take_added(settings, store, request.wants, request.target, now_us=request.began_us, instead=instead)
    stored = _stored_files(settings, store, request, progress)
    if stored is None and _take_built(settings, store, request, instead):
        stored = _stored_files(settings, store, request, progress)
    if stored is not None:
        for file in stored:
            done(file)
        with _compiling(progress) as compiled:
            return make_of_stored(store, name, _wheels(store, name, files), interpreter, progress=compiled)
    made: list[Made] = []

    async def make(node: Running) -> None:
        from wheelfs.service.environments.lazily import make_lazily

        with _compiling(progress) as compiled:
            made.append(await make_lazily(node, name, _wheels(store, name, files), interpreter, progress=compiled))

    bring(settings, store, request, report=done, progress=progress, then=make)
    return made[0]


def _stored_files(settings: Settings, store: Store, request: Request, progress: Progress) -> list[FetchedFile] | None:
    """Return all that is asked for if locks name it and it is stored, or lies at a path and is added now; else None."""
    from wheelfs.service.environments.locked import stored_files
    from wheelfs.service.operations.requirements import unfetchable

    if request.resolver is not None:
        return None
    scopes, view_filter = stored_view(settings, request.began_us)
    stored = stored_files(store, request.wants.locked, request.target, scopes=scopes, view_filter=view_filter)
    if stored is None:
        return None
    local = request.wants.local
    added = map(local_files(settings, store, request, progress).bring, local) if local else ()
    return [*map(unfetchable, request.wants.unfetchable), *added, *stored]


def _take_built(settings: Settings, store: Store, request: Request, instead: Callable[[Wanted, Wanted], None]) -> bool:
    """Have wheels that were added stand for the sdists that locks want, and return whether there are any."""
    from wheelfs.service.environments.locked import built

    scopes, view_filter = stored_view(settings, request.began_us)
    locked, is_any = request.wants.locked, False
    for place, wanted in enumerate(locked):
        taken = built(store, wanted, request.target, scopes=scopes, view_filter=view_filter)
        if taken is not None:
            instead(wanted, taken)
            locked[place], is_any = taken, True
    return is_any


def check_venv(directory: Path) -> None:
    """Raise `DestinationError` where `put_venv` could make none."""
    from wheelfs.service.environments.virtual import check_place

    check_place(directory)


def put_venv(settings: Settings, name: str, directory: Path, mount: Path) -> None:
    """Make a virtual environment that has the packages of an environment below ``mount``; raises `DestinationError`."""
    from wheelfs.service.environments.virtual import lay

    with store_to_look_at(settings) as store:
        _, tree = named(store, "make a virtual environment on", name)
    lay(directory, tree.interpreter, mount / "env" / name)


def wanted_by(settings: Settings, name: str, asked: FetchArguments) -> tuple[FetchArguments, list[Wanted]]:
    """Return how to fetch, by ``asked``, the wheels of an environment, and which these are; raises `NotKnown`."""
    with store_to_look_at(settings) as store:
        _, tree = named(store, "fetch", name)
    return msgspec.structs.replace(asked, python=tree.interpreter.version), [_wanted(wheel) for wheel in tree.wheels]


def compile_modules(settings: Settings, name: str, *, note: Callable[[str], None], progress: Progress) -> CompiledEnvironment:
    """Compile the modules of a complete environment that are not; raises `NotKnown`.

    Where its interpreter is not what it was made for, ``note`` is called with why that cannot be.
    """
    from wheelfs.reports.environment import CompiledEnvironment
    from wheelfs.service.environments.making import compile_stored

    with store_to_fill(settings) as store:
        label, tree = named(store, "compile the modules of", name)
        compiled = 0
        if store.holds_all(label.contents) and _is_there(tree.interpreter, note):
            with _compiling(progress) as told:
                compiled = compile_stored(store, tree, progress=told)
        return CompiledEnvironment(environment=_state(store, label, tree), compiled=compiled)


def _is_there(interpreter: Interpreter, note: Callable[[str], None]) -> bool:
    from wheelfs.service.environments.interpreter import present

    problem = present(interpreter).problem
    if problem:
        note(f"its modules are not compiled: {problem}; make it again with wheelfs env create")
    return not problem


def _wanted(wheel: EnvironmentWheel) -> Wanted:
    from wheelfs.model.names import ProjectName
    from wheelfs.model.wanted import Wanted

    return Wanted(
        ProjectName(wheel.project),
        hashes=frozenset((f"sha256:{wheel.sha256.hex()}",)),
        prereleases=True,
        kinds=frozenset(("wheel",)),
        filenames=frozenset((wheel.filename,)),
    )


@contextmanager
def _compiling(progress: Progress) -> Iterator[Callable[[int, int], None]]:
    """Lend what is told how many modules are compiled."""
    told = 0

    def compiled(count: int, of: int) -> None:
        nonlocal told
        if count == 0:
            progress.begin(f"{_COMPILING} ({of})", None)
        told = of

    try:
        yield compiled
    finally:
        progress.end(f"{_COMPILING} ({told})")


def listed(settings: Settings) -> list[EnvironmentState]:
    """Return all environments of the store that can be read, in order of name; others are logged."""
    if is_unborn(settings.store):
        return []
    found = []
    with store_to_look_at(settings) as store:
        for label in store.mounted.labels():
            try:
                found.append(_state(store, label, _tree_of(store, label)))
            except StoreDamaged as error:
                log.warning("%s", error)
    return found


def described(settings: Settings, name: str) -> tuple[EnvironmentState, InterpreterState, list[EnvironmentFile]]:
    """Return an environment, what its interpreter is now, which is asked, and its wheels; raises `NotKnown`."""
    from wheelfs.core.diagnosis import again
    from wheelfs.model.names import project_and_version
    from wheelfs.reports.environment import EnvironmentFile, InterpreterState
    from wheelfs.service.environments.interpreter import shown

    with store_to_look_at(settings) as store:
        label, tree = named(store, "show", name)
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
        state = _state(store, label, tree)
    path = tree.interpreter.executable
    found, problem = shown(tree.interpreter)
    mend = again(name, path if found else None) if problem else ""
    python = found.version if found else None
    return state, InterpreterState(path=path, made_for=tree.interpreter.version, found=python, problem=problem, mend=mend), files


def wheels_of(settings: Settings, name: str) -> tuple[list[FileKey], list[FileKey]]:
    """Return the wheels of an environment that are stored, and the others; raises `NotKnown`."""
    with store_to_look_at(settings) as store:
        _, tree = named(store, "take the wheels of", name)
        wheels = [(wheel.project, wheel.filename, wheel.sha256) for wheel in tree.wheels]
        stored = [wheel for wheel in wheels if store.holds(wheel[2])]
        return stored, [wheel for wheel in wheels if wheel not in stored]


def profile(settings: Settings, name: str) -> EnvironmentProfile:
    """Return which files of an environment were opened; raises `NotKnown`."""
    from wheelfs.core.environments.profile import profiled_members
    from wheelfs.reports.environment import EnvironmentProfile

    with store_to_look_at(settings) as store:
        label, tree = named(store, "show the profile of", name)
        members = profiled_members(tree, store.mounted.profiles.of(label.digest), ())
        return EnvironmentProfile(
            name=name,
            files=tuple(member.path for member in members),
            size_bytes=sum(member.size for member in members),
            packed_bytes=sum(member.compressed_size for member in members),
        )


def clear_profile(settings: Settings, name: str) -> None:
    """Forget which files of an environment were opened; raises `NotKnown`."""
    from wheelfs.store.store import Store

    with Store.open(settings.store, readers=readers_of(settings.store_group), create=False) as store:
        label, _ = named(store, "clear the profile of", name)
        store.mounted.profiles.clear(label.digest).result()


def remove(settings: Settings, names: list[str]) -> Iterator[str]:
    """Remove environments and yield their names; their wheels stay.  Raises `NotKnown` before anything is removed."""
    from wheelfs.store.store import Store

    with Store.open(settings.store, readers=readers_of(settings.store_group), create=False) as store:
        for name in names:
            if not store.mounted.has_label(name):
                raise unknown("remove", name)
        for name in names:
            if store.mounted.remove(name).result():
                yield name
    let_mounts_look(settings.store / "run")


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


def _wheels(store: Store, name: str, files: list[FetchedFile]) -> list[EnvironmentWheel]:
    """Return the wheels of an environment in the order that they have in it: the same ones make the same tree."""
    wheels = [_as_wheel(store, file) for file in _wheels_among(name, files)]
    return sorted(wheels, key=lambda wheel: (wheel.project, wheel.filename))


def _as_wheel(store: Store, file: FetchedFile) -> EnvironmentWheel:
    from wheelfs.model.environment import EnvironmentWheel

    assert file.filename is not None and file.project is not None
    for name in store.catalog.stored_names(file.project):
        if (name.filename, name.sha256.hex()) == (file.filename, file.sha256):
            return EnvironmentWheel(name.project, name.filename, name.index, name.sha256, name.size_bytes)
    if file.result == "would-fetch" and file.sha256 is not None and file.size_bytes is not None and file.origin is not None:
        return EnvironmentWheel(file.project, file.filename, file.origin, bytes.fromhex(file.sha256), file.size_bytes)
    raise NotKnown("make the environment", f"{file.filename} was removed from the store meanwhile", "try again")


def _tree_of(store: Store, label: EnvironmentLabel) -> Environment:
    tree = store.mounted.tree(label.digest)
    if tree is None:  # they are written together
        raise StoreDamaged(f"look at the environment {label.name}", "its tree is not there", "run: wheelfs verify")
    return tree


def _state(store: Store, label: EnvironmentLabel, tree: Environment) -> EnvironmentState:
    from wheelfs.core.environments.assembling import state_of
    from wheelfs.core.times import rfc3339
    from wheelfs.reports.environment import EnvironmentState

    missing = sum(not store.holds(sha256) for sha256 in label.contents)
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
        state=state_of(is_complete=not missing),
        missing_wheels=missing,
    )
