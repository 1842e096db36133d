"""Environments in a share of objects: ``push --env``, ``pull --env``, ``env ls --share``."""

from __future__ import annotations

import logging
import os
import time
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar

import msgspec

from wheelfs.core.environments.checking import check_environment
from wheelfs.errors import InvalidInput, NotKnown, OriginFault, OriginMissing
from wheelfs.model.decoding import DECODE_ERRORS
from wheelfs.model.environment import Environment, EnvironmentLabel, modules
from wheelfs.model.shared_environment import Bytecode, SharedEnvironment
from wheelfs.service.environments.importer_text import importer_text
from wheelfs.service.environments.named import named
from wheelfs.service.shares.condemned_view import CondemnedView
from wheelfs.store.catalog.mounted_environments import bytecode_key, bytecode_keys, encoded

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from wheelfs.remote.share.share import ObjectShare, WrittenShare
    from wheelfs.store.store import Store

log = logging.getLogger(__name__)
_T = TypeVar("_T")

_UNCHECKED: Final = (1).to_bytes(4, "little")
"""The flags of bytecode that is not compared with its source (PEP 552): any other kind would make Python look at the source."""
_HEAD_BYTES: Final = 16

_profile_decoder: Final = msgspec.msgpack.Decoder(tuple[str, ...])
_bytecode_decoder: Final = msgspec.msgpack.Decoder(Bytecode)


class Shared(NamedTuple):
    """An environment that was pushed or pulled: ``is_new`` if that changed anything, with bytecode of ``compiled`` modules."""

    tree: Environment
    digest: bytes
    compiled: int
    is_new: bool


def push_environment(store: Store, share: WrittenShare, name: str) -> Shared:
    """Announce an environment of the store in a share, with its profile, and the bytecode of the modules in that.

    Its wheels are there.  A profile of the same tree that others have pushed is merged.  Raises `NotKnown`, `OriginError`.
    """
    label, tree = named(store, "push", name)
    share.catalog.prepare()  # where no wheel of it is stored, nothing was pushed before
    condemned = CondemnedView(share)
    condemned.begin()
    before = share.environments().get(name)
    profile = set(store.mounted.profiles.of(label.digest))
    if before is not None and before.tree == label.digest and before.profile is not None:
        profile.update(_profile(share, before.profile))
    code = _bytecode_of(store, tree, profile)
    made = SharedEnvironment(
        name=name,
        tree=share.add_environment_object(encoded(tree)[1]),
        profile=share.add_environment_object(msgspec.msgpack.encode(sorted(profile))) if profile else None,
        bytecode=share.add_environment_object(msgspec.msgpack.encode(code)) if code else None,
        announced_us=time.time_ns() // 1_000,
    )
    is_new = before is None or msgspec.structs.replace(made, announced_us=before.announced_us) != before
    if is_new:
        announce(share, made, condemned)
    return Shared(tree, label.digest, len(code), is_new)


def announce(share: WrittenShare, made: SharedEnvironment, condemned: CondemnedView) -> None:
    """Announce an environment whose objects were there, or have been written, since ``condemned`` began.

    Raises `OriginFault` where one of them may be deleted before a collection sees the announcement.
    """

    def check() -> None:
        condemned.freshen()
        if any(map(condemned.is_going, made.keys)):
            attempted = f"push the environment {made.name!r}"
            happened = f"an object that an earlier one left in the share {share.url} is about to be deleted"
            raise OriginFault(attempted, happened, "wheelfs gc --share ends that; push it again an hour later")

    share.announce_environment(made, check)


def withdraw_environments(share: WrittenShare, names: Sequence[str]) -> None:
    """Announce that names stand for no environment any more; raises `NotKnown` before any is, and `OriginError`.

    What they were made of stays until a collection has condemned it and its grace period is over: a reader may be at it.
    """
    there = share.environments()
    for name in names:
        if name not in there:
            happened = f"the share {share.url} has none of this name"
            raise NotKnown(f"remove the environment {name!r}", happened, "wheelfs env ls --share URL lists them")
    for name in dict.fromkeys(names):
        share.announce_environment(SharedEnvironment(name, b"", None, None, time.time_ns() // 1_000))


def pull_environment(store: Store, share: ObjectShare, name: str, *, trusts_bytecode: bool) -> Shared:
    """Give an environment of a share its name in the store, in place of what had it; none of its wheels is fetched.

    Its profile is merged with what is known here.  Bytecode is taken with ``trusts_bytecode`` alone: nothing tells whether it is
    what its source says.  Raises `NotKnown`, `OriginError`, `InvalidInput`.
    """
    attempted = f"pull the environment {name!r}"
    found = share.environments().get(name)
    if found is None:
        raise NotKnown(attempted, f"the share {share.url} has none of this name", "wheelfs env ls --share URL lists them")
    encoding = share.environment_object(found.tree)
    tree = read_tree(attempted, encoding)
    label = EnvironmentLabel(name, found.tree, time.time_ns() // 1_000, tuple(wheel.sha256 for wheel in tree.wheels))
    profile = () if found.profile is None else _profile(share, found.profile)
    if found.bytecode is not None and not trusts_bytecode:
        log.warning("left out the bytecode: this share may not give any name; compile it here with wheelfs fetch --env %s", name)
    code = _bytecode(share, found.bytecode) if trusts_bytecode and found.bytecode is not None else ()
    there = store.mounted.bytecode_sizes(bytecode_keys(tree))
    new = dict(_usable(tree, ((key, content) for key, content in code if key not in there)))
    if new:
        store.mounted.put_bytecode(new).result()
    before = store.mounted.put(label, encoding).result()
    paths = {member.path for member in tree.members}
    store.mounted.profiles.merge(label.digest, [path for path in profile if path in paths]).result()
    return Shared(tree, label.digest, len(new), before is None or before.digest != label.digest)


def environments_of(share: ObjectShare) -> list[tuple[SharedEnvironment, Environment]]:
    """Return the environments of a share that can be read, in order of name; raises `OriginError`."""
    found: list[tuple[SharedEnvironment, Environment]] = []
    for name, one in sorted(share.environments().items()):
        try:
            found.append((one, read_tree(f"read the environment {name!r}", share.environment_object(one.tree))))
        except (InvalidInput, OriginFault, OriginMissing) as error:
            log.warning("left out the environment %r: %s", name, error)
    return found


def lacks_interpreter(tree: Environment) -> bool:
    """Return whether an environment cannot be run on this machine, since its interpreter is not there."""
    return not os.access(tree.interpreter.executable, os.F_OK)


def read_tree(attempted: str, encoding: bytes) -> Environment:
    """Return the tree of its encoding; raises `InvalidInput` for one that no build would make."""
    try:
        tree = msgspec.msgpack.decode(encoding, type=Environment)
    except DECODE_ERRORS as error:
        raise InvalidInput(attempted, f"it cannot be read ({error})") from None
    check_environment(attempted, tree, importer_text())
    return tree


def _profile(share: ObjectShare, sha256: bytes) -> tuple[str, ...]:
    return _unless_damaged(share, sha256, _profile_decoder, "a profile") or ()


def _bytecode(share: ObjectShare, sha256: bytes) -> Bytecode:
    return _unless_damaged(share, sha256, _bytecode_decoder, "bytecode") or ()


def _unless_damaged(share: ObjectShare, sha256: bytes, decoder: msgspec.msgpack.Decoder[_T], what: str) -> _T | None:
    """Return an object that an environment is only faster with; where it is lost, the rest goes on without it."""
    try:
        return decoder.decode(share.environment_object(sha256))
    except (OriginFault, OriginMissing) as error:
        log.warning("left out %s: %s", what, error)
    except DECODE_ERRORS as error:
        log.warning("left out %s in the share %s: it is not that (%s)", what, share.url, error)
    return None


def _bytecode_of(store: Store, tree: Environment, profile: set[str]) -> Sequence[tuple[bytes, bytes]]:
    magic = tree.interpreter.magic
    wanted = {bytecode_key(member.sha256, magic) for member in modules(tree) if member.path in profile}
    found = ((key, store.mounted.bytecode(key)) for key in sorted(wanted))
    return [(key, content) for key, content in found if content is not None]


def _usable(tree: Environment, code: Iterable[tuple[bytes, bytes]]) -> Iterable[tuple[bytes, bytes]]:
    """Yield bytecode of modules of the tree that its interpreter would take."""
    head, keys = tree.interpreter.magic + _UNCHECKED, set(bytecode_keys(tree))
    return ((key, content) for key, content in code if key in keys and len(content) > _HEAD_BYTES and content.startswith(head))
