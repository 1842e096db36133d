"""Making an environment of wheels, whole or not, with the bytecode of those modules that are here."""

from __future__ import annotations

import hashlib
import os
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from itertools import repeat
from typing import TYPE_CHECKING, NamedTuple

from wheelfs.core.environments.assembling import assemble
from wheelfs.core.environments.installation import install, zip_member, zip_range
from wheelfs.core.environments.profile import profiled_members, ranges_by_wheel
from wheelfs.core.wheel import zip_layout
from wheelfs.core.wheel.metadata import converse, search_directory
from wheelfs.errors import InvalidInput, OriginError, StoreDamaged
from wheelfs.model.environment import EnvironmentLabel, modules, own_modules
from wheelfs.service.environments.bytecode import compile_modules
from wheelfs.service.environments.importer_text import importer_text
from wheelfs.service.environments.limits import ENVIRONMENT_LIMITS
from wheelfs.service.environments.sources import AT_ONCE, hold, open_stored
from wheelfs.store.catalog.mounted_environments import bytecode_key, bytecode_keys, encoded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from wheelfs.core.environments.assembling import Clash
    from wheelfs.core.environments.installation import WheelInstallation
    from wheelfs.model.environment import Environment, EnvironmentWheel, Interpreter, WheelMember
    from wheelfs.service.environments.sources import Source
    from wheelfs.store.store import Store


class Made(NamedTuple):
    """An environment that was made; ``compiled`` modules are new, the others' bytecode was there."""

    label: EnvironmentLabel
    tree: Environment
    clashes: list[Clash]
    compiled: int
    is_new: bool


def make_of_stored(
    store: Store,
    name: str,
    wheels: Sequence[EnvironmentWheel],
    interpreter: Interpreter,
    *,
    progress: Callable[[int, int], None],
) -> Made:
    """Do what `make_environment` does for wheels that are stored; raises what opening one does, too."""
    with ExitStack() as closing:
        hold(store, wheels, closing)
        sources = [open_stored(store, wheel) for wheel in wheels]
        return make_environment(store, name, wheels, interpreter, sources, progress=progress)


def compile_stored(store: Store, tree: Environment, *, progress: Callable[[int, int], None]) -> int:
    """Compile the modules of an environment whose wheels are stored and that were not; return how many."""
    with ExitStack() as closing:
        hold(store, tree.wheels, closing)
        sources = [open_stored(store, wheel) for wheel in tree.wheels]
        return _compile_here(store, tree, sources, progress, _go_on)


def _go_on() -> None:
    """Go on: who waits in the main thread is interrupted there."""


def make_environment(
    store: Store,
    name: str,
    wheels: Sequence[EnvironmentWheel],
    interpreter: Interpreter,
    sources: Sequence[Source],
    *,
    progress: Callable[[int, int], None],
    check_cancelled: Callable[[], None] = _go_on,
) -> Made:
    """Make an environment of wheels, compile the modules that are here, and give it its name, in place of what had it.

    ``wheels`` are in order of project, and ``sources`` read them.  ``progress`` is called with how many modules are done, and of
    how many; ``check_cancelled`` now and then, to raise where the caller wants no more.  Raises `InvalidInput` for wheels that
    cannot be installed together.
    """
    with _threads(AT_ONCE) as threads:
        installed = list(threads.map(_install, range(len(wheels)), wheels, sources, repeat(interpreter)))
    tree, clashes = assemble(interpreter, wheels, installed, importer_text())
    digest, encoding = encoded(tree)
    if not store.mounted.has_tree(digest):
        _check_members(tree, sources, check_cancelled)
    before, profiles = None, store.mounted.profiles
    with suppress(StoreDamaged):  # of the label: it is replaced
        before = store.mounted.label(name)
    opened = profiles.of(digest) or (() if before is None else profiles.of(before.digest))
    _bring_profiled(tree, sources, opened, check_cancelled)
    compiled = _compile_here(store, tree, sources, progress, check_cancelled)
    contents = tuple(wheel.sha256 for wheel in wheels)
    label = EnvironmentLabel(name, digest, time.time_ns() // 1_000, contents)
    before = store.mounted.put(label, encoding).result()
    return Made(label, tree, clashes, compiled, before is None or before.digest != digest)


@contextmanager
def _threads(count: int) -> Iterator[ThreadPoolExecutor]:
    """Lend threads, which begin nothing more once the block has ended: Ctrl-C does not wait for all that is asked of them."""
    threads = ThreadPoolExecutor(count)
    try:
        yield threads
    finally:
        threads.shutdown(cancel_futures=True)


def _bring_profiled(
    tree: Environment, sources: Sequence[Source], profile: Sequence[str], check_cancelled: Callable[[], None]
) -> None:
    """Bring what is known to be opened; what cannot be had is left to those who open it."""

    def bring(wanted: tuple[int, list[tuple[int, int]]]) -> None:
        number, ranges = wanted
        with suppress(OriginError):
            sources[number].bring(ranges)

    wanted = ranges_by_wheel(profiled_members(tree, profile, ()))
    with _threads(AT_ONCE) as threads:
        for _ in threads.map(bring, wanted.items()):
            check_cancelled()


def _install(number: int, wheel: EnvironmentWheel, source: Source, interpreter: Interpreter) -> WheelInstallation:
    try:
        location, directory = converse(search_directory(source.size, source.tail_bytes), source.read)
        members = zip_layout.parse_directory(directory, location)

        def read(member: zip_layout.Member) -> bytes:
            return _content(source, member)

        return install(number, wheel.filename, wheel.project, members, interpreter, read)
    except zip_layout.NotAZip as error:
        raise InvalidInput(f"install {wheel.filename}", str(error)) from None


def _content(source: Source, member: zip_layout.Member) -> bytes:
    begin = zip_layout.data_offset(member, source.read(member.header_offset, zip_layout.LOCAL_HEADER_BYTES))
    window = source.read(member.header_offset, begin - member.header_offset + member.compressed_size)
    return zip_layout.extract_member(member, window, member.header_offset, max_bytes=ENVIRONMENT_LIMITS.source_bytes)


def _check_members(tree: Environment, sources: Sequence[Source], check_cancelled: Callable[[], None]) -> None:
    """Raise `InvalidInput` for a member of a whole wheel that is not what its directory says: installers find that out, too."""

    def check(member: WheelMember) -> None:
        described, source = zip_member(member), sources[member.wheel]
        try:
            begin = zip_layout.data_offset(described, source.read(member.header_offset, zip_layout.LOCAL_HEADER_BYTES))
            inflater = zip_layout.Inflater(described)
            for offset in range(0, member.compressed_size, ENVIRONMENT_LIMITS.piece_bytes):
                size = min(ENVIRONMENT_LIMITS.piece_bytes, member.compressed_size - offset)
                for _ in inflater.take(source.read(begin + offset, size)):
                    pass
            inflater.finish()
        except zip_layout.NotAZip as error:
            raise InvalidInput(f"install {tree.wheels[member.wheel].filename}", str(error)) from None

    with _threads(os.cpu_count() or 1) as threads:
        for _ in threads.map(check, (member for member in tree.members if sources[member.wheel].is_whole)):
            check_cancelled()


def _compile_own(store: Store, tree: Environment) -> None:
    """Make the bytecode of modules that no wheel has."""
    made = {bytecode_key(sha256, tree.interpreter.magic): content for _, sha256, content in own_modules(tree)}
    if len(store.mounted.bytecode_sizes(made)) < len(made):
        code = zip(made, compile_modules(tree.interpreter, list(made.values())), strict=True)
        store.mounted.put_bytecode({key: content for key, content in code if content}).result()


def _compile_here(
    store: Store,
    tree: Environment,
    sources: Sequence[Source],
    progress: Callable[[int, int], None],
    check_cancelled: Callable[[], None],
) -> int:
    """Make the bytecode that is not there of modules that are; return of how many."""
    _compile_own(store, tree)
    magic = tree.interpreter.magic
    there = store.mounted.bytecode_sizes(bytecode_keys(tree))
    by_key = {bytecode_key(member.sha256, magic): member for member in modules(tree)}
    missing = [
        (key, member)
        for key, member in by_key.items()
        if key not in there and member.size <= ENVIRONMENT_LIMITS.source_bytes and sources[member.wheel].has(*zip_range(member))
    ]
    size = ENVIRONMENT_LIMITS.compile_batch
    batches = [missing[start : start + size] for start in range(0, len(missing), size)]

    def made(batch: Sequence[tuple[bytes, WheelMember]]) -> Mapping[bytes, bytes]:
        found = [(key, _module(member, sources[member.wheel])) for key, member in batch]
        right = [(key, source) for key, source in found if source is not None]
        code = compile_modules(tree.interpreter, [source for _, source in right])
        return {key: content for (key, _), content in zip(right, code, strict=True) if content}

    done = compiled = 0
    progress(0, len(missing))
    with _threads(os.cpu_count() or 1) as threads:
        for batch, files in zip(batches, threads.map(made, batches), strict=True):
            store.mounted.put_bytecode(files).result()
            done += len(batch)
            compiled += len(files)
            progress(done, len(missing))
            check_cancelled()
    return compiled


def _module(member: WheelMember, source: Source) -> bytes | None:
    """Return a module, or None where it is not what RECORD says: no other's bytecode may be taken for its own."""
    try:
        content = _content(source, zip_member(member))
    except zip_layout.NotAZip:
        return None
    return content if hashlib.sha256(content).digest() == member.sha256 else None
