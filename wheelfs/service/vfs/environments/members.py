"""Opening files of environments: members of wheels are inflated and checked as a whole before the first byte is given.

What has been checked once is opened without reading it again, since the kernel most often has it; where it has not, the first
read inflates it.
"""

from __future__ import annotations

import hashlib
import logging
import os
from contextlib import nullcontext
from functools import partial
from typing import TYPE_CHECKING, Protocol

import trio

from wheelfs.core.bounded_cache import BoundedCache
from wheelfs.core.environments.installation import zip_member, zip_range
from wheelfs.core.environments.packing import PackedBytecode
from wheelfs.core.environments.profile import module_path
from wheelfs.core.wheel import zip_layout
from wheelfs.errors import ContentMismatch, NotKnown, OriginError
from wheelfs.model.environment import WheelMember, WrittenFile
from wheelfs.service.vfs.environments.limits import ENVIRONMENT_TREE_LIMITS
from wheelfs.service.vfs.environments.nodes import Bytecode
from wheelfs.service.vfs.environments.packed import OpenBytecode, OpenPacked
from wheelfs.service.vfs.open_files import OpenText

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from typing import BinaryIO

    from wheelfs.service.fetch.context import FetchContext
    from wheelfs.service.file_refs import FileRef
    from wheelfs.service.vfs.environments.limits import EnvironmentTreeLimits
    from wheelfs.service.vfs.environments.nodes import EnvironmentFile
    from wheelfs.service.vfs.environments.wheels import LazyWheel, LazyWheels
    from wheelfs.service.vfs.protocol import OpenFile

log = logging.getLogger(__name__)


class _Wheel(Protocol):
    """A wheel that is read from."""

    async def read(self, offset: int, size: int) -> bytes | memoryview: ...


class _Content(Protocol):
    """A member, inflated."""

    async def read(self, offset: int, size: int) -> bytes: ...


class _InMemory:
    def __init__(self, content: bytes) -> None:
        self._content = content

    @property
    def weight(self) -> int:
        return len(self._content) + 200

    async def read(self, offset: int, size: int) -> bytes:
        return self._content[offset : offset + size]


class _InFile:
    """In an unnamed file of the store."""

    def __init__(self, file: BinaryIO, disk: trio.CapacityLimiter) -> None:
        self.file = file
        self._disk = disk

    async def read(self, offset: int, size: int) -> bytes:
        return await trio.to_thread.run_sync(os.pread, self.file.fileno(), size, offset, limiter=self._disk)


_Inflated = _InMemory | _InFile


class MemberOpener:
    """Opens files of environments."""

    def __init__(
        self,
        context: FetchContext,
        open_stored: Callable[[FileRef], Awaitable[OpenFile | None]],
        lazy: LazyWheels,
        limits: EnvironmentTreeLimits = ENVIRONMENT_TREE_LIMITS,
    ) -> None:
        """``open_stored`` opens a wheel that is stored, ``lazy`` the others."""
        self._context = context
        self._open_stored = open_stored
        self.lazy = lazy
        self._profiles = context.store.mounted.profiles
        self._limits = limits
        self._inflated: BoundedCache[int, _InMemory] = BoundedCache(limits.inflated_bytes, weight=lambda content: content.weight)
        self._verified: BoundedCache[int, bool] = BoundedCache(limits.verified)
        self._under_way: dict[int, trio.Event] = {}
        # Not those of the disk: what is read meanwhile may wait for one.
        self._inflating = trio.CapacityLimiter(limits.inflating)

    async def open(self, node: EnvironmentFile) -> OpenFile:
        """Open a file that is no link.  Raises what opening its wheel does, and `ContentMismatch` for a wheel that is wrong."""
        match node.entry:
            case WrittenFile(content=text):
                return OpenText(text, direct_io=False)
            case Bytecode() as code:
                if node.tree.is_of_wheel(module_path(node.path)):
                    self._profiles.note(node.tree.digest, module_path(node.path))
                return OpenBytecode(code, self._context.store.mounted, node.path)
            case PackedBytecode() as packed:
                return OpenPacked(packed, self._context.store.mounted, node)
            case WheelMember() as member:
                self._profiles.note(node.tree.digest, node.path)
                inode = node.attributes.inode
                content = None if self._verified.get(inode) else await self.content(node, member, inode)
                return _OpenMember(self, node, member, inode, content)
        raise NotKnown(f"open {node.path}", "it is a symbolic link")

    async def content(self, node: EnvironmentFile, member: WheelMember, inode: int) -> _Content:
        """Return the whole member, checked; several callers wait for one.

        Raises `OriginTimeout` where too many wait for the network already.
        """
        while True:
            found = self._kept(inode)
            if found is not None:
                return found
            if inode not in self._under_way:
                break
            # Who waits for another one's request waits for the network, too, as far as admission is concerned.
            sha256 = node.tree.refs[member.wheel].link.sha256
            is_stored = sha256 is not None and self._context.store.holds(sha256)
            with nullcontext() if is_stored else self.lazy.waiting(f"open {node.path}"):
                await self._under_way[inode].wait()
        self._under_way[inode] = trio.Event()
        try:
            made = await self._inflate(node, member)
        finally:
            self._under_way.pop(inode).set()
        self._verified.put(inode, True)
        if isinstance(made, _InMemory):
            self._inflated.put(inode, made)
        else:
            self._context.store.inflated.keep(inode, made.file, member.size)
        return made

    def _kept(self, inode: int) -> _Content | None:
        file = self._context.store.inflated.get(inode)
        return self._inflated.get(inode) if file is None else _InFile(file, self._context.disk)

    async def _inflate(self, node: EnvironmentFile, member: WheelMember) -> _Inflated:
        ref = node.tree.refs[member.wheel]
        stored = await self._open_stored(ref)
        if stored is None:
            return await self._from_lazy(node, member, ref)
        self._context.counters.count_saved(member.compressed_size)
        try:
            return await self._unpacked(stored, member)
        except zip_layout.NotAZip as error:
            raise ContentMismatch(f"open {node.path}", f"{ref.filename}: {error}") from None
        finally:
            stored.close()

    async def _from_lazy(self, node: EnvironmentFile, member: WheelMember, ref: FileRef) -> _Inflated:
        """Bring a member, and all of its wheel where the member is wrong: then its own sha256 tells what is right."""
        wheel = await self.lazy.open(ref)
        try:
            await wheel.secure(*zip_range(member))
            try:
                return await self._unpacked(wheel, member, sha256=b"" if wheel.is_verified else member.sha256)
            except zip_layout.NotAZip as wrong:
                if wheel.is_verified:
                    raise ContentMismatch(f"open {node.path}", f"{ref.filename}: {wrong}") from None
                log.warning("open %s: %s: %s; the whole wheel is fetched", node.path, ref.filename, wrong)
                return await self._from_whole(wheel, node, member, f"{ref.filename}: {wrong}")
        finally:
            wheel.close()

    async def _from_whole(self, wheel: LazyWheel, node: EnvironmentFile, member: WheelMember, happened: str) -> _Inflated:
        try:
            await wheel.bring_whole()
            return await self._unpacked(wheel, member)
        except (zip_layout.NotAZip, OriginError) as error:
            raise ContentMismatch(f"open {node.path}", f"{happened}; its whole wheel is no better: {error}") from None

    async def _unpacked(self, wheel: _Wheel, member: WheelMember, *, sha256: bytes = b"") -> _Inflated:
        """Return a member, compared with ``sha256`` where that is not empty; raises `zip_layout.NotAZip`."""
        header = bytes(await wheel.read(member.header_offset, zip_layout.LOCAL_HEADER_BYTES))
        described = zip_member(member)
        begin = zip_layout.data_offset(described, header)
        if member.size > self._limits.in_memory_bytes:
            return await self._in_file(wheel, described, begin, sha256)
        content = await self._whole(wheel, described, begin)
        if sha256 and hashlib.sha256(content).digest() != sha256:
            raise zip_layout.NotAZip(f"{member.path} does not have the sha256 that RECORD gives")
        return _InMemory(content)

    async def _whole(self, wheel: _Wheel, member: zip_layout.Member, begin: int) -> bytes:
        packed = b"".join([bytes(await wheel.read(*place)) for place in self._pieces(begin, member.compressed_size)])
        if member.size <= self._limits.inline_bytes:
            return zip_layout.inflated(member, packed)
        return await trio.to_thread.run_sync(zip_layout.inflated, member, packed, limiter=self._context.disk)

    async def _in_file(self, wheel: _Wheel, member: zip_layout.Member, begin: int, sha256: bytes) -> _InFile:
        def write(file: BinaryIO) -> None:
            inflater, digest = zip_layout.Inflater(member), hashlib.sha256()
            for place in self._pieces(begin, member.compressed_size):
                for content in inflater.take(bytes(trio.from_thread.run(wheel.read, *place))):
                    file.write(content)
                    if sha256:
                        digest.update(content)
            inflater.finish()
            if sha256 and digest.digest() != sha256:
                raise zip_layout.NotAZip(f"{member.name} does not have the sha256 that RECORD gives")

        make = partial(self._context.store.inflated.make, f"inflate {member.name}", write)
        return _InFile(await trio.to_thread.run_sync(make, limiter=self._inflating), self._context.disk)

    def _pieces(self, begin: int, size: int) -> Iterator[tuple[int, int]]:
        """Yield offset and size of the pieces in which a member is read."""
        for offset in range(0, size, self._limits.piece_bytes):
            yield begin + offset, min(self._limits.piece_bytes, size - offset)


class _OpenMember:
    """An open member; ``content`` is None while it is only known to be right."""

    direct_io = False

    def __init__(
        self, opener: MemberOpener, node: EnvironmentFile, member: WheelMember, inode: int, content: _Content | None
    ) -> None:
        self._opener = opener
        self._node = node
        self._member = member
        self._inode = inode
        self._content = content

    @property
    def size(self) -> int:
        return self._member.size

    async def read(self, offset: int, size: int) -> bytes:
        if self._content is None:
            self._content = await self._opener.content(self._node, self._member, self._inode)
        return await self._content.read(offset, size)

    def close(self) -> None:
        self._content = None
