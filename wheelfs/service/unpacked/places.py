"""Where unpacked distributions lie: in uv's cache, in virtual environments, and in environments of conda.

Nothing here writes, and nothing follows from a name alone: half of an entry, another user's files and what changes meanwhile are
found out when it is read.
"""

from __future__ import annotations

import os
import re
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from wheelfs.core.unpacked.distribution import SUFFIX
from wheelfs.core.unpacked.members import Layout
from wheelfs.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

_ARCHIVES: Final = "archive-v0"
"""Where uv 0.1.7 to 0.13 have what they unpack, one directory each under a name that means nothing."""
_POINTERS: Final = re.compile(r"(?:wheels|sdists|built-wheels)-v\d+")
_BY_ADDRESS: Final = frozenset({"url", "path", "git", "editable"})
"""What uv calls the parts of its cache for what was named by a path or an URL; the others are indexes'."""
_EDITABLE: Final = frozenset({"editable"})
_POINTER_BYTES: Final = 64 << 10
_ID: Final = re.compile(rb"[A-Za-z0-9_-]{8,}")
_PYTHON: Final = re.compile(r"python(3\.\d+)t?")


class Unpacked(msgspec.Struct, frozen=True):
    """A distribution: its ``dist_info`` lies in ``site``, a path below ``root``.

    ``layout`` is that of an environment, None where the wheel was unpacked as it is.  ``is_direct``: by the cache's own account
    it was named by a path or an URL, and came from no index.  ``is_editable``: it was built for an editable install, which
    nothing in it says.
    """

    root: Path
    dist_info: str
    layout: Layout | None = None
    is_direct: bool = False
    is_editable: bool = False

    @property
    def site(self) -> Path:
        """The directory that holds the ``.dist-info``."""
        return self.root if self.layout is None else self.root / self.layout.site

    @property
    def attempted(self) -> str:
        """What taking it in is called in messages."""
        return f"take in {self.site / self.dist_info}"


def in_uv_cache(directory: Path) -> list[Unpacked]:
    """Return what a cache of uv holds, the newest first; raises `InvalidInput` when it cannot be read as one.

    Of two builds of one version the newer is what their user means.  An entry without a ``.dist-info`` is returned with an empty
    one, to be refused by name.
    """
    attempted = f"take in uv's cache {directory}"
    archives = directory / _ARCHIVES
    with _readable(attempted):
        if not archives.is_dir():
            others = sorted(path.name for path in directory.glob("archive-v*"))
            if others:
                raise InvalidInput(attempted, f"it has {', '.join(others)}, which this wheelfs does not know", "update wheelfs")
            raise InvalidInput(attempted, f"there is no directory {_ARCHIVES} in it", "name the directory `uv cache dir` prints")
        roots = {entry.name: Path(entry.path) for entry in os.scandir(archives) if entry.is_dir(follow_symlinks=False)}
        parts = _parts(directory, frozenset(roots))
    return [
        Unpacked(root, dist_info, None, bool(parts[name]) and parts[name] <= _BY_ADDRESS, parts[name] == _EDITABLE)
        for name, root in sorted(roots.items(), key=lambda entry: (-_unpacked_ns(entry[1]), entry[0]))
        for dist_info in (_dist_infos(root) or [""])
    ]


def in_environment(directory: Path, *, conda: bool = False) -> list[Unpacked]:
    """Return what an environment holds, in order; with ``conda`` without what conda has installed.  Raises `InvalidInput`."""
    attempted = f"take in the environment {directory}"
    with _readable(attempted):
        sites = [
            Layout(str(path.relative_to(directory)), found[1])
            for lib in ("lib", "lib64")
            if not (directory / lib).is_symlink()
            for path in sorted(directory.glob(f"{lib}/python3.*/site-packages"))
            if (found := _PYTHON.fullmatch(path.parent.name)) is not None
        ]
        if not sites:
            advice = "name the directory that has bin/ and lib/ of an environment"
            raise InvalidInput(attempted, "there is no lib/python3.*/site-packages in it", advice)
        if conda and not (directory / "conda-meta").is_dir():
            raise InvalidInput(attempted, "there is no conda-meta in it, so it is not conda's", "take it in with --venv")
        owned = _of_conda(directory) if conda else frozenset[str]()
    return [
        Unpacked(directory, dist_info, layout)
        for layout in sites
        for dist_info in _dist_infos(directory / layout.site)
        if f"{layout.site}/{dist_info}" not in owned
    ]


def in_source(directory: Path) -> list[Unpacked]:
    """Return what a cache of uv or an environment holds, whichever ``directory`` is; raises `InvalidInput`."""
    return in_uv_cache(directory) if any(directory.glob("archive-v*")) else in_environment(directory)


def marks_of(directory: Path) -> object:
    """Return what changes when something is added to a cache of uv or an environment: the times of the directories that grow."""
    growing = [directory / _ARCHIVES, *sorted(directory.glob("lib*/python3.*/site-packages"))]
    try:
        return [path.stat().st_mtime_ns for path in growing if path.is_dir()]
    except OSError:
        return None


def _unpacked_ns(root: Path) -> int:
    try:
        return root.stat().st_mtime_ns
    except OSError:  # removed meanwhile
        return 0


def _dist_infos(site: Path) -> list[str]:
    try:
        return sorted(entry.name for entry in os.scandir(site) if entry.name.endswith(SUFFIX) and entry.is_dir())
    except OSError:
        return []


def _parts(directory: Path, archives: frozenset[str]) -> dict[str, set[str]]:
    """Return by archive which parts of the cache refer to it, by links or small files that hold its name."""
    sizes = {len(name) for name in archives}
    found: dict[str, set[str]] = {name: set() for name in archives}
    for bucket in directory.iterdir():
        if _POINTERS.fullmatch(bucket.name) is None:
            continue
        for part in _listed(bucket):
            for pointer in _files(Path(part.path)):
                for name in _names_in(pointer, archives, sizes):
                    found[name].add(part.name)
    return found


def _listed(directory: Path) -> Sequence[os.DirEntry[str]]:
    try:
        return [entry for entry in os.scandir(directory) if entry.is_dir(follow_symlinks=False)]
    except OSError:
        return []


def _files(directory: Path) -> Iterator[os.DirEntry[str]]:
    """Yield the files and links below a directory; those of what cannot be read are left out."""
    for path, directories, names in os.walk(directory):
        wanted = {*names, *directories}
        for entry in os.scandir(path):
            if entry.name in wanted and (entry.is_symlink() or entry.is_file(follow_symlinks=False)):
                yield entry


def _names_in(pointer: os.DirEntry[str], archives: frozenset[str], sizes: Collection[int]) -> Iterator[str]:
    try:
        if pointer.is_symlink():
            yield from archives.intersection([Path(pointer.path).readlink().name])
            return
        if pointer.stat(follow_symlinks=False).st_size > _POINTER_BYTES:
            return
        content = Path(pointer.path).read_bytes()
    except OSError:
        return
    for run in _ID.findall(content):
        text = run.decode()
        for size in sizes:
            windows = (text[start : start + size] for start in range(len(text) - size + 1))
            yield from archives.intersection(windows)


class _Installed(msgspec.Struct):
    files: list[str] = []


def _of_conda(directory: Path) -> frozenset[str]:
    """Return the directories that have files of conda's packages (``conda-meta``): the others are pip's or uv's."""
    owned: set[str] = set()
    for path in directory.glob("conda-meta/*.json"):
        try:
            files = msgspec.json.decode(path.read_bytes(), type=_Installed).files
        except msgspec.DecodeError:
            continue
        owned.update(file.rpartition("/")[0] for file in files if file.endswith(f"{SUFFIX}/METADATA"))
    return frozenset(owned)


@contextmanager
def _readable(attempted: str) -> Iterator[None]:
    """Turn what the system refuses into `InvalidInput`."""
    try:
        yield
    except OSError as error:
        raise InvalidInput(attempted, error.strerror or str(error), "check the path and its permissions") from None
