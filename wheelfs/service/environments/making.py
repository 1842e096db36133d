"""Making an environment of wheels, whole or not, with the bytecode of those modules that are here."""

from __future__ import annotations

import hashlib
import os
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from itertools import repeat
from typing import TYPE_CHECKING, NamedTuple

import trio

from wheelfs.core.environments.assembling import assemble
from wheelfs.core.environments.installation import install, zip_member, zip_range
from wheelfs.core.environments.profile import profiled_members, ranges_by_wheel
from wheelfs.core.wheel import zip_layout
from wheelfs.core.wheel.metadata import converse, search_directory
from wheelfs.errors import InvalidInput, OriginError
from wheelfs.model.environment import EnvironmentLabel, modules, own_modules
from wheelfs.service.environments.bytecode import compile_modules
from wheelfs.service.environments.importer_text import importer_text
from wheelfs.service.environments.limits import ENVIRONMENT_LIMITS
from wheelfs.service.environments.sources import AT_ONCE, open_sources
from wheelfs.store.catalog.mounted_environments import bytecode_key, bytecode_keys, encoded

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from wheelfs.core.environments.assembling import Clash
    from wheelfs.core.environments.installation import WheelInstallation
    from wheelfs.model.environment import Environment, EnvironmentWheel, Interpreter, WheelMember
    from wheelfs.service.environments.sources import Source
    from wheelfs.service.running import Running
    from wheelfs.store.store import Store


class Made(NamedTuple):
    """An environment that was made; ``compiled`` modules are new, the others' bytecode was there."""

    label: EnvironmentLabel
    tree: Environment
    clashes: list[Clash]
    compiled: int
    is_new: bool


async def make_environment(
    node: Running,
    name: str,
    wheels: Sequence[EnvironmentWheel],
    interpreter: Interpreter,
    *,
    progress: Callable[[int, int], None],
) -> Made:
    """Make an environment of wheels, compile the modules that are here, and give it its name, in place of what had it.

    Of a wheel that is not stored its directory is read, and the few members that say how it is installed.  ``progress`` is called
    with how many modules are done, and of how many.  Raises `InvalidInput` for wheels that cannot be installed together, and what
    opening a wheel does.
    """
    wheels = sorted(wheels, key=lambda wheel: (wheel.project, wheel.filename))
    with ExitStack() as closing:
        sources = await open_sources(node, wheels, closing)
        # The loop is free meanwhile: it is what brings the members.
        return await trio.to_thread.run_sync(_make, node.store, name, wheels, interpreter, sources, progress)


async def compile_environment(node: Running, tree: Environment, *, progress: Callable[[int, int], None]) -> int:
    """Compile the modules of an environment that are here and were not; return how many.  For ``progress`` see above."""
    with ExitStack() as closing:
        sources = await open_sources(node, tree.wheels, closing)
        return await trio.to_thread.run_sync(_compile_here, node.store, tree, sources, progress)


def _make(
    store: Store,
    name: str,
    wheels: Sequence[EnvironmentWheel],
    interpreter: Interpreter,
    sources: Sequence[Source],
    progress: Callable[[int, int], None],
) -> Made:
    with ThreadPoolExecutor(AT_ONCE) as threads:
        installed = list(threads.map(_install, range(len(wheels)), wheels, sources, repeat(interpreter)))
    tree, clashes = assemble(interpreter, wheels, installed, importer_text())
    digest, encoding = encoded(tree)
    if store.mounted.tree(digest) is None:
        _check_members(tree, sources)
    before, profiles = store.mounted.label(name), store.mounted.profiles
    _bring_profiled(tree, sources, profiles.of(digest) or (() if before is None else profiles.of(before.digest)))
    compiled = _compile_here(store, tree, sources, progress)
    contents = tuple(wheel.sha256 for wheel in wheels)
    label = EnvironmentLabel(name, digest, time.time_ns() // 1_000, contents)
    before = store.mounted.put(label, encoding).result()
    return Made(label, tree, clashes, compiled, before is None or before.digest != digest)


def _bring_profiled(tree: Environment, sources: Sequence[Source], profile: Sequence[str]) -> None:
    """Bring what is known to be opened; what cannot be had is left to those who open it."""

    def bring(wanted: tuple[int, list[tuple[int, int]]]) -> None:
        number, ranges = wanted
        with suppress(OriginError):
            sources[number].bring(ranges)

    wanted = ranges_by_wheel(profiled_members(tree, profile, ()))
    with ThreadPoolExecutor(AT_ONCE) as threads:
        for _ in threads.map(bring, wanted.items()):
            trio.from_thread.check_cancelled()


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


def _check_members(tree: Environment, sources: Sequence[Source]) -> None:
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

    with ThreadPoolExecutor(os.cpu_count() or 1) as threads:
        for _ in threads.map(check, (member for member in tree.members if sources[member.wheel].is_whole)):
            trio.from_thread.check_cancelled()


def _compile_own(store: Store, tree: Environment) -> None:
    """Make the bytecode of modules that no wheel has."""
    made = {bytecode_key(sha256, tree.interpreter.magic): content for _, sha256, content in own_modules(tree)}
    if len(store.mounted.bytecode_sizes(made)) < len(made):
        code = zip(made, compile_modules(tree.interpreter, list(made.values())), strict=True)
        store.mounted.put_bytecode({key: content for key, content in code if content}).result()


def _compile_here(store: Store, tree: Environment, sources: Sequence[Source], progress: Callable[[int, int], None]) -> int:
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
    with ThreadPoolExecutor(os.cpu_count() or 1) as threads:
        for batch, files in zip(batches, threads.map(made, batches), strict=True):
            store.mounted.put_bytecode(files).result()
            done += len(batch)
            compiled += len(files)
            progress(done, len(missing))
            trio.from_thread.check_cancelled()
    return compiled


def _module(member: WheelMember, source: Source) -> bytes | None:
    """Return a module, or None where it is not what RECORD says: no other's bytecode may be taken for its own."""
    try:
        content = _content(source, zip_member(member))
    except zip_layout.NotAZip:
        return None
    return content if hashlib.sha256(content).digest() == member.sha256 else None
