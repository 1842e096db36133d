"""Making an environment of stored wheels, with the bytecode of its modules."""

from __future__ import annotations

import hashlib
import os
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from wheelfs.core.environments.assembling import assemble
from wheelfs.core.environments.installation import install, zip_member
from wheelfs.core.fetch.plan import TAIL_BYTES
from wheelfs.core.wheel import zip_layout
from wheelfs.core.wheel.metadata import converse, search_directory
from wheelfs.errors import InvalidInput
from wheelfs.model.environment import EnvironmentLabel, is_module
from wheelfs.service.environments.bytecode import compile_modules
from wheelfs.service.environments.limits import ENVIRONMENT_LIMITS
from wheelfs.store.catalog.mounted_environments import bytecode_key, bytecode_keys, encoded

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from wheelfs.core.environments.assembling import Clash
    from wheelfs.core.environments.installation import WheelInstallation
    from wheelfs.model.environment import Environment, EnvironmentWheel, Interpreter, WheelMember
    from wheelfs.store.chunks.sealed_file import SealedFile
    from wheelfs.store.store import Store


class Made(NamedTuple):
    """An environment that was made; ``compiled`` modules are new, the others' bytecode was there."""

    label: EnvironmentLabel
    tree: Environment
    clashes: list[Clash]
    compiled: int
    is_new: bool


def make_environment(
    store: Store,
    name: str,
    wheels: Sequence[EnvironmentWheel],
    interpreter: Interpreter,
    *,
    progress: Callable[[int, int], None],
) -> Made:
    """Make an environment of stored wheels, compile its modules, and give it its name, in place of what had it.

    ``progress`` is called with how many modules are done, and of how many.  Raises `InvalidInput` for wheels that cannot be
    installed together, `NotKnown` for one that is not stored (any more), and `StoreError`.
    """
    wheels = sorted(wheels, key=lambda wheel: (wheel.project, wheel.filename))
    for wheel in wheels:
        store.hold(wheel.sha256)
    try:
        sealed = [store.open_sealed(wheel.sha256) for wheel in wheels]
        installed = [_install(number, wheel, sealed[number], interpreter) for number, wheel in enumerate(wheels)]
        tree, clashes = assemble(interpreter, wheels, installed)
        tree = _with_digests(tree, sealed)
        compiled = _compile(store, tree, sealed, progress)
        digest, encoding = encoded(tree)
        if store.mounted.tree(digest) is None:
            _check_members(tree, sealed)
        contents = tuple(wheel.sha256 for wheel in wheels)
        label = EnvironmentLabel(name, digest, time.time_ns() // 1_000, contents)
        before = store.mounted.put(label, encoding).result()
    finally:
        for wheel in wheels:
            store.release(wheel.sha256)
    return Made(label, tree, clashes, compiled, before is None or before.digest != digest)


def _install(number: int, wheel: EnvironmentWheel, sealed: SealedFile, interpreter: Interpreter) -> WheelInstallation:
    try:
        location, directory = converse(search_directory(sealed.size, TAIL_BYTES), sealed.read)
        members = zip_layout.parse_directory(directory, location)

        def read(member: zip_layout.Member) -> bytes:
            return _content(sealed, member)

        return install(number, wheel.filename, wheel.project, members, interpreter, read)
    except zip_layout.NotAZip as error:
        raise InvalidInput(f"install {wheel.filename}", str(error)) from None


def _content(sealed: SealedFile, member: zip_layout.Member) -> bytes:
    begin = zip_layout.data_offset(member, sealed.read(member.header_offset, zip_layout.LOCAL_HEADER_BYTES))
    window = sealed.read(member.header_offset, begin - member.header_offset + member.compressed_size)
    return zip_layout.extract_member(member, window, member.header_offset, max_bytes=ENVIRONMENT_LIMITS.source_bytes)


def _source(tree: Environment, member: WheelMember, sealed: Sequence[SealedFile]) -> bytes:
    try:
        return _content(sealed[member.wheel], zip_member(member))
    except zip_layout.NotAZip as error:
        raise InvalidInput(f"read {member.path} of {tree.wheels[member.wheel].filename}", str(error)) from None


def _with_digests(tree: Environment, sealed: Sequence[SealedFile]) -> Environment:
    """Return the tree with the sha256 of its modules; RECORD's are not proven."""
    members = tuple(
        msgspec.structs.replace(member, sha256=hashlib.sha256(_source(tree, member, sealed)).digest())
        if is_module(member, tree.interpreter) and member.size <= ENVIRONMENT_LIMITS.source_bytes
        else member
        for member in tree.members
    )
    return msgspec.structs.replace(tree, members=members)


def _check_members(tree: Environment, sealed: Sequence[SealedFile]) -> None:
    """Raise `InvalidInput` for a member that is not what its wheel's directory says: installers find that out, too."""

    def check(member: WheelMember) -> None:
        described, wheel = zip_member(member), sealed[member.wheel]
        try:
            begin = zip_layout.data_offset(described, wheel.read(member.header_offset, zip_layout.LOCAL_HEADER_BYTES))
            inflater = zip_layout.Inflater(described)
            for offset in range(0, member.compressed_size, ENVIRONMENT_LIMITS.piece_bytes):
                size = min(ENVIRONMENT_LIMITS.piece_bytes, member.compressed_size - offset)
                for _ in inflater.take(wheel.read(begin + offset, size)):
                    pass
            inflater.finish()
        except zip_layout.NotAZip as error:
            raise InvalidInput(f"install {tree.wheels[member.wheel].filename}", str(error)) from None

    with ThreadPoolExecutor(os.cpu_count() or 1) as threads:
        for _ in threads.map(check, (member for member in tree.members if not member.sha256)):
            pass


def _compile(store: Store, tree: Environment, sealed: Sequence[SealedFile], progress: Callable[[int, int], None]) -> int:
    """Make the bytecode that is not there; return of how many modules."""
    magic = tree.interpreter.magic
    there = store.mounted.bytecode_sizes(bytecode_keys(tree))
    by_key = {bytecode_key(member.sha256, magic): member for member in tree.members if member.sha256}
    missing = [(key, member) for key, member in by_key.items() if key not in there]
    size = ENVIRONMENT_LIMITS.compile_batch
    batches = [missing[start : start + size] for start in range(0, len(missing), size)]

    def made(batch: Sequence[tuple[bytes, WheelMember]]) -> Mapping[bytes, bytes]:
        code = compile_modules(tree.interpreter, [_source(tree, member, sealed) for _, member in batch])
        return {key: content for (key, _), content in zip(batch, code, strict=True) if content}

    done = 0
    progress(0, len(missing))
    with ThreadPoolExecutor(os.cpu_count() or 1) as threads:
        for batch, files in zip(batches, threads.map(made, batches), strict=True):
            store.mounted.put_bytecode(files).result()
            done += len(batch)
            progress(done, len(missing))
    return len(missing)
