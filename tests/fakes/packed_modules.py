"""A directory of modules on disk, and the file of their bytecode as a mount would show it."""

from __future__ import annotations

import importlib.util
import marshal
import os
import sys
from pathlib import Path

from wheelfs.core.environments.packing import PackedBytecode, PackedDirectory, PackedModule, is_importable
from wheelfs.service.environments.importer import Packed

MTIME_S = 315_532_800
"""What is said of all modules, so that one can see who says it."""


def packed(site: Path, file: Path) -> Packed:
    """Write the bytecode of all modules below ``site`` to ``file``, and return it opened; that ends with the process."""
    code: dict[bytes, bytes] = {}
    directories = []
    for where, below, names in os.walk(site):
        path = str(Path(where).relative_to(site))
        found: dict[str, PackedModule | None] = {}
        for name in filter(is_importable, names):
            found[name] = None
            if name.endswith(".py"):
                key = f"{where}/{name}".encode()
                text = Path(where, name).read_bytes()
                code[key] = _compiled(text)
                found[name] = PackedModule(f"{where}/{name}", key, len(code[key]), len(text))
        directories.append(PackedDirectory("" if path == "." else path, Path(where).stat().st_ino, below, found))
    made = PackedBytecode(directories, mtime_s=MTIME_S, tag=sys.implementation.cache_tag)
    content = made.read(0, made.size, code.get)
    assert content is not None
    file.write_bytes(content)
    return Packed(str(site), os.open(file, os.O_RDONLY))


def _compiled(text: bytes) -> bytes:
    head = importlib.util.MAGIC_NUMBER + (1).to_bytes(4, "little") + importlib.util.source_hash(text)
    return head + marshal.dumps(compile(text, "<environment>", "exec", dont_inherit=True))
