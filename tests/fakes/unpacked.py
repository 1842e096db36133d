"""Caches of uv and environments, as their makers leave them, without running these."""

from __future__ import annotations

import io
import os
import zipfile
from typing import TYPE_CHECKING

from wheelfs.core.environments.installation import install
from wheelfs.core.wheel import zip_layout
from wheelfs.core.wheel.metadata import converse, search_directory
from wheelfs.model.environment import Interpreter

if TYPE_CHECKING:
    from pathlib import Path

PYTHON = Interpreter("/opt/python/bin/python3.11", "3.11.7", "cpython-311", b"abcd")


def unpack(wheel: bytes, directory: Path) -> Path:
    """Unpack a wheel as it is, and return the directory."""
    directory.mkdir(parents=True)
    with zipfile.ZipFile(io.BytesIO(wheel)) as archive:
        archive.extractall(directory)
    return directory


class UvCache:
    """A cache of uv: what ``url`` has was named by a path, what ``index`` has came from an index."""

    def __init__(self, path: Path) -> None:
        self.path = path
        (path / "archive-v0").mkdir(parents=True)

    def add(self, wheel: bytes, name: str, *, bucket: str = "url", linked: bool = False) -> Path:
        """Unpack a wheel and refer to it: by a link, or in a small file: uv has both."""
        number = len(list((self.path / "archive-v0").iterdir()))
        root = unpack(wheel, self.path / "archive-v0" / f"{number:02d}rHT2OI5tha1kYm")
        pointer = self.path / "wheels-v7" / bucket / "e82b9e6a40e721b3" / name / "1.0-py3-none-any.rev"
        pointer.parent.mkdir(parents=True, exist_ok=True)
        if linked:
            pointer.with_suffix("").symlink_to(root)
        else:
            pointer.write_bytes(b"\x92\x92\xcei\xfe\x00\xb0" + root.name.encode() + b"\x90\xd9" + b"\xc0")
        return root


def installed(wheel: bytes, filename: str, project: str, prefix: Path, *, installer: bytes = b"uv\n") -> Path:
    """Install a wheel into the environment ``prefix``, and return its site-packages."""
    location, directory = converse(search_directory(len(wheel), 1 << 16), lambda at, size: wheel[at : at + size])
    found = zip_layout.parse_directory(directory, location)

    def read(member: zip_layout.Member) -> bytes:
        return zip_layout.extract_member(member, wheel, 0)

    made = install(0, filename, project, found, PYTHON, read)
    by_header = {member.header_offset: member for member in found}
    files = [(one.path, read(by_header[one.header_offset]), one.is_executable) for one in made.members]
    files += [(one.path, one.content, one.is_executable) for one in made.written]
    for path, content, is_executable in files:
        place = prefix / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(installer if place.name == "INSTALLER" else content)
        place.chmod(0o755 if is_executable else 0o644)
    return prefix / PYTHON.site_packages


def snapshot(directory: Path) -> dict[str, tuple[int, int, bytes]]:
    """Return what a directory holds, with modes and times: for comparing it with what it holds later."""
    return {
        str(path.relative_to(directory)): (path.lstat().st_mode, path.lstat().st_mtime_ns, path.read_bytes())
        for path in sorted(directory.rglob("*"))
        if path.is_file() and not path.is_symlink() and os.access(path, os.R_OK)
    }
