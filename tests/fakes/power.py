"""What a power cut may leave on a disk, drawn from a record of what was done to it (`recording_fs`).

What was synced is there.  Of what was not, each 4 KiB page of a file has what the first so many writes to it had put there; its
size is that after the first so many changes of it; and of a directory's entries the first so many changes were done.  All of
these are drawn one by one, so names may be there without their bytes, and bytes without names.  That is less than any journaling
file system keeps: what holds here does not hang on its order of writing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    import random
    from pathlib import Path

PAGE_BYTES: Final = 4_096


class Write(NamedTuple):
    """Bytes of a file; ``durable`` when the write itself waits for the disk (O_DSYNC)."""

    inode: int
    offset: int
    data: bytes
    durable: bool


class Resize(NamedTuple):
    inode: int
    size: int


class Sync(NamedTuple):
    """fsync or fdatasync of a file, or of a directory."""

    inode: int


class Make(NamedTuple):
    """A new, empty file or directory, without a name yet."""

    inode: int
    is_directory: bool


class Name(NamedTuple):
    """An entry of a directory: set, or removed (``inode`` None)."""

    directory: int
    name: str
    inode: int | None


class Move(NamedTuple):
    """A rename, which is done wholly or not at all."""

    inode: int
    old: tuple[int, str]
    new: tuple[int, str]


Operation = Write | Resize | Sync | Make | Name | Move


@dataclass
class _File:
    """``synced`` is on the disk; ``pending`` is not for certain, in order."""

    synced: bytearray = field(default_factory=bytearray)
    pending: list[Write | Resize] = field(default_factory=list)

    def sync(self) -> None:
        for change in self.pending:
            _apply(self.synced, change)
        self.pending.clear()

    def whole(self) -> bytes:
        """Return what a reader sees before the power is cut."""
        content = bytearray(self.synced)
        for change in self.pending:
            _apply(content, change)
        return bytes(content)

    def left(self, draw: random.Random) -> bytes:
        """Return what may be on the disk."""
        sizes, pages = [len(self.synced)], dict[int, list[Write]]()
        for change in self.pending:
            if isinstance(change, Resize):
                sizes.append(change.size)
                continue
            sizes.append(max(sizes[-1], change.offset + len(change.data)))
            for piece in _by_pages(change):
                pages.setdefault(piece.offset // PAGE_BYTES, []).append(piece)
        content = bytearray(self.synced)
        for pieces in pages.values():
            for piece in pieces[: draw.randint(0, len(pieces))]:
                _apply(content, piece)
        _apply(content, Resize(0, sizes[draw.randrange(len(sizes))]))
        return bytes(content)


def _apply(content: bytearray, change: Write | Resize) -> None:
    if isinstance(change, Resize):
        del content[change.size :]
        content.extend(bytes(change.size - len(content)))
        return
    content.extend(bytes(max(0, change.offset - len(content))))
    content[change.offset : change.offset + len(change.data)] = change.data


def _by_pages(write: Write) -> list[Write]:
    pieces, at, end = [], write.offset, write.offset + len(write.data)
    while at < end:
        until = min(end, (at // PAGE_BYTES + 1) * PAGE_BYTES)
        pieces.append(write._replace(offset=at, data=write.data[at - write.offset : until - write.offset]))
        at = until
    return pieces


class Disk:
    """Takes operations one by one; at any time `left` draws what a cut at this moment leaves."""

    def __init__(self, root: int) -> None:
        self._root = root
        self._files: dict[int, _File] = {}
        self._entries: dict[int, dict[str, int]] = {root: {}}
        """By directory: the names on the disk."""
        self._names: list[Name | Move] = []
        """Changes of names that are not on the disk for certain, in order."""

    def do(self, operation: Operation) -> None:
        """Take one operation."""
        match operation:
            case Make(inode, is_directory):
                # An inode's number is given again after it has no name any more.
                self._files.pop(inode, None)
                self._entries.pop(inode, None)
                if is_directory:
                    self._entries[inode] = {}
                else:
                    self._files[inode] = _File()
            case Write(inode, _, _, durable):
                file = self._files[inode]
                if durable:
                    # The write is on the disk, and what it overtook on its pages with it.
                    file.pending = _without_pages_of(operation, file)
                    _apply(file.synced, operation)
                else:
                    file.pending.append(operation)
            case Resize(inode, _):
                self._files[inode].pending.append(operation)
            case Sync(inode):
                if inode in self._files:
                    self._files[inode].sync()
                else:
                    self._sync_names(inode)
            case Name() | Move():
                self._names.append(operation)

    def _sync_names(self, directory: int) -> None:
        for change in self._names:
            if directory in _directories(change):
                _rename(self._entries, change)
        self._names = [change for change in self._names if directory not in _directories(change)]

    def text(self, directory: str) -> dict[str, bytes]:
        """Return the files of a directory below the root as a reader sees them now."""
        entries = {inode: dict(names) for inode, names in self._entries.items()}
        for change in self._names:
            _rename(entries, change)
        found = entries[self._root].get(directory)
        return {} if found is None else {name: self._files[inode].whole() for name, inode in entries[found].items()}

    def left(self, where: Path, draw: random.Random) -> None:
        """Make, in the new directory ``where``, what a cut of the power at this moment may leave."""
        entries = {inode: dict(names) for inode, names in self._entries.items()}
        counts = dict.fromkeys(entries, 0)
        for change in self._names:
            for directory in _directories(change):
                counts[directory] += 1
        kept, seen = {inode: draw.randint(0, count) for inode, count in counts.items()}, dict.fromkeys(entries, 0)
        for change in self._names:
            places = _directories(change)
            for directory in places:
                seen[directory] += 1
            if all(seen[directory] <= kept[directory] for directory in places):
                _rename(entries, change)
        self._make(where, self._root, entries, draw)

    def _make(self, where: Path, inode: int, entries: dict[int, dict[str, int]], draw: random.Random) -> None:
        where.mkdir(mode=0o700)
        for name, child in entries[inode].items():
            if child in entries:
                self._make(where / name, child, entries, draw)
            else:
                (where / name).touch(mode=0o600)
                (where / name).write_bytes(self._files[child].left(draw))


def _without_pages_of(write: Write, file: _File) -> list[Write | Resize]:
    """Return what stays uncertain of a file when a write to it is on the disk."""
    first, last = write.offset // PAGE_BYTES, (write.offset + len(write.data) - 1) // PAGE_BYTES
    rest: list[Write | Resize] = []
    for change in file.pending:
        pieces = [change] if isinstance(change, Resize) else _by_pages(change)
        for piece in pieces:
            if isinstance(piece, Write) and first <= piece.offset // PAGE_BYTES <= last:
                _apply(file.synced, piece)
            else:
                rest.append(piece)
    return rest


def _directories(change: Name | Move) -> set[int]:
    return {change.directory} if isinstance(change, Name) else {change.old[0], change.new[0]}


def _rename(entries: dict[int, dict[str, int]], change: Name | Move) -> None:
    match change:
        case Name(directory, name, None):
            entries[directory].pop(name, None)
        case Name(directory, name, int() as inode):
            entries[directory][name] = inode
        case Move(inode, (old, old_name), (new, new_name)):
            if entries[old].get(old_name) == inode:
                del entries[old][old_name]
            entries[new][new_name] = inode
